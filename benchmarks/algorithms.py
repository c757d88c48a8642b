"""Seconds that choosing costs: ask and tell of every method, warm, with compilation apart.

    python -m benchmarks.algorithms [--quick] [--no-save]

The space is the default one of eight hyperparameters, the batch 8 and 64 lanes. Two thousand trials are told first,
so that tables and histories are as full as a long study makes them.
"""

import statistics
import time

import jax
import numpy as np

from benchmarks.record import parser, save
from jaxhpo import algorithms
from jaxhpo.training import default_space
from jaxhpo.types import Outcome

_SPACE = default_space("mlp")


def measure(name: str, lanes: int, rounds: int, told: int) -> dict[str, float]:
    """Return milliseconds of ask, of tell and of both (medians over `rounds`), and the seconds to compile."""
    algorithm = algorithms.make(name, _SPACE, lanes=lanes, budget=20)
    key = jax.random.key(0)
    start = time.perf_counter()
    state = jax.jit(algorithm.init)(key)
    ask = jax.jit(algorithm.ask).lower(key, state).compile()
    proposal = ask(key, state)
    outcome = Outcome(np.zeros(lanes, np.float32), {})
    tell = jax.jit(algorithm.tell).lower(key, state, proposal, outcome).compile()
    compiling = time.perf_counter() - start
    rng = np.random.default_rng(0)
    times = {"ask": [], "tell": [], "both": []}
    for r in range(told // lanes + rounds):
        outcome = Outcome(rng.uniform(size=lanes).astype(np.float32), {})
        key = jax.random.key(r)
        before = time.perf_counter()
        proposal = jax.block_until_ready(ask(key, state))
        between = time.perf_counter()
        state, _ = jax.block_until_ready(tell(key, state, proposal, outcome))
        after = time.perf_counter()
        if r >= told // lanes:
            times["ask"].append(between - before)
            times["tell"].append(after - between)
            times["both"].append(after - before)
    medians = {f"{part}_ms": 1000 * statistics.median(values) for part, values in times.items()}
    return medians | {"compile_s": compiling}


def main() -> None:
    """Measure every method and write `results/algorithms.json`."""
    options = parser(__doc__).parse_args()
    rounds, told = (5, 64) if options.quick else (300, 2000)
    rows = {
        name: {f"{lanes} lanes": measure(name, lanes, rounds, told) for lanes in (8, 64)} for name in algorithms.names()
    }
    save("algorithms", {"rounds": rounds, "told_before": told, "methods": rows}, write=not options.no_save)


if __name__ == "__main__":
    main()
