"""A user's traceable training function as an Objective: vmapped over the lanes."""

import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from jaxhpo.errors import UNTRACEABLE
from jaxhpo.objectives.alone import Alone
from jaxhpo.objectives.effects import Fixed, Traced, all_combinations, trace, without_effect
from jaxhpo.objectives.hyperparameters import MOST_COMBINATIONS, static_names, traced_values
from jaxhpo.objectives.signatures import check_signature
from jaxhpo.objectives.static_groups import Groups, check_aux
from jaxhpo.objectives.worker import describe, place
from jaxhpo.space import Float, Space
from jaxhpo.types import Array, Key, Objective, Outcome, Proposal, State, keep_state

_TRAIN = 0  # number folded into the objective's key before the trial
_CHECKED = 16  # combinations of static values that are traced before anything runs
_BUDGET = "budget"

Lane = Callable[[Key, Array, Array, Array], tuple[Array, dict[str, Array]]]
"""Function of one lane: key, point [D] float32, budget [] int32, trial [] int32 -> score [] float32, aux."""


@dataclass(frozen=True)
class Traceable:
    """A traceable function that scores a configuration; `traceable` makes it and describes the attributes."""

    train: Callable[..., Any]
    static: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_signature("train(key, hparams)", self.train, 2, (_BUDGET,))
        static = self.static
        if isinstance(static, str) or not hasattr(static, "__iter__"):
            raise ValueError(f"static={static!r} must be a tuple of hyperparameters' names; write ({static!r},)")
        names: dict[str, None] = {}
        for name in static:
            if not isinstance(name, str):  # before the next is made: there may be many
                raise ValueError(f"static names {name!r}, which is no string; give hyperparameters' names")
            names[name] = None
        object.__setattr__(self, "static", tuple(names))

    def objective(self, space: Space) -> Objective:
        """Return the Objective for a space.

        If the function takes `budget`, a trial may continue another one: the function then trains from the start, to
        the total budget. Otherwise trials cannot be continued. Without static hyperparameters `evaluate` is a pure
        function; with them it is a HostFunction. A Choice of anything but numbers or bools is static. This method
        traces the function with shapes only; it compiles and runs nothing. It warns of hyperparameters, and of a
        budget, on which nothing depends that the function returns.

        Args:
            space: Search space.

        Raises:
            ValueError: if the function cannot be traced, raises an exception or does not return a score; if a static
                hyperparameter is a Float or is not in the space; if hyperparameters are static that `static` does not
                name, and there are more than 16 combinations.
        """
        if not isinstance(space, Space):
            raise ValueError(f"space={space!r} must be a jaxhpo.Space")
        static = static_names(space, self.static)
        traces = [(fixed, self._check(space, fixed)) for fixed in _representatives(space, static)]
        aux = traces[0][1].aux
        for fixed, traced in traces[1:]:
            check_aux(fixed, traced.aux, aux)
        self._warn_of_idle(space, static, traces)
        retain = keep_state if self._takes_budget else None
        alone = Alone(lambda fixed: self._lane(space, fixed), space, static).host
        if static:
            groups = Groups(lambda fixed: self._lane(space, fixed), space, static, aux)
            return Objective(_no_state, groups.host, retain, True, alone)
        lanes = jax.vmap(self._lane(space, {}), in_axes=(None, 0, 0, 0))

        def evaluate(key: Key, state: State, proposal: Proposal) -> tuple[State, Outcome]:
            return state, Outcome(*lanes(key, proposal.point, proposal.budget, proposal.trial))

        return Objective(_no_state, evaluate, retain, True, alone)

    @property
    def _takes_budget(self) -> bool:
        return bool(check_signature("train(key, hparams)", self.train, 2, (_BUDGET,)))

    def _lane(self, space: Space, fixed: Fixed) -> Lane:
        """Return the function of one lane; `fixed` holds the static hyperparameters, and the budget if it is static."""
        call = self._call(space, fixed)

        def lane(key: Key, point: Array, budget: Array, trial: Array) -> tuple[Array, dict[str, Array]]:
            return call(key, trial, budget, *traced_values(space, point).values())

        return lane

    def _call(self, space: Space, fixed: Fixed) -> Callable[..., tuple[Array, dict[str, Array]]]:
        """Return the function of key, trial, budget and the space's values; `fixed` takes the place of some of them."""
        takes_budget = self._takes_budget
        values = {name: value for name, value in fixed.items() if name in space}

        def call(key: Key, trial: Array, budget: Array, *traced: Array) -> tuple[Array, dict[str, Array]]:
            key = jax.random.fold_in(jax.random.fold_in(key, _TRAIN), trial)
            hparams = dict(zip(space, traced, strict=True)) | values
            if takes_budget:
                return _split(self.train(key, hparams, budget=fixed.get(_BUDGET, budget)))
            return _split(self.train(key, hparams))

        return call

    def _warn_of_idle(self, space: Space, static: tuple[str, ...], traces: list[tuple[Fixed, Traced]]) -> None:
        """Warn once of hyperparameters that change nothing, and of a budget that is taken and not used."""
        idle = without_effect(space, static, traces)
        if idle and static:
            # They may have an effect with other static values: a momentum only if the optimizer is a certain one.
            every = all_combinations(space, static, MOST_COMBINATIONS)
            try:
                traces = [(fixed, self._trace(space, fixed)) for fixed in every or ()]
            except Exception:  # fails its own trials, if there are any
                traces = []
            idle = without_effect(space, static, traces) if traces else []
        if self._takes_budget and traces and not any(traced.uses_budget for _, traced in traces):
            idle.append(_BUDGET)
        if idle:
            has, them = ("has", "it") if len(idle) == 1 else ("have", "them")
            warnings.warn(
                f"{', '.join(idle)} {has} no effect: no computation that reaches what train returns depends on {them}; "
                f"use {them}, or leave {them} out",
                RuntimeWarning,
                stacklevel=3,
            )

    def _check(self, space: Space, fixed: Fixed) -> Traced:
        """Return the traced function of one lane; raise ValueError if it cannot be traced."""
        try:
            return self._trace(space, fixed)
        except Exception as error:
            if isinstance(error, _ResultError):
                raise ValueError(str(error)) from None
            message = self._explain(space, fixed, error) or f"train raises {describe(error)}"
            raise ValueError(message) from error

    def _trace(self, space: Space, fixed: Fixed) -> Traced:
        key = jax.eval_shape(lambda: jax.random.key(0, impl="threefry2x32"))
        row = jax.ShapeDtypeStruct((1,), jnp.int32)
        point = jax.ShapeDtypeStruct((1, len(space)), jnp.float32)
        values = jax.eval_shape(jax.vmap(lambda row: traced_values(space, row)), point)
        # Under vmap, as it will run: some primitives can be traced, but not batched.
        lanes = jax.vmap(self._call(space, fixed), in_axes=(None, 0, 0, *[0] * len(space)))
        return trace(lanes, (key, row, row), {name: values[name] for name in space})

    def _explain(self, space: Space, fixed: Fixed, error: Exception) -> str | None:
        """Return a message that explains an error while tracing, or None if tracing is not its cause."""
        at = place(error)
        where = f" ({at[0]}, line {at[1]})" if at else ""

        def traces(names: list[str]) -> bool:
            values = {name: space[name].to_value(0.5) if name in space else 1 for name in names}
            try:
                self._trace(space, {**fixed, **values})
            except Exception:
                return False
            return True

        # Find the arguments that the function needs as Python values: without any one of them tracing fails.
        needed = [name for name in space if name not in fixed] + [_BUDGET]
        if isinstance(error, (TypeError, *UNTRACEABLE)) and traces(needed):
            for name in list(needed):
                fewer = [other for other in needed if other != name]
                needed = fewer if traces(fewer) else needed
            floats = [name for name in needed if name in space and isinstance(space[name], Float)]
            names = f"name it in static={(*self.static, *needed)!r}, " if _BUDGET not in needed else ""
            if floats:  # which cannot be static
                names = f"make an Int or a Choice of {', '.join(floats)} and name it in static=, "
            return (
                f"train cannot be traced: Python needs the value of {', '.join(needed)}{where}; {names}"
                "use jnp.where and jax.lax.cond, scan or while_loop, or use jaxhpo.function"
            )
        if isinstance(error, UNTRACEABLE):
            first = str(error).partition("\n")[0].rstrip(".")
            return (
                f"train cannot be traced: {first}{where}; use jnp and jax.lax, give the plain function where it is "
                "jitted, or use jaxhpo.function"
            )
        if isinstance(error, KeyError) and isinstance(error.args[0], str) and error.args[0] not in space:
            return f"train reads {error.args[0]!r}, which is not in the space; it has {', '.join(space)}"
        return None


