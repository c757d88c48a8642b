"""jaxhpo: hyperparameter tuning that trains many Flax configurations at once in a few compiled JAX programs."""

import logging as _logging
import warnings as _warnings
from importlib.metadata import version as _version
from typing import Any as _Any

from jaxhpo import algorithms, data
from jaxhpo.algorithms import Portfolio
from jaxhpo.data import Dataset, TextOptions
from jaxhpo.models import dropout
from jaxhpo.objectives import function, traceable
from jaxhpo.prior_fitting import fit_prior
from jaxhpo.priors import LearnedPrior
from jaxhpo.space import Choice, Float, Int, Space
from jaxhpo.study import Best, StopWhenReached, StopWhenStalled, Study, Suggestion, Trial, read_journal, run_traced
from jaxhpo.training import FinalFit, Machine, Model, Trainer, default_space, load_model
from jaxhpo.tuning import TrainingStudy, tune
from jaxhpo.types import Algorithm, Objective, Outcome, Proposal

_logging.getLogger("jaxhpo").addHandler(_logging.NullHandler())  # rounds at INFO, the plan at DEBUG

__version__ = _version("jaxhpo")

__all__ = [
    "Algorithm",
    "Best",
    "Choice",
    "Dataset",
    "FinalFit",
    "Float",
    "Int",
    "LearnedPrior",
    "Machine",
    "Model",
    "Objective",
    "Outcome",
    "Portfolio",
    "Proposal",
    "Space",
    "StopWhenReached",
    "StopWhenStalled",
    "Study",
    "Suggestion",
    "TextOptions",
    "Trainer",
    "TrainingStudy",
    "Trial",
    "__version__",
    "algorithms",
    "data",
    "default_space",
    "dropout",
    "fit_prior",
    "function",
    "load_model",
    "read_journal",
    "run_traced",
    "traceable",
    "tune",
]

_RENAMED = {"Prior": "Portfolio"}
"""Names of the last release, and what each is called now."""


def __getattr__(name: str) -> _Any:
    if name not in _RENAMED:
        raise AttributeError(f"module 'jaxhpo' has no attribute {name!r}")
    _warnings.warn(f"jaxhpo.{name} will go; use jaxhpo.{_RENAMED[name]}", DeprecationWarning, stacklevel=2)
    return globals()[_RENAMED[name]]
