"""The hyperparameters of lanes, read from their points in the space."""

from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxhpo.models import STANDARD
from jaxhpo.models.family import STRUCTURAL
from jaxhpo.space import Choice, Float, Space
from jaxhpo.training.config.hyperparameters import KINDS, canonical_name
from jaxhpo.training.config.space_reader import lacking, left_out_of, possible, sharing
from jaxhpo.training.step.hyper import Hyper
from jaxhpo.training.step.optimizers import DECAYS
from jaxhpo.types import Array

_WHOLE = ("batch_size", "layers", "units", "optimizer", "schedule", "crop", "cutout")


def read_hyper(
    space: Space,
    point: Array,
    own: Collection[str] = (),
    defaults: Mapping[str, Any] = {},
    *,
    batch_size: int | None = None,
) -> Hyper:
    """Return the hyperparameters of lanes: [B, D] float32 -> [B] each.

    An inactive hyperparameter has the value that it has if a space does not have it; one in `own` has that of
    `defaults`.

    Args:
        space: Search space.
        point: Configurations: [B, D] float32.
        own: Names of the hyperparameters of a user's model.
        defaults: Values of these hyperparameters if they are inactive.
        batch_size: Where the space leaves it out; None is that of `DEFAULTS`.
    """
    left_out = left_out_of(batch_size)
    decoded = space.decode(point)
    names = {canonical_name(name): name for name in space if name not in own}
    lanes = point.shape[:-1]
    idle = _inactive(space, point)

    def read(name: str, dtype: Any, default: Callable[[], Any]) -> Array:
        value = decoded[name].astype(dtype)
        return jnp.where(idle[name], jnp.asarray(default(), dtype), value) if name in idle else value

    floats = {n: read(n, jnp.float32, partial(defaults.get, n)) for n in own if isinstance(space[n], Float)}
    found: dict[str, Any] = {"own": floats or None}
    for name in Hyper._fields[:-1]:
        dtype = jnp.int32 if name in _WHOLE else jnp.float32
        if name == "representation":
            found[name] = _representation(space, names, decoded, idle)
        elif name in names:
            found[name] = read(names[name], dtype, partial(_lacking_number, name, space, names, found))
        elif left_out[name] is None:
            found[name] = None
        else:
            found[name] = jnp.full(lanes, 0 if name == "optimizer" else left_out[name], dtype)
    return Hyper(**found)


def _representation(
    space: Space, names: Mapping[str, str], decoded: Mapping[str, Array], idle: Mapping[str, Array]
) -> Array | None:
    """Return the place of each lane's representation among those of a program, [B] int32; None where it has one."""
    name = names.get("representation")
    dimension = None if name is None else space[name]
    if name is None or not isinstance(dimension, Choice) or not (shared := sharing(dimension)):
        return None
    # Lanes of other representations are in other programs.
    places = np.array([shared.index(one) if one in shared else 0 for one in dimension.options], np.int32)
    found = jnp.asarray(places)[decoded[name]]
    return jnp.where(idle[name], np.int32(shared.index(STANDARD)), found) if name in idle else found


def _inactive(space: Space, point: Array) -> dict[str, Array]:
    """Return whether each hyperparameter with a condition is inactive: [B] bool by name."""
    if not space.conditional:
        return {}
    active = space.active(point)
    return {name: ~active[..., i] for i, (name, d) in enumerate(space.items()) if d.when is not None}


def _lacking_number(name: str, space: Space, names: Mapping[str, str], found: Mapping[str, Any]) -> Any:
    """Return the value in `Hyper` of an inactive hyperparameter; `found` holds the values found so far."""
    if name in ("optimizer", "schedule"):
        return possible(name, space[names[name]]).index(lacking(name))
    if name == "weight_decay":
        optimizers = (
            possible("optimizer", space[names["optimizer"]]) if "optimizer" in names else (lacking("optimizer"),)
        )
        return jnp.asarray(np.array([DECAYS[one] for one in optimizers], np.float32))[found["optimizer"]]
    return lacking(name)


assert set(Hyper._fields) - {"own", "representation"} == {n for n, kind in KINDS.items() if kind != STRUCTURAL}
