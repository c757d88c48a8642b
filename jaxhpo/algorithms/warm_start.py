"""Warm start: configurations that did well in other tasks of the same space, tried first by any algorithm."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import jax.numpy as jnp
import numpy as np

from jaxhpo.algorithms.common.checks import check_integer, check_studies
from jaxhpo.space import Space
from jaxhpo.types import FRESH, Algorithm, Array, Key, Metrics, Outcome, Proposal, State

_CANDIDATES = 64  # of each task: its best trials
_WIDTH = 0.1  # of the kernel that guesses a score from those of near configurations, in units of the cube


class Past(Protocol):
    """What a portfolio is made from: a Study, or what `jaxhpo.read_journal` returns."""

    space: Space
    direction: str

    @property
    def finished(self) -> Sequence[Any]:
        """Return its trials, each with `point` ([D] float32) and `score` (nan = failed)."""
        ...


class Portfolio:
    """Configurations to try first, such as those that did best in earlier studies (`Portfolio.from_studies`).

    Args:
        space: The space of the configurations.
        configs: The configurations, in the order in which they are tried.

    Raises:
        ValueError: if an argument is invalid; the message names it.

    Example:
        >>> import jaxhpo as jh
        >>> space = jh.Space({"x": jh.Float(0.0, 1.0), "kind": jh.Choice(("a", "b"))})
        >>> portfolio = jh.Portfolio(space, [{"x": 0.5, "kind": "b"}])
        >>> objective = jh.function(lambda config: config["x"], workers=0)
        >>> study = jh.tune(objective, space=space, enqueue=portfolio, trials=2, lanes=1, verbose=False)
        >>> study.finished[0].config
        {'x': 0.5, 'kind': 'b'}
    """

    def __init__(self, space: Space, configs: Iterable[Mapping[str, Any]]):
        if not isinstance(space, Space):
            raise ValueError(f"space={space!r} must be a jaxhpo.Space")
        self.space = space
        points = [space.from_config(config) for config in configs]
        if not points:
            raise ValueError("configs are empty; give at least one configuration")
        self.points = np.stack(points)
        """[K, D] float32: the configurations in the unit cube."""

    def __repr__(self) -> str:
        return f"Portfolio({len(self.points)} configurations of {', '.join(self.space)})"

    @property
    def configs(self) -> list[dict[str, Any]]:
        """The configurations, in the order in which they are tried."""
        return [self.space.to_config(point) for point in self.points]

    @classmethod
    def from_studies(cls, studies: Iterable[Past], *, size: int = 8) -> "Portfolio":
        """Return the portfolio of configurations that together did best over past studies of one space.

        The choice is greedy: each configuration adds most to the mean over studies of the best rank that the portfolio
        reached there (Feurer et al. 2022, auto-sklearn 2.0; Wistuba et al. 2015). If a study did not try a
        configuration, its rank is estimated from those of near ones. This takes seconds for tens of studies of
        hundreds of trials.

        Args:
            studies: Finished studies, or journals that `jaxhpo.read_journal` read; all of one space.
            size: Number of configurations at most.

        Raises:
            ValueError: if there are no studies, none has a score, or their spaces differ.
        """
        check_integer("size", size, 1)
        studies = check_studies(studies)
        if not studies:
            raise ValueError("studies are empty; give at least one")
        space = studies[0].space
        for study in studies:
            _check_same("studies are of different spaces", space, study.space)
        tasks = [task for task in map(_ranked, studies) if task is not None]
        if not tasks:
            raise ValueError("studies have no trial with a score")
        best = [points[np.argsort(-rank, kind="stable")[:_CANDIDATES]] for points, rank in tasks]
        candidates = np.unique(np.concatenate(best), axis=0)
        value = np.stack([_guess(candidates, *task) for task in tasks])  # [tasks, candidates]
        reached, chosen = np.zeros(len(tasks)), []
        for _ in range(min(size, len(candidates))):
            gain = np.maximum(value, reached[:, None]).mean(axis=0)
            gain[chosen] = -np.inf
            # Where nothing is left to gain, what is good on average is more use than what comes first.
            pick = int(np.lexsort((value.mean(axis=0), np.round(gain, 9)))[-1])
            chosen.append(pick)
            reached = np.maximum(reached, value[:, pick])
        return cls(space, [space.to_config(candidates[i]) for i in chosen])

    def to_json(self) -> dict[str, Any]:
        """Return plain data that `from_json` reads back, and `json.dump` writes."""
        return {"space": self.space.to_json(), "configs": self.configs}

    @classmethod
    def from_json(cls, data: Any) -> "Portfolio":
        """Return the portfolio that plain data describes; raise ValueError where it describes none."""
        if not isinstance(data, Mapping) or not {"space", "configs"} <= set(data) or isinstance(data["configs"], str):
            raise ValueError("portfolio must be a JSON object of space and configs, as Portfolio.to_json returns it")
        return cls(Space.from_json(data["space"]), data["configs"])


class WarmState(NamedTuple):
    """The algorithm's state, and which configurations of the portfolio were told."""

    inner: State
    told: Array  # [K] bool


