"""Candidates for the default spaces, and what is drawn from recorded searches, against values computed by hand."""

import json
import math
import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import jaxhpo as jh
from benchmarks import record
from benchmarks.value import methods, own, run
from benchmarks.value.problems import PROBLEMS, Parts
from benchmarks.value.recorded import write
from benchmarks.value.rules.pool import pool_of
from benchmarks.value.spaces import __main__ as command
from benchmarks.value.spaces import networks
from benchmarks.value.spaces.candidates import SPACES, space_of
from tests.benchmarks.test_value_rules import PROBLEM, recorded

TABLE = jh.data.from_arrays(np.zeros((600, 3), np.float32), np.arange(600) % 2)
TEXTS = jh.data.from_arrays(["good film", "bad film"] * 100, np.arange(200) % 2)
IMAGES = jh.data.from_arrays(np.zeros((200, 8, 8, 1), np.float32), np.arange(200) % 2)


@pytest.mark.parametrize("name", SPACES)
def test_every_candidate_has_the_eight_and_a_legal_default(name):
    data, model = {"cropped": (IMAGES, "cnn"), "paired": (TEXTS, "dan")}.get(name, (TABLE, "mlp"))
    space = space_of(name, data, model)
    assert len(space) == 8 + (name not in ("wide", "narrow"))
    assert space.default()["optimizer"] == "adam"
    assert space.to_config(space.from_config(space.default())) == space.default()
    jh.Trainer(data, model, space=space, epochs=1, lanes=2)  # which checks that the network takes it


def test_the_narrow_space_is_a_part_of_the_wide_one_but_for_small_batches():
    wide, narrow = (dict(space_of(name, TABLE, "mlp")) for name in ("wide", "narrow"))
    assert narrow.pop("batch_size") == jh.Choice((16, 32, 64, 128))
    assert wide.pop("batch_size") == jh.Choice((32, 64, 128, 256))
    assert (narrow["units"], wide["units"]) == (jh.Choice((64, 128, 256)), jh.Choice((32, 64, 128, 256)))
    assert set(narrow) == set(wide)
    for name, part in narrow.items():
        whole = wide[name]
        if isinstance(part, jh.Choice):
            assert isinstance(whole, jh.Choice)
            assert set(part.options) < set(whole.options)
        else:
            assert not isinstance(whole, jh.Choice)
            assert whole.low <= part.low < part.high <= whole.high


def test_an_unknown_candidate():
    with pytest.raises(ValueError, match="space='wider' is unknown; use one of wide, narrow"):
        space_of("wider", TABLE, "mlp")


def test_the_narrow_candidate_is_the_default_but_for_small_batches():
    for data, model in ((TABLE, "mlp"), (IMAGES, "cnn")):
        narrow, default = space_of("narrow", data, model), jh.default_space(model, data.shape, 600)
        assert default["batch_size"] == jh.Choice((32, 64, 128, 256))
        assert {**narrow, "batch_size": default["batch_size"]} == dict(default)


def test_the_space_of_a_method_is_checked_before_it_runs():
    assert methods.fits("q_learning:space=narrow", PROBLEMS["digits"])
    with pytest.raises(ValueError, match="method 'gp:space=wider': space='wider' is unknown; use one of wide, narrow"):
        methods.find("gp:space=wider")


@pytest.mark.parametrize(("model", "network"), [({}, "rnn"), ({"model": "dan"}, "dan")])
def test_a_candidate_is_searched_with_its_network(model, network, monkeypatch):
    class AskedError(Exception):
        pass

    def tune(data, **options):
        raise AskedError(options)

    monkeypatch.setattr(own.jh, "tune", tune)
    given = Parts(["good film", "bad film"] * 100, np.arange(200) % 2, ["good"], np.array([0]))
    with pytest.raises(AskedError) as asked:
        own.tuned(PROBLEMS["headlines"], given, 1.0, 0, algorithm="gp", space="narrow", **model)
    (options,) = asked.value.args
    assert options["model"] == network
    assert ("cell" in options["space"]) == (network == "rnn")


def test_what_is_drawn_keeps_its_order():
    pool = pool_of(recorded())
    several = [command.drawn(pool, 2, seed) for seed in range(20)]
    assert {tuple(one.losses.tolist()) for one in several} == {(0.2, 0.5), (0.2, 0.9), (0.5, 0.9)}
    assert all(one.valid.shape == (2, 2) and one.test.shape == (2, 2, 2) for one in several)
    assert command.drawn(pool, 9, 0).losses.tolist() == [0.2, 0.5, 0.9]


@pytest.fixture
def studies(tmp_path):
    """The file of a problem with two candidates, and of one with the first of them."""
    file = tmp_path / "lines.jsonl"
    made = []
    first, second = (0.5, 0.2, 0.9), (0.2, 0.9, 0.5)
    for problem, space, losses in (("small", "wide", first), ("small", "narrow", second), ("big", "wide", first)):
        line = PROBLEM | {
            "problem": problem,
            "method": f"random_search:space={space},trials=3",
            "score": 0.5,
            "loss": 1,
        }
        write(run.records(file) / run.record_name(line), recorded(losses=losses))
        made.append(json.dumps(line) + "\n")
    file.write_text("".join(made))
    return file


