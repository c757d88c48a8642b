import flax.linen as nn
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

import jaxhpo
from jaxhpo.data import load
from jaxhpo.models import FAMILIES, Variant
from jaxhpo.space import Choice, Float, Int, Space
from jaxhpo.training import DEFAULTS, default_space
from jaxhpo.training.config.hyper_reader import read_hyper
from jaxhpo.training.config.hyperparameters import ALIASES, HYPERPARAMETERS, KINDS, Limits
from jaxhpo.training.config.space_reader import (
    Ranges,
    Structure,
    default_batch_size,
    read_ranges,
    read_structure,
)
from jaxhpo.training.goal.scoring import read_goal
from jaxhpo.training.networks.family_choice import make_family
from tests.training.own_models import train as train_configs

EIGHT = ["learning_rate", "batch_size", "layers", "units", "l1", "l2", "dropout", "optimizer"]


@pytest.mark.parametrize("model", FAMILIES)
def test_default_spaces_vary_what_the_model_has(model):
    space = default_space(model)
    ninth, variant = {"rnn": ("cell", ("cell", "lstm"))}.get(model, (None, None))
    assert list(space) == EIGHT + ([ninth] if ninth else [])
    embeds = model in ("rnn", "dan")
    assert np.prod(space.level_counts) == 36_864 * (2 if ninth else 1) * (3 / 4 if embeds else 1)
    ranges = read_ranges(space, model)
    assert (ranges.micro_batch, ranges.largest_batch, ranges.drops) == (64 if embeds else 32, 256, True)
    assert ranges.layers_values == ((1, 2) if embeds else (2, 3))
    assert ranges.optimizers == ("adam", "adamw")
    assert set(ranges.variants) == ({Variant(), Variant((variant,))} if ninth else {Variant()})
    assert set(KINDS) == set(DEFAULTS)


@pytest.mark.parametrize(
    ("examples", "batches"),
    [
        (None, (32, 64, 128, 256)),
        (256, (32, 64, 128, 256)),
        (255, (16, 32, 64, 128)),
        (128, (16, 32, 64, 128)),
        (127, (8, 16, 32, 64)),
        (36, (4, 8, 16, 32)),
        (8, (1, 2, 4, 8)),
        (7, (1, 2, 4)),
        (3, (1, 2)),
        (1, (1,)),
    ],
)
def test_default_batches_fit_the_examples(examples, batches):
    assert default_space("mlp", (4,), examples)["batch_size"] == Choice(batches)


@pytest.mark.parametrize(
    ("examples", "batches"),
    [
        (None, (64, 128, 256)),
        (512, (64, 128, 256)),
        (511, (32, 64, 128, 256)),
        (255, (16, 32, 64, 128)),
    ],
)
def test_default_batches_are_larger_where_words_are_embedded(examples, batches):
    for model in ("rnn", "dan"):
        assert default_space(model, (50,), examples)["batch_size"] == Choice(batches)


def test_default_widths_follow_the_model_and_the_image():
    assert default_space("mlp", (784,))["units"] == Choice((64, 128, 256))
    for model in ("rnn", "dan"):
        assert default_space(model, (100,))["units"] == Choice((32, 48, 64))
    assert default_space("cnn", (8, 8, 1))["units"] == Choice((32, 48, 64))
    assert default_space("cnn", (28, 28, 1))["units"] == Choice((16, 24, 32))
    with pytest.raises(ValueError, match="model='gan' is unknown; use one of mlp, cnn, rnn, dan"):
        default_space("gan")


def test_the_default_spaces_are_these():
    # Another optimizer, cell or range must not change what a study without a space searches.
    fingerprints = {
        "mlp": "60998d08c8621b6b",
        "cnn": "b154f1fc59985e2e",
        "rnn": "071032f5e7066f03",
        "dan": "2af9326bedb7a28f",
    }
    assert {model: default_space(model).fingerprint for model in fingerprints} == fingerprints


def test_numbers_are_represented_in_two_ways_by_default_where_an_mlp_has_up_to_32():
    plain = default_space("mlp", (40,))
    represented = Space({**plain, "representation": Choice(("standard", "piecewise"), default="piecewise")})
    for numbers, expected in ((0, plain), (1, represented), (32, represented), (33, plain)):
        space = default_space("mlp", (40,), numbers=numbers)
        assert space == expected
        assert space.default() == expected.default()
    for examples, usual in ((1999, "standard"), (2000, "piecewise"), (None, "piecewise")):
        default = default_space("mlp", (40,), examples, numbers=4).default()
        assert default == plain.default() | {"representation": usual}
    assert read_ranges(represented).variants == (Variant((("representation", ("standard", "piecewise")),)),)
    for model in ("cnn", "rnn", "dan"):
        assert default_space(model, numbers=4) == default_space(model)


