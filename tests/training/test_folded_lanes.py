"""Folds and repeats of a trial as lanes: engines agree, nothing depends on what is beside it, parts are the whole."""

import jax
import numpy as np
import pytest

from jaxhpo.models import Variant
from jaxhpo.training import Machine, Trainer
from jaxhpo.training.planning.plan import Bucket
from jaxhpo.training.step.stopping import Stopping
from tests.training.folded import GOOD, SPACE, assert_same, run, trainer_of, vectors

EPOCHS = 6
CONFIGS = (
    GOOD,
    {"learning_rate": 0.05, "batch_size": 16, "layers": 1, "units": 4, "dropout": 0.25, "optimizer": "sgd"},
    GOOD | {"dropout": 0.4, "batch_size": 16},
    GOOD | {"units": 4, "learning_rate": 0.1, "optimizer": "adam"},
)
ASK = [(trial, config, EPOCHS) for trial, config in enumerate(CONFIGS)]
BAD = GOOD | {"learning_rate": 1e30, "optimizer": "sgd"}
CURVES = ("curve", "loss", "validation_loss")
COUNTS = ("checkpoint", "epochs", "updates")


def of_row(outcome, row):
    """Return all that an outcome says of a row."""
    return outcome.score[row], outcome.standard_error[row], {name: value[row] for name, value in outcome.aux.items()}


def kept_of(state):
    return {one.trial: one for one in state.candidates}


@pytest.fixture(scope="module", params=["threads", "vmap"])
def engine(request):
    return request.param


@pytest.mark.slow
@pytest.mark.parametrize("options", [{"folds": 3}, {"repeats": 2}], ids=["folds", "repeats"])
def test_engines_agree(options):
    found = {}
    for name in ("threads", "vmap"):
        trainer = trainer_of(vectors(), engine=name, epochs=EPOCHS, patience=2, **options)
        found[name] = run(trainer, *ASK)
    (here, alone), (there, beside) = found["threads"], found["vmap"]
    for name in CURVES:
        np.testing.assert_allclose(beside.aux[name], alone.aux[name], rtol=1e-4, atol=1e-5)
    for name in COUNTS:
        np.testing.assert_array_equal(beside.aux[name], alone.aux[name])
    np.testing.assert_allclose(beside.score, alone.score, atol=1e-6)
    np.testing.assert_allclose(beside.standard_error, alone.standard_error, rtol=1e-4)
    assert np.isfinite(alone.score).all()
    assert [one.trial for one in there.candidates] == [one.trial for one in here.candidates]
    for trial in range(4):
        np.testing.assert_allclose(there.outputs[trial], here.outputs[trial], rtol=1e-3, atol=1e-4)
    if "folds" in options:  # each has its own best epoch, and its own end
        assert any(len(set(row.tolist())) > 1 for row in alone.aux["checkpoint"])
        assert any(len(set(row.tolist())) > 1 for row in alone.aux["epochs"])


@pytest.mark.slow
@pytest.mark.parametrize("options", [{"folds": 3}, {"repeats": 3}], ids=["folds", "repeats"])
def test_a_trial_does_not_depend_on_what_is_beside_it(engine, options):
    """In another row, another round, with other trials, beside one that diverges: bit for bit."""
    trainer = trainer_of(vectors(), engine=engine, epochs=EPOCHS, patience=2, **options)
    state, together = run(trainer, *ASK)
    rounds = [
        [(2, CONFIGS[2], EPOCHS)],
        [(7, BAD, EPOCHS), ASK[3], ASK[2]],
        [ASK[3], (9, GOOD, 1), (-1, GOOD, 3), ASK[2]],
    ]
    for lanes in rounds:
        after, outcome = run(trainer, *lanes)
        row = [lane[0] for lane in lanes].index(2)
        assert_same(of_row(outcome, row), of_row(together, 2))
        assert_same(kept_of(after)[2].networks, kept_of(state)[2].networks)
        assert_same(after.outputs[2], state.outputs[2])
    # A trial's number seeds it: another one is another training of the same configuration.
    _, other = run(trainer, (5, CONFIGS[2], EPOCHS))
    assert (other.aux["loss"][0] != together.aux["loss"][2]).all()