def test_candidates_are_compared_where_both_are(studies, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(record, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(sys, "argv", ["spaces", str(studies), "--trials", "1"])
    command.main()
    assert "### tables, winner (problems: 1, studies: 1)" in capsys.readouterr().out
    kept = json.loads((tmp_path / "results" / "value" / "spaces.json").read_text())["compared"]
    for end in ("winner", "ensemble"):  # one trial is both
        assert kept[f"tables, {end}"]["problems"] == ["small"]
        assert set(kept[f"tables, {end}"]["variants"]) == {"wide", "narrow", "larger"}
    monkeypatch.setattr(sys, "argv", ["spaces", str(studies), "--trials", "3"])
    command.main()
    kept = json.loads((tmp_path / "results" / "value" / "spaces.json").read_text())["compared"]
    # The winner has the best score, 1: of the wide space trial 1, whose test probability is .8, and so of the other.
    assert kept["tables, winner"]["variants"]["narrow"]["loss"]["value"] == 0
    assert kept["tables, ensemble"]["variants"]["narrow"]["loss"]["value"] == 0  # all three, in both
    assert "larger" not in kept["tables, winner"]["variants"]  # which has two of the three


def test_a_part_of_a_candidate_has_the_trials_that_fulfil_its_condition(studies):
    lines = [line for line in command.recorded_lines(studies) if "space=narrow" in line["method"]]
    found = command.figures(lines, run.records(studies), trials=2, draws=3)
    by_name = {(line["method"], line["study"]): line for line in found}
    assert {method for method, _ in by_name} == {"narrow", "larger"}
    # Batches of 32 and 64: their test probabilities of the first class are .8 and .5.
    both = -(math.log(0.65) + math.log(np.finfo(np.float32).eps)) / 2
    assert by_name["larger", "tables, ensemble"]["loss"] == pytest.approx(both, rel=1e-6)
    assert by_name["larger", "tables, ensemble"]["trials"] == 2


def test_a_mean_over_draws_is_that_of_the_trials(studies):
    lines = [line for line in command.recorded_lines(studies) if line["problem"] == "big"]
    found = command.figures(lines, run.records(studies), trials=1, draws=400)
    least = np.finfo(np.float32).eps
    each = [-(math.log(first) + math.log(least)) / 2 for first in (0.9, 0.8, 0.5)]
    assert found[0]["loss"] == pytest.approx(np.mean(each), abs=3 * np.std(each) / math.sqrt(400))
    assert [line["study"] for line in found] == ["tables, winner", "tables, ensemble"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--trials", "0"), "--trials 0 must be at least 1"),
        (("--baseline", "broad"), "candidate 'broad' has no split in"),
    ],
)
def test_what_the_command_refuses(arguments, message, studies, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["spaces", str(studies), *arguments])
    with pytest.raises(SystemExit):
        command.main()
    assert message in " ".join(capsys.readouterr().err.split())


def test_a_study_without_a_named_space_is_refused(studies):
    with pytest.raises(ValueError, match="searched no space by name; give it space=NAME"):
        command.candidate_of(PROBLEM)


def test_networks_are_compared_seed_by_seed(monkeypatch):
    frame = pd.DataFrame({"x": np.arange(40.0)})
    small = PROBLEMS["credit"]._replace(load=lambda: (frame, np.arange(40) % 2))
    monkeypatch.setitem(PROBLEMS, "credit", small)
    asked = []

    def own(problem, x, y, settings, seed, folds):
        asked.append((len(x), len(y), settings.batch, folds))
        return {"standard": 0.5 + 0.1 * seed, "piecewise": 0.2 + 0.1 * seed}

    monkeypatch.setattr(networks, "own", own)
    monkeypatch.setattr(networks, "plain", lambda *how: 0.4 + (0.2 if how[-2] else 0.0))
    found = networks.compared("credit", seeds=2, folds=3)
    assert asked == [(30, 30, 32, 3)] * 2
    assert found["rows"] == 30
    assert found["losses"]["flax"] == pytest.approx([0.4, 0.6])
    # Differences are .1 and 0, and -.2 and -.3.
    assert found["differences"]["standard"] == pytest.approx({"mean": 0.05, "standard_error": 0.05})
    assert found["differences"]["piecewise"] == pytest.approx({"mean": -0.25, "standard_error": 0.05})
    assert networks.compared("credit", seeds=1, folds=3)["differences"]["standard"]["standard_error"] is None


def test_plain_flax_holds_out_every_row_once(monkeypatch):
    held_out, y = [], np.arange(61) % 2

    def train(problem, x, y, seed, deadline, settings, parts):
        rows, held = parts
        assert sorted([*rows, *held]) == list(range(61))
        held_out.append(held)
        return SimpleNamespace(loss=float(len(held_out)))  # 1 and 2

    monkeypatch.setattr(networks.hand_written, "train", train)
    settings = networks.hand_written.Settings(batch=16)
    loss = networks.plain(PROBLEMS["credit"], None, y, settings, 0, 2)
    assert sorted(np.concatenate(held_out)) == list(range(61))
    assert loss == pytest.approx((len(held_out[0]) + 2 * len(held_out[1])) / 61)
    assert networks.config(settings, "piecewise") == {
        "learning_rate": 1e-3,
        "batch_size": 16,
        "layers": 2,
        "units": 128,
        "dropout": 0.2,
        "l1": 0.0,
        "l2": 0.0,
        "optimizer": "adam",
        "representation": "piecewise",
    }