def warm_started(algorithm: Algorithm, space: Space, portfolio: Portfolio) -> Algorithm:
    """Return the algorithm that proposes a portfolio's configurations before its own, and learns from both.

    They take the places of new configurations. A multi-fidelity algorithm gives them the budget of these. The cost is
    microseconds a round.

    Args:
        algorithm: An algorithm for the space.
        space: The space that is searched.
        portfolio: Configurations of the same space.

    Raises:
        ValueError: if an argument is of another type, or `portfolio` is of another space.
    """
    if not isinstance(algorithm, Algorithm):
        raise ValueError(f"algorithm={algorithm!r} must be an Algorithm; see jaxhpo.algorithms")
    if not isinstance(space, Space):
        raise ValueError(f"space={space!r} must be a jaxhpo.Space")
    if not isinstance(portfolio, Portfolio):
        raise ValueError(f"portfolio={portfolio!r} must be a jaxhpo.Portfolio; make one with Portfolio.from_studies")
    _check_same("portfolio is of another space than the one searched", space, portfolio.space)
    points = jnp.asarray(portfolio.points)

    def init(key: Key) -> WarmState:
        return WarmState(algorithm.init(key), jnp.zeros(len(portfolio.points), bool))

    def ask(key: Key, state: WarmState) -> Proposal:
        proposal = algorithm.ask(key, state.inner)
        place = (proposal.source == FRESH) & proposal.active
        rank = jnp.cumsum(place, dtype=jnp.int32) - 1
        waiting = jnp.argsort(state.told, stable=True).astype(jnp.int32)  # those that were not told, in order
        number = jnp.sum(~state.told, dtype=jnp.int32)
        takes = place & (rank < number)
        row = waiting[jnp.clip(rank, 0, len(portfolio.points) - 1)]
        return proposal._replace(point=jnp.where(takes[:, None], points[row], proposal.point))

    def tell(key: Key, state: WarmState, proposal: Proposal, outcome: Outcome) -> tuple[WarmState, Metrics]:
        inner, metrics = algorithm.tell(key, state.inner, proposal, outcome)
        same = jnp.all(points[:, None] == proposal.point[None], axis=2) & proposal.active[None]
        return WarmState(inner, state.told | jnp.any(same, axis=1)), metrics

    def grow(state: WarmState, trials: int) -> WarmState:
        return state._replace(inner=algorithm.grow(state.inner, trials))

    resumable = algorithm.resumable
    continues = None if resumable is None else lambda state: resumable(state.inner)
    return algorithm._replace(init=init, ask=ask, tell=tell, grow=grow, resumable=continues)


def _check_same(problem: str, space: Space, other: Space) -> None:
    if space.fingerprint != other.fingerprint:
        raise ValueError(
            f"{problem}: fingerprints {space.fingerprint} and {other.fingerprint}; use trials of one space"
        )


def _ranked(study: Past) -> tuple[np.ndarray, np.ndarray] | None:
    """Return a study's points, [N, D], and their ranks in (0, 1], [N]; None where none has a score."""
    sign = -1.0 if study.direction == "minimize" else 1.0
    good = [trial for trial in study.finished if np.isfinite(trial.score)]
    if not good:
        return None
    points = np.stack([trial.point for trial in good])
    score = sign * np.array([trial.score for trial in good])
    rank = (score[:, None] >= score[None]).mean(axis=1)
    points, place = np.unique(points, axis=0, return_inverse=True)
    best = np.zeros(len(points))
    np.maximum.at(best, place.reshape(-1), rank)
    return points, best


def _guess(at: np.ndarray, points: np.ndarray, rank: np.ndarray) -> np.ndarray:
    """Return ranks at points, [M, D] -> [M]: a task's own, or the kernel-weighted mean of those and of 0.5 once."""
    distance = np.square(at[:, None].astype(float) - points[None]).sum(axis=2)
    weight = np.exp(-0.5 * distance / (_WIDTH**2 * at.shape[1]))
    guess = (weight @ rank + 0.5) / (weight.sum(axis=1) + 1.0)
    exact = np.argmin(distance, axis=1)
    return np.where(distance[np.arange(len(at)), exact] == 0, rank[exact], guess)
