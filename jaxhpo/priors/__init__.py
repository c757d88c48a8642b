"""Learned priors of the rewards, their files, and the prior that jaxhpo ships."""

from jaxhpo.priors.learned_prior import LearnedPrior

__all__ = ["LearnedPrior"]
