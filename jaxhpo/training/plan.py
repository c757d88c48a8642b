"""The plan: how a study's lanes will run, decided before the first trial from what cannot change during it."""

from typing import NamedTuple

import jax

from jaxhpo.training.engines import ENGINES

_LANES = {"cpu": 8}
_LANES_ACCELERATOR = 64
_ENGINE = {"cpu": "map"}
_ENGINE_ACCELERATOR = "vmap"


class Plan(NamedTuple):
    """A function of backend, device, and what was asked for; never of the trials."""

    backend: str  # cpu, gpu or tpu
    device: str  # as JAX names it
    lanes: int
    engine: str


def default_lanes() -> int:
    """Return the number of lanes for this machine: 8 on a CPU, 64 on an accelerator."""
    return _LANES.get(jax.default_backend(), _LANES_ACCELERATOR)


def make_plan(lanes: int | None = None, engine: str | None = None) -> Plan:
    """Return the plan for this machine; raise ValueError where lanes or engine cannot be."""
    backend = jax.default_backend()
    if lanes is None:
        lanes = default_lanes()
    if isinstance(lanes, bool) or not isinstance(lanes, int) or lanes < 1:
        raise ValueError(f"lanes={lanes!r} must be an integer of at least 1")
    if engine is None:
        engine = _ENGINE.get(backend, _ENGINE_ACCELERATOR)
    if engine not in ENGINES:
        raise ValueError(f"engine={engine!r} is unknown; use one of {', '.join(ENGINES)}")
    return Plan(backend, jax.devices()[0].device_kind, lanes, engine)
