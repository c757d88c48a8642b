"""Another network is one file and its name: what a family declares is all that tuning has to know of it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

import jaxhpo
from jaxhpo.models import FAMILIES
from jaxhpo.models.family import Hyperparameter, Limits
from jaxhpo.training.config.hyperparameters import HYPERPARAMETERS
from jaxhpo.training.networks.families import fitting_model

TOY = '''"""A linear layer of its own width, between two that share a scale."""

import flax.linen as nn
import jax.numpy as jnp

from jaxhpo.models.cost import Cost, dense_cost
from jaxhpo.models.family import STRUCTURAL, Hyperparameter, NetworkFamily
from jaxhpo.models.layers import Dense, unit_mask
from jaxhpo.space import Choice


class Toy(nn.Module):
    layers: int
    units: int
    classes: int
    gate: str = "none"

    @nn.compact
    def __call__(self, x, *, active=None, dropout=None):
        mask = unit_mask(active, self.units)
        h = Dense(self.units, name="hidden")(x.reshape(x.shape[0], -1), None, mask)
        h = jnp.tanh(h) * jnp.tanh(h) if self.gate == "tanh" else h
        return Dense(self.classes, name="out")(h, mask, None)

    def cost(self, shape):
        forward, backward, params = dense_cost((shape[0], self.units, self.classes))
        return Cost(forward, backward, shape[0] + self.units, self.units, params, 12)


FAMILY = NetworkFamily(
    Toy,
    kinds=("vector",),
    units=lambda shape: (2, 4),
    structure={"gate": Hyperparameter("none", ("none", "tanh"), "of the hidden layer", ("door",), STRUCTURAL)},
    ranges={"gate": Choice(("none", "tanh"))},
)
'''

SCRIPT = """
import numpy as np
import jaxhpo as jh

rng = np.random.default_rng(0)
x = rng.normal(size=(200, 3)).astype(np.float32)
data = jh.data.from_arrays(x, (x[:, 0] > 0).astype(int))
study = jh.tune(data, model="toy", trials=8, lanes=4, epochs=3, algorithm="random_search", verbose=False, cache=False)
assert set(study.space) >= {"gate", "units", "learning_rate"} and study.space["units"].options == (2, 4), study.space
assert {bucket["variant"].get("gate", "none") for bucket in study.summary["plan"]["buckets"]} == {"none", "tanh"}
model = study.best_model()
model.save("saved")
again = jh.load_model("saved")
assert (again.predict(x) == model.predict(x)).all()
for model, problem in (("mlp", "which model='mlp' cannot take"), ("rnn", "use 'mlp'")):
    try:
        jh.tune(data, model=model, space=jh.Space({"door": jh.Choice(("none",))}), verbose=False)
    except ValueError as error:
        assert problem in str(error), error
    else:
        raise AssertionError(model)
print("tuned")
"""


@pytest.mark.slow
def test_a_network_is_added_by_one_file_and_one_line(tmp_path):
    package = tmp_path / "jaxhpo"
    shutil.copytree(Path(jaxhpo.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    (package / "models" / "toy.py").write_text(TOY, encoding="utf-8")
    table = package / "models" / "__init__.py"
    before = table.read_text(encoding="utf-8")
    after = before.replace('_FILES = ("mlp", "cnn", "rnn", "dan")', '_FILES = ("mlp", "cnn", "rnn", "dan", "toy")')
    assert sum(a != b for a, b in zip(before.splitlines(), after.splitlines(), strict=True)) == 1
    table.write_text(after, encoding="utf-8")
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", SCRIPT], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "tuned"


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_fits_its_network(name):
    family = FAMILIES[name]
    fields = family.network.__dataclass_fields__
    assert {"layers", "units", "classes", *family.structure} <= set(fields)
    assert family.tile == ("tile" in fields)
    for option, known in family.structure.items():
        assert fields[option].default == known.default
        assert known.default in known.allowed
        assert name in HYPERPARAMETERS[option].models
    assert set(family.ranges) <= {*family.structure, *family.traced, "layers"}


class Data(NamedTuple):
    kind: str
    name: str = "data"
    shape: tuple[int, ...] = (3,)


def test_each_kind_of_data_has_one_default():
    found = {kind: fitting_model(None, Data(kind)) for kind in ("vector", "image", "text", "sequence")}
    assert found == {"vector": "mlp", "image": "cnn", "text": "dan", "sequence": "rnn"}
    assert fitting_model("rnn", Data("text")) == "rnn"
    with pytest.raises(ValueError, match=r"model='dan' cannot take 'data', sequence data of shape \(3,\); use 'rnn'"):
        fitting_model("dan", Data("sequence"))


def test_a_variant_holds_what_differs_from_the_default():
    rnn, cnn = FAMILIES["rnn"], FAMILIES["cnn"]
    assert rnn.variant({"cell": "gru", "bidirectional": False}) == rnn.variant({})
    assert rnn.variant({"cell": "lstm", "units": 3}).to_json() == {"cell": "lstm"}
    assert (cnn.variant({"growth": 2}).exact_depth, cnn.variant({}).exact_depth) == (True, False)
    assert isinstance(Hyperparameter(0.5, Limits(0.0, 1.0), "share").allowed, Limits)
