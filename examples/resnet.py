"""Tune a residual network with batch norm as optax's examples train one: by SGD with momentum and a cosine schedule.

python examples/resnet.py
"""

from functools import partial

import flax.linen as nn

import jaxhpo as jh


class ResNet(nn.Module):
    """Blocks of two convolutions beside a shortcut; the data give `classes`."""

    classes: int

    @nn.compact
    def __call__(self, x, train: bool = True):
        """Return logits."""
        norm = partial(nn.BatchNorm, use_running_average=not train, momentum=0.9)
        conv = partial(nn.Conv, use_bias=False)
        for filters in (4, 8):
            y = norm()(conv(filters, (3, 3))(nn.relu(norm()(conv(filters, (3, 3))(x)))))
            x = nn.avg_pool(nn.relu(y + conv(filters, (1, 1))(x)), (2, 2), strides=(2, 2))
        return nn.Dense(self.classes)(x.mean(axis=(1, 2)))


def main(trials: int = 16) -> jh.Study:
    """Tune it and print the best trials."""
    fixed = {"optimizer": jh.Choice(("momentum",)), "schedule": jh.Choice(("cosine",))}
    space = jh.Space(fixed | {"learning_rate": jh.Float(1e-2, 1.0, log=True, levels=9)})
    study = jh.tune("digits", model=ResNet, space=space, trials=trials, epochs=5)
    print(study.trials.nlargest(3, "score")[["learning_rate", "score"]], study.best, sep="\n")
    return study


if __name__ == "__main__":
    main()
