"""`tune`: puts data, model, space, algorithm and study together, and runs them.

- `api.py`: `tune`
- `options.py`: its options: types and defaults
- `algorithm_choice.py`: the algorithm, made and named
- `training_length.py`: how many epochs trials train where the user does not say, and the patience
- `workloads.py`: what trials are: trainings, or calls of a function
- `overview.py`: what was understood, in words, before the study begins
- `ensemble.py`: the trials that answer together, and those that are level with the winner
- `correction.py`: validation scores of winner and ensemble, corrected for choosing
- `model_comparison.py`: winner and ensemble side by side at the end of a study
- `training_study.py`: `TrainingStudy`: the winner, its network, test score and final fit
- `tuning.py`: `Tuning`, one call of `tune`: checked, run, reported
"""

from jaxhpo.tuning.api import tune
from jaxhpo.tuning.options import DEFAULT_TRAININGS, DEFAULT_TRIALS, DEFAULTS, Options
from jaxhpo.tuning.training_study import TrainingStudy
from jaxhpo.tuning.tuning import Tuning, versions

__all__ = ["DEFAULTS", "DEFAULT_TRAININGS", "DEFAULT_TRIALS", "Options", "TrainingStudy", "Tuning", "tune", "versions"]
