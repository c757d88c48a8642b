"""Reinforcement learning that chooses one hyperparameter after another.

- `metaqnn.py`, `reinforce.py`, `actor_critic.py`: the algorithms
- `walk.py`: a configuration as a sequence of choices
- `policy.py`: a softmax policy over the choices
"""
