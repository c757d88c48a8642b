"""The methods that networks are compared with do what their pages say."""

import time
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pandas as pd
import pytest

from benchmarks.value import methods, own
from benchmarks.value.others import hand_written, preprocessing, scikit
from benchmarks.value.others.hand_written import Network, Settings

RNG = np.random.default_rng(0)
TABLE = SimpleNamespace(name="t", kind="table", task="classification")
VALUES = SimpleNamespace(name="v", kind="table", task="regression")
IMAGES = SimpleNamespace(name="i", kind="image", task="classification")
TEXTS = SimpleNamespace(name="x", kind="text", task="classification")


def parts(x, y, test):
    return SimpleNamespace(x_train=x, y_train=y, x_test=test, y_test=None)


def frame(rows=60):
    y = np.array(["no", "yes"])[np.arange(rows) % 2]
    return pd.DataFrame({"a": (y == "yes") + 0.1 * RNG.normal(size=rows), "b": RNG.normal(size=rows)}), y


def test_options_are_read_strictly():
    found = methods.options_of("epochs=20,rate=1e-3,on=true,none=None,checkpoint=last")
    assert found == {"epochs": 20, "rate": 0.001, "on": True, "none": None, "checkpoint": "last"}
    assert type(found["epochs"]) is int
    for text, message in (
        ("", "option '' must be NAME=VALUE"),
        ("epochs", "option 'epochs' must be NAME=VALUE"),
        ("epochs=", "option 'epochs=' must be NAME=VALUE"),
        ("a=1=2", "option 'a=1=2' must be NAME=VALUE"),
        ("a=1,a=2", "option 'a' is given twice"),
    ):
        with pytest.raises(ValueError, match=message):
            methods.options_of(text)


def test_options_are_those_of_tune():
    assert methods.load("q_learning:epochs=20,lanes=4").keywords == {
        "algorithm": "q_learning",
        "epochs": 20,
        "lanes": 4,
    }
    for name, message in (
        ("q_learning:epoch=20", "'epoch' is no option of jaxhpo.tune"),
        ("q_learning:timeout=20", "the benchmark sets 'timeout' itself"),
        ("q_learning:", "option '' must be"),
        ("q_learning+ensemble:folds=1", "did you mean 'q_learning'"),
        ("linear+ensemble", "linear has no ensemble; only the algorithms of jaxhpo have"),
        ("nothing", "method 'nothing' is unknown; known are hand_written"),
    ):
        with pytest.raises(ValueError, match=message):
            methods.find(name)


def test_an_algorithm_answers_twice():
    assert methods.answers_of("gp:folds=1") == ("gp:folds=1", "gp:folds=1+ensemble")
    assert methods.answers_of("gp+ensemble") == ("gp", "gp+ensemble")
    assert methods.answers_of("linear") == ("linear",)
    assert methods.load("gp:folds=1+ensemble").keywords == {"algorithm": "gp", "folds": 1}


def test_what_methods_are_for():
    assert methods.fits("linear", TABLE)
    assert methods.fits("tfidf_naive_bayes", TEXTS)
    assert not methods.fits("tfidf_naive_bayes", TABLE)
    assert methods.fits("q_learning:epochs=1", VALUES)
    with pytest.raises(ValueError, match="is for text problems of classification, and problem 't' is table"):
        methods.check_fits("tfidf_naive_bayes", TABLE)


def test_a_table_becomes_numbers():
    table = pd.DataFrame(
        {
            "size": [1.0, np.nan, 5.0, 3.0],
            "open": [True, False, True, False],
            "colour": ["red", None, "blue", "red"],
            "day": pd.to_datetime(["1970-01-01", "1970-01-03", "1970-01-03", "1970-01-01"]),
        }
    )
    encode = preprocessing.of_tables(table)
    found = encode(table)
    assert found.dtype == np.float32
    filled = np.array([1, 3, 5, 3])  # the median of 1, 5 and 3
    root3 = np.sqrt(3)
    np.testing.assert_allclose(found[:, 0], (filled - 3) / np.sqrt(2), rtol=1e-6)
    np.testing.assert_allclose(found[:, 1], [1, -1, 1, -1])
    np.testing.assert_allclose(found[:, 2], [-1, 1, 1, -1])
    np.testing.assert_allclose(found[:, 3], [-1 / root3, root3, -1 / root3, -1 / root3], rtol=1e-6)  # what is missing
    np.testing.assert_array_equal(found[:, 4:], [[0, 0, 1], [0, 1, 0], [1, 0, 0], [0, 0, 1]])  # blue, missing, red