def test_a_study_of_a_table_counts_its_numbers():
    def names(features):
        frame = pd.DataFrame({name: values * 10 for name, values in features.items()})
        return list(
            make_family(load((frame, ["yes", "no", "yes"] * 10)), None, None, read_goal("classification"), 1).space
        )

    words = {"word": ["a", "b", "c"], "other": ["x", "y", "y"]}
    assert names(words) == EIGHT
    assert names(words | {"number": [1.0, 2.0, 5.0]}) == [*EIGHT, "representation"]
    assert names({f"number {i}": [i, 2.0, 5.0] for i in range(33)}) == EIGHT


def test_a_cell_is_a_recurrent_networks_own():
    space = Space({"cell": Choice(("lstm", "gru"))})
    assert read_ranges(space, "rnn").variants == (Variant((("cell", "lstm"),)), Variant())
    wanted = Structure(DEFAULTS["batch_size"], DEFAULTS["layers"], 4, Variant((("cell", "lstm"),)))
    assert read_structure({"cell": "lstm", "units": 4}, "rnn") == wanted
    for model in ("mlp", "cnn"):
        for name in ("cell", "rnn_cell"):
            with pytest.raises(ValueError) as error:
                read_ranges(Space({name: Choice(("gru",))}), model)
            assert str(error.value) == (
                f"space has structural hyperparameter {name!r}, which model={model!r} cannot take; "
                "leave it out or use model='rnn'"
            )


def test_what_a_space_asks_of_the_programs():
    space = Space(
        {
            "batch": Choice((64, 16)),
            "depth": Choice((3, 1)),
            "neurons": Int(4, 9),
            "dropout_rate": Float(0.0, 0.5),
            "optim": Choice(("sgd", "adam")),
            "cell_type": Choice(("lstm",)),
        }
    )
    lstm = Variant((("cell", "lstm"),))
    wanted = Ranges(16, 64, (1, 3), (4, 5, 6, 7, 8, 9), ("sgd", "adam"), (None,), True, (lstm,))
    assert read_ranges(space, "rnn") == wanted
    few = Ranges(64, 64, (2,), (32,), ("adam",), (None,), False, (Variant(),))
    assert read_ranges(Space({"l1": Float(0.0, 1.0)})) == few


def test_structural_hyperparameters_multiply_the_variants():
    space = Space({"activation": Choice(("relu", "gelu")), "norm": Choice(("group", "none")), "growth": Choice((2,))})
    ranges = read_ranges(space, "cnn", image=(8, 8))
    gelu, group, growing = ("activation", "gelu"), ("norm", "group"), ("growth", 2)
    wanted = [(group, growing), (growing,), (gelu, group, growing), (gelu, growing)]
    assert ranges.variants == tuple(Variant(options, exact_depth=True) for options in wanted)
    config = {"activation": "gelu", "norm": "none", "growth": 2}
    assert read_structure(config, "cnn").variant == Variant((gelu, growing), exact_depth=True)
    assert read_ranges(Space({"bidirectional": Choice((True,))}), "rnn").variants == (
        Variant((("bidirectional", True),)),
    )


def test_what_a_space_lacks_is_not_in_the_program():
    hyper = read_hyper(Space({"lr": Float(0.1, 1.0)}), jnp.zeros((3, 1)))
    lacking = {name for name, known in HYPERPARAMETERS.items() if known.default is None} | {"own", "representation"}
    assert {name for name, value in hyper._asdict().items() if value is None} == lacking
    space = Space({"schedule": Choice(("cosine", "constant")), "crop": Int(0, 4), "flip": Float(0.0, 0.5)})
    hyper = read_hyper(space, jnp.stack([space.from_config({"schedule": "constant", "crop": 3, "flip": 0.5})]))
    assert (hyper.schedule.tolist(), hyper.crop.tolist(), hyper.flip.tolist()) == ([1], [3], [0.5])
    assert (hyper.schedule.dtype, hyper.crop.dtype, hyper.flip.dtype) == (jnp.int32, jnp.int32, jnp.float32)


@pytest.mark.parametrize("name", HYPERPARAMETERS)
def test_every_default_is_allowed(name):
    known = HYPERPARAMETERS[name]
    assert known.default is None or known.default in known.allowed
    if isinstance(known.allowed, Limits) and known.allowed.high < np.inf:
        assert (known.allowed.high in known.allowed) == known.allowed.high_allowed


