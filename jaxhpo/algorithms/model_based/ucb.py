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

_TOLD, _CHOSEN = 1e3, 1e6  # what bounds lose by, so that a told arm is taken when there is no other


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
    """Pull the arm whose reward might be highest: LinUCB (Li et al. 2010) in the dual form, GP-UCB (Srinivas 2010).

    Every configuration of the grid is an arm, and what one tells of another is fixed: the more levels they share, or
    nearly share, the more (`linear_bandit`). Rewards are normal scores of the trials' ranks. The
    bound is mean + exploration * standard deviation. The lanes of a batch are chosen one after the other, each as if
    those before had returned just what is expected of them (GP-BUCB, Desautels et al. 2014), so that they differ.

    Take it where the grid is good and trials are few: it explores at once, and nothing of it needs to be fitted.
    Costs about a millisecond at 128 trials, the most of it products of 128 x 128 x `candidates`; it grows
    with the cube of the trials. Memory: the trials and C x candidates floats.

    Args:
        space: what to search; every dimension needs levels, and there may be any number of configurations.
        lanes: rows a proposal has.
        budget: every trial's budget, such as epochs. Trials told at other budgets count as any other.
        exploration: standard deviations of the bound.
        candidates: arms looked at in an ask: all of them where there are at most twice so many; else half of so many
            drawn uniformly, and half neighbours of the best eight told.
        sharpness: how fast arms that share fewer levels get unlike.
        noise: variance of a reward about the model, where that of all arms is 1.

    Raises:
        ValueError: naming the argument that cannot be, or the dimension without levels.
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
        # Before anything is told all bounds are equal, and their rounding errors should not choose.
        tie = 1e-3 * jax.random.uniform(tie_key, name.shape, jnp.float32)
        handicap = tie - jnp.where(arms.told(state, name), _TOLD, 0.0)
        chosen = choose(arms, arms.posterior(state), arms.embed(levels), name, handicap, lanes, exploration)
        return fresh(point[chosen], budget)

    return histories.remembering(len(space), lanes, ask)


def choose(
    arms: Arms, posterior: Posterior, embedding: Array, name: Array, handicap: Array, lanes: int, exploration: float
) -> Array:
    """Return the rows of the arms of highest bounds, chosen one after the other: [lanes] int32.

    Args:
        arms: whose model it is.
        posterior: the model.
        embedding: the arms', [N, R].
        name: the arms', [N] int32; of equal ones one is chosen.
        handicap: added to their bounds, [N].
        lanes: how many to choose.
        exploration: standard deviations of the bound.
    """
    size = posterior.there.shape[0]
    white = jnp.matmul(posterior.whitener, arms.covariance(posterior, embedding), precision="highest")  # [C, N]
    mean = jnp.matmul(jnp.matmul(posterior.whitener, posterior.reward, precision="highest"), white, precision="highest")
    variance = 1.0 - jnp.sum(white**2, axis=0)
    # Rows for the chosen: what is expected of them changes no mean, and the variance as if they had been told.
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
