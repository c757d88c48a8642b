"""jaxhpo's own methods on the tasks: every registered one, all seeds of a task in one compiled program."""

import ast
import hashlib
import importlib.util
import itertools
import json
import time
import traceback
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cache
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.prior import families
from benchmarks.quality import store, tasks
from benchmarks.quality.settings import Setting
from benchmarks.quality.store import Run
from benchmarks.quality.tasks import Task
from jaxhpo import algorithms, run_traced
from jaxhpo.compilation import jit, xla_options
from jaxhpo.priors import hyperparameter_features
from jaxhpo.study.rounds import Record
from jaxhpo.types import Algorithm, Array

_PACKAGES = ("jaxhpo.algorithms.", "jaxhpo.priors.")  # whose code decides what a method does
_ONE_BY_ONE = frozenset({"gp", "q_learning"})  # studies in turn, not side by side: rounds are large products
_SLOW, _SLOW_SEEDS = frozenset({"gp"}), 5  # of a batch setting
_COMPILER = {"xla_backend_optimization_level": 1}  # half the seconds to compile; programs run no longer
_MOST_ROUNDS = 4096  # of a method that spends little a round

# What a method has to be told of a family's tasks.
FAMILY_OPTIONS: dict[tuple[str, str], dict[str, Any]] = {
    ("pbt", "curves"): {"explore": ["learning_rate", "dropout"]},  # what may change while a network trains
}

Programs = dict[tuple, Any]
"""One method's compiled studies, by what they depend on."""


class Method(NamedTuple):
    """A row of the tables."""

    who: str
    algorithm: str  # as registered
    options: dict[str, Any]

    def within(self, setting: Setting, task: Task) -> Setting | None:
        """Return as much of a setting as the method is run with on a task.

        Variants of gp are run on recorded tables only, one evaluation at a time; q_learning without its prior on these,
        and where the prior knows a name.
        """
        if self.who == "gp_ucb" and (setting.lanes > 1 or task.family not in tasks.TABLES):
            return None
        if (
            self.who == "q_learning_no_prior"
            and task.family not in tasks.TABLES
            and not hyperparameter_features.read(task.space)
        ):
            return None
        slow = self.algorithm in _SLOW and setting.lanes > 1
        return setting._replace(seeds=min(setting.seeds, _SLOW_SEEDS)) if slow else setting


# Options that are methods of their own. EI is not one: log-EI is its logarithm, and ranks the same candidates alike.
_VARIANTS = (
    Method("gp_ucb", "gp", {"acquisition": "ucb"}),
    Method("q_learning_no_prior", "q_learning", {"prior": None}),
)


def methods() -> list[Method]:
    """Return every registered method with its defaults, and the variants that it takes."""
    known = algorithms.names()
    variants = [v for v in _VARIANTS if v.algorithm in known and _is_another(v)]
    return [Method(name, name, {}) for name in known] + variants


def _is_another(variant: Method) -> bool:
    """Return whether a method has the options of a variant, and other defaults."""
    defaults = algorithms.options(variant.algorithm)
    return set(variant.options) <= set(defaults) and any(defaults[k] != v for k, v in variant.options.items())


def run(
    names: Iterable[str],
    settings: Iterable[Setting],
    *,
    chosen: Iterable[Method] | None = None,
    root: Path | None = store.ROOT,
    again: bool = False,
    verdict: bool = False,
) -> Iterator[Run]:
    """Run methods on tasks and keep what they did; yield each new run.

    Args:
        names: of tasks.
        settings: each of them on each task.
        chosen: methods; all unless given.
        root: where runs are kept, and not made again; None keeps none.
        again: make even those.
        verdict: whether the tasks are the verdict's.
    """
    loaded = [tasks.load(name, verdict=verdict) for name in names]
    settings = list(settings)
    for method in methods() if chosen is None else chosen:
        have = store.kept(method.who, root=root, verdict=verdict) if root else set()
        programs: Programs = {}
        for task, whole in itertools.product(loaded, settings):
            setting = method.within(whole, task)
            if setting is None:
                continue
            blank = _blank(method, task, setting)
            if not again and {blank.key, (*blank.key[:-1], ())} & have:
                continue
            try:
                made = measure(blank, method, task, setting, programs)
            except Exception:  # one method must not end a night's run
                print(f"{method.who} on {task.name} failed:\n{traceback.format_exc()}", flush=True)
                continue
            if root:
                store.append(made, root=root, verdict=verdict)
            yield made


def _blank(method: Method, task: Task, setting: Setting) -> Run:
    """Return a run in which nothing was done yet."""
    return Run(
        who=method.who,
        kind="ours",
        task=task.name,
        family=task.family,
        fingerprint=task.fingerprint,
        lanes=setting.lanes,
        evals=setting.evals,
        seeds=list(range(setting.seeds)),
        version=version(method.algorithm) + _prior_version(method, task),
        budget=task.budget,
        options=options_for(method, task),
    )


def options_for(method: Method, task: Task) -> dict[str, Any]:
    """Return what a method is told of a task: of q_learning, a prior that learned nothing from the task's family."""
    told = FAMILY_OPTIONS.get((method.algorithm, task.family), {})
    if method.algorithm == "q_learning":
        told = {"prior": families.prior_for(task.name)}
    return told | method.options


def _made(options: dict[str, Any]) -> dict[str, Any]:
    """Return options with the prior that one of them names read."""
    named = options.get("prior")
    return options | ({} if named is None else {"prior": families.read(named)})


def _prior_version(method: Method, task: Task) -> str:
    """Return a hash of the prior that a method begins with, as it was learned; nothing where it has none."""
    prior = options_for(method, task).get("prior")
    return "" if prior is None else f"-{hashlib.sha256(families.read(prior).to_bytes()).hexdigest()[:8]}"


