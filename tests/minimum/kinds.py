"""A small study of each kind, run by `tests/minimum/run` with the lowest versions: own models, functions, saving."""

import tempfile
from pathlib import Path

import flax.linen as nn
from flax import nnx

import jaxhpo as jh


class Net(nn.Module):
    width: int
    dropout: float
    classes: int

    @nn.compact
    def __call__(self, x, train):
        x = nn.relu(nn.Conv(self.width, (3, 3))(x))
        x = nn.BatchNorm(use_running_average=not train)(x).mean((1, 2))
        x = nn.Dropout(self.dropout)(x, deterministic=not train)
        return nn.Dense(self.classes)(x)


class NNet(nnx.Module):
    def __init__(self, width, dropout, classes, shape, rngs):
        self.conv = nnx.Conv(shape[-1], width, (3, 3), rngs=rngs)
        self.bn = nnx.BatchNorm(width, rngs=rngs)
        self.do = nnx.Dropout(dropout, rngs=rngs)
        self.out = nnx.Linear(width, classes, rngs=rngs)

    def __call__(self, x):
        return self.out(self.do(self.bn(nnx.relu(self.conv(x))).mean((1, 2))))


space = jh.Space(
    {
        "learning_rate": jh.Float(1e-3, 1e-1, log=True, levels=9),
        "width": jh.Choice((8,)),
        "dropout": jh.Float(0, 0.5, levels=6),
    }
)
if __name__ == "__main__":
    for m in (Net, NNet):
        s = jh.tune("digits", model=m, space=space, trials=4, epochs=2, final_fit=2, train_examples=256, cache=False)
        print(s.best, s.final)
        with tempfile.TemporaryDirectory() as d:
            s.best_model().save(Path(d, "m"))
            x = jh.data.load("digits").x_test
            assert (jh.load_model(Path(d, "m"), model=m).predict(x) == s.best_model().predict(x)).all()
    sp = jh.Space({"x": jh.Float(-2.0, 2.0, levels=41)})
    print(jh.tune(jh.function(lambda c: (c["x"] - 1) ** 2), space=sp, trials=16, lanes=4, minimize=True).best)
    print(jh.tune(jh.traceable(lambda k, h: (h["x"] - 1) ** 2), space=sp, trials=16, lanes=4, minimize=True).best)
