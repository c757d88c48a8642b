"""Early stopping: which epoch counts, and when a training ends; as a plain loop does it."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import jaxhpo as jh
from jaxhpo.report.console import best_table
from jaxhpo.training import Machine, Trainer
from jaxhpo.training.step.stopping import Stopping, first_checkpoint, is_patient, next_checkpoint
from jaxhpo.tuning import TrainingStudy
from jaxhpo.types import FRESH, Proposal

EPOCHS = 24
SPACE = jh.Space(
    {
        "learning_rate": jh.Float(1e-3, 1.0, log=True),
        "batch_size": jh.Choice((16, 32)),
        "units": jh.Choice((8, 64)),
        "dropout": jh.Float(0.0, 0.5),
        "optimizer": jh.Choice(("sgd", "adam")),
    }
)
FAST = {"learning_rate": 0.05, "batch_size": 16, "units": 64, "dropout": 0.25, "optimizer": "adam"}  # overfits soon
SLOW = {"learning_rate": 0.01, "batch_size": 32, "units": 8, "dropout": 0.0, "optimizer": "sgd"}  # learns to the end
CONFIGS = (FAST, SLOW, FAST | {"dropout": 0.0})


def plain_loop(losses, budget, patience):
    """Return the epochs that an early stopping of the usual kind trains, and the one that it keeps."""
    lowest, kept, waited = math.inf, 0, 0
    for epoch, loss in enumerate(losses[:budget], 1):
        if loss < lowest:
            lowest, kept, waited = loss, epoch, 0
        else:
            waited += 1
        if patience is not None and waited >= patience:
            return epoch, kept
    return min(budget, len(losses)), kept


@given(
    losses=st.lists(st.sampled_from([0.25, 0.5, 0.5, 0.75, 1.0, math.nan]), min_size=1, max_size=12),
    patience=st.one_of(st.none(), st.integers(1, 5)),
)
def test_the_checkpoint_is_that_of_a_plain_loop(losses, patience):
    stopping = Stopping("best", patience)
    checkpoint, epoch = first_checkpoint(stopping, {"w": jnp.float32(0)}, (), jnp.zeros(2), jnp.zeros(2)), 0
    while epoch < len(losses) and is_patient(stopping, checkpoint, epoch):
        epoch += 1
        weights = {"w": jnp.float32(epoch)}
        loss, outputs = jnp.float32(losses[epoch - 1]), jnp.full(2, epoch, jnp.float32)
        checkpoint = next_checkpoint(checkpoint, jnp.int32(epoch), loss, jnp.full(2, loss), weights, (), outputs)
    expected, kept = plain_loop(losses, len(losses), patience)
    assert (epoch, int(checkpoint.epoch)) == (expected, kept)
    assert float(checkpoint.weights[0]["w"]) == kept
    np.testing.assert_array_equal(checkpoint.outputs, [kept, kept])
    np.testing.assert_array_equal(checkpoint.cross_fit.outputs, [kept, kept])


def trainer_of(data, **options):
    engine = options.pop("engine", "threads")
    return Trainer(data, "mlp", SPACE, epochs=EPOCHS, lanes=3, machine=Machine(engine=engine), **options)


def rows(*lanes):
    """Return a round of (trial, source, budget, config) rows."""
    trial, source, budget = (np.array([row[i] for row in lanes], np.int32) for i in range(3))
    return Proposal(np.stack([SPACE.from_config(row[3]) for row in lanes]), budget, source, trial >= 0, trial)


def run(trainer, *lanes, state=None):
    state = trainer.objective.init(jax.random.key(0)) if state is None else state
    return trainer.objective.evaluate(jax.random.key(3), state, rows(*lanes))


def weights_of(trainer, trial, budget, config):
    """Return the weights that a trial alone ends with."""
    return run(trainer, (trial, FRESH, budget, config))[0].best.networks[0].params


def assert_same(left, right):
    for a, b in zip(jax.tree.leaves(left), jax.tree.leaves(right), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.fixture(scope="module", params=["threads", "vmap"])
def engine(request):
    return request.param


@pytest.mark.slow_but_for("threads")
def test_patience_ends_a_training_as_a_plain_loop_would(small_digits, engine):
    """Every epoch up to the end is that of a training without patience; scores and weights are of the one kept."""
    ask = [(trial, FRESH, EPOCHS, config) for trial, config in enumerate(CONFIGS)]
    whole = run(trainer_of(small_digits, engine=engine, checkpoint="last"), *ask)[1]
    trainer = trainer_of(small_digits, engine=engine, patience=3)
    _, outcome = run(trainer, *ask)
    assert whole.aux["epochs"].tolist() == [EPOCHS] * 3 == whole.aux["checkpoint"].tolist()
    np.testing.assert_array_equal(whole.score, whole.aux["curve"][:, -1])
    for lane, config in enumerate(CONFIGS):
        ended, kept = plain_loop(outcome.aux["validation_loss"][lane].tolist(), EPOCHS, 3)
        assert outcome.aux["epochs"][lane] == ended
        assert outcome.aux["checkpoint"][lane] == kept
        assert outcome.score[lane] == outcome.aux["curve"][lane, kept - 1]
        assert outcome.aux["updates"][lane] == ended * (160 // config["batch_size"])
        for name in ("curve", "loss", "validation_loss"):
            np.testing.assert_allclose(outcome.aux[name][lane, :ended], whole.aux[name][lane, :ended], rtol=1e-4)
            assert np.isnan(outcome.aux[name][lane, ended:]).all()
    assert outcome.aux["epochs"][0] < EPOCHS == outcome.aux["epochs"][1]  # one overfits, one learns to the end
    kept = int(outcome.aux["checkpoint"][0])
    assert kept < outcome.aux["epochs"][0]
    # The same program to the epoch that counts has the same weights, bit for bit.
    assert_same(weights_of(trainer, 0, EPOCHS, FAST), weights_of(trainer, 0, kept, FAST))


@pytest.mark.slow_but_for("threads")
def test_patience_of_a_lane_is_its_own(small_digits, engine):
    trainer = trainer_of(small_digits, engine=engine, patience=3)
    together = run(trainer, *((trial, FRESH, EPOCHS, config) for trial, config in enumerate(CONFIGS)))[1]
    for trial, config in enumerate(CONFIGS):
        alone = run(trainer, (trial, FRESH, EPOCHS, config))[1]
        assert alone.score[0] == together.score[trial]
        for name, values in alone.aux.items():
            np.testing.assert_array_equal(values[0], together.aux[name][trial])


@pytest.mark.slow_but_for("threads")
def test_in_parts_is_at_once_where_patience_ends_it(small_digits, engine):
    trainer = trainer_of(small_digits, engine=engine, patience=3, continues=True)
    whole = run(trainer, (5, FRESH, EPOCHS, FAST))
    ended = int(whole[1].aux["epochs"][0])
    cuts = [1, ended - 1, EPOCHS - 1]  # the last part continues a training that has ended
    state, trial = None, 5
    for after, budget in zip([*range(6, 6 + len(cuts)), None], [*cuts, EPOCHS], strict=True):
        first = state is None
        lane = (trial, FRESH if first else trial - 1, budget, FAST)
        state, outcome = run(trainer, lane, state=state)
        state = trainer.objective.retain(state._replace(best=None if after else state.best), np.array([trial]))
        trial = after or trial
    assert outcome.aux["epochs"].tolist() == [0]
    assert outcome.aux["updates"].tolist() == [0]
    for name in ("curve", "loss", "validation_loss", "checkpoint"):
        np.testing.assert_array_equal(outcome.aux[name], whole[1].aux[name])
    assert outcome.score == whole[1].score
    assert_same(jax.tree.leaves(state.best.networks), jax.tree.leaves(whole[0].best.networks))


def test_a_rung_s_score_is_the_best_so_far(small_digits):
    """And the training goes on from the last epoch, not from the best."""
    trainer = trainer_of(small_digits, continues=True)
    whole = run(trainer, (0, FRESH, EPOCHS, FAST))[1]
    state, _ = run(trainer, (0, FRESH, 9, FAST))
    _, outcome = run(trainer, (1, 0, EPOCHS, FAST), state=trainer.objective.retain(state, np.array([0])))
    assert outcome.aux["checkpoint"][0] == whole.aux["checkpoint"][0] == 1 + np.argmin(whole.aux["validation_loss"][0])
    np.testing.assert_array_equal(outcome.aux["curve"], whole.aux["curve"])


def test_with_other_hyperparameters_a_trial_has_a_score_of_its_own(small_digits):
    trainer = trainer_of(small_digits, continues=True, patience=2)
    state, first = run(trainer, (0, FRESH, 9, FAST))
    state = trainer.objective.retain(state, np.array([0]))
    ruinous = FAST | {"learning_rate": 1.0}
    _, outcome = run(trainer, (1, 0, EPOCHS, ruinous), state=state)
    assert outcome.aux["checkpoint"][0] > 9
    lowest = np.nanmin(outcome.aux["validation_loss"][0, 9:])
    assert outcome.aux["validation_loss"][0, outcome.aux["checkpoint"][0] - 1] == lowest
    assert lowest > np.nanmin(first.aux["validation_loss"])


def test_the_validation_loss_is_the_plain_one(small_digits):
    """Without label smoothing and penalties: computed again from the winner's probabilities."""
    space = jh.Space(dict(SPACE) | {"label_smoothing": jh.Choice((0.0, 0.3)), "l2": jh.Choice((0.0, 0.01))})
    trainer = Trainer(small_digits, "mlp", space, epochs=5, lanes=1)
    point = space.from_config(SLOW | {"learning_rate": 0.3, "label_smoothing": 0.3, "l2": 0.01})[None]
    one = np.ones(1, np.int32)
    proposal = Proposal(point, 5 * one, FRESH * one, one > 0, 0 * one)
    state, outcome = trainer.objective.evaluate(jax.random.key(3), trainer.objective.init(jax.random.key(0)), proposal)
    kept = int(outcome.aux["checkpoint"][0])
    found = trainer.model(state.best).probabilities(small_digits.x_valid)
    expected = -np.log(found[np.arange(len(found)), small_digits.y_valid]).mean()
    assert outcome.aux["validation_loss"][0, kept - 1] == pytest.approx(expected, rel=1e-4)
    assert state.best.loss == outcome.aux["validation_loss"][0, kept - 1]


