"""Tune the convolutional network of Flax's MNIST examples, in linen, as it stands; compare trials by scikit-learn's F1.

python examples/flax_cnn.py
"""

from functools import partial

import flax.linen as nn
from sklearn.metrics import f1_score

import jaxhpo as jh


class CNN(nn.Module):
    """Two convolutions, two dense layers; it takes no hyperparameter, so all that varies is training's."""

    @nn.compact
    def __call__(self, x):
        """Return logits."""
        x = nn.avg_pool(nn.relu(nn.Conv(features=16, kernel_size=(3, 3))(x)), window_shape=(2, 2), strides=(2, 2))
        x = nn.avg_pool(nn.relu(nn.Conv(features=32, kernel_size=(3, 3))(x)), window_shape=(2, 2), strides=(2, 2))
        x = nn.relu(nn.Dense(features=64)(x.reshape((x.shape[0], -1))))
        return nn.Dense(features=10)(x)


def main(trials: int = 16) -> jh.Study:
    """Tune learning rate and momentum, and print the best trials."""
    rate, momentum = jh.Float(1e-3, 1.0, log=True, levels=13), jh.Float(0.5, 0.95, levels=10)
    space = jh.Space({"learning_rate": rate, "momentum": momentum, "optimizer": jh.Choice(("momentum",))})
    metric = partial(f1_score, average="macro")  # called on labels when a trial ends
    study = jh.tune("digits", model=CNN, space=space, metric=metric, trials=trials, epochs=5)
    print(study.trials.nlargest(3, "score")[["learning_rate", "momentum", "score"]], study.best, sep="\n")
    return study


if __name__ == "__main__":
    main()
