"""How numbers reach the networks of a study: by each fold's own quantiles, as arguments, saved with the model."""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

import jaxhpo as jh
from jaxhpo.data.folds import Folds
from jaxhpo.data.tables.plan import number_places
from jaxhpo.models import represent
from jaxhpo.training import Trainer, final_fit, load_model
from jaxhpo.training.config.hyper_reader import read_hyper
from jaxhpo.training.config.space_reader import read_ranges
from jaxhpo.training.run.arguments import shapes_of_chunk
from jaxhpo.training.run.placement import scalings, training_data
from jaxhpo.training.step.examples import data_of, normalise
from jaxhpo.training.trained.quantiles import KNOTS, quantiles_of
from tests.training import folded

SMALL = {"batch_size": jh.Choice((8,)), "units": jh.Choice((4,)), "layers": jh.Choice((1,))}
SHARED = ("standard", "quantile", "piecewise")
ALL = (*SHARED, "periodic")


def trainer_of(data, *options, **more):
    space = SMALL | ({"representation": jh.Choice(options)} if options else {})
    return Trainer(data, "mlp", jh.Space(space), epochs=2, lanes=2, machine=jh.Machine(engine="threads"), **more)


def table(rows=80):
    rng = np.random.default_rng(0)
    age = rng.integers(20, 60, rows).astype(float)
    frame = pd.DataFrame(
        {"town": rng.choice(["Ulm", "Bonn", "Kiel"], rows), "age": age, "pay": rng.exponential(size=rows)}
    )
    frame["age"] = frame["age"].mask(rng.random(rows) < 0.2)
    frame["seen"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 700, rows), "D")
    frame["y"] = np.where(frame["pay"] + rng.normal(size=rows) > 1, "high", "low")
    return frame


@pytest.fixture(scope="module")
def rows():
    return jh.data.load(table(), target="y")


def test_the_numbers_of_a_table_are_its_values_and_the_parts_of_dates(rows):
    places = number_places(rows.columns, rows.shape[0])
    assert [rows.feature_names[i] for i in places] == [
        "age",
        "pay",
        "seen year",
        "seen month",
        "seen weekday",
        "seen days",
    ]
    others = [name for i, name in enumerate(rows.feature_names) if i not in places]
    assert others == ["town=Bonn", "town=Kiel", "town=Ulm", "age is missing"]
    assert number_places(None, 3) == (0, 1, 2)


@pytest.mark.parametrize("name", ALL[1:])
def test_categories_and_marks_of_missing_cells_reach_the_network_as_before(rows, name):
    trainer = trainer_of(rows, name)
    data = training_data(trainer.data, (), None, trainer.family.ranges.quantiles)
    found = trainer.family.learner(trainer.plan, 0).prepare(data, data.train.x)
    places = list(number_places(rows.columns, rows.shape[0]))
    others = [i for i in range(rows.shape[0]) if i not in places]
    plain = np.asarray(normalise(data, data.train.x))
    np.testing.assert_array_equal(found[:, -len(others) :], plain[:, others])
    x = jnp.asarray(rows.x_train[:, places])
    quantiles = None if name == "periodic" else jnp.asarray(quantiles_of(rows))
    alone = represent(name, tuple(range(len(places))), x, jnp.asarray(plain[:, places]), quantiles)
    np.testing.assert_array_equal(found[:, : -len(others)], alone)


