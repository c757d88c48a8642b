"""Several networks that answer together: the mean of what they return, and the programs that they share."""

import math
from dataclasses import replace
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_softmax, logsumexp

from jaxhpo.compilation import CompilationCounter
from jaxhpo.training import Model
from jaxhpo.training.goal.averaging import mean_outputs, mean_probabilities
from jaxhpo.training.step.examples import normalise
from jaxhpo.training.step.learner import in_units
from jaxhpo.training.trained.data_spec import DataSpec
from jaxhpo.training.trained.network import Network
from tests.training.small_models import assert_same
from tests.training.untrained import CASES, networks_of, spec_of, trainer_of


class Line(NamedTuple):
    """A learner whose outputs are `normalised x @ params`, in units of the targets if there are any."""

    twice: bool = False

    def evaluate(self, data, hyper, params, statistics, use):
        def network(x):
            outputs = in_units(data, normalise(data, x) @ params)
            return {"whole": outputs, "first": (outputs[:, 0],)} if self.twice else outputs

        return use(network)


CLASSES = DataSpec("lines", "vector", (1,), "classification", 2, 2, None, 0, ("no", "yes"), None, "first")
NUMBERS = replace(CLASSES, task="regression", classes=None, targets=1, class_names=None)
PLAIN = {"offset": np.zeros(1, np.float32), "scale": np.ones(1, np.float32)}
TARGETS = {"target_offset": np.zeros(2, np.float32), "target_scale": np.ones(2, np.float32)}


def line(*row, learner=None, config=None, **scaling):
    """Return a network of which the outputs for x = [1] are a row of numbers, if nothing is scaled."""
    return Network(config or {}, np.array([row], np.float32), (), PLAIN | scaling, learner or Line(), {}, (0, 0))


# --- the mean, by hand ---------------------------------------------------------------------------------------------


def test_the_mean_of_probabilities():
    third = line(0, math.log(3))  # 1/4 and 3/4 for x = 1, 1/10 and 9/10 for x = 2
    half = line(7, 7)
    model = Model((third, half), (0.25, 0.75), CLASSES, averages="probabilities")
    x = np.array([[1.0], [2.0], [-1.0]])
    wanted = np.array([[0.4375, 0.5625], [0.4, 0.6], [0.5625, 0.4375]])
    assert model.outputs(x).dtype == model.probabilities(x).dtype == np.float32
    np.testing.assert_allclose(model.outputs(x), np.log(wanted), rtol=1e-6)
    np.testing.assert_allclose(model.probabilities(x), wanted, rtol=1e-6)
    assert model.predict(x).tolist() == ["yes", "yes", "no"]


