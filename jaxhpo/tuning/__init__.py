"""The front door: `tune` puts data, model, space, algorithm and study together, and runs them."""

from jaxhpo.tuning.api import tune
from jaxhpo.tuning.options import DEFAULT_ALGORITHM, DEFAULT_TRIALS, Options
from jaxhpo.tuning.tuning import Tuning, versions

__all__ = ["DEFAULT_ALGORITHM", "DEFAULT_TRIALS", "Options", "Tuning", "tune", "versions"]
