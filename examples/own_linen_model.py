"""Tune a Flax linen model of your own, a small residual network, by another loss than the cross-entropy.

python examples/own_linen_model.py
"""

import flax.linen as nn
from optax.losses import poly_loss_cross_entropy as poly

import jaxhpo as jh


class Residual(nn.Module):
    """The data give `classes`, the space `width` and `dropout`."""

    classes: int
    width: int  # decides shapes, so a Choice: each is a program of its own
    dropout: float  # a Float, and so a traced number: its own in every lane of a program

    @nn.compact
    def __call__(self, x, train):
        """Return logits; `train` says whether it trains."""
        x = nn.Conv(self.width, (3, 3), strides=2)(x)
        x += nn.Conv(self.width, (3, 3))(nn.relu(nn.LayerNorm()(x)))
        return nn.Dense(self.classes)(nn.Dropout(self.dropout, deterministic=not train)(x.mean((1, 2))))


def main(trials: int = 32) -> jh.Study:
    """Tune it and print what each width reached."""
    rate, dropout = jh.Float(1e-3, 1e-1, log=True, levels=9), jh.Float(0.0, 0.5, levels=6)
    space = jh.Space({"learning_rate": rate, "width": jh.Choice((16, 32)), "dropout": dropout})
    study = jh.tune(
        "digits", model=Residual, space=space, trials=trials, loss=lambda z, y: poly(z, nn.one_hot(y, 10)).mean()
    )
    print(study.trials.groupby("width")["score"].agg(["count", "median", "max"]), study.best, sep="\n")
    return study


if __name__ == "__main__":
    main()
