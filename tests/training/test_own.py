"""A user's own model, loss and metric in lanes that do not touch each other."""

from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from sklearn.metrics import f1_score

import jaxhpo
from jaxhpo.space import Choice, Float, Int, Space
from jaxhpo.training import Machine, Trainer
from tests.training.own_models import Net, NnxNet, NnxOnes, Ones, assert_same, proposal, train

RATE = Float(1e-4, 1e30, log=True)
BATCH = 16

# --- dropout, and lanes that do not touch --------------------------------------------------------------------------

DROP_SPACE = Space({"learning_rate": RATE, "batch_size": Choice((BATCH,)), "rate": Float(0.0, 0.9)})
DROPS = [{"learning_rate": 0.01, "batch_size": BATCH, "rate": rate} for rate in (0.0, 0.25, 0.5, 0.0)]
BAD = DROPS[0] | {"learning_rate": 1e30}
MODELS = {
    "linen": lambda rate=None: Net(12, 0.0 if rate is None else rate),
    "nnx": lambda rate=None, *, rngs: NnxNet(12, 0.0 if rate is None else rate, rngs=rngs),
}


CASES = [
    *("linen-vmap", "nnx-threads"),
    *(pytest.param(case, marks=pytest.mark.slow) for case in ("linen-threads", "nnx-vmap")),
]


@pytest.fixture(scope="module", params=CASES)
def dropping(request, small_digits):
    kind, engine = request.param.split("-")
    trainer = Trainer(small_digits, MODELS[kind], DROP_SPACE, epochs=2, lanes=4, machine=Machine(engine=engine))
    state = trainer.objective.init(jax.random.key(0))

    def evaluate(configs, trials=None):
        asked = proposal(DROP_SPACE, configs, 2, trials)
        return trainer.objective.evaluate(jax.random.key(1), state, asked)

    return kind, trainer, evaluate


def rows(outcome, lane):
    return [np.asarray(leaf[lane]) for leaf in jax.tree.leaves((outcome.score, outcome.aux))]


@pytest.mark.slow
@pytest.mark.parametrize("kind", MODELS)
def test_a_traced_rate_of_zero_is_no_dropout(kind, small_digits):
    without = Space({name: DROP_SPACE[name] for name in DROP_SPACE if name != "rate"})
    losses = []
    for space in (DROP_SPACE, without):
        trainer = Trainer(small_digits, MODELS[kind], space, epochs=2, lanes=4, machine=Machine(engine="threads"))
        config = {name: DROPS[0][name] for name in space}
        losses.append([result.loss for result in train(trainer, [config] * 4, budget=2)])
    np.testing.assert_allclose(*losses, rtol=1e-3)  # to rounding, which batch norm and adam amplify


@pytest.mark.slow_but_for("nnx-threads")
def test_dropout_changes_training(dropping):
    _, _, evaluate = dropping
    none, some = evaluate([DROPS[0]] * 4, [5, 5, 6, 7])[1], evaluate([DROPS[1]] * 4, [5, 5, 6, 7])[1]
    assert np.all(np.asarray(some.aux["loss"]) > np.asarray(none.aux["loss"]) + 0.01)
    assert_same(rows(some, 0), rows(some, 1))