@pytest.mark.slow
def test_a_round_that_follows_adds_to_what_is_kept(engine):
    trainer = trainer_of(vectors(), engine=engine, folds=3, epochs=EPOCHS)
    state, _ = run(trainer, *ASK[:2])
    first = state
    state, _ = run(trainer, *ASK[2:], state=state)
    at_once, _ = run(trainer, *ASK)
    assert sorted(state.outputs) == [0, 1, 2, 3]
    assert [one.trial for one in state.candidates] == [one.trial for one in at_once.candidates]
    assert sorted(first.outputs) == [0, 1]  # a state is not changed in place
    assert len(first.candidates) == 2
    assert state.best.trial == at_once.best.trial
    assert_same(state.best.networks, at_once.best.networks)


@pytest.mark.slow
def test_one_fold_is_a_trainer_without_folds(engine):
    data = vectors()
    plain = Trainer(data, "mlp", SPACE, epochs=EPOCHS, lanes=4, machine=Machine(engine=engine), patience=2)
    one = trainer_of(data, engine=engine, epochs=EPOCHS, patience=2, folds=1, repeats=1)
    (here, a), (there, b) = run(plain, *ASK), run(one, *ASK)
    assert a.aux["curve"].shape == (4, EPOCHS)
    assert_same((a.score, a.aux), (b.score, b.aux))
    assert np.isnan(a.standard_error).all()
    assert_same([x.networks for x in here.candidates], [x.networks for x in there.candidates])
    assert_same(dict(here.outputs), dict(there.outputs))


@pytest.mark.slow
def test_the_first_repeat_is_the_trial_without_repeats():
    """Bit for bit; the others have other weights and dropout, in the same order of examples."""
    data = vectors()
    (here, a), (there, b) = (run(trainer_of(data, epochs=EPOCHS, repeats=n), *ASK) for n in (1, 3))
    for name in (*CURVES, *COUNTS):
        np.testing.assert_array_equal(b.aux[name][:, 0], a.aux[name])
        assert b.aux[name].shape == (4, 3, *a.aux[name].shape[1:])
    for trial, weights in kept_of(there).items():
        assert_same(weights.networks[0], kept_of(here)[trial].networks[0])
        assert len({network.params["out"]["kernel"].tobytes() for network in weights.networks}) == 3
    # A score is the mean of the repeats', and outputs those of the networks together.
    chosen = np.take_along_axis(b.aux["curve"], b.aux["checkpoint"][..., None] - 1, -1)[..., 0]
    np.testing.assert_allclose(b.score, chosen.mean(1), rtol=1e-5)
    losses = np.take_along_axis(b.aux["validation_loss"], b.aux["checkpoint"][..., None] - 1, -1)[..., 0]
    np.testing.assert_allclose(b.aux["checkpoint_loss"], losses.mean(1), rtol=1e-5)
    for outputs in there.outputs.values():
        np.testing.assert_allclose(np.exp(outputs.astype(np.float64)).sum(1), 1, rtol=1e-5)


