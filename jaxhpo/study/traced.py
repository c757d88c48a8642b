"""Whole studies in one compiled program: all rounds of all seeds."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from jaxhpo.compilation import HostFunction, check_switches, jit, warn_of_lacking_options
from jaxhpo.machine.bounds import MOST_TRIALS, check_count
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
    """Run studies of one algorithm in one compiled program: a `scan` over rounds, under `vmap` over seeds.

    The rounds are those of `Study.run`, without any work on the host between them: a hundred studies on a recorded
    table take seconds. Arrays of told trials have their final size from the start, so scores can differ from those of
    `Study` by rounding. A call compiles the program anew; call `run_traced` under `jaxhpo.compilation.jit` to compile
    it once.

    Args:
        algorithm: Search method, made by a factory of `jaxhpo.algorithms`.
        objective: Objective whose `evaluate` JAX can trace, such as a table, a surrogate or a small training. A
            traceable function with static hyperparameters has none.
        rounds: Number of rounds of each study; a round has at most `lanes` trials.
        seeds: Number of studies, which get the seeds 0, 1, ...; or their seeds, [S] integers. A study with seed s uses
            the same keys as `Study(seed=s)`. The seeds may be traced. `jax.lax.map` over studies of one seed each runs
            them in turn; this suits algorithms that branch or multiply large matrices.
        direction: "maximize" if higher scores of the objective are better, or "minimize".

    Returns:
        Proposals, outcomes and metrics as one Record of arrays [S, rounds, ...]; higher scores are better.

    Raises:
        ValueError: if an argument is invalid; the message names it.

    Example:
        >>> import jaxhpo
        >>> space = jaxhpo.Space({"x": jaxhpo.Float(-1.0, 1.0)})
        >>> objective = jaxhpo.traceable(lambda key, hparams: hparams["x"] ** 2).objective(space)
        >>> algorithm = jaxhpo.algorithms.random_search(space, lanes=8)
        >>> record = jaxhpo.run_traced(algorithm, objective, rounds=5, seeds=3, direction="minimize")
        >>> record.outcome.score.shape  # studies, rounds, lanes
        (3, 5, 8)
    """
    check_switches()
    if not isinstance(algorithm, Algorithm):
        raise ValueError(f"algorithm={algorithm!r} must be an Algorithm; see jaxhpo.algorithms")
    if not isinstance(objective, Objective) or isinstance(objective.evaluate, HostFunction):
        raise ValueError(
            "objective must be an Objective whose evaluate can be traced, not that of a function with static "
            "hyperparameters (a Choice of words is one) or of a Python function; use Study"
        )
    check_count("rounds", rounds, MOST_TRIALS)
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
    """Return seeds as [S] uint32; raise ValueError if they are invalid."""
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
