"""Population based training (PBT)."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxhpo.algorithms.common import history as histories
from jaxhpo.algorithms.common.checks import check_common, check_integer, check_number
from jaxhpo.algorithms.common.history import History, first_new
from jaxhpo.algorithms.common.proposals import uniform
from jaxhpo.algorithms.multi_fidelity.perturbation import Perturbation
from jaxhpo.algorithms.multi_fidelity.rungs import earliest, nth_of, record
from jaxhpo.space import Float, Space
from jaxhpo.types import FRESH, Algorithm, Array, Key, Metrics, Outcome, Proposal


class Members(NamedTuple):
    """The trials of the P members of a population at one step.

    Attributes:
        trial: Ids of the trials, -1 before the first: [P] int32.
        point: Configurations: [P, D] float32.
        score: Scores, -inf if failed: [P] float32.
        origin: Configurations with which their weights started training: [P, D] float32.
    """

    trial: Array
    point: Array
    score: Array
    origin: Array


class PbtState(NamedTuple):
    """A population between two steps.

    Attributes:
        history: Told trials.
        step: Number of steps that all members have made; 0 if `members` are the last population at its end: [] int32.
        generation: Number of restarts of the population: [] int32.
        members: Members after that step.
        ahead: Members that have made the next step.
        done: Whether a member has made the next step: [P] bool.
    """

    history: History
    step: Array
    generation: Array
    members: Members
    ahead: Members
    done: Array


def pbt(
    space: Space,
    *,
    lanes: int,
    budget: int = 1,
    population: int | None = None,
    interval: int | None = None,
    explore: tuple[str, ...] | None = None,
    truncation: float = 0.2,
    resample: float = 0.25,
) -> Algorithm:
    """Train a population, replace bad members by perturbed copies of good ones: PBT (Jaderberg et al. 2017).

    All members train for `interval`. Then each of the worst `truncation` of them takes over training state and
    configuration of one of the best `truncation` (`Proposal.source`), and the hyperparameters in `explore` are
    perturbed: the value of a Float is multiplied by 0.8 or 1.2, another ordered hyperparameter moves by a small step,
    an unordered one takes another option, and some are drawn again. The other members stay unchanged. Hyperparameters
    that determine the training state, such as layers and the optimizer, must not be explored: a trial with other values
    cannot be continued. A perturbed configuration that would violate a constraint, or change which hyperparameters are
    active, is not used; the original one is.

    At the full budget a new population starts: half of it with perturbed starting configurations of the best members,
    half with uniform draws. A failed member is one of the worst. If all members failed, a new population starts too.
    Members with equal scores do not copy each other. Enqueued trials join a population that starts at their budget, and
    are otherwise ignored.

    Use it if hyperparameters such as the learning rate should change while a network trains. Its trials are parts of
    trainings, `budget / interval` each. A round costs a few tenths of a millisecond. An objective keeps the training
    states of the population. A function of your own is refused: it trains every trial from its start, with the trial's
    hyperparameters only.

    Args:
        space: Search space.
        lanes: Number of lanes: trials of a round.
        budget: Total budget of each member, in units of the objective such as epochs.
        population: Number of members, a multiple of `lanes`; None is `lanes`.
        interval: Budget between two steps; None is a tenth of `budget`, rounded up.
        explore: Names of the hyperparameters that may change during training; None is every Float that varies.
        truncation: Share of the population that is replaced, and that is copied; at most a half.
        resample: Share of the perturbations that draw a new value.

    Raises:
        ValueError: if an argument is invalid; the message names it.
    """
    check_common(space, lanes, budget)
    size = lanes if population is None else population
    check_integer("population", size, 1)
    if size % lanes:
        raise ValueError(f"population={size} must be a multiple of lanes={lanes}, so that no lane idles")
    interval = -(-budget // 10) if interval is None else interval
    check_integer("interval", interval, 1)
    if interval > budget:
        raise ValueError(f"interval={interval} must not be above budget={budget}; lower it")
    check_number("truncation", truncation, 0.0, 0.5)
    check_number("resample", resample, 0.0, 1.0)
    perturbation = Perturbation(space, explored(space, explore), resample)
    steps, cut = -(-budget // interval), min(-int(-truncation * size // 1), size // 2)

    def next_budget(state: PbtState) -> Array:
        return jnp.minimum((state.step + 1) * interval, budget)

    def standing(members: Members) -> tuple[Array, Array]:
        """Return which members copy, and which are copied: [P] bool each."""
        good = jnp.isfinite(members.score)
        score, order = members.score, jnp.arange(size, dtype=jnp.int32)
        above = (score[None] > score[:, None]) | ((score[None] == score[:, None]) & (order[None] < order[:, None]))
        rank = jnp.sum(above, axis=1, dtype=jnp.int32)
        best = good & (rank < max(cut, 1))
        worst = (rank >= size - cut) & (score < jnp.min(jnp.where(best, score, jnp.inf)))
        return worst | ~good, best

    def init(key: Key) -> PbtState:
        del key
        points = jnp.zeros((size, len(space)), jnp.float32)
        none = Members(jnp.full(size, FRESH, jnp.int32), points, jnp.full(size, -jnp.inf, jnp.float32), points)
        history = histories.empty(len(space), lanes)
        return PbtState(history, jnp.int32(0), jnp.int32(0), none, none, jnp.zeros(size, bool))

    def ask(key: Key, state: PbtState) -> Proposal:
        pick_key, explore_key, start_key, change_key = jax.random.split(key, 4)
        members, (worst, best) = state.members, standing(state.members)
        member = nth_of(~state.done, jnp.arange(lanes, dtype=jnp.int32))
        active, member = member >= 0, jnp.maximum(member, 0)
        draw = jax.random.uniform(pick_key, (lanes, size), jnp.float32)
        pick = jnp.argmax(jnp.where(best[None], draw, -1.0), axis=1).astype(jnp.int32)
        copies = worst[member]
        source = jnp.where(copies, pick, member)
        point = members.point[source]
        point = jnp.where(copies[:, None], perturbation.perturb(explore_key, point), point)
        # A new population. It is drawn in every round, because all rounds run the same program.
        drawn = uniform(start_key, space, 4 * lanes)
        inherits = jnp.any(best) & (member % 2 == 1)
        child = perturbation.perturb(change_key, members.origin[pick])
        candidates = jnp.concatenate([jnp.where(inherits[:, None], child, drawn[:lanes]), drawn[lanes:]])
        starts = state.step == 0
        return Proposal(
            point=jnp.where(starts, first_new(state.history, candidates, lanes), point),
            budget=jnp.broadcast_to(next_budget(state), (lanes,)),
            source=jnp.where(starts, FRESH, members.trial[source]),
            active=active,
            trial=jnp.full((lanes,), FRESH, jnp.int32),
        )

    def place(state: PbtState, proposal: Proposal) -> tuple[Array, Array]:
        """Return the members that the lanes advanced ([B] int32, -1 if none), and the members that they continued."""
        members, (worst, best) = state.members, standing(state.members)
        index, starts = jnp.arange(size, dtype=jnp.int32), state.step == 0
        fits = proposal.active & (proposal.budget == next_budget(state))
        same = proposal.source[:, None] == members.trial[None]
        same = same & (fits & (proposal.source != FRESH) & ~starts)[:, None]  # [B, P]
        keeps = same & jnp.all(proposal.point[:, None] == members.point[None], axis=2) & ~(state.done | worst)[None]
        own = jnp.max(jnp.where(keeps, index[None], -1), axis=1)
        own = jnp.where(earliest(own), own, -1)
        parent = jnp.max(jnp.where(same & best[None], index[None], -1), axis=1)
        joins = fits & (proposal.source == FRESH) & starts
        # Members that copy or start are interchangeable: they are assigned to lanes in order.
        takes = joins | ((own < 0) & (parent >= 0))
        free = ~state.done & (worst | starts)
        nth = jnp.cumsum(takes, dtype=jnp.int32) - 1
        other = jnp.where(takes, nth_of(free, nth), -1)
        return jnp.maximum(own, other), jnp.where(own >= 0, own, jnp.maximum(parent, 0))

    def tell(key: Key, state: PbtState, proposal: Proposal, outcome: Outcome) -> tuple[PbtState, Metrics]:
        del key
        history, _ = record(state.history, proposal, outcome)
        target, parent = place(state, proposal)
        fresh = proposal.source == FRESH
        origin = jnp.where(fresh[:, None], proposal.point, state.members.origin[parent])
        score = jnp.where(jnp.isfinite(outcome.score), outcome.score, -jnp.inf)
        new = Members(proposal.trial, proposal.point, score, origin)
        at = jnp.where(target >= 0, target, size)  # out of range, hence dropped
        ahead = jax.tree.map(lambda old, leaf: old.at[at].set(leaf, mode="drop"), state.ahead, new)
        done = state.done.at[at].set(True, mode="drop")
        whole = jnp.all(done)
        ends = whole & ((state.step + 1 == steps) | ~jnp.any(jnp.isfinite(ahead.score)))
        step = jnp.where(ends, 0, state.step + whole.astype(jnp.int32))
        members = jax.tree.map(lambda old, leaf: jnp.where(whole, leaf, old), state.members, ahead)
        generation = state.generation + ends.astype(jnp.int32)
        copied = (target >= 0) & ~fresh & (proposal.source != state.members.trial[target])
        metrics = {
            "generation": generation.astype(jnp.float32),
            "step": step.astype(jnp.float32),
            "copied": jnp.sum(copied, dtype=jnp.float32),
        }
        return PbtState(history, step, generation, members, ahead, done & ~whole), metrics

    def grow(state: PbtState, trials: int) -> PbtState:
        return state._replace(history=histories.grow(state.history, trials))

    def resumable(state: PbtState) -> Array:
        worst, best = standing(state.members)
        waits = ~state.done
        needed = (waits & ~worst) | (best & jnp.any(waits & worst))
        needed = needed & (state.step > 0)
        later = state.done & jnp.isfinite(state.ahead.score) & (state.step + 1 < steps)
        kept = jnp.where(needed, state.members.trial, FRESH), jnp.where(later, state.ahead.trial, FRESH)
        return jnp.concatenate(kept)

    return Algorithm(init, ask, tell, grow, resumable if steps > 1 else None, perturbs=steps > 1)


def explored(space: Space, names: Any) -> tuple[str, ...]:
    """Return the hyperparameters that `pbt` explores; None is every Float. Raise ValueError if there is none."""
    if names is None:
        names = tuple(name for name, kind in space.items() if isinstance(kind, Float) and kind.low < kind.high)
        if not names:
            raise ValueError(
                "pbt has nothing to explore: the space has no Float that varies; name hyperparameters in explore="
            )
        return names
    if isinstance(names, str) or not isinstance(names, tuple | list) or not names:
        raise ValueError(f"explore={names!r} must be names of hyperparameters, such as ({next(iter(space))!r},)")
    if unknown := [name for name in names if name not in space]:
        raise ValueError(f"explore names {unknown[0]!r}; the space has {', '.join(space)}")
    return tuple(names)
