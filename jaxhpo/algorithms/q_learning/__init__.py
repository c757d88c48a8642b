"""Q-learning over a posterior of rewards, as compiled pure functions, and the prior it begins with."""

from jaxhpo.algorithms.q_learning.learning import fit_prior
from jaxhpo.algorithms.q_learning.prior import LearnedPrior
from jaxhpo.algorithms.q_learning.q_learning import q_learning

__all__ = ["LearnedPrior", "fit_prior", "q_learning"]
