"""What each part of `q_learning` brings: the agent beside itself with one thing changed.

    python -m benchmarks.ablation [variance value discount prior rungs batch] [--quick] [--no-save]

A part names variants of the agent, its tasks and how they are searched; the first variant is what the others are
compared with. Tasks are of `benchmarks.quality`, without its verdict. Wherever a prior is taken it was learned without
the task's family (`benchmarks.prior`). Intervals are those of `jaxhpo.study.statistics`: of tasks, then
seeds, both shared by all variants of a part, so differences are paired; with two tasks, of their seeds alone.
What several parts ask for is run once. Parts that are not named keep their figures.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, get_args

import jax

from benchmarks.prior.families import prior_for
from benchmarks.quality import ours, statistics, tasks
from benchmarks.quality.__main__ import line
from benchmarks.quality.settings import Setting
from benchmarks.quality.statistics import Board
from benchmarks.quality.store import Run
from benchmarks.quality.tasks import curves, tables
from benchmarks.record import parser, results, save
from jaxhpo import algorithms
from jaxhpo.algorithms.common.epsilon import VarianceRule
from jaxhpo.algorithms.q_learning.q_learning import _GAMMA
from jaxhpo.priors import hyperparameter_features
from jaxhpo.study.statistics import Interval

AGENT = "q_learning"
SEEDS = 20
EVALS = 64  # of every study; those of sequential parts are looked at sooner
_AT = (10, 20, 50)
_COMPARED = (20, 50)
_WHOLE = 50  # trainings, whose epochs studies with rungs may spend
_LANES = 8  # of those
_BATCHES = (2, 4, 8, 16, 32, 64)
_FEW = 2  # tasks that say nothing of others like them

_SURROGATES = ("digits_noisy", "digits_short", "cancer", "friedman", "spirals")
_ANALYTIC = ("hartmann6", "levy10", "mixed7")
_TABLES = ("hpolib_naval_propulsion", "hpolib_protein_structure", "nasbench201_cifar100")


class Variant(NamedTuple):
    """A method as it is run."""

    name: str
    options: Mapping[str, Any] = {}  # that differ from its defaults
    algorithm: str = AGENT
    lanes: int = 1


class Part(NamedTuple):
    """What is compared with what."""

    variants: tuple[Variant, ...]  # the first is the baseline
    tasks: tuple[str, ...]
    evals: int = EVALS
    at: tuple[int, ...] = _AT
    compared: tuple[int, ...] = _COMPARED
    seeds: int = SEEDS
    epochs: bool = False  # `at` is in whole trainings' epochs, whatever trials spend

    @property
    def quick(self) -> "Part":
        """The part, small: does it run."""
        return self._replace(
            variants=self.variants[:2], tasks=self.tasks[:1], evals=8, at=(4, 8), compared=(8,), seeds=2
        )


def cheap_tasks() -> tuple[str, ...]:
    """Return tasks of every family that are quick to search."""
    return (*_SURROGATES, *_ANALYTIC, *(_TABLES if tables.installed() else ()))


def unnamed(names: Sequence[str]) -> list[str]:
    """Return the tasks whose hyperparameters' names mean nothing."""
    return [name for name in names if not hyperparameter_features.read(tasks.load(name).space)]


def parts() -> dict[str, Part]:
    """Return the parts by name; a variant that has the agent's own options is the baseline, and named once."""
    cheap = cheap_tasks()
    hpolib = tables.NAMES["hpolib"] if tables.installed() else ()
    rule = algorithms.options(AGENT)["variance_rule"]
    rungs = (
        Variant("whole trainings", {"min_budget": None}),
        Variant("min_budget=3", {"min_budget": 3}),
        Variant("min_budget=1", {"min_budget": 1}),
        Variant("min_budget=1, gamma=0.9", {"min_budget": 1, "gamma": 0.9}),
        Variant("asha", algorithm="asha"),
        Variant("hyperband", algorithm="hyperband"),
    )
    return {
        "variance": Part(
            (
                Variant(f"variance_rule={rule} (default)"),
                *(Variant(f"variance_rule={r}", {"variance_rule": r}) for r in get_args(VarianceRule) if r != rule),
                Variant("lam=0: no variance", {"lam": 0.0}),
                Variant("eps_max=0: no exploration", {"eps_max": 0.0, "eps_min": 0.0}),
            ),
            cheap,
        ),
        "value": Part(
            (
                Variant("q_learning, prior=None", {"prior": None}),
                Variant("tabular_q", algorithm="tabular_q"),
            ),
            cheap,
        ),
        "discount": Part(
            (
                Variant(f"gamma={_GAMMA} (default)"),
                *(Variant(f"gamma={gamma}", {"gamma": gamma}) for gamma in (0.0, 0.5, 0.9, 1.0) if gamma != _GAMMA),
            ),
            cheap,
        ),
        "prior": Part(
            (Variant("prior learned without the family"), Variant("prior=None", {"prior": None})),
            (*tasks.names("surrogates"), *hpolib, *curves.NAMES),
        ),
        "rungs": Part(tuple(v._replace(lanes=_LANES) for v in rungs), tuple(curves.NAMES), evals=_WHOLE, epochs=True),
        "batch": Part(
            (Variant("1 lane"), *(Variant(f"{lanes} lanes", lanes=lanes) for lanes in _BATCHES)),
            cheap,
            at=(EVALS,),
            compared=(EVALS,),
        ),
    }


