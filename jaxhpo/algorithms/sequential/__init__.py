"""Reinforcement learning that chooses one hyperparameter after the other: MetaQNN, REINFORCE, actor-critic.

- `walk.py`: a configuration as a sequence of choices
- `policy.py`: a softmax policy over the choices
"""
