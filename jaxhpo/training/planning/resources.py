"""What a study may use of a machine: as the user asks for it (`Machine`), and what that is here (`Resources`)."""

import logging
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, NamedTuple

import jax

from jaxhpo.machine import cores
from jaxhpo.machine.bounds import MOST_LANES, MOST_TRAININGS, check_count
from jaxhpo.training.planning.costs import device_costs, memory_limit
from jaxhpo.training.planning.plan import HORIZONS, Bucket, Plan
from jaxhpo.training.step.engines import ENGINES, SHARDED, THREADS
from jaxhpo.training.step.stopping import DEFAULT_STOPPING, Stopping

_GIB = 2.0**30
_MOST_GIB = 2**20
_LARGE = 8_000  # training examples beyond which a round trains for long on a processor
_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Machine:
    """How trials run on the machine: ``tune(data, machine=Machine(engine="vmap", memory=4.0))``.

    What is left out follows the kind of device. The plan that comes of it is in `study.summary["plan"]`.

    Args:
        engine: How lanes run: "threads", "vmap", "sharded", or "probe", which times those that can be. Unless given,
            it follows the recorded costs of the machine.
        devices: How many devices share the lanes. Unless given, all of an accelerator's kind, and one on a CPU.
        memory: GiB of each device that training may use. Unless given, half of a CPU's memory, and three quarters of
            an accelerator's. More lanes than fit take several launches.
        horizon: "short" or "long": whether compiling a program has to pay within 64 trainings or within 1,024. A trial
            with folds or repeats is several. It does not follow from the number of trials, so that a study and one that
            goes on longer run alike.
    """

    engine: str | None = None
    devices: int | None = None
    memory: float | None = None
    horizon: str = "short"


MACHINE_FIELDS = tuple(field.name for field in fields(Machine))


def machine_of(machine: Machine | None, old: Mapping[str, Any], caller: str, stacklevel: int = 3) -> Machine:
    """Return the machine that a call describes; warn where it does so by arguments that `Machine` took the place of.

    Raises:
        ValueError: if `machine` is no Machine, or what it says is given by an old argument too.
        TypeError: if `old` has the name of an argument that never was.
    """
    if machine is not None and not isinstance(machine, Machine):
        raise ValueError(f"machine={machine!r} must be a jaxhpo.Machine, such as Machine(engine='vmap')")
    if unknown := [name for name in old if name not in MACHINE_FIELDS]:
        raise TypeError(f"{caller} got an unexpected keyword argument {unknown[0]!r}")
    if not old:
        return machine or Machine()
    if machine is not None:
        raise ValueError(f"{next(iter(old))} is given beside machine={machine!r}; make it a field of that")
    spelling = ", ".join(f"{name}={value!r}" for name, value in old.items())
    warnings.warn(
        f"{', '.join(old)} of {caller} will go; use machine=jaxhpo.Machine({spelling})", DeprecationWarning, stacklevel
    )
    return replace(Machine(), **old)


class Resources(NamedTuple):
    """What a plan may use.

    Attributes:
        lanes: Trials of a round.
        engine: How lanes run; see `ENGINES`.
        devices: Number of devices that share a launch.
        memory: Bytes of each device.
        horizon: "short" or "long".
        continues: Whether trials may continue others.
        stopping: When a training ends, and which of its epochs counts.
        folds: Folds on which each trial is trained; 1 for none.
        repeats: Trainings of each trial that differ in their random numbers alone.
    """

    lanes: int
    engine: str
    devices: int
    memory: float
    horizon: str
    continues: bool
    stopping: Stopping
    folds: int = 1
    repeats: int = 1

    @property
    def trainings(self) -> int:
        """How many lanes of a program a trial takes: one, or one for each fold or repeat."""
        return self.folds * self.repeats

    @property
    def weights_beside(self) -> int:
        """How many further copies of a lane's weights, or arrays of their size, are beside it: see `lane_bytes`."""
        best = self.stopping.keeps_best
        return best + (3 + best if self.continues else 0)

    def plan(self, launches: int, micro_batch: int, evaluation_batch: int, buckets: tuple[Bucket, ...]) -> Plan:
        """Return the plan that uses them; arguments as its fields."""
        plan = Plan(
            backend=jax.default_backend(),
            device=jax.devices()[0].device_kind,
            engine=self.engine,
            lanes=self.lanes,
            devices=self.devices,
            launches=launches,
            horizon=self.horizon,
            memory=int(self.memory),
            micro_batch=micro_batch,
            evaluation_batch=evaluation_batch,
            buckets=buckets,
        )
        _LOGGER.debug("plan: %s", plan)
        return plan


