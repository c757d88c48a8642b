import jax.numpy as jnp
import numpy as np
import pytest

from jaxhpo.space import Choice, Float, Int, Space
from jaxhpo.training import DEFAULTS, default_space
from jaxhpo.training.hyperparameters import read_hyper, read_ranges


@pytest.mark.parametrize("model", ["mlp", "cnn"])
def test_default_spaces_vary_all_eight(model):
    space = default_space(model)
    assert list(space) == list(DEFAULTS)
    assert all(size >= 3 for size in space.level_counts)
    ranges = read_ranges(space)
    assert (ranges.micro_batch, ranges.largest_batch, ranges.layers, ranges.drops) == (32, 256, 3, True)


@pytest.mark.parametrize(
    ("examples", "batches"),
    [
        (None, (32, 64, 128, 256)),
        (256, (32, 64, 128, 256)),
        (255, (16, 32, 64, 128)),
        (36, (4, 8, 16, 32)),
        (3, (1, 2, 4, 8)),
    ],
)
def test_default_batches_fit_the_examples(examples, batches):
    assert default_space("mlp", (4,), examples)["batch_size"] == Choice(batches)


def test_default_channels_follow_the_image():
    assert default_space("cnn", (8, 8, 1))["units"] == Choice((16, 32, 48, 64))
    assert default_space("cnn", (28, 28, 1))["units"] == Choice((8, 16, 24, 32))
    with pytest.raises(ValueError, match="model='rnn' is unknown; use one of mlp, cnn"):
        default_space("rnn")


def test_a_left_out_hyperparameter_has_its_default():
    space = Space({"lr": Float(0.1, 1.0), "width": Int(4, 9)})
    ranges = read_ranges(space)
    assert ranges.units == 9
    assert not ranges.drops
    hyper = read_hyper(space, ranges, jnp.asarray([space.from_config({"lr": 0.1, "width": 7})]))
    assert float(hyper.learning_rate[0]) == np.float32(0.1)
    assert int(hyper.units[0]) == 7
    assert int(hyper.batch_size[0]) == DEFAULTS["batch_size"]
    assert ranges.optimizers[int(hyper.optimizer[0])] == DEFAULTS["optimizer"]


def test_optimizers_are_read_by_the_spaces_own_order():
    space = Space({"optimizer": Choice(("adamw", "sgd"))})
    ranges = read_ranges(space)
    hyper = read_hyper(space, ranges, jnp.stack([space.from_config({"optimizer": o}) for o in ("sgd", "adamw")]))
    assert [ranges.optimizers[i] for i in hyper.optimizer] == ["sgd", "adamw"]


@pytest.mark.parametrize(
    ("dimensions", "message"),
    [
        ({"learning_rat": Float(0.1, 1.0)}, "unknown hyperparameter 'learning_rat'; did you mean 'learning_rate'"),
        ({"lr": Float(0.1, 1.0), "learning_rate": Float(0.1, 1.0)}, "holds learning_rate twice"),
        ({"learning_rate": Float(0.0, 1.0)}, "learning_rate: 0.0 is outside (0.0"),
        ({"dropout": Float(0.0, 1.0)}, "dropout: 1.0 is outside [0.0, 1.0)"),
        ({"l1": Float(-1.0, 1.0)}, "l1: -1.0 is outside"),
        ({"layers": Float(1.0, 3.0)}, "layers: 1.0 must be a whole number"),
        ({"layers": Int(0, 3)}, "layers: 0 is outside [1"),
        ({"units": Choice(("small", "large"))}, "units: option 'small' is not a number"),
        ({"batch_size": Choice((32, 48))}, "batch_size: 48 is not among multiples of the smallest, 32"),
        ({"batch_size": Int(16, 64)}, "use a Choice such as Choice((16, 32, 64))"),
        ({"optimizer": Choice(("adam", "lion"))}, "optimizer: ['lion'] must be a Choice among sgd"),
        ({"optimizer": Int(0, 3)}, "must be a Choice among sgd"),
    ],
)
def test_bad_spaces(dimensions, message):
    with pytest.raises(ValueError) as error:
        read_ranges(Space(dimensions))
    assert message in str(error.value)
    assert "\n" not in str(error.value)