def traceable(train: Callable[..., Any], *, static: tuple[str, ...] = ()) -> Traceable:
    """Wrap a training function that JAX can trace. Its configurations train in the lanes of one compiled program.

    Pass the result to `jaxhpo.tune(..., space=space)`, or call its `objective(space)` for a `Study`. The study computes
    two trials of its first round again, each alone, and refuses a function whose result depends on the other lanes or
    on anything but its arguments (`jaxhpo.study.comparison`).

    Args:
        train: ``train(key, hparams)`` or ``train(key, hparams, budget)``; returns ``score`` or ``(score, aux)``. `key`
            is the typed threefry key of the trial. `hparams` is a dict of each hyperparameter's value by name. A traced
            scalar is that of a Float (float32), of an Int (int32), of a Choice of integers (int32), of numbers
            (float32) or of bools (bool). Any other Choice, of words or None or of bools and numbers together, is static
            by itself: the value is the option. An inactive hyperparameter has its first value: its `low`, or its first
            option. `budget` is int32: the total budget of the trial, even if it continues another one. `score` is a
            scalar; the trial failed if it is not finite. `aux` is a dict of arrays, stored in `Trial.aux`.
        static: Names of further hyperparameters that the function gets as Python values, because shapes or Python
            control flow depend on them. One program is compiled for each combination of static values. If there are
            more than 16, every static hyperparameter has to be named here.

    Returns:
        Objective without a space.

    Raises:
        ValueError: if an argument is invalid; the message names it.

    Example:
        >>> import jax, jax.numpy as jnp, jaxhpo
        >>> def train(key, hparams):  # gradient descent on x^2 from x = 3
        ...     x = jax.lax.fori_loop(0, 20, lambda _, x: x - hparams["learning_rate"] * 2 * x, jnp.float32(3))
        ...     return -(x**2)
        >>> space = jaxhpo.Space({"learning_rate": jaxhpo.Float(1e-3, 1.0, log=True)})
        >>> objective = jaxhpo.traceable(train).objective(space)
        >>> study = jaxhpo.Study(space, jaxhpo.algorithms.random_search(space, lanes=8), objective)
    """
    return Traceable(train, static)


