"""A study without an objective, for methods that continue trials: what was asked, kept and told, round by round."""

import functools
from typing import NamedTuple

import jax
import numpy as np

from jaxhpo import algorithms
from jaxhpo.space import Choice, Float, Int, Space
from jaxhpo.study.rounds import number
from jaxhpo.types import Outcome, Proposal

SPACE = Space({"rate": Float(1e-4, 1e-1, log=True), "layers": Int(1, 4), "kind": Choice(("a", "b", "c"))})
_ROUNDS = 64


class Row(NamedTuple):
    """One trial."""

    trial: int
    source: int
    budget: int
    score: float
    point: tuple


@functools.cache
def compiled(name, lanes, budget, options):
    """A method's functions, jitted once for all tests with equal arguments."""
    made = algorithms.make(name, SPACE, lanes=lanes, budget=budget, **dict(options))
    resumable = None if made.resumable is None else jax.jit(made.resumable)
    return made._replace(init=jax.jit(made.init), ask=jax.jit(made.ask), tell=jax.jit(made.tell), resumable=resumable)


class Rounds:
    """Runs a method; checks what holds for every one that continues trials.

    Sources are resumable, continued trials have larger budgets, and, `once`, no trial is continued twice.
    """

    def __init__(self, name, *, lanes, budget, once=True, **options):
        self.method = compiled(name, lanes, budget, tuple(options.items()))
        self.lanes, self.once = lanes, once
        # Of one size, which is compiled once: for as many rounds as any test has.
        self.state = self.method.grow(self.method.init(jax.random.key(0)), _ROUNDS * lanes)
        self.rows, self.round, self.metrics, self.continued = [], 0, {}, set()

    @property
    def kept(self):
        """The resumable trials, sorted."""
        trials = np.asarray(self.method.resumable(self.state))
        named = sorted(trials[trials >= 0].tolist())
        assert len(set(named)) == len(named)
        return named

    @property
    def epochs(self):
        """What all trials trained in all, sources not counted twice."""
        reached = {row.trial: row.budget for row in self.rows}
        return sum(row.budget - reached.get(row.source, 0) for row in self.rows)

    def ask(self, limit=None):
        limit = self.lanes if limit is None else limit
        asked = self.method.ask(jax.random.key(self.round), self.state)
        return jax.tree.map(np.asarray, number(asked, np.int32(len(self.rows)), np.int32(limit)))

    def play(self, score, *, limit=None):
        """Ask, score each row by `score(row)`, tell; return the rows that were told."""
        asked = self.ask(limit)
        kept, reached = set(self.kept), {row.trial: row.budget for row in self.rows}
        for trial, budget in zip(asked.source[asked.active].tolist(), asked.budget[asked.active].tolist(), strict=True):
            assert trial == -1 or (trial in kept and budget > reached[trial])
            assert trial == -1 or not self.once or trial not in self.continued
            self.continued.add(trial)
        return self.tell(asked, score)

    def tell(self, told, score):
        rows = []
        scores = np.full(self.lanes, np.nan, np.float32)
        for lane in np.flatnonzero(told.active).tolist():
            point = tuple(told.point[lane].tolist())
            row = Row(int(told.trial[lane]), int(told.source[lane]), int(told.budget[lane]), 0.0, point)
            scores[lane] = score(row)
            rows.append(row._replace(score=float(scores[lane])))
        key = jax.random.key(self.round)
        assert self.round < _ROUNDS
        self.state, metrics = self.method.tell(key, self.state, told, Outcome(scores, {}))
        self.metrics = {name: float(value) for name, value in metrics.items()}
        self.rows += rows
        self.round += 1
        return rows

    def tell_others(self, *trials):
        """Tell trials that the method did not propose: (budget, score) each."""
        blank = self.ask(0)
        point = np.asarray(SPACE.canonical(np.random.default_rng(self.round).uniform(size=blank.point.shape)))
        active = np.arange(self.lanes) < len(trials)
        budget = blank.budget.copy()
        budget[: len(trials)] = [budget for budget, _ in trials]
        first = len(self.rows)
        trial = np.where(active, first + np.arange(self.lanes), -1).astype(np.int32)
        told = Proposal(point.astype(np.float32), budget, np.full(self.lanes, -1, np.int32), active, trial)
        return self.tell(told, lambda row: trials[row.trial - first][1])


def pairs(rows):
    """Return (source, budget) of every row."""
    return [(row.source, row.budget) for row in rows]


def best(rows, number):
    """Return the best rows that have a score, best first; of equal ones the earlier first."""
    good = [row for row in rows if not np.isnan(row.score)]
    return sorted(good, key=lambda row: -row.score)[:number]


class Reference:
    """Brackets in plain Python: which trials each rung has, and which of them go on."""

    def __init__(self, plans):
        self.plans, self.brackets, self.home = plans, [], {}

    def tell(self, rows):
        for row in rows:
            at = self.home[row.source] if row.source >= 0 else self.start(row.budget)
            self.brackets[at][-1].append(row)
            self.home[row.trial] = at
        for at, rungs in enumerate(self.brackets):
            if 0 < self.size(at) == len(rungs[-1]):
                rungs.append([])

    def start(self, budget):
        """Return the oldest bracket that starts at a budget and has room."""
        at = 0
        while True:
            if at == len(self.brackets):
                self.brackets.append([[]])
            plan = self.plans[at % len(self.plans)]
            if plan[0][1] == budget and len(self.brackets[at]) == 1 and len(self.brackets[at][0]) < plan[0][0]:
                return at
            at += 1

    def size(self, at):
        """Return how many trials a bracket's current rung has when it is full; 0 where the bracket has ended."""
        return len(self.promoted(at)) if len(self.brackets[at]) > 1 else self.plans[at % len(self.plans)][0][0]

    def promoted(self, at):
        """Return the trials that the rung before a bracket's current one sent on."""
        plan, rungs = self.plans[at % len(self.plans)], self.brackets[at]
        if len(rungs) > len(plan):
            return []
        return best(rungs[-2], plan[len(rungs) - 1][0])

    @property
    def kept(self):
        """Return the trials that may still be continued, sorted."""
        found = []
        for at, rungs in enumerate(self.brackets):
            plan = self.plans[at % len(self.plans)]
            if len(rungs) < len(plan):
                found += [row.trial for row in best(rungs[-1], plan[len(rungs)][0])]
            if len(rungs) > 1:
                started = {row.source for row in rungs[-1]}
                found += [row.trial for row in self.promoted(at) if row.trial not in started]
        return sorted(found)
