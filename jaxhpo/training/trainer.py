"""The Trainer: a data set, a model and a space made into an Objective."""

from functools import cached_property, partial
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from jaxhpo.compilation import HostFunction, Program
from jaxhpo.data import Dataset
from jaxhpo.models import MODELS, Active, Variant
from jaxhpo.space import Space
from jaxhpo.training.accounts import Account, Ledger, Meter
from jaxhpo.training.costs import tile_of
from jaxhpo.training.default_spaces import default_space
from jaxhpo.training.engines import THREADS, Chunk, train_chunk
from jaxhpo.training.executor import Executor, Work
from jaxhpo.training.lane import Lane, Network, Result, Split, TrainingData, accuracy, normalise
from jaxhpo.training.plan import Task, make_plan
from jaxhpo.training.ranges import Structure, read_hyper, read_ranges, read_structure
from jaxhpo.types import FRESH, Array, Key, Objective, Outcome, Proposal

_TRIALS, _ORDER = 0, 1  # what a study's objective key is folded with


class Weights(NamedTuple):
    """What the best trial so far ended with."""

    trial: int
    score: float
    bucket: int  # of the plan: the network that these are weights of
    lane: int  # where in the chunk
    params: Any  # [size, ...] each: the whole chunk's
    point: np.ndarray  # [D] float32: its configuration


class TrainerState(NamedTuple):
    """The objective's state: the examples, an argument and not a constant of the programs, and the best weights."""

    data: TrainingData
    best: Weights | None


