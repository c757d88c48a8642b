"""How long trials train where the user does not say."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

import jaxhpo as jh
from jaxhpo.tuning.training_length import training_length

# Training examples, epochs: 48,000 updates of batches of 64, between 20 and 300 epochs.
LENGTHS = [(150, 300), (10_303, 300), (10_304, 298), (20_000, 153), (60_000, 51), (150_000, 20), (200_000, 20)]
SCHEDULED = {"schedule": jh.Choice(("constant", "cosine")), "learning_rate": jh.Float(1e-3, 1e-1, log=True)}


@pytest.mark.parametrize(("examples", "epochs"), LENGTHS)
def test_epochs_follow_from_the_examples(examples, epochs):
    found = training_length(examples, None, checkpoint="best")
    assert (found.epochs, found.stopping) == (epochs, ("best", 10 if examples < 2000 else 20))


@pytest.mark.parametrize(("examples", "epochs"), [(1, 20), (5000, 20), (5001, 5)])
@pytest.mark.parametrize("name", ["schedule", "warmup", "warmup_ratio"])
def test_a_schedule_has_fixed_epochs_and_no_patience(name, examples, epochs):
    space = jh.Space({name: SCHEDULED["schedule"] if name == "schedule" else jh.Float(0.0, 0.2)})
    found = training_length(examples, space, checkpoint="best")
    assert (found.epochs, found.stopping) == (epochs, ("best", None))
    assert training_length(examples, space, checkpoint="last", patience=3).stopping == ("last", 3)


def test_what_is_given_counts():
    found = training_length(1000, None, epochs=7, checkpoint="last", patience=2)
    assert (found.epochs, found.stopping) == (7, ("last", 2))
    assert training_length(1000, None, epochs=7, checkpoint="best").stopping.patience == 10


def test_it_is_said_in_words():
    def words(**given):
        return str(training_length(1000, None, checkpoint="best", **given))

    assert words() == "up to 300 epochs with patience 10"
    assert words(epochs=1) == "up to 1 epoch"
    assert words(epochs=30, patience=30) == "up to 30 epochs"


def test_tune_trains_as_it_says(tmp_path):
    x, y = load_digits(return_X_y=True)
    output = tmp_path / "journal.jsonl"
    options = {"model": "mlp", "trials": 2, "lanes": 2, "folds": 1, "verbose": False, "output": output}
    study = jh.tune((x[:300] / 16, y[:300]), epochs=12, patience=1, **options)
    assert study.summary["patience"] == 1
    assert study.summary["checkpoint"] == "best"
    assert "trained up to 12 epochs with patience 1;" in study.summary["overview"][1]
    for trial in study.finished:
        losses = trial.aux["validation_loss"]
        ended = int(trial.aux["epochs"])
        assert ended == 12 or losses[ended - 1] >= losses[ended - 2] == np.nanmin(losses)
    header = jh.read_journal(output).header
    assert (header["patience"], header["checkpoint"], header["epochs"]) == (1, "best", 12)


def test_a_function_has_no_epochs_to_choose_from():
    def f(key, hparams):
        return hparams["x"]

    space = jh.Space({"x": jh.Float(0.0, 1.0)})
    for given in ({"patience": 3}, {"checkpoint": "last"}):
        with pytest.raises(ValueError, match="is for data, and the trials are calls of a function; leave it out"):
            jh.tune(jh.traceable(f), space=space, verbose=False, **given)
