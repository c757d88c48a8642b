"""What a study's trials are: trainings of a network on data, or calls of a user's function."""

import warnings
from typing import Any, Protocol

import jax

from jaxhpo.data import load
from jaxhpo.errors import first_line
from jaxhpo.objectives import Function, Traceable
from jaxhpo.space import Space
from jaxhpo.study import Best, Study
from jaxhpo.training import PROBE, Trainer, probe
from jaxhpo.training.final import FinalFit, final_fit
from jaxhpo.training.trained.model import Model
from jaxhpo.tuning.options import Options
from jaxhpo.types import Objective

_SMALL = 5000  # training examples up to which an epoch is cheap
_EPOCHS_SMALL, _EPOCHS_LARGE = 20, 5
_OF_DATA = ("model", "loss", "metric", "target", "task", "final_fit", "engine", "devices", "memory", "horizon")
_OF_DATA += ("train_examples", "data_dir", "text", "drop", "image_size")


class Workload(Protocol):
    """What `Tuning` has to know of its trials."""

    space: Space
    lanes: int
    budget: int  # of a trial
    metric: str  # what a score is
    direction: str

    def objective(self, *, continues: bool) -> Objective:
        """Return what scores the trials; `continues` says whether some may continue others. Called once, first."""
        ...

    def plan(self) -> dict[str, Any]:
        """Return how they run, as plain data, with the most programs that trials compile."""
        ...

    def about(self) -> dict[str, Any]:
        """Return what is tuned, as plain data."""
        ...

    def vocabulary(self) -> list[str] | None:
        """Return the words of texts by token, from the first that is a word on."""
        ...

    def report(self) -> dict[str, Any] | None:
        """Return what training did so far."""
        ...

    def finish(self, study: Study) -> None:
        """Do with a finished study's winner what is done once."""
        ...


class TrainingWorkload:
    """Trainings of a network on data. Raises ValueError naming the argument that cannot be."""

    def __init__(self, data: Any, options: Options, lanes: int):
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
        epochs = options.epochs
        if epochs is None:
            epochs = _EPOCHS_SMALL if len(dataset.y_train) <= _SMALL else _EPOCHS_LARGE
        seeds = options.final_fit
        if isinstance(seeds, bool) or not isinstance(seeds, int) or seeds < 0:
            raise ValueError(f"final_fit={seeds!r} must be a number of trainings, 0 for none")
        goal = {"loss": options.loss, "metric": options.metric, "minimize": options.minimize}
        limits = {"lanes": lanes, "devices": options.devices, "memory": options.memory, "horizon": options.horizon}
        make, engine = (probe, {}) if options.engine == PROBE else (Trainer, {"engine": options.engine})
        self.trainer: Trainer = make(dataset, options.model, options.space, epochs=epochs, **engine, **goal, **limits)
        self.space, self.lanes, self.budget = self.trainer.space, self.trainer.plan.lanes, epochs
        self.metric, self.direction = self.trainer.goal.name, self.trainer.goal.direction
        self._seed, self._final = options.seed, options.final_fit

    def objective(self, *, continues: bool) -> Objective:
        """Return what scores the trials."""
        if continues:
            self.trainer.continue_trials()
        return self.trainer.objective

    def plan(self) -> dict[str, Any]:
        """Return how they run: machine, lanes, engine, buckets."""
        plan = self.trainer.plan
        return plan.to_json() | {"programs": len(plan.buckets) + 1}  # the test's

    def about(self) -> dict[str, Any]:
        """Return what is tuned, as plain data."""
        data = self.trainer.data
        return {
            "data": data.name,
            "task": data.task,
            "train_examples": len(data.y_train),
            "model": self.trainer.family.name,
        }

    def vocabulary(self) -> list[str] | None:
        """Return the words of texts by token, from the first that is a word on."""
        words = self.trainer.data.words
        return None if words is None else list(words.words)

    def report(self) -> dict[str, Any]:
        """Return what training did so far."""
        return self.trainer.report()

    def finish(self, study: Study) -> None:
        """Score the winner on the test examples once, and train it again where that was asked for."""
        study.offer(_Trained(self.trainer, study, self._seed))
        test = self.trainer.score_test(study.objective_state)
        study.seconds.compile += self.trainer.test_seconds
        study.record_test(study.best.trial, test)
        if self._final:
            try:
                fit = study.final_fit(self._final)
            except (ValueError, RuntimeError) as error:  # too little memory: the search is none the less done
                warnings.warn(
                    f"the winner was not trained again: {first_line(error, 300)}", RuntimeWarning, stacklevel=4
                )
                return
            study.seconds.compile += fit.compile_seconds
            study.seconds.train += fit.train_seconds


class _Trained:
    """What can be made of a study's best trial."""

    def __init__(self, trainer: Trainer, study: Study, seed: int):
        self._trainer, self._study, self._seed = trainer, study, seed

    def model(self) -> Model:
        """Return its network."""
        return self._trainer.model(self._study.objective_state.best)

    def final_fit(self, best: Best, seeds: int) -> FinalFit:
        """Return what training its configuration again gives."""
        budget = next(trial.budget for trial in self._study.finished if trial.trial == best.trial)
        return final_fit(self._trainer, best.config, budget=budget, seeds=seeds, seed=self._seed)


class FunctionWorkload:
    """Calls of a user's function. Raises ValueError naming the argument that cannot be."""

    def __init__(self, function: Traceable | Function, options: Options, lanes: int):
        if given := options.given(_OF_DATA):
            raise ValueError(f"{given[0]} is for data, and the trials are calls of a function; leave it out")
        if options.space is None:
            raise ValueError("space=None cannot go with a function; say what varies")
        if not isinstance(options.minimize, bool):
            raise ValueError(f"minimize={options.minimize!r} must be True or False")
        budget = 1 if options.epochs is None else options.epochs
        if isinstance(budget, bool) or not isinstance(budget, int) or budget < 1:
            raise ValueError(f"epochs={budget!r} must be an integer of at least 1")
        self.space, self.lanes, self.budget = options.space, lanes, budget
        self.metric, self.direction = "score", "minimize" if options.minimize else "maximize"
        called = function.train if isinstance(function, Traceable) else function.score
        self._name = getattr(called, "__name__", type(called).__name__)
        self._engine = "vmap" if isinstance(function, Traceable) else "processes"
        self._objective = function.objective(options.space)

    def objective(self, *, continues: bool) -> Objective:
        """Return what scores the trials; raise ValueError where it should continue some, and cannot."""
        if continues and self._objective.retain is None:
            raise ValueError(
                f"algorithm continues trials at larger budgets, and {self._name} takes no budget; let it take one, "
                "`budget`, or use an algorithm with a single rung"
            )
        return self._objective

    def plan(self) -> dict[str, Any]:
        """Return how they run: machine, lanes, engine."""
        device = {"backend": jax.default_backend(), "device": jax.devices()[0].device_kind}
        return device | {"engine": self._engine, "lanes": self.lanes}

    def about(self) -> dict[str, Any]:
        """Return what is tuned, as plain data."""
        return {"function": self._name}

    def vocabulary(self) -> None:
        """Return None: there are no texts."""

    def report(self) -> None:
        """Return None: what a function does is its own."""

    def finish(self, study: Study) -> None:
        """Do nothing."""