class Trainer:
    """Trains configurations of a space on a data set, many at once, by a plan.

    Args:
        data: the examples.
        model: "mlp", "cnn" (images only) or "rnn" (tokens only); None takes the one that fits the data.
        space: what varies; None is `default_space`'s choice. What it leaves out has the value in `DEFAULTS`.
        epochs: the most epochs that a trial's budget may name.
        lanes: how many configurations a batch has; None follows the machine.
        engine: see `ENGINES`; None follows the machine.
        devices: that share the lanes; None is all of an accelerator's kind, and one on a CPU.
        memory: GiB of each device that training may use; None follows the machine.
        horizon: "short" or "long": the trials over which compilations have to pay.

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
        devices: int | None = None,
        memory: float | None = None,
        horizon: str = "short",
    ):
        if not isinstance(data, Dataset):
            raise ValueError(f"data of type {type(data).__name__} must be a jaxhpo.Dataset; see jaxhpo.data.load")
        fitting = {"image": "cnn", "vector": "mlp", "text": "rnn"}[data.kind]
        if model is None:
            model = fitting
        if not isinstance(model, str) or model not in MODELS:
            raise ValueError(f"model={model!r} is unknown; use one of {', '.join(MODELS)}")
        if (model == "rnn") != (data.kind == "text") or (model == "cnn" and data.kind != "image"):
            raise ValueError(
                f"model={model!r} cannot take {data.name}, {data.kind} data of shape {data.shape}; use {fitting!r}"
            )
        if isinstance(epochs, bool) or not isinstance(epochs, int) or epochs < 1:
            raise ValueError(f"epochs={epochs!r} must be an integer of at least 1")
        self.data, self.epochs, self.model_name = data, epochs, model
        self.space = default_space(model, data.shape, len(data.y_train)) if space is None else space
        self.ranges = read_ranges(self.space, model, image=data.shape[:2] if data.kind == "image" else None)
        if self.ranges.largest_batch > len(data.y_train):
            raise ValueError(
                f"space batch_size: {self.ranges.largest_batch} exceeds the {len(data.y_train)} training examples "
                f"of {data.name}; use smaller batches or more examples"
            )
        task = Task(
            model=self.network,
            shape=data.shape,
            train=len(data.y_train),
            valid=len(data.y_valid),
            bytes=sum(array.nbytes for array in (data.x_train, data.y_train, data.x_valid, data.y_valid)),
            epochs=epochs,
            micro_batch=self.ranges.micro_batch,
            units=self.ranges.units_values,
            layers=self.ranges.layers_values,
            variants=self.ranges.variants,
            tiled=model == "cnn",
        )
        self.plan = make_plan(task, lanes=lanes, engine=engine, devices=devices, memory=memory, horizon=horizon)
        self.meter = Meter(self.network, data)
        self.executor = Executor(self.plan.launches)
        self._evaluation = HostFunction(self._evaluate)
        self._tests: dict[int, Program] = {}

    @property
    def objective(self) -> Objective:
        """The validation accuracy after `Proposal.budget` epochs, with every trial's curve.

        `Outcome.aux` has `curve` ([B, epochs] float32, validation accuracy after each epoch), `loss` ([B, epochs]
        float32, training loss), `updates` and `epochs` ([B] int32, what was run). Training starts fresh: a
        trial that continues another, or whose budget is not in 1 .. epochs, fails.
        """
        return Objective(self._init, self._evaluation)

    def network(self, layers: int, units: int, variant: Variant) -> nn.Module:
        """Return the Flax network of a size and variant."""
        model = MODELS[self.model_name]
        options: dict[str, Any] = {"layers": layers, "units": units, "classes": self.data.classes}
        options |= {name: value for name, value in variant._asdict().items() if name in model.__dataclass_fields__}
        if self.model_name == "rnn":
            options["vocabulary"] = self.data.vocabulary
        return model(**options)

    def score_test(self, state: TrainerState) -> float:
        """Return the test accuracy of the best trial's weights."""
        best = state.best
        assert best is not None  # a trial succeeded
        if best.bucket not in self._tests:
            self._tests[best.bucket] = Program(partial(self._test, best.bucket))
        program = self._tests[best.bucket]
        return float(program(state.data, best.params, np.int32(best.lane), best.point, self.test_split))

    @property
    def test_seconds(self) -> float:
        """Seconds that compiling for `score_test` took so far."""
        return sum(program.seconds for program in self._tests.values())

    def report(self) -> dict[str, Any]:
        """Return what training did so far as plain data: in all, and by bucket."""
        ledger, total = self.executor.ledger, self.executor.ledger.total()
        buckets = [
            bucket.to_json()
            | {"trials": account.lanes, "busy_seconds": account.busy}
            | {"compile_seconds": ledger.compile_seconds.get(i, 0.0)}
            | account.report(account.busy)
            for i, bucket in enumerate(self.plan.buckets)
            for account in [ledger.buckets.get(i, Account())]
        ]
        return {"seconds": ledger.seconds, "trials": total.lanes} | total.report(ledger.seconds) | {"buckets": buckets}

    def forget(self) -> None:
        """Begin the books of `report` anew; compiled programs stay."""
        self.executor.ledger = Ledger()
        self._evaluation.seconds, self._evaluation.report = 0.0, {}

    @cached_property
    def test_split(self) -> Split:
        """The examples that the winner is scored on, once."""
        return Split(*jax.device_put((self.data.x_test, self.data.y_test)))

    # --- the programs, pure --------------------------------------------------------------------------------------

    def _chunk(self, bucket: int) -> Chunk:
        b, plan = self.plan.buckets[bucket], self.plan
        full = self.network(b.layers if b.variant.exact_depth else self._deepest, self._widest, b.variant)
        network = Network(tuple(self._sized(b.layers, width, b.variant) for width in b.widths), full)
        return Chunk(network, self.ranges, self.epochs, plan.evaluation_batch, plan.engine, plan.devices)

    def _sized(self, layers: int, units: int, variant: Variant) -> nn.Module:
        model = self.network(layers, units, variant)
        if self.model_name != "cnn" or self.plan.engine != THREADS:
            return model
        return model.clone(tile=tile_of(self.plan.micro_batch))

    def _train_chunk(
        self, bucket: int, key: Key, data: TrainingData, point: Array, budget: Array, active: Array, trial: Array
    ) -> Result:
        """Train a chunk of lanes ([size, ...] each). Weights and order depend on key and trial alone."""
        trial_key = jax.random.fold_in(key, _TRIALS)
        lanes = Lane(
            key=jax.vmap(lambda t: jax.random.fold_in(trial_key, t))(trial),
            hyper=read_hyper(self.space, point),
            budget=jnp.clip(budget, 0, self.epochs),
            active=active,
        )
        return train_chunk(self._chunk(bucket), data, jax.random.fold_in(key, _ORDER), lanes)

    def _test(self, bucket: int, data: TrainingData, params: Any, place: Array, point: Array, test: Split) -> Array:
        params = jax.tree.map(lambda leaf: leaf[place], params)
        hyper = read_hyper(self.space, point)
        model = self._chunk(bucket).network.model

        def network(x: Array) -> Any:
            return model.apply({"params": params}, normalise(data, x), active=Active(hyper.layers, hyper.units))

        return accuracy(network, test, self.plan.evaluation_batch)[0]

    # --- a batch, on the host ------------------------------------------------------------------------------------

    def _init(self, key: Key) -> TrainerState:
        del key
        d = self.data
        data = TrainingData(Split(d.x_train, d.y_train), Split(d.x_valid, d.y_valid), d.offset, d.scale)
        data = jax.device_put(data)
        self._prepare(data)
        return TrainerState(data, None)

    def _prepare(self, data: TrainingData) -> None:
        """Begin to compile every bucket's program; the dearest first, as it will run first."""
        key = jax.eval_shape(lambda: jax.random.key(0))
        for bucket, b in reversed(list(enumerate(self.plan.buckets))):
            number, point = np.zeros(b.size, np.int32), np.zeros((b.size, len(self.space)), np.float32)
            # A program of many sizes is for small networks: its seconds are launches, not the loops that XLA tunes.
            options = {"xla_backend_optimization_level": 2} if len(b.widths) > 1 else {}
            arguments = (key, data, point, number, number > 0, number)
            self.executor.prepare(bucket, partial(self._train_chunk, bucket), arguments, options)

    def _evaluate(self, key: Key, state: TrainerState, proposal: Proposal) -> tuple[TrainerState, Outcome]:
        proposal = jax.tree.map(np.asarray, proposal)
        structures = {
            lane: read_structure(self.space.to_config(proposal.point[lane])) for lane in np.flatnonzero(proposal.active)
        }
        # Trained otherwise than it was asked to be, a trial must not pass for what its row says.
        kept = (proposal.source == FRESH) & (proposal.budget >= 1) & (proposal.budget <= self.epochs)
        lanes = len(proposal.active)
        unset = np.full((lanes, self.epochs), np.nan, np.float32)
        found = {"curve": unset, "loss": unset.copy()}
        found |= {"updates": np.zeros(lanes, np.int32), "epochs": np.zeros(lanes, np.int32)}
        score = np.full(lanes, np.nan, np.float32)
        best = state.best
        total = Account()

        def arguments(work: Work) -> tuple:
            size = self.plan.buckets[work.bucket].size
            real = np.arange(size) < len(work.lanes)
            rows = np.concatenate([work.lanes, np.full(size - len(work.lanes), work.lanes[0], work.lanes.dtype)])
            trial = np.where(real, proposal.trial[rows], np.int32(FRESH))
            return key, state.data, proposal.point[rows], proposal.budget[rows], real, trial

        def done(work: Work, result: Result) -> None:
            nonlocal best
            here = slice(0, len(work.lanes))
            score[work.lanes] = np.asarray(result.score)[here]
            for name, values in found.items():
                values[work.lanes] = np.asarray(getattr(result, name))[here]
            for i, lane in enumerate(work.lanes):
                trial, value = int(proposal.trial[lane]), float(score[lane])
                # As the study picks its winner: of equal ones the first.
                if kept[lane] and value == value and (best is None or (value, -trial) > (best.score, -best.trial)):
                    best = Weights(trial, value, work.bucket, i, result.params, proposal.point[lane])
            chunk = [structures[lane] for lane in work.lanes]
            account = self.meter.account(self.plan, work.bucket, chunk, found["epochs"][work.lanes])
            self.executor.ledger.buckets.setdefault(work.bucket, Account()).add(account)
            total.add(account)

        ledger = self.executor.ledger
        before = (ledger.seconds, ledger.waited, sum(account.busy for account in ledger.buckets.values()))
        self.executor.run(self._works(structures), arguments, done)
        seconds = ledger.seconds - before[0]
        total.busy = sum(account.busy for account in ledger.buckets.values()) - before[2]
        self._evaluation.seconds = ledger.waited
        self._evaluation.report = {
            "train_seconds": seconds,
            "compile_seconds": ledger.waited - before[1],
            **total.report(seconds),
        }
        return TrainerState(state.data, best), Outcome(np.where(kept, score, np.nan).astype(np.float32), found)

    @property
    def _widest(self) -> int:
        return max(self.ranges.units_values)

    @property
    def _deepest(self) -> int:
        return max(self.ranges.layers_values)

    def _works(self, structures: dict[int, Structure]) -> list[Work]:
        """Return the chunks of a batch: lanes of one bucket together, alike ones side by side."""
        groups: dict[int, list[int]] = {}
        for lane, s in structures.items():
            groups.setdefault(self.plan.bucket_of(s.units, s.layers, s.variant), []).append(lane)
        works = []
        for bucket, lanes in groups.items():
            size = self.plan.buckets[bucket].size
            for start in range(0, len(lanes), size):
                part = np.array(lanes[start : start + size])
                cost = sum(self.meter.executed(self.plan, bucket, structures[lane]) for lane in part)
                works.append(Work(bucket, part, cost))
        return works
