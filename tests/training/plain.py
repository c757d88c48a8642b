"""The reference that a lane must equal: a narrow network in plain Flax, trained by plain optax on whole batches."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxhpo.models.dan import bigram_buckets
from jaxhpo.models.dropout import drop_bits
from jaxhpo.training.step.examples import epoch_order
from jaxhpo.training.step.lane import dropout_key

OPTAX = {
    "sgd": lambda lr: optax.sgd(lr),
    "momentum": lambda lr, momentum=0.9: optax.sgd(lr, momentum=momentum),
    "rmsprop": lambda lr: optax.rmsprop(lr),
    "adam": lambda lr: optax.adam(lr),
    "adamw": lambda lr: optax.adamw(lr),
}


def dense(network, x, keep, rate):
    """Return the logits of a network's dense layers; for use in its compact call."""
    for i in range(network.layers):
        x = nn.relu(nn.Dense(network.units, name=f"hidden_{i}")(x))
        if keep is not None:
            x = jnp.where(keep[i], x / (1 - rate), 0.0)
    return nn.Dense(network.classes, name="out")(x)


class PlainMLP(nn.Module):
    layers: int
    units: int
    classes: int

    @nn.compact
    def __call__(self, x, keep=None, rate=0.0):
        x = x.reshape(len(x), -1)
        return dense(self, x, keep, rate)

    def dropped(self):
        return self.units, 1, self.layers


class PlainCNN(nn.Module):
    layers: int
    units: int
    classes: int

    @nn.compact
    def __call__(self, x, keep=None, rate=0.0):
        for i in range(max(self.layers, 2)):
            if i < self.layers:
                x = nn.relu(nn.Conv(self.units, (3, 3), name=f"conv_{i}")(x))
            if i < 2 and min(x.shape[1:3]) >= 8:
                x = nn.max_pool(x, (2, 2), (2, 2))
        x = nn.relu(nn.Dense(4 * self.units, name="dense")(x.reshape(len(x), -1)))
        if keep is not None:
            x = jnp.where(keep[0], x / (1 - rate), 0.0)
        return nn.Dense(self.classes, name="out")(x)

    def dropped(self):
        return self.units, 4, 1


class PlainRNN(nn.Module):
    """Flax's own cells, step by step; at padding the state stays. The parameters lie as jaxhpo's do.

    Without a vocabulary x is numbers [n, T, F], nan after the end of a sequence.
    """

    layers: int
    units: int
    classes: int
    cell: str
    vocabulary: int | None

    @nn.compact
    def __call__(self, x, keep=None, rate=0.0):
        zeros = nn.initializers.zeros
        if self.vocabulary is None:
            real = ~jnp.isnan(x[..., :1])
            h = nn.Dense(32, name="input")(jnp.where(real, x, 0.0))
        else:
            tokens = x.astype(jnp.int32)
            real = (tokens != 0)[..., None]
            h = self.param("embedding", zeros, (self.vocabulary, 32), x.dtype)[tokens]
        for i in range(self.layers):
            h = self.run(PlainCell(self.units, self.cell, name=f"{self.cell}_{i}")(h), h, real)
            if keep is not None:
                h = jnp.where(keep[i][:, None], h / (1 - rate), 0.0)
        pooled = jnp.sum(h * real, axis=1) / jnp.maximum(jnp.sum(real, axis=1), 1)
        return nn.Dense(self.classes, name="out")(pooled)

    def run(self, params, x, real):
        cell = (nn.GRUCell if self.cell == "gru" else nn.LSTMCell)(self.units)

        def step(carry, inputs):
            now, here = inputs
            after, _ = cell.apply({"params": params}, carry, now)
            after = jax.tree.map(lambda a, b: jnp.where(here, a, b), after, carry)
            return after, after if self.cell == "gru" else after[1]

        zero = jnp.zeros((len(x), self.units), x.dtype)
        start = zero if self.cell == "gru" else (zero, zero)
        return jax.lax.scan(step, start, (x.swapaxes(0, 1), real.swapaxes(0, 1)))[1].swapaxes(0, 1)

    def dropped(self):
        return self.units, 1, self.layers


