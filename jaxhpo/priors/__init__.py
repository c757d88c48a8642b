"""What many problems taught of rewards: learned priors, their files, and the one that jaxhpo ships."""

from jaxhpo.priors.learned_prior import LearnedPrior

__all__ = ["LearnedPrior"]
