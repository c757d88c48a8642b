"""The machine's own limits: how fast its matrix products are, large and at the networks' shapes."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxhpo.machine import cores

_OPERATIONS = {"cpu": 2e9}  # of one launch: an accelerator does many in the time that a launch takes


def rate(m: int, k: int, n: int, *, transposed: bool = False, at_once: int = 1, seconds: float = 0.3) -> float:
    """Return the floating-point operations a second of [m, k] @ [k, n] in float32, several at once."""
    rng = np.random.default_rng(0)
    a = jnp.asarray(rng.normal(size=(k, m) if transposed else (m, k)), jnp.float32)
    b = jnp.asarray(rng.normal(size=(k, n)), jnp.float32)
    repeats = max(1, int(_OPERATIONS.get(jax.default_backend(), 1e12) // (2 * m * k * n)))

    def many(a: Any, b: Any) -> Any:
        def body(i: Any, total: Any) -> Any:
            shifted = a + total[0, 0] * 0  # so that the product is not hoisted out of the loop
            return total + (shifted.T if transposed else shifted) @ b * (i == -1)

        return jax.lax.fori_loop(0, repeats, body, jnp.zeros((m, n), jnp.float32))

    program = jax.jit(many).lower(a, b).compile()
    jax.block_until_ready(program(a, b))
    best = []
    with ThreadPoolExecutor(at_once) as pool:
        until = time.perf_counter() + seconds
        while time.perf_counter() < until or len(best) < 3:
            started = time.perf_counter()
            list(pool.map(lambda _: jax.block_until_ready(program(a, b)), range(at_once)))
            best.append((time.perf_counter() - started) / at_once / repeats)
    return 2 * m * k * n / float(np.median(best))


def cnn_step(units: int, batch: int) -> dict[str, float]:
    """Return the seconds that the matrix products of one CNN training step take alone, in the shapes of its kernels.

    The first convolution multiplies patches of pixels, and needs no gradient of its input; the second multiplies rows.
    """
    pixels, rows, flat, dense = batch * 28 * 28, batch * 14 * 14, 49 * units, 4 * units
    products = [(pixels, 9, units, False), (9, pixels, units, True)]
    products += [(rows, 3 * units, 3 * units, False), (3 * units, rows, 3 * units, True)]
    products += [(rows, 3 * units, 3 * units, False)]
    products += [(batch, flat, dense, False), (flat, batch, dense, True), (batch, dense, flat, False)]
    flops = [2.0 * m * k * n for m, k, n, _ in products]
    seconds = [f / rate(m, k, n, transposed=t) for f, (m, k, n, t) in zip(flops, products, strict=True)]
    return {"seconds": sum(seconds), "gflop": sum(flops) / 1e9}


def ceiling() -> dict[str, float]:
    """Return the rate of a 2048^3 product, one at a time and as many at once as there are cores, in GFLOP/s."""
    at_once = cores() if jax.default_backend() == "cpu" else 1
    return {
        "matmul_2048_gflop_per_second": rate(2048, 2048, 2048) / 1e9,
        "matmul_2048_at_once_gflop_per_second": rate(2048, 2048, 2048, at_once=at_once) / 1e9,
    }
