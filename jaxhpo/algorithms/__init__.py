"""Search methods: each a factory that returns an Algorithm of three pure functions."""

from jaxhpo.algorithms.actor_critic import actor_critic
from jaxhpo.algorithms.asha import asha
from jaxhpo.algorithms.cmaes import cmaes
from jaxhpo.algorithms.genetic import genetic
from jaxhpo.algorithms.gp import gp
from jaxhpo.algorithms.grid_search import grid_search
from jaxhpo.algorithms.hyperband import hyperband
from jaxhpo.algorithms.metaqnn import metaqnn
from jaxhpo.algorithms.pbt import pbt
from jaxhpo.algorithms.prior import Prior, warm_started
from jaxhpo.algorithms.q_learning import q_learning
from jaxhpo.algorithms.random_search import random_search
from jaxhpo.algorithms.registry import make, names, options, summary, use
from jaxhpo.algorithms.regularized_evolution import regularized_evolution
from jaxhpo.algorithms.reinforce import reinforce
from jaxhpo.algorithms.sobol import sobol
from jaxhpo.algorithms.successive_halving import successive_halving
from jaxhpo.algorithms.tabular_q import tabular_q
from jaxhpo.algorithms.thompson import thompson
from jaxhpo.algorithms.tpe import tpe
from jaxhpo.algorithms.ucb import ucb

__all__ = [
    "Prior",
    "actor_critic",
    "asha",
    "cmaes",
    "genetic",
    "gp",
    "grid_search",
    "hyperband",
    "make",
    "metaqnn",
    "names",
    "options",
    "pbt",
    "q_learning",
    "random_search",
    "regularized_evolution",
    "reinforce",
    "sobol",
    "successive_halving",
    "summary",
    "tabular_q",
    "thompson",
    "tpe",
    "ucb",
    "use",
    "warm_started",
]