def test_images_are_standardised_together():
    x = np.array([[[0, 2], [0, 2]], [[0, 2], [2, 0]]], np.uint8)
    found = preprocessing.of_images(x)(x)
    assert found.shape == (2, 2, 2, 1)
    np.testing.assert_allclose(found[0, :, :, 0], [[-1, 1], [-1, 1]])


def test_texts_become_tokens_of_the_words_that_were_seen():
    encode = preprocessing.of_texts(["Good, good film", "it isn't good"])
    assert encode(["GOOD", "isn't new", "a b c d"]).tolist() == [[2, 0, 0], [5, 1, 0], [1, 1, 1]]
    assert encode(["film it"]).tolist() == [[3, 4, 0]]


def test_rows_are_held_out_with_the_classes_in_proportion():
    y = np.repeat(["a", "b", "c"], [20, 10, 1])
    train, held = preprocessing.hold_out(y, 0, stratified=True)
    assert sorted([*train, *held]) == list(range(31))
    assert np.isin(y[held], ["a", "c"]).sum() == 5
    assert np.sum(y[held] == "b") == 2
    assert len(preprocessing.hold_out(np.arange(10), 0, stratified=True)[1]) == 2  # more classes than rows held out


@pytest.mark.slow
def test_a_step_is_one_of_adam(standard_promotion):
    x, y = jnp.asarray(RNG.normal(size=(8, 3)), jnp.float32), jnp.arange(8) % 2
    network = Network("table", 2, 2, 4, 0.0)
    state, key = hand_written._start(network, Settings(learning_rate=0.01), x, 0)
    found = hand_written._step(network, state, key, x, y, jnp.arange(8))

    def loss(params):
        logits = network.apply(params, x, train=False)
        return -jax.nn.log_softmax(logits)[jnp.arange(8), y].mean()

    adam = optax.adam(0.01)
    updates, _ = adam.update(jax.grad(loss)(state.params), adam.init(state.params))
    wanted = optax.apply_updates(state.params, updates)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7), found.params, wanted)


@pytest.mark.slow
def test_the_epoch_of_the_lowest_validation_loss_is_kept(standard_promotion, monkeypatch):
    monkeypatch.setattr(hand_written, "PATIENCE", 3)
    x, y = RNG.normal(size=(60, 3)), RNG.integers(2, size=60)  # nothing to learn, so that it soon gets worse
    table = pd.DataFrame(x, columns=list("abc"))
    losses, real = [], hand_written._outputs

    def watched(network, params, inputs):
        found = real(network, params, inputs)
        losses.append(params)
        return found

    monkeypatch.setattr(hand_written, "_outputs", watched)
    trained = hand_written.train(TABLE, table, y, 0, time.perf_counter() + 60, Settings(learning_rate=0.1))
    assert len(losses) == trained.epochs < 300
    kept = [params is trained.params for params in losses].index(True)
    assert kept == trained.epochs - 1 - 3  # three epochs without a lower loss ended it
    chances = trained.outputs(trained.x_valid)
    np.testing.assert_allclose(chances.sum(1), 1)
    assert -np.log(chances[np.arange(12), trained.y_valid]).mean() == pytest.approx(trained.loss, rel=1e-5)


@pytest.mark.slow
def test_the_seconds_end_it(standard_promotion):
    x, y = frame()
    trained = hand_written.train(TABLE, x, y, 0, time.perf_counter() - 1, Settings())
    assert trained.epochs == 1


@pytest.mark.slow
def test_networks_of_every_kind_learn(standard_promotion, monkeypatch):
    monkeypatch.setattr(hand_written, "EPOCHS", 20)
    monkeypatch.setattr(hand_written, "Settings", lambda: Settings(learning_rate=0.01))
    x, y = frame()
    wanted = y == "yes"
    pictures = (wanted[:, None, None] * np.full((1, 5, 5), 9)).astype(np.uint8)
    words = [f"the film is {'good' if good else 'bad'}" for good in wanted]
    for problem, given in ((TABLE, x), (IMAGES, pictures), (TEXTS, words)):
        answer = hand_written.one(problem, parts(given, y, preprocessing.rows_of(given, np.arange(10))), 60, 0)
        assert answer.outputs.shape == (10, 2)
        assert (answer.outputs.argmax(1) == wanted[:10]).all()
    found = hand_written.one(VALUES, parts(x, 100 + 10.0 * wanted, x[:10]), 60, 0).outputs
    np.testing.assert_allclose(found, 100 + 10 * wanted[:10], atol=4)


