"""The posterior of the rewards: a Gaussian process over configurations and their budgets."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from jaxhpo.algorithms.common.history import History
from jaxhpo.algorithms.common.proposals import ordered
from jaxhpo.algorithms.gp.data import FITTED, USED, modelled
from jaxhpo.algorithms.gp.fit import Data, fit, prior_mode
from jaxhpo.algorithms.gp.kernel import squares, unpack
from jaxhpo.algorithms.gp.posterior import Posterior, condition, known
from jaxhpo.algorithms.gp.warp import soften
from jaxhpo.priors.learned_prior import Knowledge
from jaxhpo.space import Space
from jaxhpo.types import Array

_SLOPE = 2.0  # prior standard deviation of the score that the training from smallest to largest budget adds


class Prediction(NamedTuple):
    """The predicted rewards of configurations at some budget, as normal distributions.

    Attributes:
        inputs: Inputs of the process: [M, I] float32.
        mean: Means: [M].
        white: Whitened covariance with the data; inner products of rows are the explained covariance: [M, N].
        variance: Posterior variances: [M].
    """

    inputs: Array
    mean: Array
    white: Array
    variance: Array


class Told(NamedTuple):
    """The process conditioned on N told trials.

    Attributes:
        posterior: Posterior of the process.
        point: Configurations: [N, D] float32.
        score: Warped scores, -inf in empty rows: [N] float32.
        mean: Posterior means at the trials, -inf in empty rows: [N] float32.
    """

    posterior: Posterior
    point: Array
    score: Array
    mean: Array


class RewardPosterior:
    """The rewards in a space as a Gaussian process.

    Its inputs are the coordinates of the configuration, the share of the budget on a logarithmic scale if budgets
    differ, and the features of the prior.

    Args:
        space: Search space.
        knowledge: Prior of the rewards in the space.
        budget: Largest budget of a trial.
        least: Smallest budget of a trial; if it is the largest, budgets are not an input.
    """

    def __init__(self, space: Space, knowledge: Knowledge, budget: int, least: int):
        self._knowledge, self._budget, self._least = knowledge, budget, least
        self.progresses = least < budget
        self.dimensions = len(space)
        self.order = np.append(ordered(space), [True] * self.progresses)
        centre = np.append(knowledge.centre, [0.0] * self.progresses).astype(np.float32)
        self._centre = centre if np.any(centre) else None
        self.start = prior_mode(len(self.order))
        """[P] float32: logarithms of the hyperparameters where a fit begins."""
        self.start[:-2] += centre
        self.start[-2] += knowledge.signal

    def progress(self, budget: Array) -> Array:
        """Return the share of the largest budget on a logarithmic scale: 0 for the smallest, 1 for the largest."""
        span = np.float32(np.log(self._budget / self._least) if self.progresses else 1.0)
        return jnp.clip(jnp.log(jnp.maximum(budget, 1).astype(jnp.float32) / self._least) / span, 0.0, 1.0)

    def inputs(self, point: Array, progress: Array | None = None) -> tuple[Array, Array]:
        """Return the prior mean and the inputs: [M, D], [M] or None for the largest budget -> [M], [M, I]."""
        mean, columns = self._knowledge(point)
        if self.progresses:
            share = jnp.ones(point.shape[0], jnp.float32) if progress is None else progress
            point = jnp.concatenate([point, share[:, None]], axis=1)
            columns = jnp.concatenate([columns, _SLOPE * (1.0 - share)[:, None]], axis=1)
        return mean, jnp.concatenate([point, columns], axis=1)

    def fitted(self, theta: Array, history: History, evaluations: int) -> Array:
        """Return the hyperparameters fitted to a history, starting from `theta`: [P] -> [P]."""
        point, target, noise, there, budget = modelled(history, FITTED, soften)
        mean, inputs = self.inputs(point, self.progress(budget))
        kept, columns = jnp.split(inputs, [len(self.order)], axis=1)
        square = jnp.stack(squares(self.order, kept, kept)).reshape(len(self.order), -1)
        shared = jnp.matmul(columns, columns.T, precision="highest") if columns.shape[1] else None
        data = Data(square, jnp.where(there, target - mean, 0.0), there, noise, shared, self._centre)
        return fit(theta, data, evaluations)[0]

    def condition(self, theta: Array, history: History) -> Told:
        """Return the process conditioned on a history."""
        point, target, noise, there, budget = modelled(history, USED, soften)
        before, inputs = self.inputs(point, self.progress(budget))
        posterior = condition(self.order, unpack(theta), inputs, target - before, there, 0, noise)
        mean = before + known(self.order, posterior, inputs)[0]
        return Told(posterior, point, jnp.where(there, target, -jnp.inf), jnp.where(there, mean, -jnp.inf))

    def predict(self, posterior: Posterior, point: Array, progress: Array | None = None) -> Prediction:
        """Return predictions for configurations at a share of the budget, or at the largest budget: [M, D], [M]."""
        before, inputs = self.inputs(point, progress)
        mean, white, variance = known(self.order, posterior, inputs)
        return Prediction(inputs, before + mean, white, variance)
