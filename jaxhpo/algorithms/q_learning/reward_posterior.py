"""The posterior of rewards: a Gaussian process over configurations and the epochs that they are trained."""

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

_SLOPE = 2.0  # deviation of how much the whole training adds to every score, before anything was told


class Prediction(NamedTuple):
    """The rewards of some configurations after some epochs: normal distributions."""

    inputs: Array  # [M, I] float32: as the process takes them
    mean: Array  # [M]
    white: Array  # [M, N]: what of each is known; products are known covariances
    variance: Array  # [M]: what is left


class Told(NamedTuple):
    """A history as the process sees it: N rows."""

    posterior: Posterior
    point: Array  # [N, D] float32
    score: Array  # [N] float32: warped; -inf in empty rows
    mean: Array  # [N] float32: what is expected of each, its own score among the evidence; -inf in empty rows


class RewardPosterior:
    """The rewards of a space as a Gaussian process: fitted to a history, conditioned on it, asked for predictions.

    Its inputs are the configuration's coordinates, where trials are trained for different budgets the share of epochs
    that they had, on a logarithmic scale, and the features of the prior.

    Args:
        space: what is searched.
        knowledge: what is known of it.
        budget: the largest of a trial.
        least: the smallest; where it is the largest, budgets do not count.
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
        """Return the share of the largest budget, on a logarithmic scale: 0 is the smallest, 1 the largest."""
        span = np.float32(np.log(self._budget / self._least) if self.progresses else 1.0)
        return jnp.clip(jnp.log(jnp.maximum(budget, 1).astype(jnp.float32) / self._least) / span, 0.0, 1.0)

    def inputs(self, point: Array, progress: Array | None = None) -> tuple[Array, Array]:
        """Return the mean before anything was told, and inputs: [M, D], [M] or all of the budget -> [M], [M, I]."""
        mean, columns = self._knowledge(point)
        if self.progresses:
            share = jnp.ones(point.shape[0], jnp.float32) if progress is None else progress
            point = jnp.concatenate([point, share[:, None]], axis=1)
            columns = jnp.concatenate([columns, _SLOPE * (1.0 - share)[:, None]], axis=1)
        return mean, jnp.concatenate([point, columns], axis=1)

    def fitted(self, theta: Array, history: History, evaluations: int) -> Array:
        """Return the hyperparameters that explain a history, from earlier ones: [P] -> [P]."""
        point, target, there, budget = modelled(history, FITTED, soften)
        mean, inputs = self.inputs(point, self.progress(budget))
        kept, columns = jnp.split(inputs, [len(self.order)], axis=1)
        square = jnp.stack(squares(self.order, kept, kept)).reshape(len(self.order), -1)
        shared = jnp.matmul(columns, columns.T, precision="highest") if columns.shape[1] else None
        data = Data(square, jnp.where(there, target - mean, 0.0), there, shared, self._centre)
        return fit(theta, data, evaluations)[0]

    def condition(self, theta: Array, history: History) -> Told:
        """Return what a history tells."""
        point, target, there, budget = modelled(history, USED, soften)
        before, inputs = self.inputs(point, self.progress(budget))
        posterior = condition(self.order, unpack(theta), inputs, target - before, there, 0)
        mean = before + known(self.order, posterior, inputs)[0]
        return Told(posterior, point, jnp.where(there, target, -jnp.inf), jnp.where(there, mean, -jnp.inf))

    def predict(self, posterior: Posterior, point: Array, progress: Array | None = None) -> Prediction:
        """Return what is expected of configurations after a share of the budget, or all of it: [M, D], [M]."""
        before, inputs = self.inputs(point, progress)
        mean, white, variance = known(self.order, posterior, inputs)
        return Prediction(inputs, before + mean, white, variance)
