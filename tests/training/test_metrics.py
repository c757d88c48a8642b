"""Every metric has scikit-learn's value: those by name, and scikit-learn's own, called on arrays when a trial ends."""

import warnings
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from optax import softmax_cross_entropy_with_integer_labels as entropy
from scipy.special import softmax
from sklearn import metrics as sk

import jaxhpo
from jaxhpo.data import from_arrays
from jaxhpo.space import Choice, Float, Space
from jaxhpo.training import Machine, Trainer
from jaxhpo.training.goal.metrics import METRICS
from jaxhpo.training.goal.scoring import read_goal

random = np.random.default_rng(0)


def classified(classes, examples=300):
    """Return logits, some of them equal, and labels, of which the logits know something."""
    y = random.integers(0, classes, examples).astype(np.int32)
    logits = random.normal(size=(examples, classes)) + (np.arange(classes) == y[:, None])
    logits[: examples // 10] = logits[0]  # ties
    return logits.astype(np.float32), y


def labels(metric, **options):
    return lambda z, y: metric(y, z.argmax(1), **options)


SKLEARN = {
    "accuracy": labels(sk.accuracy_score),
    "balanced_accuracy": labels(sk.balanced_accuracy_score),
    "f1": labels(sk.f1_score, average="macro"),
    "roc_auc": lambda z, y: (
        sk.roc_auc_score(y, softmax(z, 1), multi_class="ovr")
        if z.shape[1] > 2
        else sk.roc_auc_score(y, z[:, 1] - z[:, 0])
    ),
    "log_loss": lambda z, y: sk.log_loss(y, softmax(z.astype(np.float64), 1)),
    "r2": lambda z, y: sk.r2_score(y, z),
    "rmse": lambda z, y: sk.root_mean_squared_error(y, z) if z.ndim == 1 else np.sqrt(sk.mean_squared_error(y, z)),
    "mae": lambda z, y: sk.mean_absolute_error(y, z),
}


@pytest.mark.parametrize("size", [1, 2, 5])
@pytest.mark.parametrize("name", METRICS)
def test_a_metric_by_name_is_sklearns(name, size):
    if METRICS[name].task == "classification":
        outputs, y = classified(size + 1)
    else:
        y = random.normal(50, 3, (300, size) if size > 1 else 300).astype(np.float32)
        outputs = (y + random.normal(size=y.shape)).astype(np.float32)
    found = jax.jit(jax.vmap(METRICS[name].function, (0, None)))(jnp.stack([outputs, outputs[::-1]]), y)
    np.testing.assert_allclose(found, [SKLEARN[name](outputs, y), SKLEARN[name](outputs[::-1], y)], rtol=2e-5)


@pytest.mark.slow
def test_metrics_of_a_split_that_lacks_a_class():
    """As scikit-learn has it where it has a value: F1 of classes that are said or there, recall of those there."""
    outputs, y = classified(4)
    y = np.where(y == 3, 0, y).astype(np.int32)
    for name in ("balanced_accuracy", "f1"):
        with warnings.catch_warnings(action="ignore"):  # that a class is lacking
            assert float(METRICS[name].function(outputs, y)) == pytest.approx(SKLEARN[name](outputs, y), rel=1e-5)
    areas = [sk.roc_auc_score(y == k, softmax(outputs, 1)[:, k]) for k in range(3)]
    assert float(METRICS["roc_auc"].function(outputs, y)) == pytest.approx(np.mean(areas), rel=1e-5)
    outputs[5, 1] = np.nan
    assert np.isnan(METRICS["roc_auc"].function(outputs, y))


def binary(metric, **options):
    return lambda z, y: metric(y, softmax(z, 1)[:, 1], **options)


# A metric of scikit-learn, classes, what it is of logits and labels, and which way is better.
GIVEN = {
    "f1": (partial(sk.f1_score, average="macro"), 3, labels(sk.f1_score, average="macro"), "maximize"),
    "binary f1": (sk.f1_score, 2, labels(sk.f1_score), "maximize"),
    "kappa": (sk.cohen_kappa_score, 3, labels(sk.cohen_kappa_score), "maximize"),
    "correlation": (sk.matthews_corrcoef, 3, labels(sk.matthews_corrcoef), "maximize"),
    "zero-one": (sk.zero_one_loss, 3, labels(sk.zero_one_loss), "minimize"),
    "area": (sk.roc_auc_score, 3, SKLEARN["roc_auc"], "maximize"),
    "binary area": (sk.roc_auc_score, 2, SKLEARN["roc_auc"], "maximize"),
    "pairs": (
        partial(sk.roc_auc_score, multi_class="ovo"),
        3,
        lambda z, y: sk.roc_auc_score(y, softmax(z, 1), multi_class="ovo"),
        "maximize",
    ),
    "precision": (sk.average_precision_score, 2, binary(sk.average_precision_score), "maximize"),
    "log loss": (sk.log_loss, 3, SKLEARN["log_loss"], "minimize"),
    "binary log loss": (sk.log_loss, 2, SKLEARN["log_loss"], "minimize"),
    "brier": (sk.brier_score_loss, 2, binary(sk.brier_score_loss), "minimize"),
    "top 2": (partial(sk.top_k_accuracy_score, k=2), 4, lambda z, y: sk.top_k_accuracy_score(y, z, k=2), "maximize"),
    "hinge": (sk.hinge_loss, 3, lambda z, y: sk.hinge_loss(y, z), "minimize"),
    "binary hinge": (sk.hinge_loss, 2, lambda z, y: sk.hinge_loss(y, z[:, 1] - z[:, 0]), "minimize"),
}


@pytest.mark.parametrize("case", GIVEN)
def test_a_metric_of_sklearn_gets_what_it_needs(case):
    metric, classes, by_hand, direction = GIVEN[case]
    goal = read_goal("classification", None, metric)
    assert (goal.direction, goal.on_arrays) == (direction, True)
    logits, y = classified(classes)
    assert goal.metric(logits, y) == pytest.approx(by_hand(logits, y), rel=1e-5)


@pytest.mark.parametrize("metric", [sk.r2_score, sk.median_absolute_error, sk.max_error])
def test_a_metric_of_sklearn_gets_numbers(metric):
    y = random.normal(size=50).astype(np.float32)
    goal = read_goal("regression", None, metric)
    assert goal.metric(2 * y, y) == pytest.approx(metric(y, 2 * y))
    assert goal.direction == ("maximize" if metric is sk.r2_score else "minimize")


def test_sklearn_says_which_way_is_better():
    with pytest.raises(
        ValueError, match="minimize=True cannot go with metric=f1_score, of which higher is better; lea"
    ):
        read_goal("classification", None, sk.f1_score, minimize=True)
    assert read_goal("classification", None, sk.log_loss, minimize=True).direction == "minimize"


# --- jaxhpo's own networks ----------------------------------------------------------------------------------------

SPACE = Space({"lr": Float(1e-3, 1e-2, log=True), "units": Choice((8,)), "batch_size": Choice((16,))})
REFUSED = {
    "a loss a logit": ({"loss": lambda z, y: z}, "loss returns (16, 10), not a single number; take the mean"),
    "a loss that fails": ({"loss": lambda z, y: z @ z}, "loss fails on outputs and targets: TypeError"),
    "no finite loss": ({"loss": lambda z, y: jnp.mean(z) / 0}, "loss is "),
    "a tuple": ({"metric": lambda z, y: (z.mean(), 1)}, "metric returns tuple, not a single number; take the mean"),
    "a metric that fails": ({"metric": lambda z, y: z.nothing}, "metric fails on outputs and targets: AttributeError"),
    "words": ({"metric": lambda z, y: "good"}, "metric returns str, not a single number"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_loss_and_metric_are_rehearsed_with_jaxhpos_networks(case, small_digits):
    options, message = REFUSED[case]
    with pytest.raises(ValueError) as refused:
        Trainer(small_digits, "mlp", SPACE, epochs=1, **options)
    assert str(refused.value).startswith(message)
    assert "\n" not in str(refused.value)


def test_a_loss_of_probabilities_is_no_failure(small_digits):
    """Of most numbers its logarithm is nan; a network of the user's may have a softmax at its end."""

    def loss(outputs, y):
        return -jnp.log(jnp.take_along_axis(outputs, y[:, None], axis=1))[:, 0]

    Trainer(small_digits, "mlp", SPACE, epochs=1, loss=loss)


@pytest.mark.slow
def test_a_loss_an_example_is_averaged(small_digits):
    options = {"space": SPACE, "trials": 2, "lanes": 2, "epochs": 2, "cache": False, "verbose": False}
    each, mean = (
        jaxhpo.tune(small_digits, model="mlp", loss=loss, **options)
        for loss in (entropy, lambda z, y: entropy(z, y).mean())
    )
    assert each.trials["score"].tolist() == mean.trials["score"].tolist()


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["threads", "vmap"])
def test_a_metric_on_arrays_scores_trials_when_they_end(engine, small_digits):
    """The best trial's score, and the test score, are scikit-learn's of its predictions; its curve is of the loss."""
    d, seen = small_digits, []

    def count(outputs, y):
        seen.append(len(y))
        return sk.f1_score(y, np.asarray(outputs).argmax(1), average="macro")

    found = []
    for metric in (partial(sk.f1_score, average="macro"), count, "f1"):
        study = jaxhpo.tune(
            d,
            model="mlp",
            space=SPACE,
            algorithm="random_search",
            metric=metric,
            trials=4,
            lanes=2,
            epochs=3,
            machine=Machine(engine=engine),
            final_fit=1,
            cache=False,
            verbose=False,
        )
        found.append(study)
        assert study.direction == "maximize"
    ours, counted, named = found
    np.testing.assert_allclose(ours.trials["score"], named.trials["score"], rtol=1e-5)
    np.testing.assert_allclose(counted.trials["score"], named.trials["score"], rtol=1e-5)
    assert [n for n in seen if n == len(d.y_valid)][-5:] != []
    model, aux = ours.trainer.model(ours.objective_state.best), ours.finished[ours.best.trial].aux
    for x, y, score in ((d.x_valid, d.y_valid, ours.best.score), (d.x_test, d.y_test, ours.best.test_score)):
        assert score == pytest.approx(sk.f1_score(y, model.predict(x), average="macro"), rel=1e-6)
    assert ours.final.test_scores[0] == pytest.approx(
        sk.f1_score(d.y_test, ours.final.models[0].predict(d.x_test), average="macro"), rel=1e-6
    )
    assert np.all(np.isnan(aux["curve"]))
    assert np.all(np.isfinite(aux["validation_loss"]))
    last = sk.log_loss(d.y_valid, softmax(model.outputs(d.x_valid).astype(np.float64), 1))
    assert aux["validation_loss"][-1] == pytest.approx(last, rel=1e-4)


@pytest.mark.slow
def test_rungs_are_scored_on_arrays_too(small_digits):
    options = {"space": SPACE, "algorithm": "asha", "trials": 16, "lanes": 4, "epochs": 4}
    studies = [
        jaxhpo.tune(small_digits, model="mlp", metric=metric, cache=False, verbose=False, **options)
        for metric in (sk.balanced_accuracy_score, "balanced_accuracy")
    ]
    assert studies[0].trials["budget"].nunique() > 1
    np.testing.assert_allclose(*(study.trials["score"] for study in studies), rtol=1e-5)


@pytest.mark.slow
def test_a_metric_that_fails_on_a_trial_fails_it_alone(small_digits):
    calls = []

    def metric(outputs, y):
        calls.append(float(np.asarray(outputs).std()))
        if len(calls) == 7:  # the rehearsal has four kinds of outputs
            raise RuntimeError("broken")
        return calls[-1]

    options = {"space": SPACE, "algorithm": "random_search", "trials": 4, "lanes": 4, "epochs": 1}
    with pytest.warns(RuntimeWarning, match=r"^metric metric fails: RuntimeError: broken \(test_metrics.py, "):
        study = jaxhpo.tune(small_digits, model="mlp", metric=metric, cache=False, verbose=False, **options)
    assert study.trials["score"].isna().sum() == 1


@pytest.mark.slow
def test_a_metric_on_arrays_has_the_targets_units():
    x = random.normal(size=(200, 3)).astype(np.float32)
    d = from_arrays(x, (5000 + 300 * x[:, 0]).astype(np.float32), task="regression")
    space = Space({"lr": Choice((0.01,)), "units": Choice((8,)), "batch_size": Choice((16,))})
    options = {"model": "mlp", "space": space, "trials": 1, "lanes": 1, "epochs": 20, "cache": False, "verbose": False}
    study = jaxhpo.tune(d, metric=sk.mean_absolute_error, folds=1, **options)
    assert study.direction == "minimize"
    wanted = np.mean(np.abs(study.best_model().predict(d.x_valid) - d.y_valid))
    assert study.best.score == pytest.approx(wanted, rel=1e-5)
    assert study.best.score < 240  # the mean of all has about 240
