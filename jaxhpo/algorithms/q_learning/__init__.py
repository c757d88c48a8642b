"""Q-learning over a posterior of rewards, as compiled pure functions."""

from jaxhpo.algorithms.q_learning.q_learning import q_learning

__all__ = ["q_learning"]