@pytest.mark.slow
def test_five_are_averaged(standard_promotion, monkeypatch):
    x, y = frame()
    monkeypatch.setattr(hand_written, "EPOCHS", 2)
    given = parts(x, y, x[:10])
    seeds = [hand_written.train(TABLE, x, y, 5 * 3 + k, np.inf, Settings()).outputs(x[:10]) for k in range(5)]
    found = hand_written.five(TABLE, given, 60, 3)
    np.testing.assert_allclose(found.outputs, np.mean(seeds, axis=0), rtol=1e-6)
    assert found.config == {"epochs": [2] * 5}


def test_jaxhpo_is_given_all_that_a_method_may_see():
    x, y = frame()
    data = own.dataset("classification", x, y, 0)
    assert [len(part) for part in (data.y_train, data.y_valid)] == [48, 12]
    seen = np.concatenate([data.x_train, data.x_valid])
    np.testing.assert_allclose(np.sort(seen[:, 0]), np.sort(x["a"].to_numpy(np.float32)))
    data = own.dataset("classification", [f"word{i} some words" for i in range(60)], y, 0)
    assert [len(part) for part in (data.y_train, data.y_valid)] == [48, 12]


@pytest.mark.slow
def test_jaxhpo_answers_in_the_order_of_the_labels():
    x, y = frame(40)
    given = parts(x, y, x)
    given.y_test = np.where(np.arange(40) == 0, "new", y)
    both = own.tuned(TABLE, given, 60, 0, algorithm="random_search", trials=2, lanes=2, epochs=15, folds=1)
    answer, ensemble = both.winner, both.ensemble
    assert isinstance(ensemble, methods.Answer)
    assert ensemble.config is not None
    assert answer.config is not None
    assert answer.trials == ensemble.trials == 2
    assert 1 <= len(ensemble.config["trials"]) == len(ensemble.config["weights"]) <= 2
    record = both.record({"problem": "t"})
    assert record.about == {"problem": "t"}
    assert record.y_test.tolist() == [-1, *(y[1:] == "yes")]
    np.testing.assert_allclose((record.valid.argmax(2) == record.y_valid).mean(1), record.scores)
    best = record.test[record.tested.tolist().index(record.trials[np.argmax(record.scores)])]
    np.testing.assert_array_equal(best.argmax(1), answer.outputs.argmax(1))
    assert set(answer.config) > {"learning_rate", "units"}
    assert np.mean(answer.outputs.argmax(1) == (y == "yes")) > 0.7
    np.testing.assert_allclose(answer.outputs.sum(1), 1, rtol=1e-5)


@pytest.mark.parametrize("function", [scikit.hist_gradient_boosting, scikit.random_forest, scikit.linear])
def test_scikit_learn(function):
    x, y = frame(120)
    answer = function(TABLE, parts(x, y, x[:10]), 60, 0)
    assert (answer.outputs.argmax(1) == (y[:10] == "yes")).all()
    found = function(VALUES, parts(x, 10.0 * (y == "yes"), x[:10]), 60, 0).outputs
    np.testing.assert_allclose(found, 10 * (y[:10] == "yes"), atol=3)


def test_naive_bayes_of_texts():
    texts = ["a good film", "a bad film"] * 5
    answer = scikit.tfidf_naive_bayes(TEXTS, parts(texts, np.array(["+", "-"] * 5), ["good", "bad"]), 60, 0)
    assert answer.outputs.argmax(1).tolist() == [0, 1]


@pytest.mark.slow
def test_optuna_keeps_its_best_trial(standard_promotion, monkeypatch):
    pytest.importorskip("optuna")
    from benchmarks.value.others import optuna_tpe

    monkeypatch.setattr(hand_written, "EPOCHS", 3)
    x, y = frame()
    answer = optuna_tpe.tuned(TABLE, parts(x, y, x[:10]), 0.5, 0)
    assert answer.trials > 0
    assert set(answer.config) == {*Settings._fields, "epochs"}
    assert answer.outputs.shape == (10, 2)
