"""The algorithm of a study: made for its space, and named with its options for the journal."""

import functools
import hashlib
import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

from jaxhpo import algorithms
from jaxhpo.priors import LearnedPrior
from jaxhpo.space import Space
from jaxhpo.tuning.options import SHIPPED, Options

_POPULATION = 8  # of pbt at least, where the lanes are not given: its own default is a round


class Chosen(NamedTuple):
    """An algorithm and what it is called.

    Attributes:
        algorithm: What the factory returned: an Algorithm, as the study checks.
        name: A registered name, else the factory's.
        options: Those that were given or follow from the lanes, as plain data.
    """

    algorithm: Any
    name: str
    options: dict[str, Any]


def choose(options: Options, space: Space, *, lanes: int, budget: int) -> Chosen:
    """Return the algorithm that options name, made for a space.

    Args:
        options: Of `tune`: `algorithm` and `prior`.
        space: What is searched.
        lanes: Trials of a round.
        budget: The largest of a trial.

    Raises:
        ValueError: if there is no such algorithm, it cannot search the space, or it takes no prior and one is given.
    """
    algorithm = options.algorithm
    if callable(algorithm):
        name, given = _name(algorithm), dict(getattr(algorithm, "keywords", {}))
        takes = "prior" in _parameters(algorithm)
        if "prior" in given and options.prior != SHIPPED:
            raise ValueError(f"prior={options.prior!r} is given beside an algorithm that has one already; leave it out")
        chosen = _prior_option(options.prior, name, takes)
        _check_call(algorithm, name, {"lanes": lanes, "budget": budget} | chosen)
        return Chosen(algorithm(space, lanes=lanes, budget=budget, **chosen), name, _plain(given | chosen))
    if options.prior == SHIPPED:
        chosen = {}
    else:
        chosen = _prior_option(options.prior, algorithm, "prior" in algorithms.options(algorithm))
    enough = options.trials is None or options.trials >= 2 * _POPULATION
    if algorithm == "pbt" and options.lanes is None and lanes < _POPULATION and enough:
        chosen["population"] = -(-_POPULATION // lanes) * lanes
    made = algorithms.make(algorithm, space, lanes=lanes, budget=budget, **chosen)
    return Chosen(made, algorithm, _plain(chosen))


def _check_call(factory: Callable[..., Any], name: str, options: dict[str, Any]) -> None:
    """Raise ValueError if a factory does not take what it is called with."""
    try:
        signature = inspect.signature(factory)
    except (TypeError, ValueError):  # written in C, or whatever
        return
    try:
        signature.bind(None, **options)
    except TypeError as error:
        called = ", ".join(("space", *(f"{option}=..." for option in options)))
        raise ValueError(f"algorithm={name} is called as {name}({called}), and {error}; let it take these") from None


def _prior_option(prior: Any, name: str, takes: bool) -> dict[str, Any]:
    """Return the option by which an algorithm is given a prior; raise ValueError where it takes none."""
    if prior == SHIPPED:
        return {}
    if not takes and prior is not None:
        raise ValueError(f"prior={prior!r} is for algorithms that begin with one, and {name} does not; leave it out")
    return {"prior": prior} if takes else {}


def _name(factory: Callable[..., Any]) -> str:
    """Return the name of a factory, or of the one in a partial."""
    while isinstance(factory, functools.partial):
        factory = factory.func
    return getattr(factory, "__name__", "custom")


def _parameters(factory: Callable[..., Any]) -> list[str]:
    try:
        return list(inspect.signature(factory).parameters)
    except (TypeError, ValueError):  # written in C, or whatever
        return []


def _plain(value: Any) -> Any:
    """Return a value as JSON takes it: a learned prior by its digest, what is no plain data by its spelling."""
    if isinstance(value, LearnedPrior):
        return {"learned_prior": hashlib.sha256(value.to_bytes()).hexdigest()[:16]}
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value if value is None or isinstance(value, bool | int | float | str) else repr(value)
