"""An upper-confidence-bound bandit over the configurations of a grid."""

import jax
import jax.numpy as jnp

from jaxhpo.algorithms.common import history as histories
from jaxhpo.algorithms.common.checks import check_common, check_integer, check_number
from jaxhpo.algorithms.common.history import History
from jaxhpo.algorithms.common.proposals import fresh
from jaxhpo.algorithms.model_based.linear_bandit import NOISE, SHARPNESS, Arms, Posterior
from jaxhpo.space import Space
from jaxhpo.types import Algorithm, Array, Key, Proposal

_TOLD, _CHOSEN = 1e3, 1e6  # penalties, so that told and chosen arms are taken only if there is no other


def ucb(
    space: Space,
    *,
    lanes: int,
    budget: int = 1,
    exploration: float = 1.5,
    candidates: int = 256,
    sharpness: float = SHARPNESS,
    noise: float = NOISE,
) -> Algorithm:
    """Choose the arm of highest upper confidence bound: LinUCB (Li et al. 2010) in dual form, GP-UCB (Srinivas 2010).

    Every configuration of the grid is an arm. The correlation of two arms is fixed: it is larger the more levels they
    share or nearly share (`linear_bandit`). Rewards are normal scores of the trials' ranks. The bound is mean +
    exploration * standard deviation. The trials of a round are chosen one after another, each as if the earlier ones
    had returned their expected rewards (GP-BUCB, Desautels et al. 2014), so that they differ.

    Use it if the grid is good and trials are few: nothing needs to be fitted, so it works from the first trials. A
    round costs about a millisecond at 128 trials, mostly for products of 128 x 128 x `candidates`, and grows with the
    cube of the trials. Memory: the trials and C x candidates numbers.

    Args:
        space: Search space; every dimension needs levels. The number of configurations is not limited.
        lanes: Number of lanes: trials of a round.
        budget: Budget of every trial, in units of the objective such as epochs. Told trials of other budgets count
            alike.
        exploration: Factor of the standard deviation in the bound.
        candidates: Number of arms considered in a round, half of them uniform draws, half neighbours of the best eight
            told arms. If there are at most twice as many arms, all are considered.
        sharpness: Rate at which the correlation of arms falls with the levels in which they differ.
        noise: Variance of the noise of a reward, where that of the rewards of all arms is 1.

    Raises:
        ValueError: if an argument is invalid or a dimension has no levels; the message names it.
    """
    check_common(space, lanes, budget)
    check_number("exploration", exploration, 0.0, 1e2)
    check_integer("candidates", candidates, 2)
    check_number("sharpness", sharpness, 1e-3, 1e3)
    check_number("noise", noise, 1e-3, 1e3)
    arms = Arms(space, "ucb", candidates, sharpness, noise)

    def ask(key: Key, state: History) -> Proposal:
        sample_key, tie_key = jax.random.split(key)
        point, levels = arms.sample(sample_key, state)
        name = arms.names(levels)
        # Before the first trial all bounds are equal; without random ties rounding errors would decide.
        tie = 1e-3 * jax.random.uniform(tie_key, name.shape, jnp.float32)
        handicap = tie - jnp.where(arms.told(state, name), _TOLD, 0.0)
        chosen = choose(arms, arms.posterior(state), arms.embed(levels), name, handicap, lanes, exploration)
        return fresh(point[chosen], budget)

    return histories.remembering(len(space), lanes, ask)


def choose(
    arms: Arms, posterior: Posterior, embedding: Array, name: Array, handicap: Array, lanes: int, exploration: float
) -> Array:
    """Return the rows of the arms of highest bounds, chosen one after another: [lanes] int32.

    Args:
        arms: Arms of the space.
        posterior: Model conditioned on the told trials.
        embedding: Embeddings of the candidates: [N, R].
        name: Numbers of the candidates; of equal ones one is chosen: [N] int32.
        handicap: Values added to the bounds: [N].
        lanes: Number of arms to choose.
        exploration: Factor of the standard deviation in the bound.
    """
    size = posterior.there.shape[0]
    white = jnp.matmul(posterior.whitener, arms.covariance(posterior, embedding), precision="highest")  # [C, N]
    mean = jnp.matmul(jnp.matmul(posterior.whitener, posterior.reward, precision="highest"), white, precision="highest")
    variance = 1.0 - jnp.sum(white**2, axis=0)
    # Rows for the chosen arms: their expected rewards do not change the mean, but reduce the variance.
    white = jnp.concatenate([white, jnp.zeros((lanes, white.shape[1]), jnp.float32)])

    def step(i: Array, carry: tuple[Array, Array, Array, Array]) -> tuple[Array, Array, Array, Array]:
        white, variance, handicap, chosen = carry
        bound = mean + exploration * jnp.sqrt(jnp.maximum(variance, 0.0)) + handicap
        best = jnp.argmax(bound).astype(jnp.int32)
        covariance = arms.correlation(embedding[best][None], embedding)[0]
        covariance = covariance - jnp.matmul(white[:, best], white, precision="highest")
        row = covariance / jnp.sqrt(jnp.maximum(variance[best], 0.0) + arms.noise)
        handicap = jnp.where(name == name[best], -_CHOSEN, handicap)
        return white.at[size + i].set(row), variance - row**2, handicap, chosen.at[i].set(best)

    carry = (white, variance, handicap, jnp.zeros(lanes, jnp.int32))
    return jax.lax.fori_loop(0, lanes, step, carry)[3]
