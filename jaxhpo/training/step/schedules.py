"""Learning-rate schedules and warm-up as a traced factor, so that every lane may have another.

As in optax: `cosine` is ``cosine_decay_schedule`` (Loshchilov & Hutter 2017, no restarts), `one_cycle` is
``cosine_onecycle_schedule`` (Smith & Topin 2018) with its defaults. A schedule spans the most updates that a lane may
make, whatever its own budget: training on from a smaller budget is training with the larger one.
"""

import jax.numpy as jnp
import numpy as np

from jaxhpo.types import Array

SCHEDULES = ("constant", "cosine", "one_cycle")
"""The schedules by name."""

_RISE, _START, _END = 0.3, 25.0, 25e4  # of one cycle: share of updates, and what the peak is divided by at both ends


def factor(names: tuple[str, ...], index: Array | None, warmup: Array | None, count: Array, updates: Array) -> Array:
    """Return what a learning rate is multiplied by: [] float32.

    Args:
        names: the schedules that a lane may have.
        index: [] int32, which of them it has; None is a constant rate.
        warmup: [] float32, the share of updates over which the rate grows linearly from 0; None is 0. One cycle has
            its own.
        count: [] int32, updates made so far.
        updates: [] int32, the most that there will be.
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
