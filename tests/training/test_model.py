"""A trained network by itself: it predicts what the study scored, and comes back from disk bit for bit."""

from typing import NamedTuple

import jax
import numpy as np
import pytest

from jaxhpo.training import Model, Trainer, load_model
from jaxhpo.training.trained.network import Network
from tests.training.small_models import CASES, assert_same, own, train


class Trained(NamedTuple):
    name: str
    trainer: Trainer
    model: Model
    test_score: float
    weights: object


QUICK = ("mlp", "linen")


@pytest.fixture(
    scope="module",
    params=[case if case in QUICK else pytest.param(case, marks=pytest.mark.slow) for case in CASES],
)
def trained(request, small_digits):
    """A narrow configuration trained for two epochs in a program that holds wider and deeper ones."""
    trainer, state = train(request.param, CASES[request.param].space, small_digits, epochs=2)
    return Trained(request.param, trainer, trainer.model(state.best), trainer.score_test(state), state.best)


@pytest.fixture(scope="module")
def saved(trained, tmp_path_factory):
    directory = tmp_path_factory.mktemp("models") / "parents" / "model"
    trained.model.save(directory)
    return directory


# --- predictions ---------------------------------------------------------------------------------------------------


@pytest.mark.sampled
@pytest.mark.slow_but_for("linen")
def test_predictions_reach_the_test_score(trained):
    data, model = trained.trainer.data, trained.model
    predicted = model.predict(data.x_test)
    if data.task == "regression":
        assert predicted.shape == data.y_test.shape
        y, p = data.y_test.astype(np.float64), predicted.astype(np.float64)
        score = np.mean(1 - ((p - y) ** 2).mean(0) / y.var(0))
        assert score == pytest.approx(trained.test_score, rel=1e-5)
        return
    names = data.class_names
    labels = data.y_test if names is None else np.array(names)[data.y_test]
    assert predicted.dtype.kind == ("i" if names is None else "U")
    assert trained.test_score * len(labels) == pytest.approx(np.sum(predicted == labels), rel=1e-6)
    chances = model.probabilities(data.x_test)
    assert chances.shape == (len(labels), data.classes)
    np.testing.assert_allclose(chances.sum(1), 1, rtol=1e-5)
    assert np.array_equal(chances.argmax(1), model.outputs(data.x_test).argmax(1))


def test_a_model_is_as_small_as_its_configuration(trained):
    case = CASES[trained.name]
    assert {**trained.model.config}.items() >= case.config.items()
    if own(trained.name) is not None:
        return
    bucket = trained.trainer.plan.buckets[trained.weights.bucket]
    assert (bucket.units, bucket.layers) == (16, 2)
    model = trained.model.learner.model
    assert (model.units, model.layers) == (4, 1)
    widest = sum(leaf.size for leaf in jax.tree.leaves(trained.weights.networks[0].params))
    assert sum(leaf.size for leaf in jax.tree.leaves(trained.model.params)) < widest


@pytest.mark.slow_but_for("mlp")
def test_trained_in_its_buckets_shape_it_computes_the_same(trained):
    trainer, weights, model = trained.trainer, trained.weights, trained.model
    params, statistics = weights.networks[0]
    learner, params, made, size = trainer.family.member(trainer.plan, weights.bucket, model.config, params)
    network = Network(model.config, params, statistics, model.scaling, learner, made, size)
    found = Model.single(network, model.data_spec, model.words)
    assert found.parameters == model.parameters
    x = trainer.data.x_test
    np.testing.assert_allclose(found.outputs(x), model.outputs(x), rtol=1e-4, atol=1e-4)


def test_few_examples_and_one_are_predicted_alike(trained):
    x = trained.trainer.data.x_test
    whole = trained.model.outputs(x)
    np.testing.assert_allclose(trained.model.outputs(x[3:4]), whole[3:4], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(
        trained.model.outputs(np.tile(x, (20, *[1] * (x.ndim - 1))))[-len(x) :], whole, 1e-4, 1e-5
    )


# --- to disk and back ----------------------------------------------------------------------------------------------


def test_a_model_comes_back_bit_for_bit(trained, saved):
    model, x = load_model(saved, own(trained.name)), trained.trainer.data.x_test
    assert_same(model.params, trained.model.params)
    assert_same(model.statistics, trained.model.statistics)
    assert_same(model.scaling, trained.model.scaling)
    assert (model.config, model.data_spec, model.words) == (
        trained.model.config,
        trained.model.data_spec,
        trained.model.words,
    )
    assert np.array_equal(model.outputs(x), trained.model.outputs(x))
    assert np.array_equal(model.predict(x), trained.model.predict(x))
    assert sorted(p.name for p in saved.parent.iterdir()) == ["model"]  # nothing temporary stays


@pytest.mark.slow_but_for("linen")
def test_a_loaded_model_can_be_saved_again(trained, saved, tmp_path):
    load_model(saved, own(trained.name)).save(tmp_path / "again")
    assert_same(load_model(tmp_path / "again", own(trained.name)).params, trained.model.params)


def test_a_directory_that_is_there_is_left_alone(trained, tmp_path):
    (tmp_path / "dir").mkdir()
    (tmp_path / "file").write_text("precious")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for name in ("dir", "file", "link"):
        with pytest.raises(ValueError, match=f"save: '.*{name}' exists already; name a new directory"):
            trained.model.save(tmp_path / name)
    with pytest.raises(ValueError, match=r"file/model' cannot be written: .*; name another directory"):
        trained.model.save(tmp_path / "file" / "model")
    assert (tmp_path / "file").read_text() == "precious"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["dir", "file", "link"]