def test_a_metric_on_arrays_is_of_the_epoch_that_counts(small_digits):
    def shares(outputs, y):  # nothing that JAX can trace
        return float(np.mean(np.argmax(np.asarray(outputs), axis=1) == np.asarray(y)))

    trainer = trainer_of(small_digits, metric=shares, patience=3)
    state, outcome = run(trainer, (0, FRESH, EPOCHS, FAST))
    traced = run(trainer_of(small_digits, patience=3), (0, FRESH, EPOCHS, FAST))[1]
    assert outcome.aux["checkpoint"] == traced.aux["checkpoint"] < outcome.aux["epochs"]
    assert outcome.score == pytest.approx(traced.score, abs=1e-6)
    assert np.isnan(outcome.aux["curve"]).all()
    predicted = trainer.model(state.best).predict(small_digits.x_valid)
    assert outcome.score[0] == pytest.approx(np.mean(predicted == small_digits.y_valid), abs=1e-6)


def test_equal_scores_are_parted_by_validation_loss(small_digits):
    """By the study and by the trainer alike: the winner's weights are there."""
    trainer = Trainer(small_digits, "mlp", SPACE, epochs=2, lanes=8, metric=lambda outputs, y: jnp.float32(0.5))
    study = TrainingStudy(trainer, jh.algorithms.random_search(SPACE, lanes=8, budget=2)).run(16)
    losses = [trial.aux["validation_loss"][trial.aux["checkpoint"] - 1] for trial in study.finished]
    lowest = int(np.argmin(losses))
    assert lowest > 0
    assert {trial.score for trial in study.finished} == {0.5}
    assert study.best.trial == study.winner.trial == lowest
    assert study.top(16)["trial"].tolist() == np.argsort(losses, kind="stable").tolist()
    assert study.best_model().config == study.finished[lowest].config
    study.summary = {"metric": "score"}
    columns = [column.header for column in best_table(study, 3).columns]
    assert columns == ["trial", *map(str, np.argsort(losses, kind="stable")[:3])]


