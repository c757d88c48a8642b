"""The trials of a study: trainings of a network on data, or calls of a user's function."""

import warnings
from dataclasses import replace
from typing import Any, Protocol

import jax

from jaxhpo.data import Dataset, load
from jaxhpo.data.folds import default_folds, make_folds
from jaxhpo.errors import first_line, place_of
from jaxhpo.machine.bounds import MOST_BUDGET, MOST_SEEDS, check_count
from jaxhpo.objectives import Function, Traceable
from jaxhpo.space import Space
from jaxhpo.study import Study
from jaxhpo.training import PROBE, Trainer, make_family, probe, read_resources
from jaxhpo.training.goal.scoring import read_goal
from jaxhpo.tuning.model_comparison import WINNER, compare_models
from jaxhpo.tuning.options import DEFAULT_FOLDED, DEFAULT_TRAININGS, DEFAULT_TRIALS, Options
from jaxhpo.tuning.overview import function_lines, search_words, training_lines
from jaxhpo.tuning.training_length import training_length
from jaxhpo.tuning.training_study import TrainingStudy
from jaxhpo.types import Algorithm

_OF_DATA = ("model", "loss", "metric", "target", "drop", "task", "image_size", "train_examples", "data_dir", "text")
_OF_DATA += ("checkpoint", "patience", "folds", "repeats", "final_fit", "machine")
_FIXED = 0  # seed of the folds of named data, so that studies with different seeds can be compared


class Workload(Protocol):
    """What `Tuning` needs of the trials.

    Attributes:
        space: What varies.
        trials: How many there are.
        lanes: Trials of a round.
        budget: The largest of a trial.
        metric: What a score is.
    """

    space: Space
    trials: int
    lanes: int
    budget: int
    metric: str

    def study(self, algorithm: Any, **options: Any) -> Study:
        """Return the study; called once, before the other methods.

        Args:
            algorithm: Chooses the trials.
            options: Further arguments of `Study`.

        Raises:
            ValueError: if the algorithm continues trials, and the workload cannot.
        """
        ...

    def plan(self) -> dict[str, Any]:
        """Return how they run, as plain data, with the most programs that trials compile."""
        ...

    def about(self) -> dict[str, Any]:
        """Return what is tuned, as plain data."""
        ...

    def overview(self, lanes: int, timeout: float | None) -> list[str]:
        """Return what was understood, a line each, for people to read before the study begins.

        Args:
            lanes: Trials of a round, as the algorithm has them.
            timeout: Seconds that the search may take, or None.
        """
        ...

    def vocabulary(self) -> list[str] | None:
        """Return the words of the vocabulary by token, without the special tokens; None if there are no texts."""
        ...

    def report(self) -> dict[str, Any] | None:
        """Return what training did so far."""
        ...

    def finish(self) -> None:
        """Score the winner of the finished study on the test examples, if there are any, and the ensemble."""
        ...

    def models(self) -> dict[str, Any]:
        """Return what `finish` found of winner and ensemble, as plain data; nothing without networks."""
        ...


class TrainingWorkload:
    """Trainings of a network on data.

    Args:
        data: The data set, as `tune` takes it.
        options: Options of `tune`.

    Raises:
        ValueError: if an option is invalid; the message names it.
    """

    def __init__(self, data: Any, options: Options):
        if callable(data):
            name = getattr(data, "__name__", type(data).__name__)
            raise ValueError(f"data={name} is a function; say how it is called: traceable({name}) or function({name})")
        dataset = load(
            data,
            data_dir=options.data_dir,
            train_examples=options.train_examples,
            seed=options.seed,
            text=options.text,
            target=options.target,
            drop=options.drop,
            task=options.task,
            image_size=options.image_size,
        )
        dataset, self.folds = _folded(dataset, options)
        self.repeats = options.repeats
        each = max(self.folds, self.repeats)
        self.trials, self.lanes = options.sizes(
            DEFAULT_TRAININGS if each == 1 else DEFAULT_FOLDED, each, len(dataset.y_train)
        )
        self._length = training_length(
            len(dataset.y_train),
            options.space,
            epochs=options.epochs,
            checkpoint=options.checkpoint,
            patience=options.patience,
        )
        epochs = self._length.epochs
        seeds = options.final_fit
        if isinstance(seeds, bool) or not isinstance(seeds, int) or seeds < 0:
            raise ValueError(f"final_fit={seeds!r} must be a number of trainings, 0 for none")
        check_count("final_fit", seeds, MOST_SEEDS, least=0)
        goal = read_goal(dataset.task, options.loss, options.metric, options.minimize)
        self._family = make_family(dataset, options.model, options.space, goal, epochs, folds=self.folds)
        self.space, self.budget, self.metric = self._family.space, epochs, goal.name
        self._machine, self._final = options.machine, options.final_fit
        self._models: dict[str, Any] = {}

    def study(self, algorithm: Any, **options: Any) -> TrainingStudy:
        """Return the study; the plan is made here, when it is known whether trials continue others."""
        how: dict[str, Any] = {"continues": continues_trials(algorithm), "stopping": self._length.stopping}
        how |= {"folds": self.folds, "repeats": self.repeats}
        if self._machine.engine == PROBE:
            self.trainer = probe(self._family, self._machine, lanes=self.lanes, **how)
        else:
            self.trainer = Trainer.of(self._family, read_resources(self.lanes, self._machine, **how))
        self._study = TrainingStudy(self.trainer, algorithm, **options)
        return self._study

    def plan(self) -> dict[str, Any]:
        """Return how they run: machine, lanes, engine, buckets."""
        plan = self.trainer.plan
        # Each bucket trains, and computes outputs for the test. Scores, resampled scores and losses take one each, and
        # so do scores in a bag and out of it; the networks of repeats are resampled together, and their mean alone.
        return plan.to_json() | {"programs": 2 * len(plan.buckets) + 5 + (self.repeats > 1)}

    def about(self) -> dict[str, Any]:
        """Return what is tuned, as plain data."""
        data = self.trainer.data
        return {
            "data": data.name,
            "task": data.task,
            "train_examples": len(data.y_train),
            "model": self.trainer.family.name,
            "checkpoint": self._length.stopping.checkpoint,
            "patience": self._length.stopping.patience,
            "folds": self.folds,
            "repeats": self.repeats,
        }

    def overview(self, lanes: int, timeout: float | None) -> list[str]:
        """Return what was understood of the data, the network and the search, and the data's notes."""
        search = search_words(self.space, self.trials, lanes, timeout, folds=self.folds, repeats=self.repeats)
        return training_lines(self.trainer.data, self.trainer.family.name, str(self._length), search, self.folds)

    def vocabulary(self) -> list[str] | None:
        """Return the words of the vocabulary by token, without the special tokens; None if there are no texts."""
        words = self.trainer.data.words
        return None if words is None else list(words.words)

    def report(self) -> dict[str, Any]:
        """Return what training did so far."""
        return self.trainer.report()

    def finish(self) -> None:
        """Score winner and ensemble on the test examples once; train the winner again where that was asked for."""
        study = self._study
        try:
            self._models = compare_models(study)
        except Exception as error:  # of the user's code, or too little memory: the search is none the less done
            why = f"{type(error).__name__}: {first_line(error, 300)}{place_of(error)}"
            warnings.warn(f"winner and ensemble were not compared: {why}", RuntimeWarning, stacklevel=4)
        if self._final:
            try:
                fit = study.final_fit(self._final)
            except Exception as error:  # as above
                warnings.warn(
                    f"the winner was not trained again: {first_line(error, 300)}", RuntimeWarning, stacklevel=4
                )
                return
            study.seconds.compile += fit.compile_seconds
            study.seconds.train += fit.train_seconds
            self._models["recommended"] = WINNER  # it is trained on more examples than what the ensemble is compared on

    def models(self) -> dict[str, Any]:
        """Return what `finish` found of winner and ensemble, as plain data."""
        return self._models


