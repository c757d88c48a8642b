"""What an experienced person writes first: one network in plain Flax and optax, kept at its best epoch.

Tables: two layers of 128. Images: two convolutions of 32 and 64, with pooling, and a layer of 128. Texts: averaged
embeddings of 64, and a layer of 128. Adam at 1e-3, dropout 0.2, batches of 32, or of 128 above 5,000 rows. A fifth of
the rows is held out; the weights of the epoch of the lowest validation loss are kept, 20 epochs without a lower one
end the training, and so do 300 epochs, or the seconds.
"""

import time
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn

from benchmarks.value.methods import Answer
from benchmarks.value.others.preprocessing import PADDING, UNKNOWN, encoder, hold_out, rows_of

EPOCHS, PATIENCE, SEEDS = 300, 20, 5
FEW_ROWS = 5_000
_CONVOLUTIONS, _EMBEDDING = (32, 64), 64
_CHUNK = 1024  # examples of a forward pass

Parts = tuple[np.ndarray, np.ndarray]


class Settings(NamedTuple):
    """Hyperparameters of the network; of images and texts, the first of the `layers` is what comes before the rest."""

    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    layers: int = 2
    units: int = 128
    dropout: float = 0.2
    batch: int | None = None  # 32, or 128 above 5,000 rows


class Network(nn.Module):
    """The network of each kind of data."""

    kind: str
    outputs: int
    layers: int
    units: int
    dropout: float
    vocabulary: int = 0

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        """Return logits [N, K], or predictions [N, 1]."""
        if self.kind == "image":
            for channels in _CONVOLUTIONS:
                x = nn.relu(nn.Conv(channels, (3, 3))(x))
                x = nn.max_pool(x, (2, 2), (2, 2), padding="SAME")
            x = x.reshape(len(x), -1)
        elif self.kind == "text":
            there = (x != PADDING).astype(jnp.float32)[..., None]
            x = nn.Embed(self.vocabulary, _EMBEDDING)(x)
            x = (x * there).sum(1) / jnp.maximum(there.sum(1), 1.0)
        for _ in range(self.layers if self.kind == "table" else self.layers - 1):
            x = nn.relu(nn.Dense(self.units)(x))
            x = nn.Dropout(self.dropout, deterministic=not train)(x)
        return nn.Dense(self.outputs)(x)


class State(NamedTuple):
    """A training between two epochs."""

    params: Any
    optimizer: Any


class Trained(NamedTuple):
    """The network at its best epoch, its validation data, and what encodes examples for it."""

    network: Network
    params: Any
    encode: Any
    classes: np.ndarray | None  # None is regression
    offset: float
    scale: float
    x_valid: Any
    y_valid: np.ndarray
    loss: float
    epochs: int

    def outputs(self, x: Any) -> np.ndarray:
        """Return probabilities [N, K], or predictions [N] in units of the targets."""
        found = np.asarray(_outputs(self.network, self.params, self.encode(x)), np.float64)
        if self.classes is None:
            return found[:, 0] * self.scale + self.offset
        odds = np.exp(found - found.max(1, keepdims=True))
        return odds / odds.sum(1, keepdims=True)


def train(
    problem: Any, x: Any, y: np.ndarray, seed: int, deadline: float, settings: Settings, parts: Parts | None = None
) -> Trained:
    """Train one network on four fifths of the rows, and keep it at the epoch of the lowest validation loss.

    Args:
        problem: its kind and task.
        x: all examples that it may see.
        y: their labels or targets.
        seed: of the held-out rows, weights, order and dropout.
        deadline: `time.perf_counter()` after which no epoch begins, the first aside.
        settings: of the network.
        parts: rows to train on and rows held out, where they are not drawn by the seed.
    """
    classify = problem.task == "classification"
    rows, held = parts or hold_out(y, seed, stratified=classify)
    encode = encoder(problem.kind, rows_of(x, rows))
    inputs, valid = (encode(rows_of(x, part)) for part in (rows, held))
    classes, offset, scale = None, 0.0, 1.0
    if classify:
        classes, codes = np.unique(y, return_inverse=True)
        targets = codes.astype(np.int32)
    else:
        offset, scale = float(np.mean(y[rows])), float(np.std(y[rows])) or 1.0
        targets = ((y - offset) / scale).astype(np.float32)
    words = max(int(inputs.max()), UNKNOWN) + 1 if problem.kind == "text" else 0
    size = (settings.layers, settings.units, settings.dropout, words)
    network = Network(problem.kind, 1 if classes is None else len(classes), *size)
    batch = min(settings.batch or (32 if len(y) <= FEW_ROWS else 128), len(rows))
    known, told = jnp.asarray(inputs), jnp.asarray(targets[rows])
    state, key = _start(network, settings, known, seed)
    best, kept, since, epoch = np.inf, state.params, 0, 0
    for epoch in range(1, EPOCHS + 1):
        state = _epoch(network, batch, state, jax.random.fold_in(key, epoch), known, told)
        loss = float(_loss(_outputs(network, state.params, valid), targets[held]))
        since += 1
        if loss < best:
            best, kept, since = loss, state.params, 0
        if since >= PATIENCE or time.perf_counter() >= deadline:
            break
    shown = rows_of(x, held)
    return Trained(network, kept, encode, classes, offset, scale, shown, y[held], best, epoch)


