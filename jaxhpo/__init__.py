"""jaxhpo: hyperparameter tuning that trains many Flax configurations at once in one compiled JAX program."""

from importlib.metadata import version as _version

from jaxhpo import algorithms, data
from jaxhpo.data import Dataset, TextOptions
from jaxhpo.space import Choice, Float, Int, Space
from jaxhpo.study import Best, Study, Suggestion, Trial
from jaxhpo.training import Trainer, default_space
from jaxhpo.tuning import tune
from jaxhpo.types import Algorithm, Objective, Outcome, Proposal

__version__ = _version("jaxhpo")

__all__ = [
    "Algorithm",
    "Best",
    "Choice",
    "Dataset",
    "Float",
    "Int",
    "Objective",
    "Outcome",
    "Proposal",
    "Space",
    "Study",
    "Suggestion",
    "TextOptions",
    "Trainer",
    "Trial",
    "__version__",
    "algorithms",
    "data",
    "default_space",
    "tune",
]
