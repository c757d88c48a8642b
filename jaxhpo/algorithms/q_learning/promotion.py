"""Promotion: the rungs of a study whose trials are first trained for a small budget, and the trials that continue."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxhpo.algorithms.common.history import History
from jaxhpo.algorithms.gp.search import codes
from jaxhpo.algorithms.multi_fidelity.rungs import rung_of, was_continued
from jaxhpo.algorithms.q_learning.actions import Considered
from jaxhpo.algorithms.q_learning.value import Decision
from jaxhpo.types import FRESH, Array, Proposal

_CONTINUED = 32  # number of best trials whose continuation is considered


class Promotion:
    """The budgets at which trials may stop, and the trials that may continue from there.

    Args:
        rungs: Increasing budgets; the last is the largest budget.
        keep: Number of best trials of a rung that may continue.
    """

    def __init__(self, rungs: tuple[int, ...], keep: int):
        self._rungs, self._keep = np.array(rungs, np.int32), keep
        self.top = len(rungs) - 1

    def join(self, considered: Considered, decision: Decision, history: History, opened: Array) -> Considered:
        """Return the actions, together with those that continue a trial to its next rung.

        New trials start at the lowest rung. The cost of an action is the budget that its configuration still needs.

        Args:
            considered: Actions that train from the start.
            decision: Decision to make.
            history: Told trials.
            opened: Whether a trial may continue: [C] bool.
        """
        model = decision.model
        lowest = jnp.full(len(considered.code), self._rungs[0])
        fresh = considered._replace(progress=model.progress(lowest), ends=jnp.zeros(len(considered.code), bool))
        rung = rung_of(self._rungs, history.budget)
        cost = jnp.log(jnp.maximum(1.0 - history.budget.astype(jnp.float32) / np.float32(self._rungs[-1]), 1e-6))
        worth = jnp.where(opened, decision.worth(history.point) - cost, -jnp.inf)
        best, rows = jax.lax.top_k(worth, min(_CONTINUED, len(worth)))
        after, there = jnp.minimum(rung[rows] + 1, self.top), best > -jnp.inf
        # If fewer trials may continue, repeat the first new action, so that a closed trial is never proposed.
        held = Considered(
            jnp.where(there[:, None], history.point[rows], fresh.point[:1]),
            jnp.where(there, codes(history.point[rows]), fresh.code[:1]),
            there,
            model.progress(jnp.asarray(self._rungs)[jnp.where(there, after, 0)]),
            there & (after == self.top),
            jnp.where(there, cost[rows], 0.0),
            jnp.where(there, rows, -1).astype(jnp.int32),
        )
        return Considered(*(jnp.concatenate(both) for both in zip(held, fresh, strict=True)))

    def proposal(self, considered: Considered, chosen: Array, history: History) -> Proposal:
        """Return the chosen actions, [B] int32, as a proposal."""
        row = considered.row[chosen]
        goes_on, lanes = row >= 0, len(chosen)
        after = jnp.where(goes_on, jnp.minimum(rung_of(self._rungs, history.budget)[row] + 1, self.top), 0)
        return Proposal(
            considered.point[chosen],
            jnp.asarray(self._rungs)[after],
            jnp.where(goes_on, history.trial[row], FRESH),
            jnp.ones((lanes,), bool),
            jnp.full((lanes,), FRESH, jnp.int32),
        )

    def told(self, opened: Array, place: Array, history: History, proposal: Proposal) -> Array:
        """Return which trials may continue after a told round: [C] bool.

        Args:
            opened: Whether a trial might continue before: [C] bool.
            place: Rows of the round's trials in the history, C if there is none: [B] int32.
            history: Told trials, including the round.
            proposal: Round.
        """
        rung, good = rung_of(self._rungs, history.budget), jnp.isfinite(history.score)
        size = opened.shape[0]
        row = jnp.arange(size, dtype=jnp.int32)
        joined = jnp.any(row[:, None] == place[None], axis=1)
        stands = (opened | joined) & ~was_continued(history, proposal) & good & (rung >= 0) & (rung < self.top)
        # The best trials of each rung: in order of score, those with at most `keep` of their rung up to them.
        order = jnp.argsort(jnp.where(stands, -history.score, jnp.inf)).astype(jnp.int32)
        theirs = stands[order][:, None] & (rung[order][:, None] == np.arange(self.top, dtype=np.int32)[None])
        before = jnp.sum(jnp.where(theirs, jnp.cumsum(theirs, axis=0, dtype=jnp.int32), 0), axis=1, dtype=jnp.int32)
        return stands & (jnp.zeros(size, jnp.int32).at[order].set(before) <= self._keep)