def _optimizer() -> optax.GradientTransformation:
    # Rate and decay lie in its state, so that other values are no other program.
    return optax.inject_hyperparams(optax.adamw)(learning_rate=1e-3, weight_decay=0.0)


def _start(network: Network, settings: Settings, x: jax.Array, seed: int) -> tuple[State, jax.Array]:
    key, weights = jax.random.split(jax.random.key(seed))
    params = _initial(network, weights, x[:1])
    optimizer: Any = _optimizer().init(params)
    values = {"learning_rate": settings.learning_rate, "weight_decay": settings.weight_decay}
    wanted = {name: jnp.asarray(value, jnp.float32) for name, value in values.items()}
    return State(params, optimizer._replace(hyperparams=optimizer.hyperparams | wanted)), key


@partial(jax.jit, static_argnames="network")
def _initial(network: Network, key: jax.Array, x: jax.Array) -> Any:
    return network.init(key, x, train=False)


def _epoch(network: Network, batch: int, state: State, key: jax.Array, x: jax.Array, y: jax.Array) -> State:
    """Return the training after one epoch of whole batches."""
    steps = len(x) // batch
    order = jax.random.permutation(key, len(x))[: steps * batch].reshape(steps, batch)
    if network.kind != "image":
        return _scanned(network, state, key, x, y, order)
    for number in range(steps):  # on a CPU, convolutions in a compiled loop take ten times as long
        state = _step(network, state, jax.random.fold_in(key, number), x, y, order[number])
    return state


@partial(jax.jit, static_argnames="network")
def _scanned(network: Network, state: State, key: jax.Array, x: jax.Array, y: jax.Array, order: jax.Array) -> State:
    def step(state: State, now: tuple[jax.Array, jax.Array]) -> tuple[State, None]:
        rows, number = now
        return _step(network, state, jax.random.fold_in(key, number), x, y, rows), None

    return jax.lax.scan(step, state, (order, jnp.arange(len(order))))[0]


@partial(jax.jit, static_argnames="network")
def _step(network: Network, state: State, key: jax.Array, x: jax.Array, y: jax.Array, rows: jax.Array) -> State:
    def loss(params: Any) -> jax.Array:
        outputs: Any = network.apply(params, x[rows], train=True, rngs={"dropout": key})
        return _loss(outputs, y[rows])

    updates, optimizer = _optimizer().update(jax.grad(loss)(state.params), state.optimizer, state.params)
    return State(optax.apply_updates(state.params, updates), optimizer)


@jax.jit
def _loss(outputs: jax.Array, y: jax.Array) -> jax.Array:
    if y.dtype == jnp.int32:
        return optax.softmax_cross_entropy_with_integer_labels(outputs, y).mean()
    return jnp.mean((outputs[:, 0] - y) ** 2)


def _outputs(network: Network, params: Any, x: np.ndarray) -> np.ndarray:
    chunk = min(_CHUNK, len(x))
    padded = np.pad(x, [(0, -len(x) % chunk)] + [(0, 0)] * (x.ndim - 1))
    parts = [_forward(network, params, padded[start : start + chunk]) for start in range(0, len(padded), chunk)]
    return np.concatenate(parts)[: len(x)]


@partial(jax.jit, static_argnames="network")
def _forward(network: Network, params: Any, x: jax.Array) -> Any:
    return network.apply(params, x, train=False)


def one(problem: Any, parts: Any, seconds: float, seed: int) -> Answer:
    """Train one network."""
    trained = train(problem, parts.x_train, parts.y_train, seed, time.perf_counter() + seconds, Settings())
    return Answer(trained.outputs(parts.x_test), config={"epochs": trained.epochs})


def five(problem: Any, parts: Any, seconds: float, seed: int) -> Answer:
    """Train five networks, each with other held-out rows, and average what they say; each may take its fifth."""
    begun, answers, epochs = time.perf_counter(), [], []
    # One epoch that compiles, or the first network would have what that leaves of its fifth.
    train(problem, parts.x_train, parts.y_train, SEEDS * seed, begun, Settings())
    for k in range(SEEDS):
        now = time.perf_counter()
        deadline = now + (begun + seconds - now) / (SEEDS - k)
        trained = train(problem, parts.x_train, parts.y_train, SEEDS * seed + k, deadline, Settings())
        answers.append(trained.outputs(parts.x_test))
        epochs.append(trained.epochs)
    return Answer(np.mean(answers, axis=0), config={"epochs": epochs})