@pytest.mark.slow
def test_evaluation_drops_nothing(dropping, small_digits):
    kind, trainer, evaluate = dropping
    state, outcome = evaluate([DROPS[2]] * 4)
    found = trainer.model(state.best)
    x = (small_digits.x_valid.astype(np.float32) - small_digits.offset) * small_digits.scale
    if kind == "linen":
        logits = Net(12).apply({"params": found.params, **found.statistics}, x, train=False)
    else:
        module = NnxNet(12, rngs=nnx.Rngs(0))
        for part, values in ((nnx.Param, found.params), (nnx.BatchStat, found.statistics)):
            held = nnx.state(module, part)
            nnx.replace_by_pure_dict(held, values)
            nnx.update(module, held)
        module.eval()
        logits = module(x)
    assert state.best.score == np.nanmax(outcome.score)
    assert np.mean(np.argmax(logits, 1) == small_digits.y_valid) == pytest.approx(state.best.score)
    np.testing.assert_allclose(found.outputs(small_digits.x_valid), logits, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("place", [0, 2])
def test_a_diverged_lane_fails_alone(dropping, place):
    _, _, evaluate = dropping
    healthy, sick = evaluate(DROPS)[1], evaluate([*DROPS[:place], BAD, *DROPS[place + 1 :]])[1]
    assert np.flatnonzero(np.isnan(sick.score)).tolist() == [place]
    for lane in {0, 1, 2, 3} - {place}:
        assert_same(rows(healthy, lane), rows(sick, lane))


def test_a_result_depends_on_the_trial_and_not_on_the_place(dropping):
    _, _, evaluate = dropping
    there, back = evaluate(DROPS, [10, 11, 12, 13])[1], evaluate(DROPS[::-1], [13, 12, 11, 10])[1]
    for lane in range(4):
        assert_same(rows(there, lane), rows(back, 3 - lane))
    assert not np.array_equal(there.aux["loss"][0], there.aux["loss"][3])  # alike but for the trial's weights


def dropped(outputs, y):
    del y
    return jnp.mean((outputs == 0).astype(jnp.float32)) + 0 * jnp.mean(outputs)


def far_from_one(outputs, y):
    del y
    return jnp.mean(jnp.square(outputs - 1))


@pytest.mark.slow
@pytest.mark.parametrize("model", [Ones, NnxOnes])
@pytest.mark.parametrize("engine", ["threads", "vmap"])
def test_a_layer_drops_its_share(model, engine, small_digits):
    options = {
        "loss": dropped,
        "metric": far_from_one,
        "minimize": True,
        "epochs": 2,
        "lanes": 4,
        "machine": Machine(engine=engine),
    }
    trainer = Trainer(small_digits, model, DROP_SPACE, **options)
    results = train(trainer, DROPS, budget=2)
    for config, result in zip(DROPS, results, strict=True):
        # An epoch drops among 160,000.
        deviation = np.sqrt(config["rate"] * (1 - config["rate"]) / 160_000)
        assert np.all(np.abs(result.loss - config["rate"]) <= 4 * deviation)
        assert (result.loss[0] != result.loss[1]) == (config["rate"] > 0)  # each epoch has bits of its own
        assert result.score == 0


@pytest.mark.parametrize("rate", [0.0, 0.25, 0.7])
def test_dropout_keeps_the_expectation(rate):
    x = jnp.linspace(1, 2, 100_000)
    for one in (rate, jnp.float32(rate)):
        found = np.asarray(jax.jit(jaxhpo.dropout)(jax.random.key(3), x, one))
        kept = found != 0
        assert abs(kept.mean() - (1 - rate)) <= 4 * np.sqrt(rate * (1 - rate) / len(x))
        np.testing.assert_allclose(found[kept], np.asarray(x)[kept] / (1 - rate), rtol=1e-6)
        assert found.mean() == pytest.approx(1.5, rel=0.02)


@pytest.mark.slow
def test_dropping_everything_has_no_nan():
    def total(x, rate):
        return jaxhpo.dropout(jax.random.key(3), x, rate).sum()

    value, (dx, drate) = jax.value_and_grad(total, argnums=(0, 1))(jnp.ones(50), jnp.float32(1))
    assert value == 0
    assert not np.any(dx)
    assert np.isfinite(drate)


# --- programs ------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_program_for_each_combination_that_is_used(small_digits):
    space = Space({"width": Int(1, 500), "batch_size": Choice((16, 32)), "lr": Float(1e-3, 1e-2), "l2": Float(0, 1)})
    trainer = Trainer(small_digits, Net, space, epochs=1, lanes=4)
    assert len(trainer.plan.buckets) == 1000
    base = {"lr": 0.002, "l2": 0.01, "batch_size": 16, "width": 3}
    configs = [base, base | {"lr": 0.01, "l2": 0.5}, base | {"batch_size": 32}, base | {"width": 5}, base]
    results = train(trainer, configs, budget=1)
    assert [result.params["Dense_0"]["kernel"].shape[1] for result in results] == [3, 3, 3, 5, 3]
    assert [int(result.updates) for result in results] == [10, 10, 5, 10, 10]
    assert len(trainer.executor.ledger.compile_seconds) == 3
    assert sum(bucket["trials"] > 0 for bucket in trainer.report()["buckets"]) == 3


# --- losses and metrics --------------------------------------------------------------------------------------------


def focal(logits, y):
    right = jnp.take_along_axis(jax.nn.log_softmax(logits), y[:, None], axis=1)
    return -jnp.mean(jnp.square(1 - jnp.exp(right)) * right)


def macro_f1(logits, y):
    said, is_ = (jax.nn.one_hot(labels, 10) for labels in (jnp.argmax(logits, axis=1), y))
    both = jnp.sum(said * is_, axis=0)
    return jnp.mean(2 * both / jnp.maximum(jnp.sum(said, axis=0) + jnp.sum(is_, axis=0), 1))


@pytest.mark.slow
def test_own_loss_and_metric_by_hand(small_digits):
    """At a learning rate that changes no weight, an epoch's loss is that of the first weights on all examples.

    The validation split is evaluated in two batches, of which no mean is its F1.
    """
    d = small_digits
    space = Space({"lr": Choice((1e-30, 1e-2)), "batch_size": Choice((BATCH,))})
    options = {"loss": focal, "metric": macro_f1, "epochs": 2, "lanes": 2, "machine": Machine(engine="vmap")}
    trainer = Trainer(d, partial(Net, 8), space, **options)
    asked = proposal(space, [{"lr": lr, "batch_size": BATCH} for lr in (1e-30, 1e-2)], 2)
    first, _ = trainer.objective.evaluate(
        jax.random.key(1), trainer.objective.init(jax.random.key(0)), asked._replace(active=np.array([True, False]))
    )
    assert trainer.plan.evaluation_batch < len(d.y_valid)
    state, outcome = trainer.objective.evaluate(jax.random.key(1), trainer.objective.init(jax.random.key(0)), asked)
    probability = trainer.model(first.best).probabilities(d.x_train)[np.arange(160), d.y_train]
    by_hand = -np.mean((1 - probability) ** 2 * np.log(probability))
    np.testing.assert_allclose(outcome.aux["loss"][0], by_hand, rtol=1e-4)
    assert outcome.aux["loss"][1, 1] < 0.9 * by_hand
    assert state.best.trial == 1
    model = trainer.model(state.best)
    valid, test = (
        f1_score(y, model.predict(x), average="macro") for x, y in ((d.x_valid, d.y_valid), (d.x_test, d.y_test))
    )
    assert state.best.score == pytest.approx(valid, abs=1e-6)
    assert trainer.score_test(state) == pytest.approx(test, abs=1e-6)


def surprise(logits, y):
    return jnp.exp(-jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(logits), y[:, None], axis=1)))