# --- trials that continue others -----------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("options", [{"folds": 3}, {"repeats": 2}], ids=["folds", "repeats"])
def test_in_parts_is_at_once_bit_for_bit(engine, options):
    """Of 10 epochs patience ends some folds in the first part, others later, so that a part has ended lanes."""
    most, config = 10, GOOD | {"learning_rate": 0.1}
    trainer = trainer_of(vectors(), engine=engine, epochs=most, patience=2, continues=True, **options)
    objective = trainer.objective
    state, whole = run(trainer, (5, config, most), (6, GOOD, most))
    at_once = kept_of(state)
    state, _ = run(trainer, (5, config, 3), (6, GOOD, 1))
    state = objective.retain(state, np.array([5, 6, -1], np.int32))
    state, middle = run(trainer, (7, config, 7, 5), (8, GOOD, 4, 6), state=state)
    for leaf in jax.tree.leaves([kept.states for kept in state.kept.values() if kept.retained]):
        assert getattr(leaf.base, "nbytes", leaf.nbytes) == leaf.nbytes
    state = objective.retain(state, np.array([8, 7], np.int32))
    assert sorted(state.kept) == [7, 8]
    state, last = run(trainer, (9, GOOD, most, 8), (10, config, most, 7), state=state)
    for row, (same, trial) in enumerate(((1, 9), (0, 10))):
        assert_same((last.score[row], last.standard_error[row]), (whole.score[same], whole.standard_error[same]))
        for name in (*CURVES, "checkpoint", "checkpoint_loss"):
            np.testing.assert_array_equal(last.aux[name][row], whole.aux[name][same])
        assert_same(kept_of(state)[trial].networks, at_once[5 + same].networks)
    ended = whole.aux["epochs"][0]
    assert ended.min() < 7  # what a part is of a training that has ended
    assert (middle.aux["epochs"][0] == np.clip(ended, 3, 7) - 3).all()
    assert (last.aux["epochs"][1] == np.maximum(ended - 7, 0)).all()


def with_a_lone_row():
    """Return data of which one fold holds out a number that is infinite in units of its training rows' deviation."""
    data = vectors()
    for x in (data.x_train, data.x_valid, data.x_test):
        x[:, 5] *= 1e-20
    data.x_train[40, 5] = 3e38  # in fold 1 of three
    return data


@pytest.mark.slow
def test_a_trial_of_which_a_fold_fails_fails_and_is_not_continued(engine):
    trainer = trainer_of(with_a_lone_row(), engine=engine, folds=3, epochs=EPOCHS, continues=True)
    state, outcome = run(trainer, (0, GOOD, 2), (1, CONFIGS[1], 2))
    assert np.isnan(outcome.score[:2]).all()
    assert np.isnan(outcome.standard_error[:2]).all()
    assert np.isnan(outcome.aux["checkpoint_loss"][:2]).all()
    assert (outcome.aux["checkpoint"][:2] > 0).tolist() == [[True, False, True]] * 2  # one fold alone
    assert outcome.aux["epochs"][:2].tolist() == [[2, 1, 2]] * 2
    assert not state.kept
    assert not state.outputs
    assert not state.candidates
    assert state.best is None
    with pytest.warns(RuntimeWarning, match="trial 2 failed: it continues trial 0, whose training is not kept"):
        _, outcome = run(trainer, (2, GOOD, 4, 0), (3, GOOD, 1), state=state)
    assert np.isnan(outcome.score[0])


@pytest.mark.slow
def test_a_continued_trial_that_diverges_takes_no_other_with_it(engine):
    trainer = trainer_of(vectors(), engine=engine, folds=3, epochs=EPOCHS, continues=True)
    state, _ = run(trainer, (0, GOOD, 2), (1, GOOD | {"optimizer": "sgd"}, 2))
    state = trainer.objective.retain(state, np.array([0, 1]))
    after, outcome = run(trainer, (2, BAD, 4, 1), (3, GOOD, 4, 0), state=state)
    assert np.isnan(outcome.score[0])
    assert np.isfinite(outcome.score[1])
    assert sorted(key for key in after.kept if key > 1) == [3]
    assert len(after.kept[3].states) == 3