def default_lanes(examples: int = 0) -> int:
    """Return this machine's number of lanes: 8 on a CPU, or one a core where it has more; 64 on an accelerator.

    On a CPU a round of large data is long. So it has no more trials than train at a time, one a core, but two at least:
    the algorithm decides more often, and a timeout is kept better.

    Args:
        examples: Number of training examples; more than 8,000 are large data.
    """
    known = device_costs()
    if known.engine != THREADS:
        return known.lanes
    return max(2, cores()) if examples > _LARGE else max(known.lanes, cores())


def read_resources(
    lanes: int | None,
    machine: Machine,
    continues: bool = False,
    stopping: Stopping = DEFAULT_STOPPING,
    *,
    folds: int = 1,
    repeats: int = 1,
) -> Resources:
    """Return what a machine's description comes to on this one.

    Args:
        lanes: Trials of a round; None follows the machine.
        machine: What the user asked for.
        continues: Whether trials may continue others: a lane then needs more memory.
        stopping: When a training ends, and which of its epochs counts: to keep the best takes memory, and patience
            shortens trainings.
        folds: Folds on which each trial is trained; 1 for none.
        repeats: Trainings of each trial that differ in their random numbers alone.

    Raises:
        ValueError: if a field is invalid, or not for this machine; the message names it.
    """
    for name, value in (("folds", folds), ("repeats", repeats)):
        check_count(name, value, MOST_TRAININGS)
    if folds > 1 and repeats > 1:
        raise ValueError(f"repeats={repeats} cannot go with folds={folds}; a trial has the one or the other")
    lanes = max(2, default_lanes() // (folds * repeats)) if lanes is None else lanes
    check_count("lanes", lanes, MOST_LANES)
    if not isinstance(machine.horizon, str) or machine.horizon not in HORIZONS:
        raise ValueError(f"horizon={machine.horizon!r} is unknown; use one of {', '.join(HORIZONS)}")
    engine, devices = _choose_engine(machine.engine, machine.devices)
    memory = _check_memory(machine.memory)
    return Resources(lanes, engine, devices, memory, machine.horizon, continues, stopping, folds, repeats)


def _choose_engine(engine: str | None, devices: int | None) -> tuple[str, int]:
    there = len(jax.devices())
    if devices is not None:
        check_count("devices", devices, MOST_LANES)
        if devices > there:
            raise ValueError(f"devices={devices} exceeds the {there} that JAX sees; use at most {there}")
    if engine is not None and (not isinstance(engine, str) or engine not in ENGINES):
        raise ValueError(f"engine={engine!r} is unknown; use one of {', '.join(ENGINES)}, probe")
    if engine is None:
        several = devices is None and there > 1 and device_costs().engine != THREADS
        engine = SHARDED if several or (devices or 1) > 1 else device_costs().engine
    if engine == THREADS and jax.default_backend() != "cpu":
        raise ValueError(f"engine='threads' is for a CPU, and this is a {jax.default_backend()}; use 'vmap'")
    if engine == SHARDED:
        if there == 1:
            raise ValueError("engine='sharded' needs several devices, and JAX sees 1; use 'vmap'")
        return engine, devices or there
    if (devices or 1) > 1:
        raise ValueError(f"engine={engine!r} uses one device, not devices={devices}; use 'sharded'")
    return engine, 1


def _check_memory(memory: float | None) -> float:
    if memory is None:
        return memory_limit()
    if isinstance(memory, bool) or not isinstance(memory, int | float) or not 0 < memory <= _MOST_GIB:
        raise ValueError(f"memory={memory!r} must be a number of GiB above 0, at most {_MOST_GIB:,}")
    return memory * _GIB
