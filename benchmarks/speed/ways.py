"""Which way of computing a training step is fast: the measurements behind the choice of kernels and engines.

    python -m benchmarks.speed.ways [--quick] [--no-save]

Seconds of one optimizer step of one network, a loop of many steps, compilation apart: an MLP (64 inputs, two layers of
32), a CNN (two 3x3 convolutions of 32 on 28x28, dense 128) and a GRU (64 units, 100 tokens), all on batches of 32; and
the rates of the CNN's matrix products alone. `python -m benchmarks.speed` compares whole studies.
"""

import statistics
import time
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from benchmarks.record import parser, save
from benchmarks.speed.limits import rate
from jaxhpo.models import CNN, MLP, RNN, faster_convolutions
from jaxhpo.training.planning.costs import tile_of

_BATCH, _CLASSES, _TOKENS, _VOCABULARY = 32, 10, 100, 5000


class FlaxMLP(nn.Module):
    """The MLP with `nn.Dense`."""

    @nn.compact
    def __call__(self, x: Any) -> Any:
        """Return the logits."""
        for _ in range(2):
            x = nn.relu(nn.Dense(32)(x))
        return nn.Dense(_CLASSES)(x)


class FlaxCNN(nn.Module):
    """The CNN with `nn.Conv`; pools by `nn.max_pool` or by a reshape and a maximum."""

    reshapes: bool

    @nn.compact
    def __call__(self, x: Any) -> Any:
        """Return the logits."""
        for _ in range(2):
            x = nn.relu(nn.Conv(32, (3, 3))(x))
            n, height, width, channels = x.shape
            if self.reshapes:
                x = x.reshape(n, height // 2, 2, width // 2, 2, channels).max((2, 4))
            else:
                x = nn.max_pool(x, (2, 2), (2, 2))
        return nn.Dense(_CLASSES)(nn.relu(nn.Dense(128)(x.reshape(len(x), -1))))


class FlaxGRU(nn.Module):
    """The GRU with `nn.RNN`."""

    @nn.compact
    def __call__(self, x: Any) -> Any:
        """Return the logits."""
        h: Any = nn.RNN(nn.GRUCell(64))(nn.Embed(_VOCABULARY, 32)(x.astype(jnp.int32)))
        return nn.Dense(_CLASSES)(h.mean(1))


def _step(model: nn.Module, optimizer: Any) -> Callable:
    def step(carry: tuple, batch: tuple) -> tuple[tuple, None]:
        params, state = carry

        def loss_of(params: Any) -> Any:
            logits: Any = model.apply({"params": params}, batch[0])
            return optax.softmax_cross_entropy_with_integer_labels(logits, batch[1]).mean()

        change, state = optimizer.update(jax.grad(loss_of)(params), state)
        return (optax.apply_updates(params, change), state), None

    return step


def seconds_of(way: str, model: nn.Module, data: tuple[Any, Any], *, steps: int, lanes: int = 1) -> dict[str, float]:
    """Return compile seconds and the median seconds of a lane's step; `way` is host, scan or vmap."""
    optimizer = optax.adam(1e-3)
    x, y = data
    params = model.init(jax.random.key(0), x[0])["params"]
    carry = (params, optimizer.init(params))
    step, started = _step(model, optimizer), time.perf_counter()
    if way == "host":
        one = jax.jit(lambda carry, i: step(carry, (x[i], y[i]))[0]).lower(carry, np.int32(0)).compile()

        def run() -> Any:
            now = carry
            for i in range(steps):
                now = one(now, np.int32(i % len(x)))
            return now
    else:

        def many(carry: tuple) -> tuple:
            return jax.lax.scan(lambda c, i: step(c, (x[i % len(x)], y[i % len(x)])), carry, jnp.arange(steps))[0]

        if way == "vmap":
            carry = jax.tree.map(lambda leaf: jnp.stack([leaf] * lanes), carry)
            many = jax.vmap(many)
        program = jax.jit(many).lower(carry).compile()

        def run() -> Any:
            return program(carry)

    compiled = time.perf_counter() - started
    jax.block_until_ready(run())
    seconds = []
    for _ in range(3):
        started = time.perf_counter()
        jax.block_until_ready(run())
        seconds.append((time.perf_counter() - started) / steps / lanes)
    return {"compile_seconds": compiled, "milliseconds": 1e3 * statistics.median(seconds)}


def as_products(model: nn.Module, data: tuple[Any, Any], *, steps: int) -> dict[str, float]:
    """Return what `seconds_of` returns for a loop in which Flax's convolutions are jaxhpo's, as in a user's model."""
    with faster_convolutions():
        return seconds_of("scan", model, data, steps=steps)


def product_rates() -> dict[str, float]:
    """Return the GFLOP/s of matrix products in the CNN's shapes, and of a large square one."""
    pixels, rows = _BATCH * 28 * 28, _BATCH * 14 * 14
    shapes = {
        "first convolution": (pixels, 9, 32, False),
        "its kernel's gradient": (9, pixels, 32, True),
        "second convolution": (rows, 96, 96, False),
        "its kernel's gradient, by rows": (96, rows, 96, True),
        "dense layer": (_BATCH, 49 * 32, 128, False),
        "2048 x 2048": (2048, 2048, 2048, False),
    }
    return {name: rate(m, k, n, transposed=t) / 1e9 for name, (m, k, n, t) in shapes.items()}


def main() -> None:
    """Measure every way and write `results/ways.json`."""
    options = parser(__doc__).parse_args()
    steps, lanes = (2, 2) if options.quick else (100, 8)
    rng = np.random.default_rng(0)
    labels = jnp.asarray(rng.integers(0, _CLASSES, (8, _BATCH)))
    vectors = jnp.asarray(rng.normal(size=(8, _BATCH, 64)), jnp.float32), labels
    images = jnp.asarray(rng.normal(size=(8, _BATCH, 28, 28, 1)), jnp.float32), labels
    tokens = jnp.asarray(rng.integers(1, _VOCABULARY, (8, _BATCH, _TOKENS)), jnp.float32), labels
    mlp, cnn, gru = MLP(2, 32, _CLASSES), CNN(2, 32, _CLASSES), RNN(1, 64, _CLASSES, _VOCABULARY)
    many, few = 10 * steps, max(2, steps // 10)  # of a small network, of a slow way
    measured = {
        "mlp": {
            "Flax, host loop": seconds_of("host", FlaxMLP(), vectors, steps=many),
            "the same in scan": seconds_of("scan", FlaxMLP(), vectors, steps=many),
            "jaxhpo's, in scan": seconds_of("scan", mlp, vectors, steps=many),
            f"jaxhpo's, vmap over {lanes} lanes": seconds_of("vmap", mlp, vectors, steps=many, lanes=lanes),
        },
        "cnn": {
            "Flax, nn.max_pool, host loop": seconds_of("host", FlaxCNN(False), images, steps=few),
            "Flax, reshape and maximum, host loop": seconds_of("host", FlaxCNN(True), images, steps=steps),
            "the same in scan": seconds_of("scan", FlaxCNN(True), images, steps=few),
            "the same in scan, convolutions as products": as_products(FlaxCNN(True), images, steps=steps),
            "jaxhpo's, in scan": seconds_of("scan", cnn, images, steps=steps),
            "jaxhpo's in tiles, in scan": seconds_of("scan", cnn.clone(tile=tile_of(_BATCH)), images, steps=steps),
            f"jaxhpo's, vmap over {lanes} lanes": seconds_of("vmap", cnn, images, steps=few, lanes=lanes),
        },
        "gru": {
            "Flax, nn.RNN, host loop": seconds_of("host", FlaxGRU(), tokens, steps=few),
            "the same in scan": seconds_of("scan", FlaxGRU(), tokens, steps=few),
            "jaxhpo's, in scan": seconds_of("scan", gru, tokens, steps=steps),
            f"jaxhpo's, vmap over {lanes} lanes": seconds_of("vmap", gru, tokens, steps=few, lanes=lanes),
        },
    }
    networks = {"mlp": (mlp, (64,)), "cnn": (cnn, (28, 28, 1)), "gru": (gru, (_TOKENS,))}
    for name, (network, shape) in networks.items():
        cost = network.cost(shape)
        for way in measured[name].values():
            way["gflop_per_second"] = _BATCH * (cost.forward + cost.backward) / way["milliseconds"] / 1e6
    result = {"batch": _BATCH, "steps": measured, "product_gflop_per_second": product_rates()}
    save("ways", result, write=not options.no_save, module="speed.ways")


if __name__ == "__main__":
    main()
