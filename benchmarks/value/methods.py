"""Which methods there are, which problems each is for, and how a name carries options: `q_learning:epochs=20,lanes=4`.

A method is called with a problem, its parts, the seconds and a seed, and returns an `Answer`. It sees `x_train`,
`y_train` and `x_test`, and makes validation data of its own from the first two. An algorithm of jaxhpo returns
`Answers`: that of the winner has the name of the method, such as `q_learning:lanes=4`, and that of the ensemble
`q_learning:lanes=4+ensemble`.
"""

import importlib
from collections.abc import Callable
from difflib import get_close_matches
from functools import partial
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np

from benchmarks.value.recorded import Recorded

BASELINE, ENSEMBLE = "hand_written", "+ensemble"
KINDS = ("table", "image", "text")


class Answer(NamedTuple):
    """What a method says of the test examples, and what it ended with."""

    outputs: np.ndarray  # probabilities [N, K] with the classes of `np.unique(y_train)`, or predictions [N]
    trials: int | None = None  # None where there are none
    config: dict[str, Any] | None = None  # the winner's
    wall: float | None = None  # seconds that it took; None: as long as the method's call
    said: dict[str, float | None] | None = None  # validation scores and gains, as the study says them


class Answers(NamedTuple):
    """What a study says of the test examples."""

    winner: Answer
    ensemble: Answer | Exception
    record: Callable[[dict[str, Any]], Recorded]  # given what it is of


class Method(NamedTuple):
    """Where a method is written, and what it is for."""

    module: str  # of this package
    function: str
    kinds: tuple[str, ...] = KINDS
    tasks: tuple[str, ...] = ("classification", "regression")
    package: str | None = None  # that it needs beside those of jaxhpo


METHODS = {
    BASELINE: Method("others.hand_written", "one"),
    "hand_written_5": Method("others.hand_written", "five"),
    "optuna_tpe": Method("others.optuna_tpe", "tuned", package="optuna"),
    "hist_gradient_boosting": Method("others.scikit", "hist_gradient_boosting", ("table", "image")),
    "random_forest": Method("others.scikit", "random_forest", ("table", "image")),
    "linear": Method("others.scikit", "linear", ("table", "image")),
    "tfidf_naive_bayes": Method("others.scikit", "tfidf_naive_bayes", ("text",), ("classification",)),
}
"""Every method but the algorithms of jaxhpo, each of which is one as well."""

DEFAULT_METHODS = (BASELINE, "hand_written_5", "random_search", "q_learning", *list(METHODS)[2:])

_OURS = Method("own", "tuned")
_SET = ("algorithm", "task", "seed", "timeout", "verbose", "cache", "output", "profile", "target", "data_dir")
_WORDS = {"true": True, "false": False, "none": None}


def find(name: str) -> Method:
    """Return the method of a name; raise ValueError where there is none, or where its options are none of `tune`."""
    return _read(name)[0]


def fits(name: str, problem: Any) -> bool:
    """Return whether a method is for such problems."""
    method = find(name)
    return problem.kind in method.kinds and problem.task in method.tasks


def check_fits(name: str, problem: Any) -> None:
    """Raise ValueError if a method is not for such problems."""
    if not fits(name, problem):
        method = find(name)
        wanted = f"{' and '.join(method.kinds)} problems of {' or '.join(method.tasks)}"
        there = f"problem {problem.name!r} is {problem.kind}, {problem.task}"
        raise ValueError(f"method {name!r} is for {wanted}, and {there}; leave one of them out")


def lacking(name: str) -> str | None:
    """Return the package that a method needs and that is not installed."""
    package = find(name).package
    return package if package and find_spec(package) is None else None


def training_of(name: str) -> str:
    """Return the name under which a method runs: without the ending that asks for its ensemble."""
    return name.removesuffix(ENSEMBLE)


def answers_of(name: str) -> tuple[str, ...]:
    """Return the names of the answers that a method gives when it runs."""
    training = training_of(name)
    return (training, training + ENSEMBLE) if find(name) is _OURS else (training,)


def load(name: str) -> Callable[..., Answer | Answers]:
    """Return the function of a method, with its options."""
    method, options = _read(training_of(name))
    function = getattr(importlib.import_module(f"benchmarks.value.{method.module}"), method.function)
    return partial(function, algorithm=name.partition(":")[0], **options) if method is _OURS else function


def options_of(text: str) -> dict[str, Any]:
    """Return options as written: `epochs=20,checkpoint=last` is `{"epochs": 20, "checkpoint": "last"}`.

    A value is an int, a float, true, false, none, or a text.

    Raises:
        ValueError: if an option has no name or value, or comes twice.
    """
    found: dict[str, Any] = {}
    for part in text.split(","):
        name, equals, value = part.partition("=")
        if not (name.isidentifier() and equals and value) or "=" in value:
            raise ValueError(f"option {part!r} must be NAME=VALUE, such as epochs=20")
        if name in found:
            raise ValueError(f"option {name!r} is given twice; leave one out")
        found[name] = _value(value)
    return found


def _value(text: str) -> Any:
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _read(name: str) -> tuple[Method, dict[str, Any]]:
    training = training_of(name)
    base, colon, text = training.partition(":")
    if base in METHODS:
        if training != name:
            raise ValueError(f"method {name!r}: {base} has no ensemble; only the algorithms of jaxhpo have")
        if colon:
            raise ValueError(f"method {name!r}: {base} takes no options; only the algorithms of jaxhpo do")
        return METHODS[base], {}
    from jaxhpo import algorithms  # it imports JAX, which what only reads results need not

    known = [*METHODS, *algorithms.names()]
    if base not in known:
        near = get_close_matches(base, known, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ValueError(f"method {base!r} is unknown; {hint}known are {', '.join(known)}")
    options = _options(name, text) if colon else {}
    return _OURS, options


def _options(name: str, text: str) -> dict[str, Any]:
    from benchmarks.value.spaces.candidates import SPACES
    from jaxhpo.tuning.options import DEFAULTS

    try:
        options = options_of(text)
    except ValueError as error:
        raise ValueError(f"method {name!r}: {error}") from None
    for option in options:
        if option in _SET:
            raise ValueError(f"method {name!r}: the benchmark sets {option!r} itself; leave it out")
        if option not in DEFAULTS:
            raise ValueError(f"method {name!r}: {option!r} is no option of jaxhpo.tune; see help(jaxhpo.tune)")
    if "space" in options and options["space"] not in SPACES:
        raise ValueError(f"method {name!r}: space={options['space']!r} is unknown; use one of {', '.join(SPACES)}")
    return options
