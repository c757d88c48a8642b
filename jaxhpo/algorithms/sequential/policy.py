"""A stochastic policy over walks: a softmax over the levels of each choice, given the choice before it."""

import jax
import jax.numpy as jnp

from jaxhpo.algorithms.common.history import History
from jaxhpo.algorithms.sequential.walk import Walk
from jaxhpo.types import Array, Key


def probabilities(walk: Walk, logits: Array) -> Array:
    """Return the probabilities of the policy: [D, P, L] float32; 0 beyond the levels of a dimension."""
    return jax.nn.softmax(jnp.where(jnp.asarray(walk.valid)[:, None], logits, -jnp.inf), axis=-1)


def entropy(walk: Walk, logits: Array) -> Array:
    """Return the entropy of the policy in nats, averaged over all possible choices: [] float32."""
    p = probabilities(walk, logits)
    return jnp.mean(-jnp.sum(p * jnp.log(jnp.maximum(p, 1e-30)), axis=-1))


def sample(walk: Walk, key: Key, logits: Array, history: History, lanes: int) -> Array:
    """Return points drawn from the policy, [lanes, D], new ones if a few tries find them."""
    valid = jnp.asarray(walk.valid)

    def pick(step_key: Key, d: Array, bins: Array) -> Array:
        noise_key, stray_key = jax.random.split(step_key)
        gumbel = jax.random.gumbel(noise_key, (bins.shape[0], walk.width), jnp.float32)
        score = jnp.where(walk.strays(stray_key, lanes)[:, None], gumbel, logits[d, bins] + gumbel)
        return jnp.argmax(jnp.where(valid[d][None], score, -jnp.inf), axis=1).astype(jnp.int32)

    return walk.draw(key, pick, history, lanes)


def step(walk: Walk, logits: Array, levels: Array, advantage: Array, rate: float, bonus: float) -> Array:
    """Return the logits after one step of the policy gradient.

    The gradient of each choice is (choice - pi) times its advantage; a choice also counts for similar levels. `bonus`
    weights the gradient of the entropy of the choices that were made.

    Args:
        walk: Walks in the space.
        logits: Logits of the policy: [D, P, L] float32.
        levels: Walks that were taken: [N, D] int32.
        advantage: Advantage of each choice, 0 if it is not learned from: [N, D] float32.
        rate: Learning rate.
        bonus: Weight of the entropy.
    """
    where, what = walk.taken(levels)
    what = what / jnp.sum(what, axis=2, keepdims=True)
    p = probabilities(walk, logits)
    log_p = jnp.log(jnp.maximum(p, 1e-30))
    here = jnp.einsum("ndp,dpl->ndl", where, p, precision="highest")
    gradient = jnp.einsum("ndp,ndl->dpl", where, (what - here) * advantage[:, :, None], precision="highest")
    visited = jnp.einsum("ndp,nd->dp", where, (advantage != 0).astype(jnp.float32), precision="highest")
    spread = -p * (log_p - jnp.sum(p * log_p, axis=-1, keepdims=True))
    gradient += bonus * visited[:, :, None] * spread
    return jnp.where(jnp.asarray(walk.valid)[:, None], logits + rate * gradient, 0.0)


def relative(ranks: Array, trial: Array, proposal_trial: Array, active: Array) -> Array:
    """Return the rank of each lane's trial in the history: [C], [C], [B], [B] -> [B]; 0.5 if it is not there."""
    same = (trial[None] == proposal_trial[:, None]) & active[:, None]
    return jnp.where(jnp.any(same, axis=1), jnp.sum(jnp.where(same, ranks[None], 0.0), axis=1), 0.5)
