"""Our methods are found, measured and counted as they should be."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks.quality import __main__ as command
from benchmarks.quality import ours, store, tasks
from benchmarks.quality.settings import Setting
from benchmarks.tables import report
from jaxhpo import algorithms
from jaxhpo.algorithms import registry
from jaxhpo.types import Outcome, Proposal

_FEW = Setting(4, 10, 2)
_RANDOM = ours.Method("random_search", "random_search", {})


def test_every_registered_method_runs():
    assert {method.who for method in ours.methods()} >= set(algorithms.names())
    assert [command.chosen_methods("random_search", False)] == [[_RANDOM]]
    with pytest.raises(ValueError, match="method 'nothing' is unknown"):
        command.chosen_methods("nothing", False)


def test_runs_are_kept_and_not_made_again(tmp_path):
    (made,) = ours.run(["branin"], [_FEW], chosen=[_RANDOM], root=tmp_path)
    assert store.load(tmp_path) == [made]
    assert made.kind == "ours"
    assert [curve[-2] <= 10 for curve in made.curves] == [True, True]
    assert list(ours.run(["branin"], [_FEW], chosen=[_RANDOM], root=tmp_path)) == []
    (again,) = ours.run(["branin"], [_FEW], chosen=[_RANDOM], root=tmp_path, again=True)
    assert again.curves == made.curves


def test_studies_in_turn_are_the_same(monkeypatch):
    (beside,) = ours.run(["branin_noisy"], [_FEW], chosen=[_RANDOM], root=None)
    monkeypatch.setattr(ours, "_ONE_BY_ONE", frozenset({"random_search"}))
    (in_turn,) = ours.run(["branin_noisy"], [_FEW], chosen=[_RANDOM], root=None)
    assert in_turn.curves == beside.curves


def test_a_method_that_refuses_a_task_is_kept_as_skipped(tmp_path):
    refused = ours.Method("tabular_q_odd", "tabular_q", {"gamma": 2.0})
    (made,) = ours.run(["branin"], [_FEW], chosen=[refused], root=tmp_path)
    assert "gamma" in made.skipped
    assert made.curves == []
    assert list(ours.run(["branin"], [_FEW], chosen=[refused], root=tmp_path)) == []


def test_epochs_of_continued_trials_are_counted_once():
    budget, source = np.array([3, 3, 9, 27, 1]), np.array([-1, -1, 0, 2, -1])
    assert store.epochs_spent(budget, source).tolist() == [3, 6, 12, 30, 31]


def test_a_trial_is_judged_at_its_own_budget():
    task = tasks.load("digits_mlp")
    rng = np.random.default_rng(0)
    levels = rng.integers(0, task.space.level_counts, (200, len(task.space))).astype(np.int32)
    early, whole = (task.score(levels, np.full(200, epochs)) for epochs in (9, 27))
    row = int(np.argmax(early - whole))  # it has gone down since
    assert early[row] > whole[row]
    point = np.asarray(task.space.from_levels(levels[[row]]))[None, None]
    proposal = Proposal(
        point, np.full((1, 1, 1), 9), np.full((1, 1, 1), -1), np.ones((1, 1, 1), bool), np.zeros((1, 1, 1))
    )
    record = SimpleNamespace(
        proposal=proposal, outcome=Outcome(early[[row]].reshape(1, 1, 1), {}, np.full((1, 1, 1), np.nan))
    )
    assert ours._study(task, record, 0, 1) == [1, pytest.approx(float(task.regret(early[row])), rel=1e-3)]


def test_a_method_that_trains_in_part_may_spend_as_many_epochs(monkeypatch):
    def partial(space, *, lanes, budget=1):
        return algorithms.random_search(space, lanes=lanes, budget=max(1, budget // 3))

    monkeypatch.setitem(registry._ENTRIES, "partial", registry.Entry(partial, "", ""))
    monkeypatch.setattr(ours, "version", lambda name: "0")
    method = ours.Method("partial", "partial", {})
    (whole, curves) = ours.run(["branin", "digits_cnn"], [_FEW], chosen=[method], root=None)
    assert (whole.unit, curves.unit, curves.limit) == ("evaluations", "epochs", 270)
    counts = np.concatenate([curve[::2] for curve in curves.curves])
    assert np.all(counts % 9 == 0)
    assert 90 < counts.max() <= 270  # more than ten trials


def test_the_version_is_of_the_code_that_counts():
    assert ours.version("random_search") != ours.version("tabular_q")
    needed = ours._imports("jaxhpo.algorithms.tabular_q.tabular_q")
    assert {"jaxhpo.algorithms.tabular_q.tabular_q", "jaxhpo.algorithms.tabular_q.q_table"} <= needed
    assert "jaxhpo.algorithms.sampling.random_search" not in needed
    learned = ours._imports("jaxhpo.algorithms.q_learning.q_learning")
    assert {"jaxhpo.priors.learned_prior", "jaxhpo.algorithms.gp.kernel"} <= learned


def test_tasks_are_chosen_by_name_or_family():
    assert command.chosen_tasks("nasbench201,branin", False, False) == [*tasks.names("nasbench201"), "branin"]
    assert command.chosen_tasks(None, True, False) == tasks.names("hpobench")
    assert "hpobench_car" not in command.chosen_tasks(None, False, False)
    with pytest.raises(ValueError, match="see --verdict"):
        command.chosen_tasks("hpobench", False, False)


def test_every_look_at_the_verdict_is_logged(tmp_path):
    command.log_verdict("the first", ["hpobench_car"], ["gp"], tmp_path)
    command.log_verdict("the second", ["hpobench_car"], ["gp"], tmp_path)
    rows = [json.loads(line) for line in (tmp_path / "verdicts.jsonl").read_text().splitlines()]
    assert [row["reason"] for row in rows] == ["the first", "the second"]
    assert set(rows[0]) == {"date", "commit", "reason", "tasks", "methods"}


def test_a_report_of_the_verdict_is_a_look_too(monkeypatch):
    looks, reports = [], []
    monkeypatch.setattr(command, "log_verdict", lambda reason, names, methods: looks.append((reason, names)))
    monkeypatch.setattr(report, "write", lambda *, verdict: reports.append(verdict))
    monkeypatch.setattr("sys.argv", ["quality", "--report", "--verdict", "why"])
    command.main()
    monkeypatch.setattr("sys.argv", ["quality", "--report"])
    command.main()
    assert looks == [("why", tasks.names("hpobench"))]
    assert reports == [True, False]


def test_slow_methods_and_variants_are_run_with_less():
    plain, gp, other = (ours.Method("a", "random_search", {}), ours.Method("gp", "gp", {}), ours._VARIANTS[0])
    branin, one, batch = tasks.load("branin"), Setting(1, 100, 20), Setting(8, 256, 20)
    assert [plain.within(each, branin) for each in (one, batch)] == [one, batch]
    assert [gp.within(each, branin) for each in (one, batch)] == [one, Setting(8, 256, 5)]
    assert [other.within(each, branin) for each in (one, batch)] == [None, None]
