"""The reference that a lane must equal: a narrow network in plain Flax, trained by plain optax on whole batches."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxhpo.models.dropout import drop_bits
from jaxhpo.training.lane import dropout_key, epoch_order

OPTAX = {
    "sgd": lambda lr: optax.sgd(lr),
    "momentum": lambda lr: optax.sgd(lr, momentum=0.9),
    "rmsprop": lambda lr: optax.rmsprop(lr),
    "adam": lambda lr: optax.adam(lr),
    "adamw": lambda lr: optax.adamw(lr),
}


class PlainMLP(nn.Module):
    layers: int
    units: int
    classes: int

    @nn.compact
    def __call__(self, x, keep=None, rate=0.0):
        x = x.reshape(len(x), -1)
        for i in range(self.layers):
            x = nn.relu(nn.Dense(self.units, name=f"hidden_{i}")(x))
            if keep is not None:
                x = jnp.where(keep[i], x / (1 - rate), 0.0)
        return nn.Dense(self.classes, name="out")(x)

    def dropped(self):
        return self.units, self.layers


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
        return 4 * self.units, 1


PLAIN = {"mlp": PlainMLP, "cnn": PlainCNN}


def used(path, full, narrow, full_units, units):
    """Return the index of the narrow network's parameter within the full one; `full` and `narrow` are shapes."""
    axes = []
    for axis, (wide, small) in enumerate(zip(full, narrow, strict=True)):
        if wide == small:
            axes.append(np.arange(wide))
        elif path[0].key == "dense" and axis == 0 and len(full) > 1:  # the flattened image: pixels x channels
            axes.append(np.flatnonzero(np.tile(np.arange(full_units) < units, wide // full_units)))
        else:
            axes.append(np.arange(small))
    return np.ix_(*axes)


def train_plain(model, params, config, data, key, order_key, updates):
    """Train `updates` steps on whole batches; return the parameters and each step's loss."""
    optimizer = OPTAX[config["optimizer"]](config["learning_rate"])
    x_train = (jnp.asarray(data.train.x).astype(jnp.float32) - data.offset[None]) * data.scale[None]
    y_train = jnp.asarray(data.train.y)
    batch, examples = config["batch_size"], len(y_train)
    rate = round(config["dropout"] * 2**16) / 2**16
    width, places = model.dropped()
    full = config["full_width"]

    def loss(params, x, y, keep):
        logits = model.apply({"params": params}, x, keep, rate)
        penalty = sum(
            config["l1"] * jnp.abs(w).sum() + config["l2"] * (w**2).sum() for w in jax.tree.leaves(params) if w.ndim > 1
        )
        cross = optax.softmax_cross_entropy_with_integer_labels(logits, y).mean()
        return cross + penalty, cross

    @jax.jit
    def step(params, state, index, position, bits_key):
        keep = None
        if config["dropout"] > 0:
            bits = [drop_bits(bits_key, position, i, full)[:, :width] for i in range(places)]
            keep = [b >= np.uint32(round(config["dropout"] * 2**16)) for b in bits]
        (_, cross), grads = jax.value_and_grad(loss, has_aux=True)(params, x_train[index], y_train[index], keep)
        change, state = optimizer.update(grads, state, params)
        return optax.apply_updates(params, change), state, cross

    state, losses, epoch = optimizer.init(params), [], 0
    while len(losses) < updates:
        order = np.asarray(epoch_order(order_key, jnp.int32(epoch), examples))
        for start in range(0, examples - batch + 1, batch):
            position = np.arange(start, start + batch, dtype=np.int32)
            params, state, cross = step(params, state, order[position], position, dropout_key(key, jnp.int32(epoch)))
            losses.append(float(cross))
            if len(losses) == updates:
                break
        epoch += 1
    return params, losses
