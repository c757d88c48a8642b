"""A trainer reports each lane as its chunk ends, and leaves out lanes whose results are known."""

import numpy as np
import pytest

import jaxhpo as jh
from jaxhpo.training import Machine, Trainer
from jaxhpo.tuning import TrainingStudy
from jaxhpo.types import LaneResult
from tests.training.test_lanes import SPACE

EPOCHS = 2

CURVES = ("curve", "loss", "validation_loss")


def study(data, engine, **options):
    trainer = Trainer(data, "mlp", SPACE, epochs=EPOCHS, lanes=4, machine=Machine(engine=engine))
    algorithm = jh.algorithms.random_search(SPACE, lanes=4, budget=EPOCHS)
    return TrainingStudy(trainer, algorithm, **options).run(8)


@pytest.mark.slow_but_for("threads")
@pytest.mark.parametrize("engine", ["threads", "vmap"])
def test_what_is_reported_is_what_the_study_has_and_what_is_known_is_not_trained(engine, small_digits):
    seen = []
    plain = study(small_digits, engine, on_trial=seen.append)
    assert sorted(trial.trial for trial in seen) == list(range(8))
    assert [trial.round for trial in seen] == [0] * 4 + [1] * 4
    for trial in seen:
        same = plain.finished[trial.trial]
        assert (trial.score, trial.config, trial.lane) == (same.score, same.config, same.lane)
        assert set(trial.aux) == set(same.aux) == {*CURVES, "updates", "epochs", "checkpoint", "checkpoint_loss"}
        for name, value in trial.aux.items():
            np.testing.assert_array_equal(value, same.aux[name])

    known = {t.trial: LaneResult(t.score, t.aux) for t in plain.finished if t.trial in (1, 2, 6)}
    again = []
    resumed = study(small_digits, engine, on_trial=again.append, known=known)
    assert sorted(trial.trial for trial in again) == [0, 3, 4, 5, 7]
    assert [t.score for t in resumed.finished] == [t.score for t in plain.finished]
    assert [t.config for t in resumed.finished] == [t.config for t in plain.finished]
    assert resumed.trainer.report()["trials"] == 5


def test_the_weights_of_a_known_winner_are_missed(small_digits):
    nothing = {name: np.full(EPOCHS, np.nan, np.float32) for name in CURVES}
    nothing |= {name: np.int32(0) for name in ("updates", "epochs", "checkpoint")}
    nothing |= {"checkpoint_loss": np.float32(np.nan)}
    found = study(small_digits, "threads", known={3: LaneResult(2.0, nothing)})
    assert (found.winner.trial, found.winner.score) == (3, 2.0)
    for use in (found.best_model, found.score_test):
        with pytest.raises(ValueError, match="the weights of trial 3 are not here: its result came from elsewhere"):
            use()
