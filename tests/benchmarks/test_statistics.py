"""Statistics against numbers computed by hand."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.quality import statistics
from benchmarks.quality.store import Run
from benchmarks.tables import quality, report
from benchmarks.tables.pictures import quality as pictures
from jaxhpo.study.statistics import interval


def run(who, task, regrets, *, seeds=None, kind="ours", lanes=1):
    """Return a run whose seeds have one regret each, from the first evaluation on."""
    seeds = list(range(len(regrets))) if seeds is None else seeds
    curves = [[1, regret] for regret in regrets]
    return Run(who, kind, task, "analytic", "0", lanes, 100, seeds, "v", curves=curves)


TWO = [
    run("a", "branin", [0.1, 0.3]),
    run("b", "branin", [0.4, 0.2]),
    run("a", "ackley5", [0.0, 0.2]),
    run("b", "ackley5", [0.2, 0.4]),
]


def test_an_infinite_end_is_null_in_json_and_inf_in_tables():
    found = interval(2.0, [1.0] * 90 + [np.inf] * 10)
    assert report._plain(found) == [2.0, 1.0, None]
    assert " ".join(quality._interval(report._plain(found), ".1f").split()) == "2.0 (1.0 to inf)"


def test_differences_and_ratios_are_paired():
    made = statistics.board(TWO, (1, 100))
    assert (made.who, made.tasks) == (("a", "b"), ("ackley5", "branin"))
    assert statistics.differences(made, "b", 100)["a"].value == pytest.approx(-0.15)
    ratios = statistics.ratios(made, "a", 100)
    assert ratios["b"].value == pytest.approx(0.15 / 0.3)
    assert ratios["a"] == (1.0, 1.0, 1.0)
    same = statistics.differences(statistics.board([*TWO[:1], run("c", "branin", [0.2, 0.4])], (1,)), "c", 1)["a"]
    assert same == pytest.approx((-0.1, -0.1, -0.1))  # every seed differs by as much


def test_searchers_that_did_every_task_are_compared_whatever_their_seeds():
    runs = [*TWO, run("c", "branin", [0.9], seeds=[1]), run("c", "ackley5", [0.8, 0.7]), run("d", "branin", [0.1, 0.1])]
    made = statistics.board(runs, (100,))
    assert made.who == ("a", "b", "c")
    np.testing.assert_allclose(made.of("a")[..., 0], [[0.0, 0.2], [0.1, 0.3]])
    np.testing.assert_allclose(made.of("c")[..., 0], [[0.8, 0.7], [0.9, np.nan]])
    assert statistics.differences(made, "a", 100)["c"].value == pytest.approx(0.825 - 0.15)


def test_a_run_that_ended_before_is_not_on_the_board():
    short = replace(run("c", "branin", [0.9]), evals=50)
    assert statistics.board([*TWO, short], (10, 100), needs=["branin"]).who == ("a", "b")
    assert statistics.board([*TWO, short], (10, 50), needs=["branin"]).who == ("a", "b", "c")


def test_epochs_of_whole_and_of_stopped_trials_are_counted_alike():
    whole = Run("a", "ours", "digits_mlp", "curves", "0", 1, 10, [0], "v", budget=27, curves=[[1, 0.5, 5, 0.2]])
    parts = replace(whole, who="b", unit="epochs", curves=[[27, 0.5, 136, 0.2]])
    made = statistics.by_epochs([whole, parts], (0.1, 0.5, 1.0), ["digits_mlp"], 10)
    assert made.at == (100, 500, 1000)
    assert made.of("a").ravel().tolist() == [0.5, 0.2, 0.2]
    assert made.of("b").ravel().tolist() == [0.5, 0.5, 0.2]  # one epoch late
    assert statistics.by_epochs([whole], (1.0,), ["digits_mlp"], 20).who == ()


def test_before_the_first_success_regret_is_the_medians():
    late = Run("a", "ours", "branin", "analytic", "0", 1, 100, [0], "v", curves=[[5, 0.2]])
    assert statistics.board([late], (4, 5)).regret.ravel().tolist() == [1.0, 0.2]


def test_mean_ranks_by_hand():
    runs = [*TWO, run("c", "branin", [0.4, 0.1]), run("c", "ackley5", [0.3, 0.5])]
    ranks = statistics.mean_ranks(statistics.board(runs, (100,)), 100)
    # Means on branin: a .2, b .3, c .25; on ackley5: a .1, b .3, c .4.
    assert {who: rank.value for who, rank in ranks.items()} == pytest.approx({"a": 1.0, "b": 2.5, "c": 2.5})
    assert ranks["a"].low == 1.0
    assert ranks["b"].high > 2.5


def test_the_critical_difference_of_demsars_tables():
    rng = np.random.default_rng(0)
    who, names = "abcd", [f"t{i}" for i in range(14)]
    runs = [run(w, name, [rng.uniform() + i]) for i, w in enumerate(who) for name in names]
    found = statistics.critical_difference(statistics.board(runs, (100,)), 100)
    assert found.critical == pytest.approx(2.569 * np.sqrt(4 * 5 / (6 * 14)), abs=2e-3)  # q of four at 5%: 2.569
    assert list(found.ranks) == list(who)
    assert found.p_value < 1e-6


def test_evaluations_to_a_target():
    runs = [Run("a", "ours", "t", "f", "0", 1, 100, [0, 1, 2], "v", curves=[[1, 0.5, 7, 0.1], [3, 0.0], [1, 0.5]])]
    assert statistics.reached(runs, 0.1)["a"] == (7.0, pytest.approx(2 / 3))
    assert statistics.reached(runs, 0.0)["a"] == (float("inf"), pytest.approx(1 / 3))


def test_groups_are_the_longest_that_are_not_told_apart():
    assert pictures.groups([1.0, 1.5, 2.4, 4.0], 1.0) == [(1.0, 1.5), (1.5, 2.4)]
    assert pictures.groups([1.0, 1.2, 1.4], 1.0) == [(1.0, 1.4)]
    assert pictures.groups([1.0, 3.0], 1.0) == []


def test_the_summary_and_its_tables_and_pictures(tmp_path):
    from benchmarks.tables.quality import against_table, epochs_table, families_table, headline, regret_table

    searchers = {"random_search": ("ours", 0.5), "genetic": ("ours", 0.1), "optuna_tpe": ("peer", 0.2)}
    names = ("branin", "ackley5", "digits_mlp")
    runs = [
        run(who, name, [level + 0.01 * i, level], kind=kind, lanes=lanes)
        for who, (kind, level) in searchers.items()
        for i, name in enumerate(names)
        for lanes in (1,)
    ]
    made = report.summarise(runs) | {"measured_on": {"versions": {"jax": "0"}}}
    assert list(made["overall"]) == ["genetic", "optuna_tpe", "random_search"]
    assert made["overall"]["genetic"]["rank"][0] == 1.0
    assert made["overall"]["random_search"]["to_target"] is None
    assert made["against"]["genetic"]["optuna_tpe"]["100"][0] == pytest.approx(0.105 / 0.205, rel=1e-3)
    assert "| `genetic` | 0.105 |" in regret_table(made)
    assert "Optuna TPE" in families_table(made)
    assert made["against"]["genetic"]["optuna_tpe"]["tasks"] == 3
    assert "| Optuna TPE | 0.2100 (" in epochs_table(made)
    assert "| Optuna TPE | 0.51 (" in against_table(made, "genetic")
    said = headline(made, [("genetic", "optuna_tpe")])
    assert "the regret of `genetic` is\n\n- 0.51 (" in said
    assert said.endswith("of that of Optuna TPE")
    pytest.importorskip("matplotlib")
    pictures.write(runs, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir())[-2:] == ["ranks.png", "regret.png"]


def test_what_a_prior_brings_to_a_family_at_every_count():
    from benchmarks.tables.quality import prior_table

    def study(who, level):
        curves = [[1, 2 * level, 15, level, 40, level / 2]]
        return Run(who, "ours", "branin", "analytic", "0", 1, 100, [0], "v", curves=curves)

    alone = report.summarise([study("q_learning", 0.2), study("genetic", 0.4)])
    assert alone["prior"] == {}
    found = report.summarise([study("q_learning", 0.2), study("q_learning_no_prior", 0.4), study("genetic", 0.1)])
    made = found["prior"]["analytic"]
    assert made["with"] == [0.4, 0.2, 0.2, 0.1, 0.1]
    assert made["without"] == [0.8, 0.4, 0.4, 0.2, 0.2]
    assert made["difference"] == [[-0.4] * 3, [-0.2] * 3, [-0.2] * 3, [-0.1] * 3, [-0.1] * 3]
    said = prior_table(found, "analytic").splitlines()
    assert said[0] == "| `q_learning` on analytic functions | after 10 | after 20 | after 30 | after 50 | after 100 |"
    assert said[2] == "| with the prior | 0.400 | 0.200 | 0.200 | 0.100 | 0.100 |"
    assert said[3] == "| without | 0.800 | 0.400 | 0.400 | 0.200 | 0.200 |"
    assert " ".join(said[4].split()).startswith("| difference | -0.400 (-0.400 to -0.400) | -0.200")
