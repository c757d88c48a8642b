"""Rules for winner and ensemble against weights, scores and losses computed by hand."""

import json
import math
import sys

import numpy as np
import pytest

from benchmarks import record
from benchmarks.value import run
from benchmarks.value.recorded import Recorded, read, write
from benchmarks.value.rules import __main__ as command
from benchmarks.value.rules import choosing
from benchmarks.value.rules.choosing import by_error, by_gap, greedy, level, mean_of, rules, winner
from benchmarks.value.rules.pool import Pool, figures_of, held_out_losses, pool_of

PROBLEM = {"kind": "table", "half": "tuning", "rows": 4, "seconds": 5.0, "method": "gp", "split": 0}


def recorded(losses=(0.5, 0.2, 0.9), sources=(-1, -1, -1), kept=(0, 1, 2), **about):
    """Three trials on two held-out and two test examples of two classes."""
    logits = np.log([[[0.9, 0.1], [0.6, 0.4]], [[0.8, 0.2], [0.2, 0.8]], [[0.5, 0.5], [0.5, 0.5]]])
    return Recorded(
        about={"problem": "small", "task": "classification", "deviation": 1.0} | PROBLEM | about,
        y_valid=np.array([0, 1]),
        y_test=np.array([0, -1]),
        trials=np.array([0, 1, 2]),
        sources=np.array(sources),
        scores=np.array([0.5, 1.0, 0.5]),
        losses=np.array(losses),
        configs=[{"batch_size": 16}, {"batch_size": 32}, {"batch_size": 64}],
        valid=logits.astype(np.float32),
        tested=np.array(kept),
        test=(logits[list(kept)] + 3).astype(np.float32),  # which changes no probability
    )


def values(valid, losses=None, scores=None, y=(0.0, 2.0)):
    """Return a pool of predictions; the variance of the targets is 1."""
    valid = np.array(valid, np.float64)
    order = np.arange(len(valid), dtype=float)
    losses, scores = (order if given is None else np.array(given) for given in (losses, scores))
    return Pool(0, scores, losses, valid, np.array(y), valid, np.array(y), 2.0)


def test_a_record_is_read_as_it_was_written(tmp_path):
    file = tmp_path / "new" / "study.npz"
    write(file, recorded())
    found = read(file)
    for name, value in recorded()._asdict().items():
        np.testing.assert_array_equal(getattr(found, name), value)
    assert [path.name for path in file.parent.iterdir()] == ["study.npz"]


def test_a_pool_has_the_lowest_loss_first():
    pool = pool_of(recorded())
    np.testing.assert_allclose(pool.losses, [0.2, 0.5, 0.9])
    np.testing.assert_allclose(pool.scores, [1.0, 0.5, 0.5])
    np.testing.assert_allclose(pool.valid, [[0.8, 0.8], [0.9, 0.4], [0.5, 0.5]], rtol=1e-6)
    np.testing.assert_allclose(pool.test[0], [[0.8, 0.2], [0.2, 0.8]], rtol=1e-6)
    np.testing.assert_allclose(held_out_losses(pool, pool.valid)[2], math.log(2), rtol=1e-6)


def test_trials_that_cannot_be_chosen_are_left_out():
    assert pool_of(recorded(losses=(0.5, math.nan, 0.9))).losses.tolist() == [0.5, 0.9]
    assert pool_of(recorded(kept=(2, 0))).losses.tolist() == [0.5, 0.9]  # without weights
    assert pool_of(recorded(sources=(-1, 0, -1))).losses.tolist() == [0.2, 0.9]  # trial 1 continues trial 0
    with pytest.raises(ValueError, match="no trial with a loss and test outputs"):
        pool_of(recorded(losses=(math.nan,) * 3))


def test_the_mean_is_of_probabilities():
    score, loss = figures_of(pool_of(recorded()), np.array([0.5, 0.5, 0.0]))
    assert score == 0.5  # 0.85 for the first; the second is of a class that training lacks
    assert loss == pytest.approx(-(math.log(0.85) + math.log(np.finfo(np.float32).eps)) / 2, rel=1e-6)


def test_predictions_are_averaged():
    pool = values([[0.0, 2.0], [4.0, 2.0]])
    assert held_out_losses(pool, pool.valid).tolist() == [[0, 0], [16, 0]]
    score, loss = figures_of(pool, np.array([0.5, 0.5]))  # errors 2 and 0
    assert score == -1
    assert loss == pytest.approx(math.log(math.sqrt(2) / 2))


def test_a_winner_has_the_best_score_and_then_the_lowest_loss():
    assert winner(values(np.zeros((3, 2)), scores=[0.5, 0.7, 0.7])).tolist() == [0, 1, 0]


def test_the_lowest_losses_have_equal_weights():
    pool = values(np.zeros((4, 2)))
    assert mean_of(1, pool).tolist() == [1, 0, 0, 0]
    assert mean_of(2, pool).tolist() == [0.5, 0.5, 0, 0]
    assert mean_of(9, pool).tolist() == [0.25] * 4


