"""The networks of trials as a `Model`, for predictions."""

from collections.abc import Sequence

import jax
import numpy as np

from jaxhpo.training.networks.families import Family
from jaxhpo.training.planning.plan import Plan
from jaxhpo.training.run.layout import Layout
from jaxhpo.training.run.placement import scalings
from jaxhpo.training.run.state import Weights
from jaxhpo.training.trained.data_spec import DataSpec
from jaxhpo.training.trained.model import Model
from jaxhpo.training.trained.network import Network, own_scaling, size_of


def together(family: Family, plan: Plan, layout: Layout, trials: Sequence[Weights], shares: Sequence[float]) -> Model:
    """Return the networks of some trials, which answer together.

    Those of one trial have their own size; those of several keep the shapes of their bucket, so that they share its
    program.

    Args:
        family: The networks of the space.
        plan: The plan by which they were trained.
        layout: The lanes of a trial.
        trials: One or more.
        shares: Weight of each trial; their sum is 1.
    """
    data, networks, weights = family.data, [], []
    scaling = scalings(data, layout.folds, family.ranges.quantiles)
    for one, share in zip(trials, shares, strict=True):
        config = family.space.to_config(one.point)
        for copy, trained in enumerate(one.networks):
            if len(trials) == 1:
                learner, params, made = family.alone(plan, one.bucket, config, trained.params)
                size = size_of(learner)
            else:
                learner, params, made, size = family.member(plan, one.bucket, config, trained.params)
            params, statistics = jax.tree.map(np.asarray, (params, trained.statistics))
            own = own_scaling(learner, scaling[0 if layout.folds is None else copy])
            networks.append(Network(config, params, statistics, own, learner, made, size))
            weights.append(share / len(one.networks))
    if len(networks) == 1:
        return Model.single(networks[0], DataSpec.of(data), data.words)
    return Model(tuple(networks), tuple(weights), DataSpec.of(data), data.words, layout.averages)
