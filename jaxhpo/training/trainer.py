"""The Trainer: a data set, a model and a space made into an Objective."""

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cached_property, partial
from typing import Any

import jax
import numpy as np

from jaxhpo.compilation import HostFunction
from jaxhpo.data import Dataset
from jaxhpo.data.folds import Folds, make_folds
from jaxhpo.machine.bounds import MOST_EPOCHS, check_count, check_visits
from jaxhpo.space import Space
from jaxhpo.training.goal.metrics import Metric
from jaxhpo.training.goal.scoring import Loss, read_goal
from jaxhpo.training.networks import Family, UserFamily, check_mean_outputs, make_family
from jaxhpo.training.planning.plan import EARLY
from jaxhpo.training.planning.resources import Machine, Resources, machine_of, read_resources
from jaxhpo.training.run.arguments import Arguments, shapes_of_chunk
from jaxhpo.training.run.batch import BatchResult, cut, structures_of
from jaxhpo.training.run.continuing import find_sources, keep, retain, shaping, states_of
from jaxhpo.training.run.executor import Executor, Launch
from jaxhpo.training.run.layout import Layout
from jaxhpo.training.run.models import together
from jaxhpo.training.run.placement import sorted_split, training_data, validation_targets
from jaxhpo.training.run.programs import Programs
from jaxhpo.training.run.scores import Scores
from jaxhpo.training.run.state import ResumeState, TrainerState, Weights
from jaxhpo.training.run.usage import Account, Ledger, Meter
from jaxhpo.training.step.examples import Split, TrainingData
from jaxhpo.training.step.lane_state import LaneState, Result, Source
from jaxhpo.training.step.stopping import BEST, LAST, Stopping, read_stopping
from jaxhpo.training.trained.model import Model
from jaxhpo.types import FRESH, Array, Finished, Key, Objective, Outcome, Proposal, ignore_result