# --- a trial in several launches -----------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("continues", [False, True])
def test_chunks_that_divide_a_trial_s_folds_give_the_same(continues, monkeypatch):
    """Launches of two lanes, of trials of three."""
    options = {"engine": "vmap", "folds": 3, "epochs": EPOCHS, "patience": 2, "continues": continues}
    found = []
    for size in (16, 2):
        trainer = trainer_of(vectors(), **options)
        trainer.plan = trainer.plan._replace(buckets=(Bucket(8, 2, Variant(), (8,), size, 0),))
        launched, execute = [], trainer.executor.run

        def noted(launches, *rest, launched=launched, execute=execute):
            launched.extend(launches)
            return execute(launches, *rest)

        monkeypatch.setattr(trainer.executor, "run", noted)
        state, outcome = run(trainer, *ASK[:3])
        assert sorted(lane for launch in launched for lane in launch.lanes.tolist()) == list(range(9))
        assert len(launched) == (1 if size == 16 else 5)
        if continues:
            state = trainer.objective.retain(state._replace(best=None), np.array([0, 2]))
            assert not state.kept  # their budget was the most
            state, _ = run(trainer, *((trial, config, 2) for trial, config, _ in ASK[:3]))
            state = trainer.objective.retain(state, np.array([0, 2]))
            state, outcome = run(trainer, (4, CONFIGS[0], EPOCHS, 0), (5, CONFIGS[2], EPOCHS, 2), state=state)
        found.append((state, outcome))
    (here, whole), (there, divided) = found
    for name in (*CURVES, "checkpoint_loss"):
        np.testing.assert_allclose(divided.aux[name], whole.aux[name], rtol=1e-4, atol=1e-5)
    for name in COUNTS:
        np.testing.assert_array_equal(divided.aux[name], whole.aux[name])
    np.testing.assert_allclose(divided.score, whole.score, atol=1e-6)
    assert np.isfinite(whole.score).all()
    for trial in here.outputs:
        np.testing.assert_allclose(there.outputs[trial], here.outputs[trial], rtol=1e-3, atol=1e-4)


@pytest.mark.slow
def test_little_memory_divides_them(monkeypatch):
    options = {"engine": "vmap", "folds": 3, "epochs": 2, "lanes": 32}
    plenty = trainer_of(vectors(), **options)
    needed = plenty.plan.buckets[-1].bytes / 2**30
    little = trainer_of(vectors(), memory=needed / 3, **options)
    assert little.plan.buckets[-1].size < plenty.plan.buckets[-1].size
    lanes = [(trial, GOOD | {"dropout": trial / 100}, 2) for trial in range(32)]
    (_, whole), (_, divided) = run(plenty, *lanes), run(little, *lanes)
    assert plenty.report()["trials"] == little.report()["trials"]
    np.testing.assert_allclose(divided.aux["validation_loss"], whole.aux["validation_loss"], rtol=1e-4)
    np.testing.assert_array_equal(divided.aux["checkpoint"], whole.aux["checkpoint"])
    np.testing.assert_allclose(divided.score, whole.score, atol=1e-6)


def test_every_copy_of_a_trial_has_a_key_of_its_own():
    """The first has the trial's, so that one fold or repeat is a trial without them; no other one is any trial's."""
    copies, key = np.arange(3, dtype=np.int32), jax.random.key(1)
    programs = trainer_of(vectors(), folds=3).programs
    point = np.stack([SPACE.from_config(GOOD)] * 3)

    def keys(trial, copy):
        lanes = programs._lanes(key, point, copies, copies >= 0, np.full(3, trial, np.int32), copy)
        assert (lanes.fold is None) == (copy is None)
        return [tuple(row) for row in np.asarray(jax.random.key_data(lanes.key)).tolist()]

    plain = keys(4, None)
    assert len(set(plain)) == 1
    assert keys(4, copies)[0] == plain[0]
    several = {trial: keys(trial, copies) for trial in range(6)}
    assert len({own for each in several.values() for own in each}) == 18


def test_what_is_asked_of_lanes():
    from jaxhpo.training.planning.resources import default_lanes, read_resources

    asked = read_resources(None, Machine(), False, Stopping(), folds=5)
    assert (asked.folds, asked.repeats, asked.trainings) == (5, 1, 5)
    assert asked.lanes == max(2, default_lanes() // 5)
    assert read_resources(3, Machine(), False, Stopping(), repeats=64).trainings == 64
    for name in ("folds", "repeats"):
        for wrong in (0, 65, 2.0, True, None):
            with pytest.raises(ValueError, match=rf"{name}={wrong} must be an integer"):
                read_resources(2, Machine(), False, Stopping(), **{name: wrong})
    with pytest.raises(ValueError, match=r"repeats=2 cannot go with folds=3; a trial has the one or the other"):
        read_resources(2, Machine(), False, Stopping(), folds=3, repeats=2)