def test_quantiles_are_of_the_training_examples():
    x = np.arange(129, dtype=np.float32)[:, None] * [2, -1]
    data = jh.data.from_arrays(np.tile(x, (3, 1)), np.arange(387) % 2)
    own = np.sort(data.x_train, axis=0)
    found = quantiles_of(data)
    assert (found.shape, found.dtype) == ((2, KNOTS), np.float32)
    np.testing.assert_array_equal(found[:, [0, -1]], own[[0, -1]].T)
    place = (len(own) - 1) / 2
    np.testing.assert_allclose(found[:, 64], own[[int(place), -int(-place // 1)]].mean(0))


def test_each_fold_has_the_quantiles_of_its_own_training_rows():
    data, folds = folded.vectors(), Folds.in_order(3, 100)
    placed = training_data(data, (), folds, True)
    pool, own = folds.pool(data)[0], scalings(data, folds, True)
    assert placed.quantiles.shape == (3, 6, KNOTS)
    for fold, held in enumerate(folds.slices):
        rest = np.delete(pool, np.r_[held], axis=0).astype(np.float64)
        wanted = np.quantile(rest, np.linspace(0, 1, KNOTS), axis=0).T
        np.testing.assert_allclose(data_of(placed, jnp.int32(fold)).quantiles, wanted, rtol=1e-6)
        np.testing.assert_array_equal(own[fold]["quantiles"], placed.quantiles[fold])
    assert not np.array_equal(placed.quantiles[0], placed.quantiles[1])


def lowered(trainer):
    data = training_data(trainer.data, (), trainer.layout.folds, trainer.family.ranges.quantiles)
    key, *chunk = shapes_of_chunk(trainer.plan, 0, len(trainer.space), trainer.layout)
    return jax.jit(partial(trainer.programs.train, 0)).lower(key, data, *chunk).as_text(), len(jax.tree.leaves(data))


def test_a_space_without_it_has_the_same_program_and_no_further_argument():
    data, machine, programs = folded.vectors(), jh.Machine(engine="threads"), []
    for name, option in (("activation", "relu"), ("representation", "standard")):  # both as it is where left out
        space = jh.Space(SMALL | {name: jh.Choice((option,))})
        text, arrays = lowered(Trainer(data, "mlp", space, epochs=2, lanes=2, machine=machine))
        assert arrays == 6  # x and y, twice; offset and scale
        programs.append(text)
    assert programs[0] == programs[1]
    assert f"{KNOTS}xf32" not in programs[0]


@pytest.mark.parametrize("folds", [1, 3])
def test_quantiles_are_an_argument_and_no_constant(folds):
    text, arrays = lowered(trainer_of(replace(folded.vectors(), split="made"), "quantile", folds=folds))
    shape = f"tensor<{'3x' if folds > 1 else ''}6x{KNOTS}xf32>"
    assert arrays == (7 if folds == 1 else 5)
    (main,) = [line for line in text.splitlines() if "func.func public @main" in line]
    assert main.count(shape) == 1
    assert not [line for line in text.splitlines() if "constant" in line and f"{KNOTS}x" in line]


@pytest.mark.parametrize(
    ("options", "programs"),
    [
        (ALL, [SHARED, "periodic"]),
        (("piecewise", "standard"), [("standard", "piecewise")]),
        (("quantile", "periodic"), ["quantile", "periodic"]),
        (("standard",), ["standard"]),
    ],
)
def test_representations_share_a_program_but_for_waves(options, programs):
    plan = trainer_of(folded.vectors(), *options).plan
    found = [dict(bucket.variant.built_with).get("representation", "standard") for bucket in plan.buckets]
    assert sorted(found, key=str) == sorted(programs, key=str)


@pytest.mark.parametrize("engine", ["threads", pytest.param("vmap", marks=pytest.mark.slow)])
def test_each_lane_of_a_program_has_its_own_representation(engine):
    data, folds = folded.vectors(61, 2), Folds.in_order(2, 61)
    space = jh.Space(SMALL | {"representation": jh.Choice(("piecewise", "quantile", "standard"))})
    trainer = folded.trainer_of(data, space=space, engine=engine, lanes=3, epochs=2, folds=2)
    assert len(trainer.plan.buckets) == 1
    named = ("quantile", "standard", "piecewise")
    configs = [{"batch_size": 8, "units": 4, "layers": 1, "representation": name} for name in named]
    state, outcome = folded.run(trainer, *((trial, config, 2) for trial, config in enumerate(configs)))
    assert np.isfinite(outcome.score).all()
    x = folded.pool_of(data)[0]
    by_trial = {one.trial: one for one in state.candidates}
    for trial, name in enumerate(named):
        assert trainer.space.to_config(by_trial[trial].point)["representation"] == name
        for copy, held in enumerate(folds.slices):
            wanted = of_network(trainer, by_trial[trial], copy, x[held], np.delete(x, np.r_[held], axis=0))
            np.testing.assert_allclose(state.outputs[trial][held], wanted, rtol=1e-3, atol=1e-3)


def test_trials_of_several_representations_answer_together(tmp_path):
    data = replace(folded.vectors(61, 2), split="made")
    space = jh.Space({**SMALL, "representation": jh.Choice(SHARED)})
    configs = [{"batch_size": 8, "units": 4, "layers": 1, "representation": name} for name in SHARED]
    portfolio = jh.Portfolio(space, configs)
    study = jh.tune(
        data, model="mlp", space=space, enqueue=portfolio, algorithm="random_search", trials=3, lanes=3, folds=2,
        epochs=2, verbose=False,
    )  # fmt: skip
    ensemble, x = study.ensemble(), data.x_test
    assert len(ensemble.networks) == 6
    members = study.evaluate_ensemble().members
    singles = [study.trainer.model(one.trained) for one in members]
    shares = [one.share for one in members]
    mean = sum(share * single.probabilities(x) for share, single in zip(shares, singles, strict=True))
    np.testing.assert_allclose(ensemble.probabilities(x), mean, rtol=1e-4, atol=1e-5)
    assert ensemble.parameters == sum(single.parameters for single in singles)
    ensemble.save(tmp_path / "model")
    np.testing.assert_array_equal(load_model(tmp_path / "model").outputs(x), ensemble.outputs(x))


def test_an_inactive_representation_is_standard():
    conditional = jh.Choice(("piecewise", "quantile"), when={"units": (8,)})
    space = jh.Space(SMALL | {"units": jh.Choice((4, 8)), "representation": conditional})
    points = jnp.stack([space.from_config({"batch_size": 8, "layers": 1, "units": 4} | more) for more in (
        {}, {"units": 8, "representation": "piecewise"}, {"units": 8, "representation": "quantile"})])  # fmt: skip
    assert read_ranges(space).representations == SHARED
    assert read_hyper(space, points).representation.tolist() == [0, 2, 1]
    assert read_hyper(jh.Space(SMALL), points[:, :3]).representation is None


WORDS = ["good", "bad"] * 20
DOORS = {
    "images": (
        lambda: jh.data.from_arrays(np.zeros((40, 8, 8)) + np.arange(40)[:, None, None], np.arange(40) % 2),
        "mlp",
        "space has hyperparameter 'representation', which is for tables and vectors, and the data are images; leave it "
        "out",
    ),
    "texts": (lambda: jh.data.from_arrays(WORDS, WORDS), "rnn", "which model='rnn' cannot take; leave it out"),
    "sequences": (
        lambda: jh.data.from_arrays([np.zeros((n % 3 + 2, 2)) + n for n in range(40)], WORDS, kind="sequence"),
        "rnn",
        "which model='rnn' cannot take; leave it out",
    ),
    "categories": (
        lambda: jh.data.load(table()[["town", "y"]], target="y"),
        "mlp",
        "space has representation, which is of numbers, and 'a table' has categories alone; leave it out",
    ),
}


@pytest.mark.parametrize("name", DOORS)
def test_data_without_numbers_refuse_it_in_a_line(name):
    make, model, message = DOORS[name]
    data = make()
    space = jh.Space({"batch_size": jh.Choice((4,)), "representation": jh.Choice(("standard", "quantile"))})
    with pytest.raises(ValueError) as error:
        Trainer(data, model, space)
    assert message.replace("'a table'", repr(data.name)) in str(error.value)
    assert "\n" not in str(error.value)


def test_an_unknown_representation_is_refused_in_a_line():
    message = r"representation: \['ranks'\] must be a Choice among standard, quantile, piecewise, periodic"
    with pytest.raises(ValueError, match=message):
        trainer_of(folded.vectors(), "quantile", "ranks")


def of_network(trainer, trained, copy, x, train):
    """Return what a network of a trial says of rows, in NumPy; its training rows have its quantiles and scales."""
    config = trainer.space.to_config(trained.point)
    own = trainer.family.alone(trainer.plan, trained.bucket, config, trained.networks[copy].params)[1]
    plain, places = ((x - train.mean(0)) / train.std(0)).astype(np.float32), tuple(range(x.shape[1]))
    knots = np.quantile(train.astype(np.float64), np.linspace(0, 1, KNOTS), axis=0).T.astype(np.float32)
    h = np.asarray(jax.jit(represent, static_argnums=(0, 1))(config["representation"], places, x, plain, knots))
    if "periodic" in own:
        angles = 2 * np.pi * own["periodic"]["frequencies"] * h[:, :, None]
        layer = own["periodic"]["embedding"]
        waves = np.concatenate([np.sin(angles), np.cos(angles)], -1) @ layer["kernel"] + layer["bias"]
        h = np.maximum(waves, 0).reshape(len(x), -1)
    h = np.maximum(h @ own["hidden_0"]["kernel"] + own["hidden_0"]["bias"], 0)
    return h @ own["out"]["kernel"] + own["out"]["bias"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ALL[1:])
@pytest.mark.parametrize("engine", ["threads", "vmap"])
def test_folds_train_score_and_answer_by_their_own_quantiles(engine, name, tmp_path):
    data, folds = folded.vectors(61, 2), Folds.in_order(2, 61)
    space = jh.Space(SMALL | {"representation": jh.Choice((name,))})
    trainer = folded.trainer_of(data, space=space, engine=engine, lanes=2, epochs=2, folds=2)
    state, outcome = folded.run(trainer, (0, space.default() | {"batch_size": 8}, 2))
    assert np.isfinite(outcome.score[0])
    x, trained = folded.pool_of(data)[0], state.best
    for copy, held in enumerate(folds.slices):
        rest = np.delete(x, np.r_[held], axis=0)
        wanted = of_network(trainer, trained, copy, x[held], rest)
        np.testing.assert_allclose(state.outputs[0][held], wanted, rtol=1e-3, atol=1e-3)
    model = trainer.model(trained)
    assert {tuple(sorted(one.scaling)) for one in model.networks} == {
        ("offset", "scale") if name == "periodic" else ("offset", "quantiles", "scale")
    }
    whole = [
        of_network(trainer, trained, copy, data.x_test, np.delete(x, np.r_[held], 0))
        for copy, held in enumerate(folds.slices)
    ]
    mean = np.mean([np.asarray(jax.nn.softmax(one)) for one in whole], axis=0)
    np.testing.assert_allclose(model.probabilities(data.x_test), mean, rtol=1e-3, atol=1e-3)
    model.save(tmp_path / "model")
    np.testing.assert_array_equal(load_model(tmp_path / "model").outputs(data.x_test), model.outputs(data.x_test))


@pytest.mark.slow
def test_a_final_fit_has_the_quantiles_of_all_its_examples(tmp_path):
    data = folded.vectors()
    trainer = trainer_of(data, *ALL)
    config = {"batch_size": 8, "units": 4, "layers": 1, "representation": "quantile"}
    (model,) = final_fit(trainer, config, epochs=1, seeds=1).models
    x, y = folded.pool_of(data)
    np.testing.assert_array_equal(model.scaling["quantiles"], quantiles_of(replace(data, x_train=x, y_train=y)))
    model.save(tmp_path / "model")
    np.testing.assert_array_equal(load_model(tmp_path / "model").outputs(x), model.outputs(x))