class Trainer:
    """Trains configurations of a space on a data set, many at once, by a plan.

    Args:
        data: The examples.
        model: "mlp", "cnn" (images only), "rnn" (tokens, sequences) or "dan" (tokens); None takes the one that fits the
            data. Or a Flax model of your own: see `tune`.
        space: What varies; None is `default_space`'s choice. What it leaves out has the value in `DEFAULTS`.
        epochs: The most epochs that a trial's budget may name.
        loss: Outputs and targets of a batch -> []; None is the task's.
        metric: What trials are compared by: a name in `METRICS`, outputs and targets of a split -> [], or a metric of
            scikit-learn.
        minimize: Whether lower values of a metric of your own are better.
        lanes: How many trials a round has; None follows the machine.
        machine: How they run; None follows the kind of device.
        continues: Whether trials may continue others: see `objective`.
        checkpoint: "best" if the weights and the score of the epoch with the lowest validation loss count, "last" if
            those of the last epoch do.
        patience: Epochs without a lower validation loss after which a trial ends; None for never.
        folds: Folds on which each trial is trained, and out of which it is scored, dealt by seed 0; 1 for none.
        repeats: Trainings of each trial that differ in initial weights and dropout; its score is their mean.
        old: Fields of `machine`, as arguments: they will go.

    Raises:
        ValueError: if an argument is invalid; the message names it.
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
        machine: Machine | None = None,
        continues: bool = False,
        checkpoint: str = BEST,
        patience: int | None = None,
        folds: int = 1,
        repeats: int = 1,
        **old: Any,
    ):
        if not isinstance(data, Dataset):
            raise ValueError(f"data of type {type(data).__name__} must be a jaxhpo.Dataset; see jaxhpo.data.load")
        check_count("epochs", epochs, MOST_EPOCHS)
        machine, stopping = machine_of(machine, old, "Trainer"), read_stopping(checkpoint, patience)
        resources = read_resources(lanes, machine, continues, stopping, folds=folds, repeats=repeats)
        data = data if folds == 1 else make_folds(data, folds, 0).last(data.pooled())
        family = make_family(data, model, space, read_goal(data.task, loss, metric, minimize), epochs, folds=folds)
        self._begin(family, resources)

    @classmethod
    def of(cls, family: Family, resources: Resources) -> "Trainer":
        """Return a trainer of networks that have been checked already.

        Args:
            family: The networks, with their data and space; with folds the data are `Folds.last` of them.
            resources: What training may use.

        Raises:
            ValueError: if the memory does not hold a lane.
        """
        trainer = cls.__new__(cls)
        trainer._begin(family, resources)
        return trainer

    def _begin(self, family: Family, resources: Resources) -> None:
        self.family, self.data, self.space = family, family.data, family.space
        self.goal, self.epochs = family.goal, family.epochs
        check_visits(self.epochs, len(self.data.y_train))
        check_mean_outputs(family, resources)
        self.resources, self.continues = resources, resources.continues
        self.plan = family.plan(resources)
        examples = len(self.data.y_train) + len(self.data.y_valid)
        folds = Folds.in_order(resources.folds, examples) if resources.folds > 1 else None
        self.layout = Layout(resources.trainings, folds, self.goal.averages(self.data.task))
        self.executor = Executor(self.plan.launches)
        self._sources: dict[int, Source] = {}  # shapes, by bucket
        self.meter = Meter(family.network, self.data, self.plan.lengths)
        self._evaluation = HostFunction(self._evaluate, by_lane=True)
        self.scores = Scores(self.programs, self.layout)

    @property
    def objective(self) -> Objective:
        """The validation score of each trial after up to `Proposal.budget` epochs, with its curves.

        `Outcome.aux` has `curve`, `loss` and `validation_loss` ([B, epochs] float32: the validation score, the training
        loss and the validation loss of each epoch, nan for those that were not trained), `updates` and `epochs` ([B]
        int32, what was run), `checkpoint` ([B] int32, the epoch that counts, from 1), and `checkpoint_loss` ([B]
        float32, the loss after it). A trial whose budget is not in 1 .. epochs fails. Where the metric is called on
        arrays, `curve` is nan.

        With k folds or repeats a trial is k lanes. Its score is the metric of all held-out outputs together, or the
        mean of the repeats' scores, and `Outcome.standard_error` is that of the score over the examples. Arrays of
        `aux` have an axis of size k after the first, except `checkpoint_loss`; a fold may have no `curve`.

        With `continues` a trial may name a `source`, and trains from the source's budget on to its own: weights,
        statistics, the optimizer's moments, curve and loss are the source's, random numbers those of the first trial
        of the chain. So training in parts gives what training at once does, bit for bit. `curve` and `loss` have the
        source's part too, `updates` and `epochs` count what the trial itself ran. Hyperparameters may differ from
        the source's, except those that shape the training state: layers, units, what else makes the network another
        one, and the optimizer. A trial that changes one of these, whose budget is not above its source's, or whose
        source failed, is unknown or was dropped, fails with a RuntimeWarning. A trial continues its source's last
        epoch, and its score is the best of both, unless hyperparameters differ. A training state, four times the size
        of the weights, is kept in the host's memory until a `retain` does not name its trial; without `retain`
        until the next batch. Without `continues` a trial that has a source fails.
        """
        return Objective(self._init, self._evaluation, self._retain if self.continues else None)

    def score_test(self, state: TrainerState) -> float:
        """Return the test score of the best trial's networks."""
        assert state.best is not None  # a trial succeeded
        return self.score_weights(state.data, [state.best])

    def score_weights(self, data: TrainingData, trials: Sequence[Weights], shares: Sequence[float] = (1.0,)) -> float:
        """Return the test score of some trials, whose networks answer together.

        Args:
            data: The examples on the device, for their scales.
            trials: Their networks.
            shares: Weight of each trial; their sum is 1.
        """
        return self.scores.together(data, trials, shares, self.test_split)

    def again(self, data: Dataset, space: Space, *, lanes: int) -> "Trainer":
        """Return a trainer of the same model and goal for other examples and another space, to the last epoch.

        Args:
            data: The examples.
            space: What varies.
            lanes: Trials of a round.
        """
        plain = {"continues": False, "stopping": Stopping(LAST), "folds": 1, "repeats": 1}
        resources = self.resources._replace(lanes=lanes, **plain)
        return Trainer.of(self.family.again(data, space), resources)

    def model(self, *trials: Weights, shares: Sequence[float] = (1.0,)) -> Model:
        """Return the networks of some trials, which answer together, for predictions.

        Args:
            trials: Their networks.
            shares: Weight of each trial; their sum is 1.
        """
        return together(self.family, self.plan, self.layout, trials, shares)

    @property
    def test_seconds(self) -> float:
        """Seconds that compiling took so far for scores of single networks, such as `score_test`'s."""
        return self.scores.seconds

    def report(self) -> dict[str, Any]:
        """Return what training did so far as plain data: in all, and by bucket."""
        return self.executor.ledger.report([b.to_json() for b in self.plan.buckets], self.layout.copies)

    def forget(self) -> None:
        """Reset the figures of `report`; compiled programs stay."""
        self.executor.ledger = Ledger()
        self._evaluation.seconds, self._evaluation.report = 0.0, {}

    @property
    def programs(self) -> Programs:
        """The plan's programs, pure."""
        return Programs(self.family, self.plan, self.goal, self.epochs, self.resources.stopping, self.layout.fold_sizes)

    @cached_property
    def test_split(self) -> Split:
        """The examples that the winner is scored on, once."""
        return jax.device_put(sorted_split(self.data.x_test, self.data.y_test, self.plan.lengths))

    # --- a batch, on the host ------------------------------------------------------------------------------------

    def _init(self, key: Key) -> TrainerState:
        del key
        data = training_data(self.data, self.plan.lengths, self.layout.folds, self.family.ranges.quantiles)
        if len(self.plan.buckets) <= EARLY:  # the dearest first, as it will run first
            for bucket in reversed(range(len(self.plan.buckets))):
                self._prepare(bucket, data)
        return TrainerState(data, None)

    def _prepare(self, bucket: int, data: TrainingData) -> None:
        """Begin to compile a bucket's program, once."""
        key, *chunk = shapes_of_chunk(self.plan, bucket, len(self.space), self.layout)
        # A program of many sizes is for small networks: its seconds are launches, not the loops that XLA tunes.
        options = {"xla_backend_optimization_level": 2} if len(self.plan.buckets[bucket].widths) > 1 else {}
        if self.continues:
            if bucket not in self._sources:
                self._sources[bucket] = jax.eval_shape(partial(self.programs.sources, bucket), key, data, *chunk)
            chunk += [*([None] * (self.layout.copies == 1)), self._sources[bucket]]
        self.executor.prepare(bucket, partial(self.programs.train, bucket), (key, data, *chunk), options)

    def train(
        self,
        key: Key,
        data: TrainingData,
        proposal: Proposal,
        done: Callable[[Launch, Result], None],
        sources: Mapping[int, ResumeState] | None = None,
    ) -> Account:
        """Train the active rows of a proposal in chunks; return what that took.

        Args:
            key: The study's key for the objective.
            data: The examples on the device.
            proposal: NumPy arrays.
            done: Called with each chunk and its result, one at a time. Arrays are [size, ...], the lanes of
                `Launch.lanes` first; those of row r are lanes r * k to r * k + k - 1, of k a trial.
            sources: Training states that rows continue, by row.
        """
        structures, copies = structures_of(self.family, self.space, proposal), self.layout.copies
        of_lane = {row * copies + copy: own for row, own in structures.items() for copy in range(copies)}
        sources, total = sources or {}, Account()
        start = np.zeros_like(proposal.budget)
        for row, kept in sources.items():
            start[row] = kept.budget
        shapes = self._sources if self.continues else None
        arguments = Arguments(self.plan, self.layout, key, data, proposal, sources, shapes).of

        def take(launch: Launch, result: Result) -> None:
            done(launch, result)
            chunk = [of_lane[int(lane)] for lane in launch.lanes]
            epochs = np.asarray(result.epochs)[: len(chunk)]
            account = self.meter.account(self.plan, launch.bucket, chunk, epochs, start[launch.lanes // copies])
            self.executor.ledger.buckets.setdefault(launch.bucket, Account()).add(account)
            total.add(account)

        budget = np.clip(proposal.budget, 0, self.epochs)
        launches = cut(self.plan, self.meter, of_lane, start.repeat(copies), budget.repeat(copies))
        for launch in launches:
            self._prepare(launch.bucket, data)
        ledger = self.executor.ledger
        before = sum(account.busy for account in ledger.buckets.values())
        self.executor.run(launches, arguments, take)
        total.busy = sum(account.busy for account in ledger.buckets.values()) - before
        return total

    def _evaluate(
        self,
        key: Key,
        state: TrainerState,
        proposal: Proposal,
        finished: Finished = ignore_result,
        known: Collection[int] = (),
    ) -> tuple[TrainerState, Outcome]:
        proposal = jax.tree.map(np.asarray, proposal)
        proposal = proposal._replace(active=proposal.active & ~np.isin(np.arange(len(proposal.active)), list(known)))
        # Trained otherwise than it was asked to be, a trial must not pass for what its row says.
        valid = (proposal.budget >= 1) & (proposal.budget <= self.epochs)
        valid &= (proposal.source == FRESH) | self.continues
        y = validation_targets(state.data)
        found = BatchResult(proposal, valid, self.epochs, self.goal, self.layout, self.scores, y, state)
        sources: dict[int, ResumeState] = {}
        states = {trial: kept for trial, kept in state.kept.items() if kept.retained}
        lanes: dict[int, LaneState] = {}
        if self.continues:
            own = self.family.factory.takes if isinstance(self.family, UserFamily) else ()
            shape = shaping(self.space, own)
            proposal, sources = find_sources(proposal, state.kept, self.space, shape, self.epochs)

        def done(launch: Launch, result: Result) -> None:
            if self.continues:
                lanes.update(states_of(launch, result))
            for row in found.take(launch, result):
                copies = self.layout.copies
                parts = [lanes.pop(row * copies + copy, None) for copy in range(copies)]
                if self.continues:
                    states.update(keep(row, parts, proposal, sources, self.space, self.epochs))
                finished(row, found.result(row))

        ledger = self.executor.ledger
        before = (ledger.seconds, ledger.waited + self.scores.seconds)
        total = self.train(key, state.data, proposal, done, sources)
        seconds, compiling = ledger.seconds - before[0], ledger.waited + self.scores.seconds - before[1]
        self._evaluation.seconds += compiling
        times = {"train_seconds": seconds, "compile_seconds": compiling}
        self._evaluation.report = times | total.report(seconds)
        return found.after(state._replace(kept=states)), found.outcome

    def _retain(self, state: TrainerState, trials: Array) -> TrainerState:
        return state._replace(kept=retain(state.kept, np.asarray(trials)))
