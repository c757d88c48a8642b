"""Bayesian optimisation with a Gaussian process, as compiled pure functions.

- `gp.py`: the algorithm
- `kernel.py`, `fit.py`, `posterior.py`: the covariance, its hyperparameters, and the posterior
- `acquisition.py`, `search.py`: how much a configuration is worth, and where that is largest
- `data.py`, `warp.py`: which trials are modelled, and their scores transformed
"""

from jaxhpo.algorithms.gp.gp import gp

__all__ = ["gp"]
