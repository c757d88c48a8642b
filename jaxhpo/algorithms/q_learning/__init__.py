"""Q-learning with a posterior of the rewards, as compiled pure functions.

- `q_learning.py`: the agent
- `reward_posterior.py`: the posterior of the rewards of configurations (a Gaussian process)
- `actions.py`: the actions that a decision considers
- `value.py`: Q, and the epsilon-greedy choice
- `promotion.py`: the trials that continue to a larger budget
"""

from jaxhpo.algorithms.q_learning.q_learning import q_learning

__all__ = ["q_learning"]
