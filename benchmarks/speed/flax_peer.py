"""Plain Flax and optax, one trial after the other, as a good user of Optuna writes it, and as the best such user does.

As usually written, a trial makes its model and optimizer, jits its training step and loops over batches; every trial
compiles. The best user makes every number an argument, keeps one jitted step for each structure and pools by a reshape,
so that trials of one structure share a compilation.
"""

import time
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from benchmarks.speed.tasks import Task, make, normalised, orders

_OPTIMIZERS: dict[str, Callable] = {
    "sgd": lambda learning_rate: optax.sgd(learning_rate),
    "momentum": lambda learning_rate: optax.sgd(learning_rate, momentum=0.9),
    "rmsprop": lambda learning_rate: optax.rmsprop(learning_rate),
    "adam": lambda learning_rate: optax.adam(learning_rate),
    "adamw": lambda learning_rate: optax.adamw(learning_rate),
}


def _drop(x: Any, rate: Any, key: Any) -> Any:
    return jnp.where(jax.random.bernoulli(key, 1 - rate, x.shape), x / (1 - rate), 0.0)


class Plain(nn.Module):
    """The network of a configuration, as large as jaxhpo's. `best` pools by a reshape."""

    kind: str
    layers: int
    units: int
    classes: int
    vocabulary: int | None
    best: bool

    @nn.compact
    def __call__(self, x: Any, rate: Any = 0.0, key: Any = None) -> Any:
        """Return the logits; dropout acts where a key is given."""
        if self.kind == "rnn":
            real = (x != 0)[..., None].astype(jnp.float32)
            h = nn.Embed(self.vocabulary or 1, 32)(x)
            for i in range(self.layers):
                h = nn.RNN(nn.GRUCell(self.units))(h)
                h = h if key is None else _drop(h, rate, jax.random.fold_in(key, i))
            return nn.Dense(self.classes)((h * real).sum(1) / jnp.maximum(real.sum(1), 1))
        if self.kind == "cnn":
            for i in range(max(self.layers, 2)):
                if i < self.layers:
                    x = nn.relu(nn.Conv(self.units, (3, 3))(x))
                if i < 2 and x.shape[1] >= 8:
                    x = self._pool(x)
            x = nn.relu(nn.Dense(4 * self.units)(x.reshape(len(x), -1)))
            x = x if key is None else _drop(x, rate, key)
            return nn.Dense(self.classes)(x)
        x = x.reshape(len(x), -1)
        for i in range(self.layers):
            x = nn.relu(nn.Dense(self.units)(x))
            x = x if key is None else _drop(x, rate, jax.random.fold_in(key, i))
        return nn.Dense(self.classes)(x)

    def _pool(self, x: Any) -> Any:
        if not self.best:
            return nn.max_pool(x, (2, 2), (2, 2))
        n, height, width, channels = x.shape
        x = x[:, : height // 2 * 2, : width // 2 * 2]
        return x.reshape(n, height // 2, 2, width // 2, 2, channels).max((2, 4))


def _penalty(params: Any, l1: Any, l2: Any) -> Any:
    leaves = jax.tree_util.tree_leaves_with_path(params)
    kernels = [leaf for path, leaf in leaves if path[-1].key == "kernel"]
    return sum(l1 * jnp.abs(w).sum() + l2 * (w**2).sum() for w in kernels)


def _make(task: Task, layers: int, units: int, name: str, best: bool) -> tuple[Plain, Any, Callable, Callable]:
    """Return model, optimizer, and the jitted step and evaluation, whose numbers are arguments where `best`."""
    model = Plain(task.model, layers, units, task.data.classes, task.data.vocabulary, best)
    optimizer = _OPTIMIZERS[name](1.0) if best else None  # every one of them is linear in its rate

    def step(optimizer: Any, params: Any, state: Any, x: Any, y: Any, rows: Any, place: Any, hyper: Any) -> Any:
        rate, l1, l2, learning_rate = hyper
        key = jax.random.fold_in(jax.random.key(0), place)

        def loss_of(params: Any) -> Any:
            logits = model.apply({"params": params}, x[rows], rate, key)
            cross = optax.softmax_cross_entropy_with_integer_labels(logits, y[rows]).mean()
            return cross + _penalty(params, l1, l2)

        grads = jax.grad(loss_of)(params)
        change, state = optimizer.update(grads, state, params)
        if best:
            change = jax.tree.map(lambda c: learning_rate * c, change)
        return optax.apply_updates(params, change), state

    @jax.jit
    def hits(params: Any, x: Any, y: Any) -> Any:
        logits: Any = model.apply({"params": params}, x)
        return (logits.argmax(-1) == y).sum()

    return model, optimizer, step, hits


def run(
    name: str, *, data_dir: str | None, quick: bool, configs: list[dict[str, Any]], best: bool
) -> list[list[float]]:
    """Train the configurations one after the other; return each one's seconds, of every pass over them.

    The best user's second pass finds everything compiled; as usually written there is one pass, as none helps another.
    """
    task = make(name, data_dir=data_dir, quick=quick)
    (x, y), (x_valid, y_valid) = ((jnp.asarray(a) for a in normalised(task.data, s)) for s in ("train", "valid"))
    order = orders(task.data, task.epochs)
    chunks = [slice(i, i + 512) for i in range(0, len(y_valid), 512)]

    @lru_cache(None)
    def structure(layers: int, units: int, optimizer_name: str) -> tuple:
        model, optimizer, step, hits = _make(task, layers, units, optimizer_name, True)
        jitted = jax.jit(lambda *args: step(optimizer, *args))
        return jax.jit(model.init), jax.jit(optimizer.init), jitted, hits

    def train(trial: int, config: dict[str, Any]) -> float:
        started = time.perf_counter()
        shape = (config["layers"], config["units"], config["optimizer"])
        numbers = tuple(float(config[name]) for name in ("dropout", "l1", "l2", "learning_rate"))
        key = jax.random.key(trial)
        if best:
            init, start, step, hits = structure(*shape)
            params = init(key, x[:1])["params"]
            state = start(params)
        else:
            model, _, plain, hits = _make(task, *shape, False)
            optimizer = _OPTIMIZERS[config["optimizer"]](config["learning_rate"])
            step = jax.jit(lambda p, s, x, y, r, k, _: plain(optimizer, p, s, x, y, r, k, numbers))
            params = model.init(key, x[:1])["params"]
            state = optimizer.init(params)
        batch = config["batch_size"]
        for epoch in range(task.epochs):
            for i, begin in enumerate(range(0, len(y) - batch + 1, batch)):
                place = np.int32(epoch * 10**6 + i)
                params, state = step(params, state, x, y, order[epoch][begin : begin + batch], place, numbers)
            sum(int(hits(params, x_valid[c], y_valid[c])) for c in chunks)
        return time.perf_counter() - started

    return [[train(trial, config) for trial, config in enumerate(configs)] for _ in range(2 if best else 1)]


def naive_vmap(name: str, *, data_dir: str | None, quick: bool, lanes: int, steps: int) -> dict[str, float]:
    """Return what `vmap` over whole Flax networks of the space's full size costs: compilation, and a lane's step."""
    task = make(name, data_dir=data_dir, quick=quick)
    model = Plain(task.model, 3, 64, task.data.classes, task.data.vocabulary, False)
    x, y = (jnp.asarray(a) for a in normalised(task.data, "train"))
    optimizer = optax.sgd(0.01)

    def step(params: Any, rows: Any) -> Any:
        def loss_of(params: Any) -> Any:
            logits = model.apply({"params": params}, x[rows])
            return optax.softmax_cross_entropy_with_integer_labels(logits, y[rows]).mean()

        change, _ = optimizer.update(jax.grad(loss_of)(params), optimizer.init(params))
        return optax.apply_updates(params, change)

    params = jax.jit(jax.vmap(lambda key: model.init(key, x[:1])["params"]))(jax.random.split(jax.random.key(0), lanes))
    started = time.perf_counter()
    train = jax.jit(jax.vmap(step, in_axes=(0, None))).lower(params, jnp.arange(32)).compile()
    compiled = time.perf_counter()
    jax.block_until_ready(train(params, jnp.arange(32)))
    warm = time.perf_counter()
    for i in range(steps):
        params = train(params, jnp.asarray(np.arange(32) + 32 * i))
    jax.block_until_ready(params)
    return {
        "compile_seconds": compiled - started,
        "step_seconds_per_lane": (time.perf_counter() - warm) / steps / lanes,
    }
