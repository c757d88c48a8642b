"""Q of the considered actions, and the epsilon-greedy choice of the actions of a round."""

import math

import jax
import jax.numpy as jnp
import numpy as np

from jaxhpo.algorithms.gp.acquisition import log_ei
from jaxhpo.algorithms.gp.kernel import covariance
from jaxhpo.algorithms.gp.search import codes
from jaxhpo.algorithms.q_learning.actions import Considered
from jaxhpo.algorithms.q_learning.reward_posterior import Prediction, RewardPosterior, Told
from jaxhpo.space import Space
from jaxhpo.types import Array

_LAST = -1e30  # log Q of an action that is not allowed, chosen only if there is no other
_REPEATED = -3e30  # log Q of a configuration that the round already has, chosen after those
_LOOKED = 8  # number of actions with a lookahead: those of the highest rewards
_NODES = np.array([-1.7320508, 0.0, 1.7320508], np.float32)  # Gauss-Hermite nodes for a normal distribution
_LOG_WEIGHTS = np.log(np.array([1 / 6, 2 / 3, 1 / 6], np.float32))


class Decision:
    """A decision to make: the posterior of the rewards, and the told configurations.

    Args:
        space: Search space.
        model: Model of the rewards.
        told: Model conditioned on the told trials.
        code: `codes` of all told configurations: [C] uint32.
    """

    def __init__(self, space: Space, model: RewardPosterior, told: Told, code: Array):
        self.model, self.posterior = model, told.posterior
        self._space, self._code = space, code
        top = jnp.max(told.mean)
        # The incumbent's reward is its posterior mean, so that one lucky score of a noisy training does not count.
        self.top = jnp.where(jnp.isfinite(top), top, 0.0)

    def improvement(self, point: Array) -> Array:
        """Return the logarithm of the expected improvement, -inf if not allowed: [M, D] -> [M]."""
        told = jnp.any(self._code[:, None] == codes(point)[None], axis=0)
        return jnp.where(told | ~self._space.feasible(point), -jnp.inf, self.worth(point))

    def worth(self, point: Array) -> Array:
        """Return the logarithm of the expected improvement of configurations: [M, D] -> [M]."""
        predicted = self.model.predict(self.posterior, point)
        return log_ei(predicted.mean, self.deviation(predicted.variance), self.top)

    def deviation(self, variance: Array) -> Array:
        """Return the square roots of variances, which rounding may have made negative."""
        return jnp.sqrt(jnp.maximum(variance, 1e-6 * self.posterior.hyper.signal))


def choose(decision: Decision, considered: Considered, explores: Array, gamma: float) -> Array:
    """Return the actions of a round's lanes, those of highest Q or random ones: [B] int32.

    Args:
        decision: Decision to make.
        considered: M actions; the last B are for lanes that explore.
        explores: Whether a lane explores: [B] bool.
        gamma: Discount.
    """
    lanes, number = explores.shape[0], len(considered.code)
    model, noise = decision.model, decision.posterior.hyper.noise
    # The value of an action depends on the configuration's final score; the next score is that at its next budget.
    ends = model.predict(decision.posterior, considered.point)
    shows = model.predict(decision.posterior, considered.point, considered.progress) if model.progresses else ends
    size = ends.white.shape[1]
    # A new configuration may be trained twice if there is no other; a trial is continued once.
    repeated = jnp.where(considered.row >= 0, -jnp.inf, _REPEATED)

    def roomy(predicted: Prediction) -> Prediction:
        """Return a prediction with rows for the chosen actions, which keep the mean and reduce the variance."""
        rows = jnp.concatenate([predicted.white.T, jnp.zeros((lanes, number), jnp.float32)])
        return predicted._replace(white=rows)

    def left(shows: Prediction, rows: Array, of: Prediction) -> Array:
        """Return the posterior covariance of the next scores of some actions with the scores of all: [K, M]."""
        across = covariance(model.order, decision.posterior.hyper, shows.inputs[rows], of.inputs)
        return across - jnp.matmul(shows.white[:, rows].T, of.white, precision="highest")

    def step(i: Array, carry: tuple[Prediction, Prediction, Array, Array, Array]) -> tuple:
        ends, shows, penalty, top, rows = carry
        shows = shows if model.progresses else ends
        reward = log_ei(ends.mean, decision.deviation(ends.variance), top) + penalty
        best, first = jax.lax.top_k(reward, min(_LOOKED, number) if gamma else 1)
        if gamma:
            # The effect of each action's score on all others: the change of their means per standard deviation of the
            # score, and their variances afterwards.
            spread = jnp.sqrt(jnp.maximum(shows.variance[first], 0.0) + noise)
            moves = left(shows, first, ends) / spread[:, None]
            after = decision.deviation(ends.variance[None] - moves**2)
            then = ends.mean[None, None] + _NODES[:, None, None] * moves[None]  # [Z, K, M]
            own = shows.mean[first][None] + _NODES[:, None] * (jnp.maximum(shows.variance[first], 0.0) / spread)[None]
            ahead = log_ei(then, after[None], jnp.maximum(top, own)[:, :, None]) + penalty[None, None]
            again = (first[:, None] == np.arange(number, dtype=np.int32)[None]) & considered.ends[first][:, None]
            ahead = jnp.where(again, -jnp.inf, ahead)
            value = jax.nn.logsumexp(jnp.max(ahead, axis=2) + _LOG_WEIGHTS[:, None], axis=0)
            q = jnp.where(best > 0.5 * _LAST, jnp.logaddexp(best, value + math.log(gamma)), best)
            chosen = first[jnp.argmax(q)].astype(jnp.int32)
        else:
            chosen = first[0].astype(jnp.int32)
        odd = jnp.int32(number - lanes) + i
        chosen = jnp.where(explores[i] & (penalty[odd] > 0.5 * _LAST), odd, chosen)

        def seen(of: Prediction) -> Prediction:
            row = left(shows, chosen[None], of)[0] / jnp.sqrt(jnp.maximum(shows.variance[chosen], 0.0) + noise)
            return of._replace(white=of.white.at[size + i].set(row), variance=of.variance - row**2)

        penalty = jnp.where(considered.code == considered.code[chosen], repeated, penalty)
        top = jnp.maximum(top, shows.mean[chosen])
        both = seen(ends), (seen(shows) if model.progresses else ())
        return *both, penalty, top, rows.at[i].set(chosen)

    penalty = jnp.where(considered.allowed, -considered.cost, _LAST)
    both = roomy(ends), (roomy(shows) if model.progresses else ())
    return jax.lax.fori_loop(0, lanes, step, (*both, penalty, decision.top, jnp.zeros(lanes, jnp.int32)))[4]


def variance(model: RewardPosterior, told: Told, point: Array) -> Array:
    """Return the mean posterior variance of the rewards of configurations, as a share of the prior variance: []."""
    predicted = model.predict(told.posterior, point)
    before = told.posterior.hyper.signal + jnp.sum(predicted.inputs[:, len(model.order) :] ** 2, axis=1)
    return jnp.mean(jnp.clip(predicted.variance / before, 0.0, 1.0))
