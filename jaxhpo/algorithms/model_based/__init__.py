"""Search by a model of the scores other than a Gaussian process.

- `tpe.py`, `ucb.py`, `thompson.py`: the algorithms
- `linear_bandit.py`: arms and rewards of the bandits UCB and Thompson sampling
"""