class PlainCell(nn.Module):
    """Holds a layer's parameters as jaxhpo lays them out; returns them as Flax's cell has them."""

    units: int
    cell: str

    @nn.compact
    def __call__(self, x):
        gates = "rzn" if self.cell == "gru" else "ifgo"
        zeros = nn.initializers.zeros
        wide = len(gates) * self.units
        inner = jnp.split(self.param("kernel", zeros, (x.shape[-1], wide), x.dtype), len(gates), axis=1)
        outer = jnp.split(self.param("recurrent_kernel", zeros, (self.units, wide), x.dtype), len(gates), axis=1)
        bias = jnp.split(self.param("bias", zeros, (wide,), x.dtype), len(gates))
        if self.cell == "gru":
            params = {f"i{g}": {"kernel": k, "bias": b} for g, k, b in zip(gates, inner, bias, strict=True)}
            params |= {f"h{g}": {"kernel": k} for g, k in zip(gates, outer, strict=True)}
            params["hn"]["bias"] = self.param("recurrent_bias", zeros, (self.units,), x.dtype)
            return params
        params = {f"i{g}": {"kernel": k} for g, k in zip(gates, inner, strict=True)}
        return params | {f"h{g}": {"kernel": k, "bias": b} for g, k, b in zip(gates, outer, bias, strict=True)}


class PlainDAN(nn.Module):
    """Embeddings of words and bigrams, one after the other in one table; their mean goes through a plain MLP."""

    layers: int
    units: int
    classes: int
    vocabulary: int
    bigrams: int

    @nn.compact
    def __call__(self, x, keep=None, rate=0.0):
        tokens = x.astype(jnp.int32)
        shape = (self.vocabulary + self.bigrams, self.units)
        table = self.param("embedding", nn.initializers.zeros, shape, x.dtype)
        words, pairs = tokens != 0, (tokens[:, 1:] != 0) & (tokens[:, :-1] != 0)
        total = jnp.where(words[..., None], table[tokens], 0.0).sum(1)
        second = table[self.vocabulary + bigram_buckets(tokens, self.bigrams)]
        total = total + jnp.where(pairs[..., None], second, 0.0).sum(1)
        x = total / jnp.maximum(words.sum(1) + pairs.sum(1), 1)[:, None]
        return dense(self, x, keep, rate)

    def dropped(self):
        return self.units, 1, self.layers


def plain(name, dataset, layers, units):
    """Return the plain network of a size; `name` is mlp, cnn, dan, gru, lstm or, of sequences, series."""
    if name == "dan":
        return PlainDAN(layers, units, dataset.classes, dataset.vocabulary, 2048)
    if name in ("gru", "lstm", "series"):
        cell = "gru" if name == "series" else name
        return PlainRNN(layers, units, dataset.classes, cell, dataset.vocabulary)
    return {"mlp": PlainMLP, "cnn": PlainCNN}[name](layers, units, dataset.classes)