def test_logits_of_any_size_have_a_mean():
    sure, unsure = line(0, 10_000), line(-30_000, 0)
    model = Model((sure, unsure), (0.5, 0.5), CLASSES, averages="probabilities")
    found = model.outputs(np.array([[1.0], [0.0], [-1.0]]))
    np.testing.assert_allclose(found, [[-10_000 - math.log(2), 0], [-math.log(2)] * 2, [0, -10_000 - math.log(2)]])


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_the_mean_of_probabilities_is_that_of_scipy(data):
    n, classes, count = (data.draw(st.integers(1, most)) for most in (4, 5, 6))
    numbers = st.floats(-100, 100, width=32)
    parts = [
        np.array(data.draw(st.lists(numbers, min_size=n * classes, max_size=n * classes)), np.float32).reshape(
            n, classes
        )
        for _ in range(count)
    ]
    weights = np.array(data.draw(st.lists(st.floats(0.01, 1), min_size=count, max_size=count)))
    weights /= weights.sum()
    found = mean_probabilities(iter(parts), weights.tolist(), classes)
    each = np.stack([log_softmax(part.astype(np.float64), axis=1) for part in parts])
    np.testing.assert_allclose(found, logsumexp(each, axis=0, b=weights[:, None, None]), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(np.exp(found).sum(axis=1), 1, rtol=1e-5)


def test_the_mean_of_predictions_with_targets_of_different_scales():
    metres = line(1, 2, target_offset=np.array([10, 0], np.float32), target_scale=np.array([2, 1], np.float32))
    others = line(3, 4, target_offset=np.array([0, 5], np.float32), target_scale=np.array([1, 10], np.float32))
    model = Model((metres, others), (0.75, 0.25), NUMBERS)
    # 10 + 2 x and 2 x; 3 x and 5 + 40 x
    np.testing.assert_allclose(model.predict([[1], [2]]), [[9.75, 12.75], [12, 24.25]], rtol=1e-6)


def test_each_network_scales_the_examples_as_it_was_trained():
    first = line(1, 0, offset=np.array([1], np.float32), scale=np.array([2], np.float32))
    second = line(1, 10, offset=np.array([-1], np.float32), scale=np.array([4], np.float32))
    model = Model((first, second), (0.5, 0.5), CLASSES)
    # 2 (x - 1) and 4 (x + 1), the second also ten times
    np.testing.assert_allclose(model.outputs([[0], [3]]), [[1, 20], [10, 80]])


def test_equal_networks_return_what_one_does():
    network = line(0.1, 0.7, **TARGETS)
    x = np.random.default_rng(0).normal(size=(40, 1))
    model = Model((network,) * 3, (1 / 3,) * 3, NUMBERS)
    assert_same(model.outputs(x), Model.single(network, NUMBERS).outputs(x))


def test_more_examples_than_a_forward_pass_has():
    x = np.random.default_rng(0).normal(size=(1030, 1)).astype(np.float32)
    model = Model((line(1, 2), line(3, 6)), (0.5, 0.5), CLASSES)
    np.testing.assert_allclose(model.outputs(x), x * [[2, 4]], rtol=1e-6)


def test_outputs_of_a_users_own_loss_are_averaged_array_by_array():
    learner = Line(twice=True)
    model = Model((line(1, 2, learner=learner), line(3, 6, learner=learner)), (0.5, 0.5), CLASSES)
    found = model.outputs([[1.0], [2.0]])
    np.testing.assert_allclose(found["whole"], [[2, 4], [4, 8]])
    np.testing.assert_allclose(found["first"][0], [2, 4])
    with pytest.raises(ValueError, match="the model returns no logits"):
        model.predict([[1.0]])
    with pytest.raises(ValueError, match=r"return no logits \[n, classes\]; give averages='outputs'"):
        Model(model.networks, (0.5, 0.5), CLASSES, averages="probabilities").outputs([[1.0]])


def test_what_has_no_mean_is_refused_in_a_line():
    ones = np.ones((2, 3))
    half = mean_outputs([np.ones((2, 1), jnp.bfloat16)] * 2, [0.5, 0.5])
    assert (half.dtype, half.tolist()) == (np.float32, [[1], [1]])
    assert mean_outputs([ones, ones], [0.5, 0.5]).dtype == np.float64
    with pytest.raises(ValueError, match="the networks return int32, which has no mean; ask each of `networks`"):
        mean_outputs([np.ones((2, 3), np.int32)] * 2, [0.5, 0.5])
    for other in (np.ones((2, 4)), {"a": ones}, (ones, ones)):
        with pytest.raises(ValueError, match=r"return shapes \(2, 3\) and .*, which have no mean; ask each"):
            mean_outputs([ones, other], [0.5, 0.5])


# --- what a model of several networks is ---------------------------------------------------------------------------

BAD_MODELS = {
    "none": ((), (), {}, "networks is empty; give at least one"),
    "too few weights": ((line(1, 1),) * 2, (1.0,), {}, "weights has 1 numbers for 2 networks; give one for each"),
    "a weight of 0": ((line(1, 1),) * 2, (1.0, 0.0), {}, r"weights=\(1.0, 0.0\) must be above 0 and have the sum 1"),
    "nan": ((line(1, 1),) * 2, (math.nan, 1.0), {}, "must be above 0 and have the sum 1"),
    "another sum": ((line(1, 1),) * 2, (0.5, 0.6), {}, "must be above 0 and have the sum 1"),
    "unknown": ((line(1, 1),), (1.0,), {"averages": "logits"}, "averages='logits' is unknown; use one of probabilit"),
}


@pytest.mark.parametrize("name", BAD_MODELS)
def test_a_bad_model_is_refused_in_a_line(name):
    networks, weights, options, message = BAD_MODELS[name]
    with pytest.raises(ValueError, match=message) as error:
        Model(networks, weights, CLASSES, **options)
    assert "\n" not in str(error.value)


def test_regression_has_no_mean_of_probabilities():
    with pytest.raises(ValueError, match="averages='probabilities' is of classes, and the task is regression"):
        Model((line(1, 1, **TARGETS),), (1.0,), NUMBERS, averages="probabilities")


def test_the_attributes_of_one_network_and_of_several():
    one, other = line(1, 2, config={"rate": 0.1}), line(3, 4, config={"rate": 0.2})
    single = Model.single(one, CLASSES)
    names = ("config", "params", "statistics", "scaling", "learner", "made")
    assert all(getattr(single, name) is getattr(one, name) for name in names)
    assert (single.parameters, repr(single)) == (2, "Model(lines, classification, 2 parameters: rate=0.1)")
    folds, several = (Model((one, n), np.array([0.5, 0.5]), CLASSES) for n in (line(5, 6, config={"rate": 0.1}), other))
    assert folds.config == {"rate": 0.1}
    assert (several.weights, several.parameters) == ((0.5, 0.5), 4)
    assert repr(several) == "Model(lines, classification, 2 networks, 4 parameters)"
    for name in names:
        with pytest.raises(
            ValueError, match=rf"^the model has 2 networks, each with its own {name}; use networks\[i\]"
        ):
            getattr(several, name)


# --- programs ------------------------------------------------------------------------------------------------------


def compiled_by(model, x):
    counter = CompilationCounter()
    model.outputs(x)
    return counter.requests


def together(trainer, networks, averages="outputs"):
    return Model(networks, (1 / len(networks),) * len(networks), spec_of(trainer), trainer.data.words, averages)


@pytest.mark.slow_but_for("mlp")
@pytest.mark.parametrize("name", CASES)
def test_a_network_in_its_buckets_shape_computes_what_it_does_alone(name):
    trainer = trainer_of(name)
    members, alone = networks_of(trainer, CASES[name].configs), networks_of(trainer, CASES[name].configs, alone=True)
    x, model = trainer.data.x_test, together(trainer, members)
    sizes = [sum(leaf.size for leaf in jax.tree.leaves(network.params)) for network in alone]
    assert (len(set(sizes)) > 1, model.parameters) == (True, sum(sizes))
    for found, network in zip(model._each(x), alone, strict=True):
        wanted = Model.single(network, spec_of(trainer), trainer.data.words).outputs(x)
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


def test_networks_of_a_bucket_share_a_program():
    trainer = trainer_of("mlp")
    folds = networks_of(trainer, [{"layers": 1, "units": 4}] * 3)
    sizes = networks_of(trainer, [{"layers": 2, "units": 4}, {"layers": 1, "units": 16}])
    scaled = [
        replace(n, scaling={"offset": n.scaling["offset"] + i, "scale": n.scaling["scale"] * (i + 1)})
        for i, n in enumerate(folds)
    ]
    model, x = together(trainer, (*scaled, *sizes), "probabilities"), trainer.data.x_test
    assert compiled_by(model, x) == 1
    assert compiled_by(model, x) == 0
    parts = [Model.single(network, spec_of(trainer)).outputs(x) for network in model.networks]
    assert len({part.tobytes() for part in parts}) == 5
    np.testing.assert_allclose(model.outputs(x), mean_probabilities(parts, model.weights, 3), rtol=1e-5, atol=1e-6)


def test_a_users_models_share_a_program_where_they_differ_in_floats():
    trainer = trainer_of("sloped")
    networks = networks_of(trainer, CASES["sloped"].configs)
    slopes = [0.125, 0.375, 0.25, 0.5]  # the third is inactive: the model's default
    assert [n.made["floats"] for n in networks] == [{"slope": slope} for slope in slopes]
    model, x = together(trainer, networks), trainer.data.x_test
    assert compiled_by(model, x) == 2  # one for each width
    wanted = 0
    for network, slope in zip(networks, slopes, strict=True):
        first, last = network.params["hidden"], network.params["out"]
        hidden = (x - network.scaling["offset"]) * network.scaling["scale"] @ first["kernel"] + first["bias"]
        wanted += 0.25 * (np.where(hidden > 0, hidden, slope * hidden) @ last["kernel"] + last["bias"])
    np.testing.assert_allclose(model.outputs(x), wanted, rtol=1e-4, atol=1e-5)