WRONG = {
    "patience=0": (
        {"patience": 0},
        r"patience=0 must be an integer of at least 1; as many as there are epochs end no training",
    ),
    "patience=1.5": ({"patience": 1.5}, r"patience=1\.5 must be an integer"),
    "patience=True": ({"patience": True}, r"patience=True must be an integer"),
    "checkpoint": ({"checkpoint": "first"}, r"checkpoint='first' must be 'best', the epoch of the lowest.*, or 'last'"),
    "None": ({"checkpoint": None}, r"checkpoint=None must be 'best'"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_arguments_are_named(small_digits, case):
    options, message = WRONG[case]
    with pytest.raises(ValueError, match=message):
        Trainer(small_digits, "mlp", SPACE, **options)
    with pytest.raises(ValueError, match=message):
        jh.tune(small_digits, space=SPACE, verbose=False, **options)


def test_a_plan_goes_by_the_epochs_that_patience_leaves(small_digits):
    """And by the memory of what is kept: two copies more where a source has its own."""
    assert Stopping("best", 10).expected_epochs(300) == 50
    assert Stopping("best", 10).expected_epochs(20) == 20
    assert Stopping("last").expected_epochs(300) == 300
    digits = jh.data.load("digits")
    programs = [len(Trainer(digits, "mlp", epochs=300, lanes=8, patience=p).plan.buckets) for p in (10, None)]
    assert programs == [2, 3]

    def memory(**options):
        return trainer_of(small_digits, **options).plan.buckets[-1].bytes

    last, best = memory(checkpoint="last"), memory()
    own = {"checkpoint": "last", "continues": True}, {"continues": True}
    assert memory(**own[1]) - memory(**own[0]) == pytest.approx(2 * (best - last), abs=2)
    assert best > last


def test_a_loss_that_takes_batches_alone_is_refused_at_the_door(small_digits):
    """After each epoch it is called with the validation examples, whose number is another one."""

    def loss(outputs, y):
        return jnp.mean(outputs[:16].reshape(16, 10)[jnp.arange(16), y])

    message = "loss of all 54 validation examples fails on outputs and targets: "
    with pytest.raises(ValueError, match=message):
        Trainer(small_digits, "mlp", jh.Space({"batch_size": jh.Choice((16,))}), loss=loss)
