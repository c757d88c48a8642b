"""jaxhpo: hyperparameter tuning that trains many Flax configurations at once in one compiled JAX program."""

from importlib.metadata import version as _version

from jaxhpo import algorithms, data
from jaxhpo.algorithms import Prior
from jaxhpo.data import Dataset, TextOptions
from jaxhpo.meta_learning import fit_prior
from jaxhpo.models import dropout
from jaxhpo.objectives import function, traceable
from jaxhpo.priors import LearnedPrior
from jaxhpo.space import Choice, Float, Int, Space
from jaxhpo.study import Best, Study, Suggestion, Trial, read_journal, run_traced
from jaxhpo.training import FinalFit, Model, Trainer, default_space, load_model
from jaxhpo.tuning import tune
from jaxhpo.types import Algorithm, Objective, Outcome, Proposal

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
    "Model",
    "Objective",
    "Outcome",
    "Prior",
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
    "dropout",
    "fit_prior",
    "function",
    "load_model",
    "read_journal",
    "run_traced",
    "traceable",
    "tune",
]
