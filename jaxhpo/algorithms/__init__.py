"""Search methods. A factory of each returns an Algorithm of pure functions.

- `registry.py`: the algorithms by name
- `warm_start.py`: `Portfolio`: configurations, such as the best of earlier studies, that any algorithm tries first
- `common/`: histories, legal points, epsilon that decays by the variance of Q
- `sampling/`: random search, grid search, Sobol
- `model_based/`: TPE, UCB, Thompson sampling
- `gp/`: Bayesian optimisation with a Gaussian process
- `evolution/`: genetic algorithm, regularized evolution, CMA-ES
- `multi_fidelity/`: successive halving, Hyperband, ASHA, PBT
- `sequential/`: reinforcement learning that chooses one hyperparameter after another
- `tabular_q/`: Q-learning in tables
- `q_learning/`: Q-learning over a posterior of rewards, the default
"""

from jaxhpo.algorithms.evolution.cmaes import cmaes
from jaxhpo.algorithms.evolution.genetic import genetic
from jaxhpo.algorithms.evolution.regularized_evolution import regularized_evolution
from jaxhpo.algorithms.gp import gp
from jaxhpo.algorithms.model_based.thompson import thompson
from jaxhpo.algorithms.model_based.tpe import tpe
from jaxhpo.algorithms.model_based.ucb import ucb
from jaxhpo.algorithms.multi_fidelity.asha import asha
from jaxhpo.algorithms.multi_fidelity.hyperband import hyperband
from jaxhpo.algorithms.multi_fidelity.pbt import pbt
from jaxhpo.algorithms.multi_fidelity.successive_halving import successive_halving
from jaxhpo.algorithms.q_learning import q_learning
from jaxhpo.algorithms.registry import make, names, options, summary, use
from jaxhpo.algorithms.sampling.grid_search import grid_search
from jaxhpo.algorithms.sampling.random_search import random_search
from jaxhpo.algorithms.sampling.sobol import sobol
from jaxhpo.algorithms.sequential.actor_critic import actor_critic
from jaxhpo.algorithms.sequential.metaqnn import metaqnn
from jaxhpo.algorithms.sequential.reinforce import reinforce
from jaxhpo.algorithms.tabular_q.tabular_q import tabular_q
from jaxhpo.algorithms.warm_start import Portfolio, warm_started

__all__ = [
    "Portfolio",
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
