"""Bayesian optimisation with a Gaussian process, as compiled pure functions."""

from jaxhpo.algorithms.gp.gp import gp

__all__ = ["gp"]
