"""What a task is: a space that is a grid, and the score of each of its configurations."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxhpo.space import Space
from jaxhpo.study.rounds import _OBJECTIVE
from jaxhpo.types import Array, Key, Objective, Outcome, Proposal, State


@dataclass(frozen=True)
class Task:
    """A tuning problem whose best configuration is known. Scores are higher where they are better.

    Every dimension of `space` is an Int or a Choice, so that level indices name a configuration. The *truth* of a
    trial is its configuration's score without noise at the trial's budget; a method sees the *observed* score. The
    incumbent is the trial whose observed score is the best so far, the first of equals, and its regret is of its truth:
    of what a study has in hand, as `Study.best` is chosen and trained again, not of what more epochs would make of it.
    """

    name: str
    family: str
    space: Space
    compute: Callable[..., Array]  # levels [B, D], budget [B], int32, and `tables` -> [B] float32: traceable, no noise
    score: Callable[..., np.ndarray]  # levels [N, D] int32, budget [N] or None: all of it -> [N] float64, no noise
    best: float  # truth of the best configuration
    median: float  # truth of the median configuration
    budget: int = 1  # epochs of a whole evaluation
    noise: float = 0.0  # standard deviation of what is added to every observed score
    tables: tuple[np.ndarray, ...] = field(default=(), compare=False)  # that `compute` reads; of one shape in a family
    about: str = field(default="", compare=False)  # one line for the documentation

    @cached_property
    def objective(self) -> Objective:
        """The task as a traceable Objective."""
        return self.objective_of(*self.tables)

    def objective_of(self, *tables: Any) -> Objective:
        """Return the task as a traceable Objective that reads these tables: tasks of one space may share a program.

        A trial that continues another gets the score its own configuration has at that budget when trained from
        scratch: no training state is kept.
        """

        def evaluate(key: Key, state: State, proposal: Proposal) -> tuple[State, Outcome]:
            levels = self.space.to_levels(proposal.point)
            seen = self.compute(levels, proposal.budget, *map(jnp.asarray, tables))
            if self.noise:
                seen = seen + jnp.float32(self.noise) * _normal(key, proposal.trial)
            return state, Outcome(seen, {})

        return Objective(lambda key: (), evaluate, lambda state, trials: state)

    def observe(
        self, levels: np.ndarray, seed: int, trials: np.ndarray, budget: np.ndarray | None = None
    ) -> np.ndarray:
        """Return what a study of that seed sees on the host: [N, D] int32, trial ids [N] -> [N] float64.

        The noise of a trial is the same as in `objective`, a function of the seed and the trial's id, so a peer meets
        the same luck.
        """
        seen = self.score(levels, budget)
        if not self.noise:
            return seen
        key = jax.random.fold_in(jax.random.key(seed, impl="threefry2x32"), _OBJECTIVE)
        return seen + self.noise * np.asarray(_normal(key, jnp.asarray(trials, jnp.int32)), np.float64)

    def regret(self, truth: np.ndarray) -> np.ndarray:
        """Return normalised regret, 0 = the best configuration, 1 = the median one: any shape -> the same, float64."""
        return np.maximum((self.best - np.asarray(truth, np.float64)) / (self.best - self.median), 0.0)

    @cached_property
    def fingerprint(self) -> str:
        """Eight hexadecimal digits that differ where tasks of one name differ."""
        text = f"{self.space.fingerprint} {self.best:.6g} {self.median:.6g} {self.budget} {self.noise:.6g}"
        return hashlib.sha256(text.encode()).hexdigest()[:8]


def _normal(key: Key, trials: Array) -> Array:
    """Return a normal number a trial: [B] int32 -> [B] float32."""
    return jax.vmap(lambda trial: jax.random.normal(jax.random.fold_in(key, trial), (), jnp.float32))(trials)