def test_weights_fall_with_the_loss():
    pool = values(np.zeros((4, 2)), losses=[0.0, math.log(2), math.log(4), 20.0])
    np.testing.assert_allclose(by_gap(2, 9, pool), [4 / 7, 2 / 7, 1 / 7, 0])  # two examples; the last has too little
    np.testing.assert_allclose(by_gap(2, 2, pool), [2 / 3, 1 / 3, 0, 0])


def test_gaps_in_standard_errors():
    # Losses 0 0, 0 2 and 1 3: gaps 1 +- 1 and 2 +- 1
    pool = values([[0.0, 2.0], [0.0, 2 + math.sqrt(2)], [1.0, 2 + math.sqrt(3)]])
    shares = np.exp([0.0, -1.0, -2.0])
    np.testing.assert_allclose(by_error(9, pool), shares / shares.sum())
    np.testing.assert_allclose(level(9, values([[0.0, 2.0], [0.0, 3.0], [3.0, 5.0]])), [0.5, 0.5, 0])
    assert level(1, pool).tolist() == [1, 0, 0]


def test_greedy_selection_takes_what_lowers_the_loss():
    pool = values([[1.0, 3.0], [5.0, 5.0], [-3.0, -1.0]])  # errors 1 1, 5 3 and -3 -3: the first three times, the last
    np.testing.assert_allclose(greedy(0, 0, pool), [0.75, 0, 0.25])
    np.testing.assert_allclose(greedy(1, 0, pool), [0.75, 0, 0.25])
    perfect = values([[0.0, 2.0], [1.0, 1.0]])
    assert greedy(0, 0, perfect).tolist() == [1, 0]
    assert greedy(2, 0, perfect)[1] == pytest.approx(1 / (2 + choosing.STEPS))  # it was there from the start


def test_greedy_selection_over_resamplings():
    pool = values([[0.0, 5.0], [3.0, 2.0]])  # each is right about one example
    found = greedy(0, 40, pool)
    assert found.sum() == pytest.approx(1)
    assert (found > 0.2).all()
    assert greedy(0, 40, pool).tolist() == found.tolist()


def test_every_rule_gives_weights():
    rng = np.random.default_rng(0)
    for pool in (pool_of(recorded()), values(rng.normal(size=(12, 2)))):
        for name, rule in rules().items():
            weights = rule(pool)
            assert weights.shape == pool.losses.shape, name
            assert weights.min() >= 0, name
            assert weights.sum() == pytest.approx(1), name


@pytest.fixture
def studies(tmp_path):
    """The file of three studies, with records of two of them."""
    file = tmp_path / "lines.jsonl"
    lines = [PROBLEM | {"problem": name, "score": 0.5, "loss": 1.0} for name in ("small", "other", "lost")]
    lines += [lines[0] | {"method": "gp+ensemble"}, lines[0] | {"split": 1, "error": "no"}]
    lines[-1].pop("score")
    for line in lines[:2]:
        write(run.records(file) / run.record_name(line), recorded())
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return file


def test_studies_with_a_record_are_compared(studies):
    lines = command.recorded_lines(studies)
    assert [line["problem"] for line in lines] == ["small", "other"]
    found = command.compared(command.figures(lines, run.records(studies)), "winner")
    assert (found["gp"]["studies"], found["gp"]["problems"]) == (2, ["other", "small"])
    rows = found["gp"]["variants"]
    gain = -math.log((0.8 + 0.9 + 0.5) / 3 / 0.8) / 2
    assert rows["mean of 3"]["trials"] == 3
    assert rows["mean of 3"]["loss"]["value"] == pytest.approx(gain, abs=2e-6)
    assert [rows["mean of 3"]["loss"][name] for name in ("wins", "level", "losses")] == [0, 0, 2]


def test_the_command_writes_and_shows(studies, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(record, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(sys, "argv", ["rules", str(studies), "--baseline", "mean of 3"])
    command.main()
    said = capsys.readouterr().out
    assert "### gp (problems: 2, studies: 2)" in said
    assert "| mean of 3 | 3.0 | +0.0000 (+0.0000 to +0.0000) | 0 / 2 / 0 |" in said
    kept = json.loads((tmp_path / "results" / "value" / "rules.json").read_text())
    assert kept["baseline"] == "mean of 3"
    assert set(kept["compared"]["gp"]["variants"]) == set(rules())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--baseline", "best"), "rule 'best' is unknown; known are 'winner'"),
        (("nowhere.jsonl",), "has no line of a study with a record in nowhere; run the studies first"),
    ],
)
def test_what_the_command_refuses(arguments, message, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["rules", *arguments])
    with pytest.raises(SystemExit):
        command.main()
    assert message in " ".join(capsys.readouterr().err.split())


def test_the_reporting_half_chooses_no_rule(studies):
    studies.write_text(studies.read_text().replace('"half": "tuning"', '"half": "reporting"'))
    with pytest.raises(ValueError, match="problem 'small' is not of the half 'tuning'"):
        command.recorded_lines(studies)
