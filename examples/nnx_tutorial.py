"""Tune a network as Flax's nnx tutorials write it: its call takes the random numbers that its dropout draws from.

python examples/nnx_tutorial.py
"""

from functools import partial

from flax import nnx

import jaxhpo as jh


class CNN(nnx.Module):
    """A convolution with batch norm and dropout; the space gives `rate`."""

    def __init__(self, rate: float, rngs: nnx.Rngs):
        self.conv, self.norm = nnx.Conv(1, 16, kernel_size=(3, 3), rngs=rngs), nnx.BatchNorm(16, rngs=rngs)
        self.dropout1, self.dropout2 = nnx.Dropout(rate), nnx.Dropout(rate)
        self.pool = partial(nnx.avg_pool, window_shape=(2, 2), strides=(2, 2))
        self.linear1, self.linear2 = nnx.Linear(256, 64, rngs=rngs), nnx.Linear(64, 10, rngs=rngs)

    def __call__(self, x, rngs: nnx.Rngs | None = None):
        """Return logits; `rngs` is there in training alone."""
        x = self.pool(nnx.relu(self.norm(self.dropout1(self.conv(x), rngs=rngs))))
        return self.linear2(nnx.relu(self.dropout2(self.linear1(x.reshape(x.shape[0], -1)), rngs=rngs)))


def main(trials: int = 16) -> jh.Study:
    """Tune it, and print what the best network's batch statistics are."""
    space = jh.Space({"learning_rate": jh.Float(1e-4, 1e-1, log=True, levels=13), "rate": jh.Float(0, 0.5, levels=6)})
    study = jh.tune("digits", model=CNN, space=space, metric="balanced_accuracy", trials=trials, epochs=5)
    print(study.best, study.best_model().statistics["norm"]["mean"].round(2), sep="\n")
    return study


if __name__ == "__main__":
    main()