class Runs:
    """Makes runs, each once, and prints them."""

    def __init__(self) -> None:
        self._made: dict[tuple, Run] = {}
        self._programs: dict[tuple, ours.Programs] = {}

    def __call__(self, variant: Variant, task_name: str, evals: int, seeds: int) -> Run:
        """Return what a variant did on a task.

        Raises:
            ValueError: the method refuses the task.
        """
        task, setting = tasks.load(task_name), Setting(variant.lanes, evals, seeds)
        options = options_for(variant, task_name)
        what = variant.algorithm, json.dumps(options, sort_keys=True)
        place = *what, task_name, setting
        if place not in self._made:
            method = ours.Method(variant.name, variant.algorithm, options)
            if what not in self._programs:  # one variant's programs at a time: a process has room for some hundred
                self._programs = {what: {}}
                jax.clear_caches()
            programs = self._programs[what]
            made = ours.measure(ours._blank(method, task, setting), method, task, setting, programs)
            if made.skipped:
                raise ValueError(f"{variant.name} on {task_name}: {made.skipped}")
            print(line(made), flush=True)
            self._made[place] = made
        return replace(self._made[place], who=variant.name)


def options_for(variant: Variant, task: str) -> dict[str, Any]:
    """Return a variant's options on a task: those that are not the defaults, and the prior that it may take."""
    defaults = algorithms.options(variant.algorithm)
    chosen = {key: value for key, value in variant.options.items() if defaults.get(key, ...) != value}
    return {"prior": prior_for(task)} | chosen if "prior" in defaults else chosen


def measure(part: Part, runs: Runs) -> dict[str, Any]:
    """Return the figures of a part as plain data; intervals are [value, low, high]."""
    made = [runs(variant, task, part.evals, part.seeds) for variant in part.variants for task in part.tasks]
    return {
        "version": ours.version(AGENT),
        "unit": "epochs" if part.epochs else "evaluations",
        "at": list(part.at),
        "compared_at": list(part.compared),
        "seeds": part.seeds,
        "tasks": list(part.tasks),
        "tasks_drawn": len(part.tasks) > _FEW,
        "rows": summarise(part, made),
    }


def summarise(part: Part, made: Sequence[Run]) -> list[dict[str, Any]]:
    """Return a row a variant: its mean regrets, and by how much these differ from the baseline's."""
    board = _board(part, made)
    drawn = len(part.tasks) > _FEW
    regrets = statistics.mean_regrets(board, tasks=drawn)
    counts = dict(zip(part.at, board.at, strict=True))
    base = part.variants[0].name
    away = [statistics.differences(board, base, counts[count], tasks=drawn) for count in part.compared]
    return [
        {
            "variant": variant.name,
            "algorithm": variant.algorithm,
            "options": dict(variant.options),
            "lanes": variant.lanes,
            "regret": [_plain(each) for each in regrets[variant.name]],
            "difference": [_plain(each[variant.name]) for each in away],
            "seeds": part.seeds,
            "tasks": len(part.tasks),
        }
        for variant in part.variants
    ]


def _board(part: Part, made: Sequence[Run]) -> Board:
    if part.epochs:
        return statistics.by_epochs(made, [count / part.evals for count in part.at], part.tasks, part.evals)
    return statistics.board(made, part.at, needs=part.tasks)


def _plain(interval: Interval) -> list[float]:
    return [float(f"{value:.4g}") for value in interval]


def without_names(part: Part, names: Sequence[str], runs: Runs) -> dict[str, Any]:
    """Return whether a part's variants are the same, to the last digit, on tasks whose names mean nothing."""
    each = [[runs(variant, name, part.evals, part.seeds).curves for variant in part.variants] for name in names]
    return {"tasks": list(names), "same": all(curves == found[0] for found in each for curves in found)}


def kept() -> dict[str, Any]:
    """Return the parts whose figures are kept."""
    file = results() / "ablation.json"
    return json.loads(file.read_text(encoding="utf-8"))["parts"] if file.exists() else {}


def main() -> None:
    """Measure the parts and write `results/ablation.json` after each."""
    from benchmarks.tables.quality import ablation_table

    arguments = parser(__doc__)
    every = parts()
    arguments.add_argument("parts", nargs="*", default=list(every), help="which; all unless given")
    options = arguments.parse_args()
    if unknown := [name for name in options.parts if name not in every]:
        arguments.error(f"part {unknown[0]!r} is unknown; use some of {', '.join(every)}")
    write = not (options.quick or options.no_save)
    found, runs = kept() if write else {}, Runs()
    for name in options.parts:
        part = every[name].quick if options.quick else every[name]
        found[name] = measure(part, runs)
        if name == "prior":
            names = unnamed(cheap_tasks())
            found[name]["unnamed"] = without_names(part, names[:1] if options.quick else names, runs)
        ordered = {each: found[each] for each in every if each in found}
        save("ablation", {"parts": ordered}, write=write, show=lambda whole, name=name: ablation_table(whole, name))


if __name__ == "__main__":
    main()