class FunctionWorkload:
    """Calls of a user's function.

    Args:
        function: What is called.
        options: Options of `tune`.

    Raises:
        ValueError: if an option is invalid; the message names it.
    """

    def __init__(self, function: Traceable | Function, options: Options):
        if given := options.given(_OF_DATA):
            raise ValueError(f"{given[0]} is for data, and the trials are calls of a function; leave it out")
        if options.space is None:
            raise ValueError("space=None cannot go with a function; say what varies")
        budget = 1 if options.epochs is None else options.epochs
        check_count("epochs", budget, MOST_BUDGET)
        self.trials, self.lanes = options.sizes(DEFAULT_TRIALS)
        self.space, self.budget = options.space, budget
        self.metric, self._direction = "score", "minimize" if options.minimize else "maximize"
        called = function.train if isinstance(function, Traceable) else function.score
        self._name = getattr(called, "__name__", type(called).__name__)
        self._engine = "vmap" if isinstance(function, Traceable) else "processes"
        self._objective = function.objective(options.space)

    def study(self, algorithm: Any, **options: Any) -> Study:
        """Return the study; raise ValueError where the algorithm continues trials, and the function cannot.

        An algorithm that perturbs is refused by the study: a function that took a budget could not be tuned by it.
        """
        if continues_trials(algorithm) and self._objective.retain is None and not algorithm.perturbs:
            raise ValueError(
                f"algorithm continues trials at larger budgets, and {self._name} takes no budget; let it take one, "
                "`budget`, or use an algorithm with a single rung"
            )
        return Study(self.space, algorithm, self._objective, direction=self._direction, **options)

    def plan(self) -> dict[str, Any]:
        """Return how they run: machine, lanes, engine."""
        device = {"backend": jax.default_backend(), "device": jax.devices()[0].device_kind}
        return device | {"engine": self._engine, "lanes": self.lanes}

    def about(self) -> dict[str, Any]:
        """Return what is tuned, as plain data."""
        return {"function": self._name}

    def overview(self, lanes: int, timeout: float | None) -> list[str]:
        """Return how the function is called, and the search."""
        search = search_words(self.space, self.trials, lanes, timeout)
        traced = self._engine == "vmap"
        called = "a function traced by JAX, all trials of a round at once" if traced else "a function called in Python"
        return function_lines(self._name, called, None if self._objective.retain is None else self.budget, search)

    def vocabulary(self) -> None:
        """Return None: there are no texts."""

    def report(self) -> None:
        """Return None: the work of a function is not measured."""

    def finish(self) -> None:
        """Do nothing: a function's winner has no network."""

    def models(self) -> dict[str, Any]:
        """Return nothing: a function's winner has no network."""
        return {}


def _folded(dataset: Dataset, options: Options) -> tuple[Dataset, int]:
    """Return the data that a network is made for, and the number of folds, 1 where there are none.

    With folds these are the data of the last one: it has the fewest training and the most validation examples.

    Raises:
        ValueError: if they cannot be folded as the options say.
    """
    folds = options.folds
    if folds is None:
        folds = default_folds(dataset) if options.repeats == 1 else 1
    if folds == 1:
        return replace(dataset), 1  # a copy, which holds no table or texts that only folds need
    made = make_folds(dataset, folds, options.seed if dataset.split == "made" else _FIXED)
    return made.last(dataset.pooled()), folds


def continues_trials(algorithm: Any) -> bool:
    """Return whether an algorithm may continue trials; False for what is no Algorithm, which the study refuses."""
    return isinstance(algorithm, Algorithm) and algorithm.resumable is not None