def measure(blank: Run, method: Method, task: Task, setting: Setting, programs: Programs) -> Run:
    """Return the run of a method on a task; one that refuses the task is skipped with the reason.

    Args:
        blank: the run, without what it found.
        method: the method.
        task: the task.
        setting: how it is searched.
        programs: of this method, kept for other tasks of the same space.
    """
    try:
        algorithm = algorithms.make(
            method.algorithm, task.space, lanes=setting.lanes, budget=task.budget, **_made(blank.options)
        )
    except ValueError as error:
        return replace(blank, skipped=str(error))
    rounds = -(-setting.evals // setting.lanes)

    def trace() -> tuple[Record, dict[str, float]]:
        one_by_one = method.algorithm in _ONE_BY_ONE
        told = json.dumps(blank.options, sort_keys=True)
        return _trace(algorithm, task, setting, rounds, one_by_one=one_by_one, told=told, programs=programs)

    record, seconds = trace()
    active = record.proposal.active
    if not (record.proposal.budget[active] < task.budget).any():
        studies = [_study(task, record, s, setting.evals) for s in range(setting.seeds)]
        return replace(blank, curves=studies, seconds=seconds)
    # A method with rungs: as many epochs as others spend in full evaluations, in however many trials.
    limit = setting.evals * task.budget
    while True:
        spent = [store.epochs_spent(*_flat(record, s)[2:]) for s in range(setting.seeds)]
        least = min((each[-1] if len(each) else 0) for each in spent)
        stopped = not active[:, -1].any()
        if least >= limit or stopped or rounds >= _MOST_ROUNDS:
            break
        rounds = min(_MOST_ROUNDS, int(rounds * min(8.0, max(1.1 * limit / max(least, 1), 1.25))) + 1)
        record, seconds = trace()
        active = record.proposal.active
    studies = [_study(task, record, s, len(each), each, limit) for s, each in enumerate(spent)]
    return replace(blank, curves=studies, seconds=seconds, unit="epochs")


def _trace(
    algorithm: Algorithm,
    task: Task,
    setting: Setting,
    rounds: int,
    *,
    one_by_one: bool,
    told: str,
    programs: Programs,
) -> tuple[Record, dict[str, float]]:
    """Return every study's rounds as NumPy arrays ([seeds, rounds, lanes, ...]), and the seconds it took."""

    def studies(*tables: Array) -> Record:
        objective = task.objective_of(*tables)
        if not one_by_one:
            return run_traced(algorithm, objective, rounds, seeds=setting.seeds)
        each = jax.lax.map(
            lambda seed: run_traced(algorithm, objective, rounds, seeds=seed[None]),
            jnp.arange(setting.seeds, dtype=jnp.uint32),
        )
        return jax.tree.map(lambda leaf: leaf[:, 0], each)

    began = time.perf_counter()
    # Tables of a family are of one space and shape; what is no table has its numbers in the program.
    alike = (task.space.fingerprint, task.family if task.tables else task.name, told, setting, rounds)
    if alike not in programs:
        programs[alike] = jit(studies).lower(*task.tables).compile(_COMPILER | xla_options())
    compiled = time.perf_counter()
    record = jax.block_until_ready(programs[alike](*task.tables))
    done = time.perf_counter()
    seconds = {"search": round(done - compiled, 3), "compile": round(compiled - began, 3)}
    return jax.tree.map(np.asarray, record), seconds


def _flat(record: Record, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return one study's trials in order: points [N, D], scores [N], budgets [N], sources [N]."""
    proposal, outcome = jax.tree.map(lambda leaf: leaf[seed], (record.proposal, record.outcome))
    rows = proposal.active
    return proposal.point[rows], outcome.score[rows], proposal.budget[rows], proposal.source[rows]


def _study(
    task: Task, record: Record, seed: int, most: int, spent: np.ndarray | None = None, limit: int | None = None
) -> list[float]:
    """Return how one study's incumbent changed within `most` trials and, where given, `limit` epochs."""
    points, scores, budget, _ = _flat(record, seed)
    within = np.arange(len(scores)) < most
    if spent is not None and limit is not None:
        within &= spent <= limit
        spent = spent[within]
    levels = np.asarray(task.space.to_levels(points[within]))
    return store.changes(task, scores[within], task.score(levels, budget[within]), spent)


@cache
def version(algorithm: str) -> str:
    """Return a hash of a method's code and of what it imports of algorithms and priors.

    Comments do not count, and neither does where the modules lie.
    """
    code = sorted(map(_code, _imports(getattr(algorithms, algorithm).__module__)))
    return hashlib.sha256("".join(code).encode()).hexdigest()[:8]


def _imports(module: str) -> set[str]:
    """Return the modules of algorithms and priors that one of them needs, itself included."""
    found: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name in found or not name.startswith(_PACKAGES) or _spec(name) is None:
            continue
        found.add(name)
        for node in ast.walk(ast.parse(_source(name))):
            if isinstance(node, ast.ImportFrom) and node.module:
                waiting += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return found


def _spec(name: str) -> ModuleSpec | None:
    """Return a module's specification, None where the name is of something inside a module."""
    try:
        return importlib.util.find_spec(name)
    except ModuleNotFoundError:
        return None


def _source(module: str) -> str:
    spec = _spec(module)
    assert spec is not None  # `_imports` checked
    assert spec.origin is not None
    return Path(spec.origin).read_text(encoding="utf-8")


def _code(module: str) -> str:
    """Return a module's syntax tree as text, without docstrings and imports."""
    tree = ast.parse(_source(module))
    tree.body = [node for node in tree.body if not isinstance(node, ast.Import | ast.ImportFrom)]
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return ast.dump(tree)
