"""The options of `tune`: their types, and what holds where one is not given."""

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from os import PathLike
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypedDict, Unpack, get_args

from jaxhpo.algorithms import Portfolio
from jaxhpo.data import TextOptions
from jaxhpo.machine.bounds import MOST_LANES, MOST_TRIALS, check_count
from jaxhpo.priors import LearnedPrior
from jaxhpo.space import Space
from jaxhpo.study import Callback
from jaxhpo.training import Machine, default_lanes
from jaxhpo.training.goal.scoring import Loss, Metric
from jaxhpo.training.planning.resources import MACHINE_FIELDS, machine_of
from jaxhpo.training.step.stopping import BEST
from jaxhpo.types import Algorithm

DEFAULT_ALGORITHM = "q_learning"
DEFAULT_TRIALS = 64
"""Trials of a function."""

DEFAULT_TRAININGS = 32
"""Trials that are trainings: as much arithmetic, with early stopping, as 64 of 20 epochs."""

DEFAULT_FOLDED = 16
"""Trials of several trainings each: folds, or repeats."""

SHIPPED = "shipped"
_ROUNDS, _FEW_LANES, _LEAST_LANES = 4, 8, 2
_MOST_EACH = 64  # trainings of a trial

AlgorithmFactory = Callable[..., Algorithm]


class TuneOptions(TypedDict, total=False):
    """The type of each option, and the value that it has where it is not given; `tune` documents them."""

    model: Annotated[Any, None]
    algorithm: Annotated[str | AlgorithmFactory, DEFAULT_ALGORITHM]
    space: Annotated[Space | None, None]
    trials: Annotated[int | None, None]
    lanes: Annotated[int | None, None]
    epochs: Annotated[int | None, None]
    patience: Annotated[int | None, None]
    checkpoint: Annotated[Literal["best", "last"], BEST]
    folds: Annotated[int | None, None]
    repeats: Annotated[int, 1]
    seed: Annotated[int, 0]
    loss: Annotated[Loss | None, None]
    metric: Annotated[str | Metric | None, None]
    minimize: Annotated[bool, False]
    target: Annotated[str | int | Sequence[str | int] | None, None]
    drop: Annotated[str | int | Sequence[str | int], ()]
    task: Annotated[str | None, None]
    image_size: Annotated[tuple[int, int] | None, None]
    train_examples: Annotated[int | None, None]
    data_dir: Annotated[str | PathLike | None, None]
    text: Annotated[TextOptions | None, None]
    final_fit: Annotated[int, 0]
    machine: Annotated[Machine | None, None]
    timeout: Annotated[float | str | None, None]
    enqueue: Annotated[Iterable[Mapping[str, Any]] | Portfolio, ()]
    prior: Annotated[LearnedPrior | Literal["shipped"] | None, SHIPPED]
    callbacks: Annotated[Sequence[Callback], ()]
    output: Annotated[str | PathLike | None, None]
    profile: Annotated[str | PathLike | None, None]
    cache: Annotated[bool, True]
    verbose: Annotated[bool, True]


HINTS = {name: get_args(hint) for name, hint in TuneOptions.__annotations__.items()}
"""(type, default) of each option by name."""

DEFAULTS: dict[str, Any] = {name: default for name, (_, default) in HINTS.items()}
"""The value that each option has where it is not given."""


