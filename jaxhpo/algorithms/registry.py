"""The search methods by name."""

import inspect
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from typing import Any, NamedTuple

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
from jaxhpo.algorithms.sampling.grid_search import grid_search
from jaxhpo.algorithms.sampling.random_search import random_search
from jaxhpo.algorithms.sampling.sobol import sobol
from jaxhpo.algorithms.sequential.actor_critic import actor_critic
from jaxhpo.algorithms.sequential.metaqnn import metaqnn
from jaxhpo.algorithms.sequential.reinforce import reinforce
from jaxhpo.algorithms.tabular_q.tabular_q import tabular_q
from jaxhpo.space import Space
from jaxhpo.types import Algorithm


class Entry(NamedTuple):
    """One method.

    Attributes:
        factory: Function that makes the method.
        summary: One-line description of the method.
        use: One-line description of the problems that it suits.
    """

    factory: Callable[..., Algorithm]
    summary: str
    use: str


_ENTRIES = {
    "q_learning": Entry(
        q_learning,
        "Q-learning over a posterior of rewards; exploration decays by its variance",
        "first, wherever a trial takes a tenth of a second or more",
    ),
    "tabular_q": Entry(
        tabular_q,
        "Q-learning in tables; exploration decays by the variance of Q",
        "to study the agent as it is written",
    ),
    "random_search": Entry(
        random_search,
        "uniform over the whole space",
        "as the baseline, or where choosing must cost nothing",
    ),
    "grid_search": Entry(
        grid_search,
        "every combination of levels in order, then nothing",
        "where every combination can be afforded",
    ),
    "sobol": Entry(
        sobol,
        "a scrambled Sobol sequence, which fills the cube evenly",
        "in place of random search, for cheap trials or a first look",
    ),
    "gp": Entry(
        gp,
        "Bayesian optimisation with a Gaussian process",
        "where a trial takes seconds or more and scores vary smoothly",
    ),
    "tpe": Entry(
        tpe,
        "l(x) / g(x) of Parzen estimators in all dimensions at once",
        "where spaces are continuous or conditional, or trials are many",
    ),
    "genetic": Entry(
        genetic,
        "a genetic algorithm over the best trials, any number of lanes",
        "for many lanes and spaces of mixed kinds",
    ),
    "regularized_evolution": Entry(
        regularized_evolution,
        "mutants of the best of the latest trials (aging evolution)",
        "for architectures, unordered options and noisy scores",
    ),
    "cmaes": Entry(
        cmaes,
        "CMA-ES: a normal distribution over the cube learns where to look",
        "for a few hundred trials or more, mostly of real numbers",
    ),
    "ucb": Entry(
        ucb,
        "a bandit over the grid; the highest upper confidence bound",
        "where the grid is good and trials are few",
    ),
    "thompson": Entry(
        thompson,
        "a bandit over the grid; the best in a draw from the posterior",
        "where lanes are many and trials few, or trials are noisy",
    ),
    "successive_halving": Entry(
        successive_halving,
        "many configurations trained a little, the best third of them on",
        "where a few epochs tell the hopeless from the good",
    ),
    "hyperband": Entry(
        hyperband,
        "successive halving from several starting budgets in turn",
        "where learning curves may cross",
    ),
    "asha": Entry(
        asha,
        "successive halving that promotes without waiting for a rung",
        "where a few epochs tell much and choosing has to be fast",
    ),
    "pbt": Entry(
        pbt,
        "a population; its worst take over the weights of its best, and vary",
        "where hyperparameters should change while a network trains",
    ),
    "metaqnn": Entry(
        metaqnn,
        "Q-learning over choices one after the other, with replay",
        "to compare with reinforcement learning as the field knows it",
    ),
    "reinforce": Entry(
        reinforce,
        "a policy over choices one after the other, by REINFORCE",
        "to compare with policy gradients as the field knows them",
    ),
    "actor_critic": Entry(
        actor_critic,
        "as reinforce, each choice judged by a critic",
        "to compare with policy gradients as the field knows them",
    ),
}


def names() -> list[str]:
    """Return the names of the registered methods.

    Example:
        >>> import jaxhpo
        >>> jaxhpo.algorithms.names()[:4]
        ['q_learning', 'tabular_q', 'random_search', 'grid_search']
    """
    return list(_ENTRIES)


def summary(name: str) -> str:
    """Return a one-line description of a method.

    Args:
        name: Name of the method.

    Raises:
        ValueError: if the name is unknown.

    Example:
        >>> import jaxhpo
        >>> jaxhpo.algorithms.summary("gp")
        'Bayesian optimisation with a Gaussian process'
    """
    return _entry(name).summary


def use(name: str) -> str:
    """Return a one-line description of the problems that a method suits.

    Args:
        name: Name of the method.

    Raises:
        ValueError: if the name is unknown.

    Example:
        >>> import jaxhpo
        >>> jaxhpo.algorithms.use("gp")
        'where a trial takes seconds or more and scores vary smoothly'
    """
    return _entry(name).use


def options(name: str) -> dict[str, Any]:
    """Return the options of a method with their defaults.

    Args:
        name: Name of the method.

    Raises:
        ValueError: if the name is unknown.

    Example:
        >>> import jaxhpo
        >>> jaxhpo.algorithms.options("asha")
        {'eta': 3, 'min_budget': 1, 'keep': 32}
    """
    parameters = inspect.signature(_entry(name).factory).parameters
    return {key: p.default for key, p in parameters.items() if key not in ("space", "lanes", "budget")}


def make(name: str, space: Space, *, lanes: int, budget: int = 1, **chosen: Any) -> Algorithm:
    """Return the method of a name.

    Args:
        name: Name of the method.
        space: Search space.
        lanes: Number of lanes: trials of a round.
        budget: Budget of a trial, in units of the objective such as epochs; the largest one if the method has several.
        **chosen: Options of the method.

    Raises:
        ValueError: if the name, an option or an argument is invalid; the message names it.

    Example:
        >>> import jaxhpo
        >>> space = jaxhpo.Space({"x": jaxhpo.Float(-1.0, 1.0)})
        >>> algorithm = jaxhpo.algorithms.make("asha", space, lanes=8, budget=27, eta=3)
    """
    factory = _entry(name).factory
    known = options(name)
    for option in chosen:
        if option not in known:
            hint = _hint(option, known)
            raise ValueError(f"{name} has no option {option!r}; {hint}it takes {', '.join(known) or 'none'}")
    return factory(space, lanes=lanes, budget=budget, **chosen)


def _entry(name: str) -> Entry:
    if not isinstance(name, str) or name not in _ENTRIES:
        raise ValueError(f"algorithm {name!r} is unknown; {_hint(name, _ENTRIES)}known are {', '.join(_ENTRIES)}")
    return _ENTRIES[name]


def _hint(word: Any, known: Iterable[str]) -> str:
    near = get_close_matches(word, known, n=1) if isinstance(word, str) else []
    return f"did you mean {near[0]!r}? " if near else ""
