"""What `tune` may be told, with what holds where it is not."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from jaxhpo.algorithms import Prior
from jaxhpo.data import TextOptions
from jaxhpo.space import Space
from jaxhpo.training import default_lanes
from jaxhpo.training.step.scoring import Loss, Metric
from jaxhpo.types import Algorithm

DEFAULT_ALGORITHM = "q_learning"
DEFAULT_TRIALS = 64
_BATCHES, _FEW_LANES = 4, 8

AlgorithmFactory = Callable[..., Algorithm]


@dataclass(frozen=True, kw_only=True)
class Options:
    """The arguments of `tune` that have a default; it says what they are."""

    model: Any = None
    algorithm: str | AlgorithmFactory = DEFAULT_ALGORITHM
    space: Space | None = None
    trials: int | None = None
    lanes: int | None = None
    epochs: int | None = None
    seed: int = 0
    loss: Loss | None = None
    metric: str | Metric | None = None
    minimize: bool = False
    target: str | list[str] | None = None
    drop: str | Sequence[str] = ()
    task: str | None = None
    image_size: tuple[int, int] | None = None
    final_fit: int = 0
    engine: str | None = None
    devices: int | None = None
    memory: float | None = None
    horizon: str = "short"
    timeout: float | None = None
    train_examples: int | None = None
    data_dir: str | os.PathLike | None = None
    text: TextOptions | None = None
    enqueue: Iterable[Mapping[str, Any]] = ()
    prior: Prior | None = None
    output: str | os.PathLike | None = None
    profile: str | os.PathLike | None = None
    cache: bool = True

    def given(self, names: tuple[str, ...]) -> list[str]:
        """Return which of some arguments differ from their defaults, as they would be written."""
        defaults = {field.name: field.default for field in fields(self)}
        values = {name: getattr(self, name) for name in names}
        return [f"{name}={value!r}" for name, value in values.items() if value != defaults[name]]

    def sizes(self) -> tuple[int, int]:
        """Return how many trials there are, and how many lanes; raise ValueError where they cannot be.

        Where lanes are free, there are four batches at least, or the algorithm would have nothing to decide: with 64
        trials in one batch `q_learning` is left with six times the regret that it has one at a time, with four batches
        twice it (`python -m benchmarks.ablation batch`). But a batch has eight, which hardly cost it anything.
        """
        trials, lanes = self.trials, self.lanes
        for name, value in (("trials", trials), ("lanes", lanes)):
            if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
                raise ValueError(f"{name}={value!r} must be an integer of at least 1")
        if trials is not None and lanes is not None and lanes > trials:
            raise ValueError(f"lanes={lanes} exceeds trials={trials}; lower lanes or raise trials")
        if lanes is None:
            lanes = default_lanes()
            if trials is not None:
                lanes = min(lanes, max(_FEW_LANES, trials // _BATCHES), trials)
        return max(DEFAULT_TRIALS, _BATCHES * lanes) if trials is None else trials, lanes
