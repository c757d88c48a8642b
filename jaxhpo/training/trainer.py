"""The Trainer: a data set, a model and a space made into an Objective."""

from functools import cached_property, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxhpo.data import Dataset
from jaxhpo.models import MODELS, Active
from jaxhpo.space import Space
from jaxhpo.training.engines import ENGINES
from jaxhpo.training.hyperparameters import default_space, read_hyper, read_ranges
from jaxhpo.training.lane import Lane, Result, Split, TrainingData, accuracy, normalise, train_lane
from jaxhpo.training.plan import make_plan
from jaxhpo.types import FRESH, Array, Key, Objective, Outcome, Proposal

_TRIALS, _ORDER = 0, 1  # what a study's objective key is folded with


class TrainerState(NamedTuple):
    """The objective's state: the examples, an argument and not a constant of the program, and the last weights."""

    data: TrainingData
    params: Any  # [B, ...] each: the weights that the last batch of lanes ended with


class Trainer:
    """Trains configurations of a space on a data set, all lanes in one compiled program.

    Args:
        data: the examples.
        model: "mlp" or "cnn" (images only); None takes the CNN for images, the MLP for vectors.
        space: what varies; None is `default_space`'s choice. What it leaves out has the value in `DEFAULTS`.
        epochs: the most epochs that a trial's budget may name.
        lanes: how many configurations train at once; None follows the machine.
        engine: "map" or "vmap"; None follows the machine.

    Raises:
        ValueError: naming the argument that cannot be.
    """

    def __init__(
        self,
        data: Dataset,
        model: str | None = None,
        space: Space | None = None,
        *,
        epochs: int = 20,
        lanes: int | None = None,
        engine: str | None = None,
    ):
        if not isinstance(data, Dataset):
            raise ValueError(f"data of type {type(data).__name__} must be a jaxhpo.Dataset; see jaxhpo.data.load")
        if model is None:
            model = "cnn" if data.kind == "image" else "mlp"
        if not isinstance(model, str) or model not in MODELS:
            raise ValueError(f"model={model!r} is unknown; use one of {', '.join(MODELS)}")
        if model == "cnn" and data.kind != "image":
            raise ValueError(f"model='cnn' needs images, but {data.name} has vectors of shape {data.shape}; use 'mlp'")
        if isinstance(epochs, bool) or not isinstance(epochs, int) or epochs < 1:
            raise ValueError(f"epochs={epochs!r} must be an integer of at least 1")
        self.data, self.epochs, self.model_name = data, epochs, model
        self.space = default_space(model, data.shape, len(data.y_train)) if space is None else space
        self.ranges = read_ranges(self.space)
        if self.ranges.largest_batch > len(data.y_train):
            raise ValueError(
                f"space batch_size: {self.ranges.largest_batch} exceeds the {len(data.y_train)} training examples "
                f"of {data.name}; use smaller batches or more examples"
            )
        self.plan = make_plan(lanes, engine)
        self.model = MODELS[model](layers=self.ranges.layers, units=self.ranges.units, classes=data.classes)

    @cached_property
    def objective(self) -> Objective:
        """The validation accuracy after `Proposal.budget` epochs, with every trial's curve.

        `Outcome.aux` has `curve` ([B, epochs] float32, validation accuracy after each epoch), `loss` ([B, epochs]
        float32, training cross-entropy) and `updates` ([B] int32). Training starts fresh: a trial that continues
        another, or whose budget is not in 1 .. epochs, fails.
        """
        return Objective(self._init, self._evaluate)

    def train(self, key: Key, data: TrainingData, proposal: Proposal) -> Result:
        """Train the lanes of a proposal; pure, [B, ...] results. Weights and order depend on key and trial alone."""
        trial_key = jax.random.fold_in(key, _TRIALS)
        lanes = Lane(
            key=jax.vmap(lambda trial: jax.random.fold_in(trial_key, trial))(proposal.trial),
            hyper=read_hyper(self.space, self.ranges, proposal.point),
            budget=jnp.clip(proposal.budget, 0, self.epochs),
            active=proposal.active,
        )
        last = jnp.max(jnp.where(lanes.active, lanes.budget, 0))
        body = partial(train_lane, self.model, self.ranges, self.epochs, data, jax.random.fold_in(key, _ORDER), last)
        return ENGINES[self.plan.engine](body, lanes)

    def test(self, state: TrainerState, proposal: Proposal, test: Split) -> Array:
        """Return the test accuracy ([] float32) of lane 0 of the batch that was just evaluated; pure."""
        params = jax.tree.map(lambda leaf: leaf[0], state.params)
        hyper = read_hyper(self.space, self.ranges, proposal.point[0])

        def network(x: Array) -> Array:
            x = normalise(state.data, x)
            return self.model.apply({"params": params}, x, active=Active(hyper.layers, hyper.units))

        return accuracy(network, test)[0]

    @cached_property
    def test_split(self) -> Split:
        """The examples that the winner is scored on, once."""
        return Split(*jax.device_put((self.data.x_test, self.data.y_test)))

    def _init(self, key: Key) -> TrainerState:
        del key
        d = self.data
        data = TrainingData(Split(d.x_train, d.y_train), Split(d.x_valid, d.y_valid), d.offset, d.scale)
        # Zeros made by NumPy: an eager `jnp.zeros` would be one more program to compile.
        shapes = jax.eval_shape(self.train, jax.eval_shape(lambda: jax.random.key(0)), data, self._empty).params
        return jax.device_put(TrainerState(data, jax.tree.map(lambda s: np.zeros(s.shape, s.dtype), shapes)))

    @property
    def _empty(self) -> Proposal:
        lanes = self.plan.lanes
        number = np.zeros(lanes, np.int32)
        return Proposal(np.zeros((lanes, len(self.space)), np.float32), number, number, number > 0, number)

    def _evaluate(self, key: Key, state: TrainerState, proposal: Proposal) -> tuple[TrainerState, Outcome]:
        result = self.train(key, state.data, proposal)
        # Trained otherwise than it was asked to be, a trial must not pass for what its row says.
        kept = (proposal.source == FRESH) & (proposal.budget >= 1) & (proposal.budget <= self.epochs)
        score = jnp.where(proposal.active & kept, result.score, jnp.nan)
        aux = {"curve": result.curve, "loss": result.loss, "updates": result.updates}
        return TrainerState(state.data, result.params), Outcome(score, aux)
