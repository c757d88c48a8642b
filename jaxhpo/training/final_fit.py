"""The final fit: a configuration trained with several seeds on training and validation examples together."""

import math
from dataclasses import dataclass, replace
from typing import Any

import jax
import numpy as np

from jaxhpo.machine.bounds import MOST_SEEDS, check_count
from jaxhpo.space import Choice, Space, describe
from jaxhpo.training.run.batch import network_of
from jaxhpo.training.run.executor import Launch
from jaxhpo.training.run.state import Weights
from jaxhpo.training.step.lane_state import Result
from jaxhpo.training.trained.model import Model
from jaxhpo.training.trainer import Trainer
from jaxhpo.types import FRESH, Proposal


@dataclass(frozen=True, eq=False)
class FinalFit:
    """The test scores of a configuration over several trainings that differ only in their random numbers.

    Attributes:
        config: Hyperparameter values by name.
        metric: Name of the metric that the scores have, such as "accuracy".
        test_scores: Test score of each training; nan if it diverged.
        models: Trained model of each training.
        compile_seconds: Time spent on compilation, in seconds.
        train_seconds: Time spent on training, in seconds.
    """

    config: dict[str, Any]
    metric: str
    test_scores: tuple[float, ...]
    models: tuple[Model, ...]
    compile_seconds: float = 0.0
    train_seconds: float = 0.0

    @property
    def mean(self) -> float:
        """The mean test score; nan if a training diverged."""
        return float(np.mean(self.test_scores))

    @property
    def standard_error(self) -> float:
        """The standard error of the mean test score; nan for a single training.

        It is the sample standard deviation, divided by the square root of the number of trainings.
        """
        count = len(self.test_scores)
        return float(np.std(self.test_scores, ddof=1) / math.sqrt(count)) if count > 1 else math.nan

    def __repr__(self) -> str:
        several = f"{self.mean:.4f} +- {self.standard_error:.4f}, {len(self.test_scores)} trainings"
        return f"FinalFit(test {self.metric} {several}: {describe(self.config)})"

    def to_json(self) -> dict[str, Any]:
        """Return the configuration and the scores as plain data, which `json.dump` writes."""
        scores = {"test_scores": list(self.test_scores), "mean": self.mean, "standard_error": self.standard_error}
        return {"config": self.config, "metric": self.metric} | scores


def final_fit(trainer: Trainer, config: dict[str, Any], *, epochs: int, seeds: int, seed: int = 0) -> FinalFit:
    """Train a configuration on training and validation examples together; return the test scores and the models.

    All trainings are reported: test examples select nothing.

    Args:
        trainer: Trainer of the study that found the configuration.
        config: Configuration of the trainer's space.
        epochs: Epochs on the training examples alone, from the start; for a trial that continued others, those of the
            whole chain. Each training has the epochs that make as many updates of the weights, as more examples make
            more in an epoch.
        seeds: Number of trainings.
        seed: Random seed of all trainings.

    Raises:
        ValueError: if `seeds` is not an integer of at least 1.
    """
    check_count("seeds", seeds, MOST_SEEDS)
    data = trainer.data
    # The validation examples stay in their place too; the scores that they give each epoch are ignored.
    both = replace(
        data,
        x_train=np.concatenate([data.x_train, data.x_valid]),
        y_train=np.concatenate([data.y_train, data.y_valid]),
    )
    space = Space({name: Choice((value,)) for name, value in config.items()})
    again = trainer.again(both, space, lanes=seeds)
    lanes = np.arange(seeds, dtype=np.int32)
    point = np.tile(space.from_config(config), (seeds, 1))
    batch = trainer.family.structure(config).batch_size
    updates = epochs * (len(data.y_train) // batch)
    budget = min(max(round(updates / (len(both.y_train) // batch)), 1), trainer.epochs)
    proposal = Proposal(
        point, np.full(seeds, budget, np.int32), np.full(seeds, FRESH, np.int32), np.ones(seeds, bool), lanes
    )
    found: dict[int, Weights] = {}

    def done(launch: Launch, result: Result) -> None:
        scores = np.asarray(result.score)
        for i, lane in enumerate(launch.lanes.tolist()):
            score = float(scores[i])
            found[lane] = Weights(lane, score, score, 0.0, launch.bucket, (network_of(result, i),), point[lane])

    key = jax.random.key(seed, impl="threefry2x32")
    state = again.objective.init(key)
    again.train(key, state.data, proposal, done)
    weights = [found[lane] for lane in lanes.tolist()]
    scores = [math.nan if math.isnan(w.score) else again.score_weights(state.data, [w]) for w in weights]
    ledger = again.executor.ledger
    return FinalFit(
        config,
        trainer.goal.name,
        tuple(scores),
        tuple(again.model(w) for w in weights),
        compile_seconds=ledger.waited + again.test_seconds,
        train_seconds=ledger.seconds,
    )