@pytest.mark.slow
@pytest.mark.parametrize("minimize", [True, False])
def test_the_best_is_the_lowest_where_it_is_minimised(minimize, small_digits):
    space = Space({"lr": RATE, "batch_size": Choice((BATCH,))})
    rates = (1e30, 1e-4, 1e-2, 1e-3)
    study = jaxhpo.tune(
        small_digits,
        model=partial(Net, 8),
        algorithm="random_search",
        space=space,
        metric=surprise,
        minimize=minimize,
        trials=4,
        lanes=2,
        epochs=2,
        enqueue=[{"lr": rate, "batch_size": BATCH} for rate in rates],
        cache=False,
        verbose=False,
    )
    scores = [trial.score for trial in study.finished]
    assert [trial.failed for trial in study.finished] == [True, False, False, False]
    assert scores[1] > scores[3] > scores[2]
    best = study.objective_state.best
    assert study.best.trial == best.trial == (2 if minimize else 1)
    assert study.best.score == best.score == scores[best.trial]
    logits = study.best_model().outputs(small_digits.x_test)
    assert study.best.test_score == pytest.approx(float(surprise(logits, small_digits.y_test)), rel=1e-5)


# --- what a model sees ---------------------------------------------------------------------------------------------


class Words(nn.Module):
    vocabulary: int
    classes: int

    @nn.compact
    def __call__(self, tokens):
        if tokens.dtype != jnp.int32 or tokens.shape[1:] != (9,):
            raise TypeError(f"{tokens.dtype} {tokens.shape}")
        return nn.Dense(self.classes)(jnp.mean(nn.Embed(self.vocabulary, 8)(tokens), axis=1))


@pytest.mark.slow
def test_a_text_model_sees_tokens(small_text):
    space = Space({"lr": Choice((0.03,)), "batch_size": Choice((BATCH,))})
    (result,) = train(
        Trainer(small_text, Words, space, epochs=10, lanes=1), [{"lr": 0.03, "batch_size": 16}], budget=10
    )
    assert result.params["Embed_0"]["embedding"].shape == (20, 8)
    assert result.score > 0.8


class Mean(nn.Module):
    """The mean of all images is its bias; an image's own content is its loss's business."""

    @nn.compact
    def __call__(self, x):
        return x + self.param("bias", nn.initializers.zeros, x.shape[1:])[None]


@pytest.mark.slow
def test_images_are_augmented(small_digits):
    """The sum of the top rows, and of the left columns, of what the network sees: mirrored images swap the latter."""

    def left(images, y):
        del y
        return jnp.mean(images[:, :, :4])

    space = Space({"lr": Choice((1e-30,)), "batch_size": Choice((BATCH,)), "flip": Float(0, 1), "crop": Int(0, 2)})
    trainer = Trainer(small_digits, Mean, space, loss=left, metric=left, epochs=1, lanes=3)
    base = {"lr": 1e-30, "batch_size": BATCH, "flip": 0.0, "crop": 0}
    still, mirrored, moved = train(trainer, [base, base | {"flip": 1.0}, base | {"crop": 2}], budget=1)
    d = small_digits
    seen = (d.x_train.astype(np.float32) - d.offset) * d.scale
    assert still.loss[0] == pytest.approx(seen[:, :, :4].mean(), abs=1e-5)
    assert mirrored.loss[0] == pytest.approx(seen[:, :, 4:].mean(), abs=1e-5)
    assert abs(moved.loss[0] - still.loss[0]) > 1e-4
    assert still.score == mirrored.score == moved.score  # validation images are as they are
