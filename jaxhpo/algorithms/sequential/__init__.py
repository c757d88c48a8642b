"""Reinforcement learning that chooses hyperparameters one after another: MetaQNN, REINFORCE, actor-critic.

- `walk.py`: a configuration as a sequence of choices
- `policy.py`: a softmax policy over the choices
"""
