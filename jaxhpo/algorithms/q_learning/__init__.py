"""Q-learning over a posterior of rewards, as compiled pure functions.

- `q_learning.py`: the agent
- `reward_posterior.py`: what it expects of configurations (a Gaussian process)
- `actions.py`: the actions that it considers
- `value.py`: Q, and the epsilon-greedy choice
- `promotion.py`: which trials go on to a larger budget
"""

from jaxhpo.algorithms.q_learning.q_learning import q_learning

__all__ = ["q_learning"]