def test_an_alias_means_what_it_names():
    assert set(ALIASES.values()) <= set(DEFAULTS)
    assert not set(ALIASES) & set(DEFAULTS)
    units = [name for name, known in ALIASES.items() if known == "units"]
    assert {read_ranges(Space({name: Choice((7, 5))})).units_values for name in units} == {(5, 7)}


@pytest.mark.parametrize(
    ("dimension", "few"),
    [
        (Int(1, 32), tuple(range(1, 33))),
        (Int(1, 63), (*range(1, 64, 2),)),
        (Int(1, 2**16, log=True), None),
        (Int(1, 1000), None),
    ],
)
def test_many_widths_are_planned_for_by_a_few(dimension, few):
    values = read_ranges(Space({"units": dimension})).units_values
    assert few is None or values == few
    assert (values[0], values[-1]) == (dimension.low, dimension.high)
    assert len(values) <= 32
    steps = np.diff(np.log2(values) if dimension.log else values)
    assert steps.max() <= 1 if dimension.log else np.ptp(steps) <= 1  # a wider one is near


def test_a_left_out_hyperparameter_has_its_default():
    space = Space({"lr": Float(0.1, 1.0), "width": Int(4, 9)})
    ranges = read_ranges(space)
    assert max(ranges.units_values) == 9
    assert not ranges.drops
    hyper = read_hyper(space, jnp.asarray([space.from_config({"lr": 0.1, "width": 7})]))
    assert float(hyper.learning_rate[0]) == np.float32(0.1)
    assert int(hyper.units[0]) == 7
    assert int(hyper.batch_size[0]) == DEFAULTS["batch_size"]
    assert ranges.optimizers[int(hyper.optimizer[0])] == DEFAULTS["optimizer"]


def test_optimizers_are_read_by_the_spaces_own_order():
    space = Space({"optimizer": Choice(("adamw", "sgd"))})
    ranges = read_ranges(space)
    hyper = read_hyper(space, jnp.stack([space.from_config({"optimizer": o}) for o in ("sgd", "adamw")]))
    assert [ranges.optimizers[i] for i in hyper.optimizer] == ["sgd", "adamw"]


