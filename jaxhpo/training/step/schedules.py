"""Learning-rate schedules and warm-up as a traced factor, so that every lane may have its own.

As in optax: `cosine` is ``cosine_decay_schedule`` (Loshchilov & Hutter 2017, no restarts), `one_cycle` is
``cosine_onecycle_schedule`` (Smith & Topin 2018) with its defaults. A schedule spans the largest number of updates of a
lane, whatever its own budget. So continued training equals training with the larger budget.
"""

import jax.numpy as jnp
import numpy as np

from jaxhpo.types import Array

SCHEDULES = ("constant", "cosine", "one_cycle")
"""The names of the schedules."""

_RISE, _START, _END = 0.3, 25.0, 25e4  # of one cycle: share of updates that rise, and divisors of the peak at both ends


def factor(names: tuple[str, ...], index: Array | None, warmup: Array | None, count: Array, updates: Array) -> Array:
    """Return the factor of the learning rate: [] float32.

    Args:
        names: Schedules that a lane may have.
        index: Index of the lane's schedule: [] int32; None is a constant rate.
        warmup: Share of updates over which the rate grows linearly from 0: [] float32; None is 0. One cycle has its own
            warm-up.
        count: Number of updates so far: [] int32.
        updates: Largest number of updates: [] int32.
    """
    step, total = count.astype(jnp.float32), updates.astype(jnp.float32)
    rising = jnp.float32(0) if warmup is None else warmup * total
    grown = jnp.minimum(1.0, (step + 1) / jnp.maximum(rising, 1.0))
    if index is None:
        return grown
    falling = _cosine(jnp.clip((step - rising) / jnp.maximum(total - rising, 1.0), 0.0, 1.0))
    place = jnp.clip(step / jnp.maximum(total, 1.0), 0.0, 1.0)
    up, down = place / _RISE, (place - _RISE) / (1 - _RISE)
    cycle = jnp.where(place < _RISE, _between(1 / _START, 1.0, up), _between(1.0, 1 / _END, down))
    factors = {"constant": grown, "cosine": grown * falling, "one_cycle": cycle}
    return jnp.stack([factors[name] for name in names])[index]


def _cosine(place: Array) -> Array:
    return 0.5 * (1 + jnp.cos(np.float32(np.pi) * place))


def _between(start: float, end: float, place: Array) -> Array:
    return end + (start - end) * _cosine(place)
