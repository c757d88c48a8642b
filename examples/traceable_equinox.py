"""Tune a recurrent network in Equinox, which reads digits row by row: whole trainings run side by side, compiled.

python examples/traceable_equinox.py
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jax import lax, random

import jaxhpo as jh

DIGITS = jh.data.load("digits")


class Reader(eqx.Module):
    """A GRU that reads the rows of an image, and a linear layer after the last row."""

    cell: eqx.nn.GRUCell
    head: eqx.nn.Linear

    def __init__(self, units, key):
        first, second = random.split(key)
        self.cell, self.head = eqx.nn.GRUCell(8, units, key=first), eqx.nn.Linear(units, 10, key=second)

    def __call__(self, image):
        """Return the logits of the digits: [8, 8, 1], of 0 to 16 -> [10]."""
        start = jnp.zeros(self.cell.hidden_size)
        return self.head(lax.scan(lambda state, row: (self.cell(row, state), None), start, image[..., 0] / 16.0)[0])


def train(key, hparams):
    """Return the accuracy on the validation examples after 300 steps of Adam."""
    params, static = eqx.partition(Reader(hparams["units"], key), eqx.is_array)
    optimizer = optax.chain(optax.clip_by_global_norm(hparams["clip"]), optax.adam(hparams["rate"], hparams["b1"]))

    def outputs(params, images):
        return jax.vmap(eqx.combine(params, static))(images)

    def loss(params, rows):
        images, labels = jnp.array(DIGITS.x_train)[rows], jnp.array(DIGITS.y_train)[rows]
        return optax.softmax_cross_entropy_with_integer_labels(outputs(params, images), labels).mean()

    def step(carry, key):
        params, state = carry
        gradient = jax.grad(loss)(params, random.randint(key, (64,), 0, len(DIGITS.y_train)))
        updates, state = optimizer.update(gradient, state)
        return (eqx.apply_updates(params, updates), state), None

    (params, _), _ = lax.scan(step, (params, optimizer.init(params)), random.split(key, 300))
    return jnp.mean(outputs(params, jnp.array(DIGITS.x_valid)).argmax(axis=1) == jnp.array(DIGITS.y_valid))


def main(trials: int = 16) -> jh.Study:
    """Tune the network and print what was found."""
    space = {"rate": jh.Float(1e-4, 1e-1, log=True), "b1": jh.Float(0.8, 0.99), "clip": jh.Float(0.1, 10.0, log=True)}
    space = jh.Space(space | {"units": jh.Choice((16, 64))})
    study = jh.tune(jh.traceable(train, static=("units",)), space=space, trials=trials, lanes=8)
    print(study.trials.groupby("units")["score"].agg(["count", "median", "max"]), study.best, sep="\n")
    return study


if __name__ == "__main__":
    main()
