"""The Trainer: a data set, a model and a space made into an Objective."""

import warnings
from collections.abc import Callable
from functools import cached_property, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxhpo.compilation import HostFunction, Program
from jaxhpo.data import Dataset
from jaxhpo.space import Space
from jaxhpo.training.accounts import Account, Ledger, Meter
from jaxhpo.training.default_spaces import default_space
from jaxhpo.training.engines import Chunk, train_chunk
from jaxhpo.training.examples import Split, TrainingData, group_texts
from jaxhpo.training.executor import Executor, Work
from jaxhpo.training.facts import Facts
from jaxhpo.training.families import Builtin, Family, fitting_model
from jaxhpo.training.goals import Loss, Metric, read_goal
from jaxhpo.training.lane import Job, Lane, Result, evaluate
from jaxhpo.training.model import Model, scaling_of
from jaxhpo.training.own import Own
from jaxhpo.training.plan import EARLY
from jaxhpo.training.ranges import Structure
from jaxhpo.training.weights import TrainerState, Weights
from jaxhpo.types import FRESH, Array, Key, Objective, Outcome, Proposal

_TRIALS, _ORDER = 0, 1  # what a study's objective key is folded with


class Trainer:
    """Trains configurations of a space on a data set, many at once, by a plan.

    Args:
        data: the examples.
        model: "mlp", "cnn" (images only) or "rnn" (tokens only); None takes the one that fits the data. Or a Flax model
            of your own: see `tune`.
        space: what varies; None is `default_space`'s choice. What it leaves out has the value in `DEFAULTS`.
        epochs: the most epochs that a trial's budget may name.
        loss: outputs and targets of a batch -> []; None is the task's.
        metric: what trials are compared by: a name in `METRICS`, or outputs and targets of a split -> [].
        minimize: whether lower values of a metric of your own are better.
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
        model: Any = None,
        space: Space | None = None,
        *,
        epochs: int = 20,
        loss: Loss | None = None,
        metric: str | Metric | None = None,
        minimize: bool = False,
        lanes: int | None = None,
        engine: str | None = None,
        devices: int | None = None,
        memory: float | None = None,
        horizon: str = "short",
    ):
        if not isinstance(data, Dataset):
            raise ValueError(f"data of type {type(data).__name__} must be a jaxhpo.Dataset; see jaxhpo.data.load")
        if isinstance(epochs, bool) or not isinstance(epochs, int) or epochs < 1:
            raise ValueError(f"epochs={epochs!r} must be an integer of at least 1")
        if space is not None and not isinstance(space, Space):
            raise ValueError(f"space={space!r} must be a jaxhpo.Space")
        self.data, self.epochs = data, epochs
        self.goal = read_goal(data.task, loss, metric, minimize)
        self.family: Family
        if model is None or isinstance(model, str):
            name = fitting_model(model, data)
            self.space = default_space(name, data.shape, len(data.y_train)) if space is None else space
            self.family = Builtin(name, data, self.space, self.goal, epochs)
        else:
            if space is None:
                raise ValueError("space=None cannot go with a model of your own; say what varies")
            self.space, self.family = space, Own(model, data, space, self.goal, epochs)
        self._made_with = {"loss": loss, "metric": metric, "minimize": minimize, "model": model, "epochs": epochs}
        self._made_with |= {"engine": engine, "devices": devices, "memory": memory, "horizon": horizon}
        means = {"lanes": lanes, "engine": engine, "devices": devices, "memory": memory, "horizon": horizon}
        self.plan = self.family.plan(**means)
        self.meter = Meter(self.family.network, data, self.plan.lengths)
        self.executor = Executor(self.plan.launches)
        self._evaluation = HostFunction(self._evaluate)
        self._tests: dict[int, Program] = {}

    @property
    def objective(self) -> Objective:
        """The validation score after `Proposal.budget` epochs, with every trial's curve.

        `Outcome.aux` has `curve` ([B, epochs] float32, validation score after each epoch), `loss` ([B, epochs]
        float32, training loss), `updates` and `epochs` ([B] int32, what was run). Training starts fresh: a
        trial that continues another, or whose budget is not in 1 .. epochs, fails.
        """
        return Objective(self._init, self._evaluation)

    def score_test(self, state: TrainerState) -> float:
        """Return the test score of the best trial's weights."""
        assert state.best is not None  # a trial succeeded
        return self.score_weights(state.data, state.best)

    def score_weights(self, data: TrainingData, weights: Weights) -> float:
        """Return the test score of some weights."""
        program = self._tests.setdefault(weights.bucket, Program(partial(self._test, weights.bucket)))
        trained = (weights.params, weights.statistics, np.int32(weights.lane), weights.point)
        return float(program(data, *trained, self.test_split))

    def again(self, data: Dataset, space: Space, *, lanes: int) -> "Trainer":
        """Return a trainer of the same model and goal for other examples and another space."""
        return Trainer(data, space=space, lanes=lanes, **self._made_with)

    def model(self, weights: Weights) -> Model:
        """Return the network that some weights are of, for predictions."""
        config = self.space.to_config(weights.point)
        params, statistics = jax.tree.map(lambda leaf: leaf[weights.lane], (weights.params, weights.statistics))
        learner, params, made = self.family.alone(self.plan, weights.bucket, config, params)
        params, statistics = jax.tree.map(np.asarray, (params, statistics))
        data = self.data
        return Model(config, params, statistics, Facts.of(data), scaling_of(data), data.words, learner, made)

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
        return jax.device_put(self._split(self.data.x_test, self.data.y_test))

    # --- the programs, pure --------------------------------------------------------------------------------------

    def _job(self, bucket: int) -> Job:
        plan, ranges = self.plan, self.family.ranges
        return Job(
            learner=self.family.learner(plan, bucket),
            goal=self.goal,
            optimizers=ranges.optimizers,
            schedules=ranges.schedules,
            micro_batch=plan.batch_of(bucket),
            epochs=self.epochs,
            batch=plan.evaluation_batch,
            lengths=plan.lengths,
        )

    def _train_chunk(
        self, bucket: int, key: Key, data: TrainingData, point: Array, budget: Array, active: Array, trial: Array
    ) -> Result:
        """Train a chunk of lanes ([size, ...] each). Weights and order depend on key and trial alone."""
        trial_key = jax.random.fold_in(key, _TRIALS)
        lanes = Lane(
            key=jax.vmap(lambda t: jax.random.fold_in(trial_key, t))(trial),
            hyper=self.family.hyper(point),
            budget=jnp.clip(budget, 0, self.epochs),
            active=active,
        )
        chunk = Chunk(self._job(bucket), self.plan.engine, self.plan.devices)
        return train_chunk(chunk, data, jax.random.fold_in(key, _ORDER), lanes)

    def _test(
        self, bucket: int, data: TrainingData, params: Any, statistics: Any, place: Array, point: Array, test: Split
    ) -> Array:
        params, statistics = jax.tree.map(lambda leaf: leaf[place], (params, statistics))
        return evaluate(self._job(bucket), data, self.family.hyper(point), params, statistics, test)[0]

    # --- a batch, on the host ------------------------------------------------------------------------------------

    def _split(self, x: np.ndarray, y: np.ndarray, *, ordered: bool = True) -> Split:
        """Return examples as programs take them; texts with their groups, evaluated in their order."""
        if not self.plan.lengths:
            return Split(x, y)
        group = group_texts(x, self.plan.lengths)
        rows = np.argsort(group, kind="stable") if ordered else slice(None)
        return Split(x[rows], y[rows], group[rows])

    def _init(self, key: Key) -> TrainerState:
        del key
        d = self.data
        train, valid = self._split(d.x_train, d.y_train, ordered=False), self._split(d.x_valid, d.y_valid)
        targets = (d.target_offset, d.target_scale) if d.task == "regression" else (None, None)
        data = jax.device_put(TrainingData(train, valid, d.offset, d.scale, *targets))
        if len(self.plan.buckets) <= EARLY:  # the dearest first, as it will run first
            for bucket in reversed(range(len(self.plan.buckets))):
                self._prepare(bucket, data)
        return TrainerState(data, None)

    def _prepare(self, bucket: int, data: TrainingData) -> None:
        """Begin to compile a bucket's program, once."""
        key, b = jax.eval_shape(lambda: jax.random.key(0)), self.plan.buckets[bucket]
        number, point = np.zeros(b.size, np.int32), np.zeros((b.size, len(self.space)), np.float32)
        # A program of many sizes is for small networks: its seconds are launches, not the loops that XLA tunes.
        options = {"xla_backend_optimization_level": 2} if len(b.widths) > 1 else {}
        arguments = (key, data, point, number, number > 0, number)
        self.executor.prepare(bucket, partial(self._train_chunk, bucket), arguments, options)

    def train(self, key: Key, data: TrainingData, proposal: Proposal, done: Callable[[Work, Result], None]) -> Account:
        """Train the active lanes of a proposal (NumPy arrays) in chunks; return what that took.

        `done` takes each chunk and its result ([size, ...] each, the lanes of `Work.lanes` first), one at a time.
        """
        structures = self._structures(proposal)
        total = Account()

        def arguments(work: Work) -> tuple:
            size = self.plan.buckets[work.bucket].size
            real = np.arange(size) < len(work.lanes)
            rows = np.concatenate([work.lanes, np.full(size - len(work.lanes), work.lanes[0], work.lanes.dtype)])
            trial = np.where(real, proposal.trial[rows], np.int32(FRESH))
            return key, data, proposal.point[rows], proposal.budget[rows], real, trial

        def take(work: Work, result: Result) -> None:
            done(work, result)
            chunk = [structures[int(lane)] for lane in work.lanes]
            account = self.meter.account(self.plan, work.bucket, chunk, np.asarray(result.epochs)[: len(chunk)])
            self.executor.ledger.buckets.setdefault(work.bucket, Account()).add(account)
            total.add(account)

        works = self._works(structures)
        for work in works:
            self._prepare(work.bucket, data)
        ledger = self.executor.ledger
        before = sum(account.busy for account in ledger.buckets.values())
        self.executor.run(works, arguments, take)
        total.busy = sum(account.busy for account in ledger.buckets.values()) - before
        return total

    def _evaluate(self, key: Key, state: TrainerState, proposal: Proposal) -> tuple[TrainerState, Outcome]:
        proposal = jax.tree.map(np.asarray, proposal)
        # Trained otherwise than it was asked to be, a trial must not pass for what its row says.
        kept = (proposal.source == FRESH) & (proposal.budget >= 1) & (proposal.budget <= self.epochs)
        lanes = len(proposal.active)
        unset = np.full((lanes, self.epochs), np.nan, np.float32)
        found = {"curve": unset, "loss": unset.copy()}
        found |= {"updates": np.zeros(lanes, np.int32), "epochs": np.zeros(lanes, np.int32)}
        score = np.full(lanes, np.nan, np.float32)
        best = state.best

        def done(work: Work, result: Result) -> None:
            nonlocal best
            here = slice(0, len(work.lanes))
            score[work.lanes] = np.asarray(result.score)[here]
            for name, values in found.items():
                values[work.lanes] = np.asarray(getattr(result, name))[here]
            for i, lane in enumerate(work.lanes):
                trial, value = int(proposal.trial[lane]), self.goal.sign * float(score[lane])
                # As the study picks its winner: of equal ones the first.
                if kept[lane] and value == value and (best is None or (value, -trial) > (best.rank, -best.trial)):
                    trained = (result.params, result.statistics)
                    best = Weights(trial, float(score[lane]), value, work.bucket, i, *trained, proposal.point[lane])

        ledger = self.executor.ledger
        before = (ledger.seconds, ledger.waited)
        total = self.train(key, state.data, proposal, done)
        seconds = ledger.seconds - before[0]
        self._evaluation.seconds = ledger.waited
        self._evaluation.report = {
            "train_seconds": seconds,
            "compile_seconds": ledger.waited - before[1],
            **total.report(seconds),
        }
        return TrainerState(state.data, best), Outcome(np.where(kept, score, np.nan).astype(np.float32), found)

    def _structures(self, proposal: Proposal) -> dict[int, Structure]:
        """Return the active lanes' networks; one that cannot be trained fails alone, with a warning."""
        structures = {}
        for lane in np.flatnonzero(proposal.active).tolist():
            structure = self.family.structure(self.space.to_config(proposal.point[lane]))
            try:
                self.family.check(structure)
            except ValueError as error:
                warnings.warn(f"trial {proposal.trial[lane]} failed: {error}", RuntimeWarning, stacklevel=3)
            else:
                structures[lane] = structure
        return structures

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
                cost = sum(self.meter.executed(self.plan, bucket, structures[int(lane)]) for lane in part)
                works.append(Work(bucket, part, cost))
        return works