class Options:
    """The options of one call of `tune`, each an attribute.

    Args:
        given: Those that are not to have their defaults.

    Raises:
        TypeError: if there is no such option.
        ValueError: if an option is given twice, by its name and by one that it had before; or is not the bool that it
            has to be.
    """

    def __init__(self, **given: Unpack[TuneOptions]):
        values: dict[str, Any] = dict(given)
        old = {name: values.pop(name) for name in MACHINE_FIELDS if name in values}
        values["machine"] = machine_of(values.get("machine"), old, "tune", stacklevel=4)
        if unknown := [name for name in values if name not in DEFAULTS]:
            near = get_close_matches(unknown[0], DEFAULTS, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise TypeError(f"tune() got an unexpected keyword argument {unknown[0]!r}{hint}")
        vars(self).update(DEFAULTS | values)
        for name, (kind, _) in HINTS.items():
            if kind is bool and not isinstance(getattr(self, name), bool):
                raise ValueError(f"{name}={getattr(self, name)!r} must be True or False")
        self.portfolio = self._read_portfolio()
        """Configurations that take the places of the algorithm's first; None where there are none."""

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...

    def _read_portfolio(self) -> Portfolio | None:
        """Take the portfolio out of `enqueue`, or out of `prior`, where it was once given; check `prior`."""
        portfolio = None
        if isinstance(self.enqueue, Portfolio):
            portfolio, self.enqueue = self.enqueue, ()
        elif not isinstance(self.enqueue, Iterable) or isinstance(self.enqueue, str | bytes | Mapping):
            raise ValueError(
                f"enqueue={self.enqueue!r} must be a list of configurations, each a dict, or a jaxhpo.Portfolio"
            )
        if isinstance(self.prior, Portfolio):
            if portfolio is not None:
                raise ValueError("a Portfolio is given as enqueue and as prior; leave out prior")
            warnings.warn("tune takes a Portfolio as enqueue=; as prior= it will go", DeprecationWarning, stacklevel=4)
            portfolio, self.prior = self.prior, SHIPPED
        elif self.prior is not None and self.prior != SHIPPED and not isinstance(self.prior, LearnedPrior):
            raise ValueError(
                f"prior={self.prior!r} must be 'shipped', a jaxhpo.LearnedPrior, or None; LearnedPrior.load reads one"
            )
        return portfolio

    def given(self, names: tuple[str, ...]) -> list[str]:
        """Return which of some options differ from their defaults, as they would be written."""
        defaults = DEFAULTS | {"machine": Machine()}
        values = {name: getattr(self, name) for name in names}
        return [f"{name}={value!r}" for name, value in values.items() if value != defaults[name]]

    def check_counts(self) -> None:
        """Raise ValueError where trials, lanes, folds or repeats cannot be, whatever the data are."""
        trials, lanes = self.trials, self.lanes
        bounds = {"trials": MOST_TRIALS, "lanes": MOST_LANES, "folds": _MOST_EACH, "repeats": _MOST_EACH}
        for name, most in bounds.items():
            value = getattr(self, name)
            if value is not None or DEFAULTS[name] is not None:
                check_count(name, value, most)
        if trials is not None and lanes is not None and lanes > trials:
            raise ValueError(f"lanes={lanes} exceeds trials={trials}; lower lanes or raise trials")
        if self.repeats > 1 and self.folds is not None and self.folds > 1:
            raise ValueError(f"folds={self.folds} cannot go with repeats={self.repeats}; leave out one of them")

    def sizes(self, usual: int, each: int = 1, examples: int = 0) -> tuple[int, int]:
        """Return how many trials there are, and how many lanes.

        Unless the number of trials is given, it is `usual`, or four rounds where that is more.

        Where lanes are free, there are four rounds at least, or the algorithm would have nothing to decide: with 64
        trials in one round `q_learning` is left with six times the regret that it has one at a time, with four rounds
        twice it (`python -m benchmarks.ablation batch`). But a round has eight, which hardly cost it anything.

        Trials of several trainings fill a machine with fewer of them, and have more rounds for it.

        Args:
            usual: Trials unless given.
            each: Trainings of a trial: folds or repeats.
            examples: Number of training examples; 0 for functions.
        """
        trials, lanes = self.trials, self.lanes
        if lanes is None:
            lanes = max(_LEAST_LANES, default_lanes(examples) // each)
            if trials is not None:
                lanes = min(lanes, max(_LEAST_LANES, _FEW_LANES // each, trials // _ROUNDS), trials)
        return max(usual, _ROUNDS * lanes) if trials is None else trials, lanes