@pytest.mark.parametrize(
    ("dimensions", "message"),
    [
        ({"learning_rat": Float(0.1, 1.0)}, "unknown hyperparameter 'learning_rat'; did you mean 'learning_rate'"),
        ({"lr": Float(0.1, 1.0), "learning_rate": Float(0.1, 1.0)}, "holds learning_rate twice"),
        ({"learning_rate": Float(0.0, 1.0)}, "learning_rate: 0.0 is outside (0.0"),
        ({"dropout": Float(0.0, 1.0)}, "dropout: 1.0 is outside [0.0, 1.0)"),
        ({"l1": Float(-1.0, 1.0)}, "l1: -1.0 is outside"),
        (
            {"zzz": Float(0.1, 1.0)},
            "unknown hyperparameter 'zzz'; it may hold learning_rate, batch_size, layers, units",
        ),
        ({"width": Int(1, 2), "neurons": Int(1, 2)}, "holds units twice, as 'width' and as 'neurons'; keep one"),
        ({"cell": Choice(("gru",)), "rnn_cell": Choice(("gru",))}, "holds cell twice, as 'cell' and as 'rnn_cell'"),
        ({"l2": Choice((0.1, -0.5))}, "l2: -0.5 is outside [0.0, inf)"),
        ({"dropout": Choice((0.0, 1.5))}, "dropout: 1.5 is outside [0.0, 1.0)"),
        ({"layers": Float(1.0, 3.0)}, "layers: 1.0 must be a whole number"),
        ({"layers": Choice((1, 1.5))}, "layers: 1.5 must be a whole number; use Int or Choice of integers"),
        ({"layers": Int(0, 3)}, "layers: 0 is outside [1"),
        ({"layers": Int(1, 65)}, "layers: 65 is outside [1, 64]"),
        ({"units": Choice(("small", "large"))}, "units: option 'small' is not a number"),
        ({"units": Choice((True, 8))}, "units: option True is not a number"),
        ({"units": Int(1, 2**16 + 1)}, "units: 65537 is outside [1, 65536]"),
        ({"batch_size": Choice((2**19, 2**21))}, "batch_size: 2097152 is outside [1, 1048576]"),
        ({"batch_size": Float(16.0, 32.0)}, "batch_size: 16.0 must be a whole number"),
        ({"batch_size": Choice((32, 48))}, "batch_size: 48 is not among multiples of the smallest, 32"),
        ({"batch_size": Int(16, 64)}, "use a Choice such as Choice((16, 32, 64))"),
        ({"optimizer": Choice(("adam", "lion"))}, "optimizer: ['lion'] must be a Choice among sgd"),
        ({"optimizer": Int(0, 3)}, "must be a Choice among sgd"),
        ({"optimizer": Choice((True, False))}, "optimizer: [True, False] must be a Choice among sgd"),
        ({"cell": Int(0, 1)}, "cell: [0, 1] must be a Choice among gru, lstm"),
        ({"cell": Choice(("gru", "elman"))}, "cell: ['elman'] must be a Choice among gru, lstm, vanilla"),
        ({"bigrams": Choice((0, 2048))}, "'bigrams', which model='rnn' cannot take; leave it out or use model='dan'"),
        ({"bigrams": Choice((0, 1000))}, "bigrams: [1000] must be a Choice among 0, 2048, 8192, 32768"),
        ({"bidirectional": Choice((0, 1))}, "bidirectional: [0, 1] must be a Choice among False, True"),
        ({"schedule": Choice(("cosine", "linear"))}, "schedule: ['linear'] must be a Choice among constant, cosine"),
        ({"warmup": Float(0.0, 1.0)}, "warmup: 1.0 is outside [0.0, 1.0)"),
        ({"clip": Float(-1.0, 1.0)}, "clip: -1.0 is outside [0.0, inf)"),
        ({"momentum": Choice((1.0, 0.9))}, "momentum: 1.0 is outside [0.0, 1.0)"),
        ({"norm": Choice(("layer",))}, "structural hyperparameter 'norm', which model='rnn' cannot take; leave it out"),
    ],
)
def test_bad_spaces(dimensions, message):
    with pytest.raises(ValueError) as error:
        read_ranges(Space(dimensions), "rnn")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("dimensions", "image", "message"),
    [
        (
            {"flip": Float(0.0, 0.5)},
            None,
            "hyperparameter 'flip', which is for images, and the data are none; leave it",
        ),
        ({"flip": Float(0.0, 1.5)}, (8, 8), "flip: 1.5 is outside [0.0, 1.0]"),
        ({"crop": Int(0, 8)}, (8, 9), "crop: 8 pixels are too many for images of 8x9; use less than 8"),
        ({"cutout": Choice((0, 9))}, (9, 9), "cutout: 9 pixels are too many for images of 9x9; use less than 9"),
        ({"crop": Float(0.0, 2.0)}, (8, 8), "crop: 0.0 must be a whole number; use Int or Choice of integers"),
        ({"growth": Choice((1, 3))}, (8, 8), "growth: [3] must be a Choice among 1, 2"),
        ({"growth": Choice((2,)), "layers": Int(1, 9)}, (8, 8), "layers: 9 is too deep for growth 2; use at most 8"),
        (
            {"embedding_dropout": Float(0.0, 0.5)},
            (8, 8),
            "which model='cnn' cannot take; leave it out or use model='rnn' or 'dan'",
        ),
    ],
)
def test_bad_spaces_for_images(dimensions, image, message):
    with pytest.raises(ValueError) as error:
        read_ranges(Space(dimensions), "cnn", image=image)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("examples", "size"), [(1, 1), (7, 1), (8, 2), (18, 4), (63, 8), (64, 64), (65, 64), (10_000, 64)]
)
def test_the_batch_size_that_a_space_leaves_out(examples, size):
    assert default_batch_size(examples) == size


class Bare(nn.Module):
    classes: int

    @nn.compact
    def __call__(self, x):
        return nn.Dense(self.classes)(x)


@pytest.mark.slow
@pytest.mark.parametrize(("model", "rows"), [("mlp", 6), (Bare, 16), (Bare, 30)])
def test_few_examples_are_trained_with_any_space(model, rows):
    """In batches that leave four an epoch; the final fit, on more examples, has them too."""
    x, y = np.random.default_rng(0).normal(size=(rows, 2)), np.arange(rows) % 2
    spaces = [Space({"lr": Float(1e-3, 1e-1, log=True, levels=5)}), *([None] if model == "mlp" else [])]
    for space in spaces:
        study = jaxhpo.tune((x, y), model=model, space=space, trials=2, lanes=2, epochs=1, verbose=False, cache=False)
        trained = study.trainer
        if space is not None:
            train = len(trained.data.y_train)
            assert trained.family.structure({"lr": 0.01}).batch_size == default_batch_size(train)
            updates = [int(result.updates) for result in train_configs(trained, [{"lr": 0.01}], budget=1)]
            assert updates == [train // default_batch_size(train)]
            more = jaxhpo.data.load((np.tile(x, (20, 1)), np.tile(y, 20)))
            again = trained.again(more, trained.space, lanes=1)
            assert again.family.structure({"lr": 0.01}).batch_size == default_batch_size(train)
        assert len(study.final_fit(1).test_scores) == 1
