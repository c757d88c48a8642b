"""Seconds that choosing costs: ask and tell of every method, warm, with compilation apart.

    python -m benchmarks.algorithms [--methods a,b] [--quick] [--no-save]

The space is the default one of eight hyperparameters. `methods` has two thousand trials told first, so that tables and
histories are as full as a long study makes them, batches of 8 and 64 lanes; `growth` has ask and tell of 8 lanes after
10 to 1,000 trials; `studies` the seconds of 100 studies of 100 evaluations of a recorded table in one traced program.
With `--methods` only those are measured, and the file's other rows stay.
"""

import json
import statistics
import time
from typing import Any

import jax
import numpy as np

from benchmarks.quality import tasks
from benchmarks.quality.ours import FAMILY_OPTIONS
from benchmarks.record import parser, results, save
from jaxhpo import algorithms, run_traced
from jaxhpo.compilation import jit
from jaxhpo.training import default_space
from jaxhpo.types import FRESH, Outcome, Proposal

_SPACE = default_space("mlp")
_BUDGET = 20
_TOLD = (10, 32, 100, 316, 1000)
_STUDIES = 100  # and as many evaluations of each
_SECONDS, _FEWEST = 10.0, 5  # of one measurement and its rounds: a slow method has fewer of them


def told_batch(rng: np.random.Generator, lanes: int, active: int, first: int) -> tuple[Proposal, Outcome]:
    """Return a batch of random configurations with scores that depend on them, `active` of its lanes in use."""
    point = np.asarray(_SPACE.canonical(rng.uniform(size=(lanes, len(_SPACE))).astype(np.float32)))
    rows = np.arange(lanes)
    trial = np.where(rows < active, first + rows, FRESH).astype(np.int32)
    whole = np.full(lanes, _BUDGET, np.int32)
    proposal = Proposal(point, whole, np.full(lanes, FRESH, np.int32), rows < active, trial)
    score = 1 - np.mean((point - 0.3) ** 2, axis=1) + 0.01 * rng.normal(size=lanes)
    return proposal, Outcome(np.where(rows < active, score, np.nan).astype(np.float32), {})


def measure(name: str, lanes: int, rounds: int, told: int) -> dict[str, float]:
    """Return milliseconds of ask, of tell and of both (medians over `rounds`), and the seconds to compile.

    Args:
        name: the method's.
        lanes: of a batch.
        rounds: how often at most, always after the same trials.
        told: how many trials those are.
    """
    algorithm = algorithms.make(name, _SPACE, lanes=lanes, budget=_BUDGET)
    key, rng = jax.random.key(0), np.random.default_rng(0)
    start = time.perf_counter()
    state = algorithm.grow(jit(algorithm.init)(key), told + lanes)
    ask = jit(algorithm.ask).lower(key, state).compile()
    tell = jit(algorithm.tell).lower(key, state, *told_batch(rng, lanes, lanes, 0)).compile()
    compiling = time.perf_counter() - start
    for first in range(0, told, lanes):
        batch = told_batch(rng, lanes, min(lanes, told - first), first)
        state, _ = tell(jax.random.key(first), state, *batch)
    times = {"ask": [], "tell": [], "both": []}
    began = time.perf_counter()
    for r in range(rounds):
        if r >= _FEWEST and time.perf_counter() - began > _SECONDS:
            break
        outcome = Outcome(rng.uniform(size=lanes).astype(np.float32), {})
        key = jax.random.key(r)
        jax.block_until_ready((key, state))
        before = time.perf_counter()
        proposal = jax.block_until_ready(ask(key, state))
        between = time.perf_counter()
        jax.block_until_ready(tell(key, state, proposal, outcome))
        after = time.perf_counter()
        times["ask"].append(between - before)
        times["tell"].append(after - between)
        times["both"].append(after - before)
    medians = {f"{part}_ms": 1000 * statistics.median(values) for part, values in times.items()}
    return medians | {"compile_s": compiling}


def studies_seconds(name: str, count: int) -> dict[str, float]:
    """Return the seconds of 100 studies of 100 evaluations, one at a time, in one program; and of its compilation."""
    task = tasks.load("digits_mlp")
    algorithm = algorithms.make(
        name, task.space, lanes=1, budget=task.budget, **FAMILY_OPTIONS.get((name, task.family), {})
    )
    start = time.perf_counter()
    program = jit(lambda: run_traced(algorithm, task.objective, count, seeds=count)).lower().compile()
    compiled = time.perf_counter()
    jax.block_until_ready(program())
    return {"compile_s": compiled - start, "run_s": time.perf_counter() - compiled}


def main() -> None:
    """Measure every method and write `results/algorithms.json`."""
    arguments = parser(__doc__)
    arguments.add_argument("--methods", help="which, separated by commas; all unless given")
    options = arguments.parse_args()
    names = options.methods.split(",") if options.methods else algorithms.names()
    if unknown := [name for name in names if name not in algorithms.names()]:
        arguments.error(f"method {unknown[0]!r} is unknown; use some of {', '.join(algorithms.names())}")
    rounds, told, lanes, counts = (3, 64, (8,), ()) if options.quick else (200, 2000, (8, 64), _TOLD)
    result: dict[str, Any] = {"rounds": rounds, "told_before": told, "methods": {}, "growth": {}, "studies": {}}
    for name in names:
        result["methods"][name] = {f"{n} lanes": measure(name, n, rounds, told) for n in lanes}
        result["growth"][name] = {str(n): measure(name, 8, rounds, n)["both_ms"] for n in counts}
        if not options.quick:
            result["studies"][name] = studies_seconds(name, _STUDIES)
    kept = results() / "algorithms.json"
    if options.methods and kept.exists():
        before = json.loads(kept.read_text(encoding="utf-8"))
        for part in ("methods", "growth", "studies"):
            result[part] = before.get(part, {}) | result[part]
    save("algorithms", result, write=not options.no_save)


if __name__ == "__main__":
    main()