def _no_state(key: Key) -> tuple:
    del key
    return ()


class _ResultError(ValueError):
    """The function returns what is no result."""


def _split(result: Any) -> tuple[Array, dict[str, Array]]:
    """Return the score, [] float32, and aux; raise _ResultError if `result` is neither a score nor (score, aux)."""
    pair = isinstance(result, tuple) and len(result) == 2 and isinstance(result[1], Mapping)
    score, aux = result if pair else (result, {})
    if not _is_array(score):
        kind = type(score).__name__
        raise _ResultError(f"train returns a {kind}; it must return a scalar score, or (score, dict of arrays)")
    score = jnp.asarray(score)
    if score.shape != () or not (jnp.issubdtype(score.dtype, jnp.floating) or jnp.issubdtype(score.dtype, jnp.integer)):
        raise _ResultError(f"train returns a score of shape {score.shape}, {score.dtype}; it must be one real number")
    for name, value in aux.items():
        if not isinstance(name, str) or not _is_array(value):
            raise _ResultError(f"train's aux {name!r} is {type(value).__name__}; it must be an array under a string")
    return score.astype(jnp.float32), {name: jnp.asarray(value) for name, value in aux.items()}


def _is_array(value: Any) -> bool:
    if value is None:  # nan to some releases of JAX
        return False
    try:
        return not jnp.issubdtype(jnp.asarray(value).dtype, jax.dtypes.extended)  # random keys are not numbers
    except (TypeError, ValueError):
        return False


def _representatives(space: Space, static: tuple[str, ...]) -> list[dict[str, Any]]:
    """Return combinations of static values that cover every value, or 16 evenly spaced values of many."""
    values = [space[name].level_values or (space[name].to_value(0.0), space[name].to_value(1.0)) for name in static]
    longest = max(map(len, values), default=1)
    count = min(longest, _CHECKED)
    places = [math.floor(i * (longest - 1) / max(count - 1, 1)) for i in range(count)]
    return [{name: v[i % len(v)] for name, v in zip(static, values, strict=True)} for i in places]
