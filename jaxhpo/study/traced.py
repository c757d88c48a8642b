"""Whole studies traced: every round of every seed in one compiled program."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from jaxhpo.compilation import HostFunction, jit, warn_of_lacking_options
from jaxhpo.study.rounds import Carry, Clock, Record, make_steps, round_step
from jaxhpo.types import Algorithm, Array, Objective


def run_traced(
    algorithm: Algorithm,
    objective: Objective,
    rounds: int,
    *,
    seeds: Any = 1,
    direction: str = "maximize",
) -> Record:
    """Return what studies of one algorithm and a traceable objective do: a `scan` of rounds, vmapped over seeds.

    The same rounds as `Study.run`'s, with nothing on the host between them: a hundred studies of a table take seconds.
    Histories have their last size from the start, so scores may differ from a `Study`'s by rounding. Call it under
    `jaxhpo.compilation.jit` to compile it once and call it often; it compiles otherwise at every call.

    Args:
        algorithm: as a factory of `jaxhpo.algorithms` makes it.
        objective: whose `evaluate` can be traced: a table, a surrogate, a small training.
        rounds: of every study; each proposes `lanes` trials at most.
        seeds: how many studies, with the seeds 0, 1, ...; or their seeds, [S] integers. A study of seed s has the
            keys of `Study(seed=s)`. They may be traced: `jax.lax.map` over seeds of one study each runs them in turn,
            which suits a method whose rounds are large products or have branches.
        direction: "maximize" or "minimize": what of the objective's scores is better.

    Returns:
        Record of [S, rounds, lanes, ...] arrays: proposals, outcomes (scores where higher is better) and metrics.

    Raises:
        ValueError: naming the argument that cannot be.
    """
    if not isinstance(algorithm, Algorithm):
        raise ValueError(f"algorithm={algorithm!r} must be an Algorithm; see jaxhpo.algorithms")
    if not isinstance(objective, Objective) or isinstance(objective.evaluate, HostFunction):
        raise ValueError("objective must be an Objective whose evaluate can be traced; use Study for others")
    if isinstance(rounds, bool) or not isinstance(rounds, int) or rounds < 1:
        raise ValueError(f"rounds={rounds!r} must be an integer of at least 1")
    if direction not in ("maximize", "minimize"):
        raise ValueError(f"direction={direction!r} must be 'maximize' or 'minimize'")
    steps = make_steps(algorithm, objective, 1.0 if direction == "maximize" else -1.0)

    def study(seed: Array) -> Record:
        keys, state = steps.start(seed)
        lanes = jax.eval_shape(algorithm.ask, keys.algorithm, state).active.shape[0]
        state = algorithm.grow(state, rounds * lanes)
        carry = Carry(state, objective.init(keys.objective), Clock(jnp.int32(0), jnp.int32(0)))
        limit = jnp.int32(lanes)
        return jax.lax.scan(lambda c, _: round_step(steps, keys, c, limit), carry, None, length=rounds)[1]

    values = _read_seeds(seeds)
    if not isinstance(jax.lax.full((), 0), Tracer):
        return jit(jax.vmap(study))(values)
    warn_of_lacking_options("run_traced")
    return jax.jit(jax.vmap(study))(values)


def _read_seeds(seeds: Any) -> Any:
    """Return seeds as [S] uint32; raise ValueError where they cannot be."""
    if isinstance(seeds, Tracer):
        return seeds.astype(jnp.uint32)
    remedy = f"seeds={seeds!r} must be a number of studies, or their seeds, integers in [0, 2**32)"
    if isinstance(seeds, bool):
        raise ValueError(remedy)
    try:
        values = np.arange(seeds) if isinstance(seeds, int) else np.asarray(seeds)
    except (TypeError, ValueError):
        raise ValueError(remedy) from None
    if values.ndim != 1 or not values.size or values.dtype.kind not in "iu":
        raise ValueError(remedy)
    if values.min() < 0 or values.max() >= 2**32:
        raise ValueError(remedy)
    return values.astype(np.uint32)
