"""What many problems taught of rewards.

- `learned_prior.py`: `LearnedPrior` and its files; the agent begins with the shipped one
- `hyperparameter_features.py`: names of hyperparameters as features that mean the same in every space
"""

from jaxhpo.priors.learned_prior import LearnedPrior

__all__ = ["LearnedPrior"]