def used(full, narrow, full_units, units):
    """Return the index of the narrow network's parameter within the full one; `full` and `narrow` are shapes.

    An axis is blocks of units: pixels of the flattened image, gates of a cell, or one block.
    """
    axes = []
    for wide, small in zip(full, narrow, strict=True):
        if wide == small:
            axes.append(np.arange(wide))
        else:
            axes.append(np.flatnonzero(np.tile(np.arange(full_units) < units, wide // full_units)))
            assert len(axes[-1]) == small
    return np.ix_(*axes)


def optimizer_of(config, most):
    """Return optax's optimizer of a configuration; a schedule spans `most` updates."""
    peak, warmup = config["learning_rate"], config.get("warmup", 0.0)
    schedules = {
        "constant": lambda: optax.constant_schedule(peak),
        "cosine": lambda: optax.cosine_decay_schedule(peak, round(most * (1 - warmup))),
        "one_cycle": lambda: optax.cosine_onecycle_schedule(most, peak),
    }
    after = schedules[config.get("schedule", "constant")]()
    rising = round(most * warmup) if config.get("schedule") != "one_cycle" else 0

    def rate(count):  # optax's own warm-up begins with a step of rate 0, which would be none
        rises = peak * (count + 1) / max(rising, 1)
        return jnp.where(count < rising, rises, after(count - rising))

    options = {"momentum": config["momentum"]} if "momentum" in config and config["optimizer"] == "momentum" else {}
    decay = config.get("weight_decay")
    if config["optimizer"] == "adamw" and decay is not None:
        return optax.chain(optax.clip_by_global_norm(config.get("clip") or 1e30), optax.adamw(rate, weight_decay=decay))
    steps = [OPTAX[config["optimizer"]](1.0, **options)]
    if decay is not None:  # decoupled: beside the optimizer's own step, times the learning rate
        steps.append(optax.add_decayed_weights(-decay))
    steps.append(optax.scale_by_schedule(rate))
    return optax.chain(optax.clip_by_global_norm(config.get("clip") or 1e30), *steps)


def train_plain(model, starts, configs, data, keys, order_key, updates, most=None, order=None):
    """Train configurations of one network and batch size `updates` steps on whole batches.

    Each has weights, numbers and an optimizer of its own; one compiled step advances all of them. `order` is a function
    of an epoch -> the rows that it visits; None is all of them in the order that trials have without folds.

    Returns:
        A list with, for each, the last weights and each step's loss.
    """
    (batch,) = {config["batch_size"] for config in configs}
    optimizers = [optimizer_of(config, most or updates) for config in configs]
    dtype = data.offset.dtype
    x_train = (jnp.asarray(data.train.x).astype(jnp.float32) - data.offset[None]) * data.scale[None]
    y_train = jnp.asarray(data.train.y)
    units, blocks, places = model.dropped()
    names = ("l1", "l2", "label_smoothing", "dropout")
    numbers = {name: np.array([config.get(name, 0.0) for config in configs], dtype) for name in names}
    drops = numbers["dropout"].any()

    def loss(params, numbers, bits, x, y):
        steps = jnp.round(numbers["dropout"] * 2**16)
        keep = [b >= steps.astype(jnp.uint32) for b in bits] if drops else None
        logits = model.apply({"params": params}, x, keep, steps / 2**16)
        leaves = jax.tree_util.tree_leaves_with_path(params)
        kernels = [leaf for path, leaf in leaves if "kernel" in path[-1].key]
        penalty = sum(numbers["l1"] * jnp.abs(w).sum() + numbers["l2"] * (w**2).sum() for w in kernels)
        labels = optax.smooth_labels(jax.nn.one_hot(y, logits.shape[1]), numbers["label_smoothing"])
        cross = optax.softmax_cross_entropy(logits, labels).mean()
        return cross + penalty, cross

    @jax.jit
    def step(params, states, index, position, epoch):
        def gradients(params, numbers, key):
            bits = [drop_bits(dropout_key(key, epoch), position, i, units, blocks) for i in range(places)]
            return jax.value_and_grad(loss, has_aux=True)(params, numbers, bits, x_train[index], y_train[index])

        stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *params)
        (_, cross), grads = several(gradients, (stacked, numbers, jnp.stack(keys)))
        after = []
        for i, optimizer in enumerate(optimizers):
            change, state = optimizer.update(jax.tree.map(lambda g, i=i: g[i], grads), states[i], params[i])
            after.append((optax.apply_updates(params[i], change), state))
        return [list(part) for part in zip(*after, strict=True)], cross

    def several(function, arguments):
        if not isinstance(model, PlainCNN):
            return jax.vmap(function)(*arguments)
        # Side by side, convolutions with a kernel each would be grouped ones, which are slow.
        found = [function(*jax.tree.map(lambda leaf, i=i: leaf[i], arguments)) for i in range(len(configs))]
        return jax.tree.map(lambda *leaves: jnp.stack(leaves), *found)

    def whole(epoch):
        return epoch_order(order_key, epoch, len(y_train))

    params, losses, epoch = list(starts), [], 0
    states = [optimizer.init(start) for optimizer, start in zip(optimizers, starts, strict=True)]
    while len(losses) < updates:
        rows = np.asarray((order or whole)(jnp.int32(epoch)))
        for start in range(0, len(rows) - batch + 1, batch):
            position = np.arange(start, start + batch, dtype=np.int32)
            (params, states), cross = step(params, states, rows[position], position, jnp.int32(epoch))
            losses.append(cross)
            if len(losses) == updates:
                break
        epoch += 1
    return list(zip(jax.tree.map(np.asarray, params), np.asarray(losses).T, strict=True))
