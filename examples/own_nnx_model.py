"""Tune a Flax nnx model of your own, with batch norm, by a loss of your own: a missed tumour costs five false alarms.

python examples/own_nnx_model.py
"""

from flax import nnx
from optax import softmax_cross_entropy_with_integer_labels as entropy
from sklearn.datasets import load_breast_cancer

import jaxhpo as jh


class Net(nnx.Module):
    """The data give `shape` and `classes`, the space `width` and `dropout`."""

    def __init__(self, shape, classes, width, dropout, rngs):
        self.hidden, self.norm = nnx.Linear(*shape, width, rngs=rngs), nnx.BatchNorm(width, rngs=rngs)
        self.dropout, self.out = nnx.Dropout(dropout, rngs=rngs), nnx.Linear(width, classes, rngs=rngs)

    def __call__(self, x):
        """Return logits."""
        return self.out(self.dropout(nnx.relu(self.norm(self.hidden(x)))))


def main(trials: int = 32) -> jh.Study:
    """Tune it and print how the best network does on the test examples."""
    data = jh.data.from_arrays(*load_breast_cancer(return_X_y=True))
    rate, dropout = jh.Float(1e-3, 1e-1, log=True, levels=9), jh.Float(0.0, 0.5, levels=6)
    space = jh.Space({"learning_rate": rate, "width": jh.Choice((16, 64)), "dropout": dropout})
    study = jh.tune(data, model=Net, space=space, trials=trials, loss=lambda z, y: ((5 - 4 * y) * entropy(z, y)).mean())
    called = study.best_model().predict(data.x_test)
    for i, name in enumerate(("malignant", "benign")):
        print(f"{name}: {(called == i)[data.y_test == i].sum()} of {(data.y_test == i).sum()} recognised")
    return study


if __name__ == "__main__":
    main()
