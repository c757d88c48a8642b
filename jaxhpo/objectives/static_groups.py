"""Lanes in groups of equal static values: one compiled program for each group."""

import time
import warnings
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax
import numpy as np

from jaxhpo.compilation import COMPILERS, HostFunction, jit
from jaxhpo.objectives.hyperparameters import combinations
from jaxhpo.objectives.signatures import say_trials
from jaxhpo.objectives.worker import describe, identify
from jaxhpo.space import Space
from jaxhpo.types import Finished, Key, LaneResult, Outcome, Proposal, State, ignore_result

Shapes = dict[str, jax.ShapeDtypeStruct]
_Group = tuple[str, ...]  # repr of the static values, in which True and 1 differ


class Groups:
    """Evaluates a proposal group by group, in chunks of equal size.

    Every program takes the same number of lanes, whatever the size of the group, so that the result of a trial does not
    depend on the other lanes, bit for bit. The last chunk of a group is padded with its last lane. On a CPU a padding
    lane costs as much time as any other, so chunks have the average size of a group. An accelerator is idle with small
    chunks, so there each group is one chunk.

    Args:
        lane: Function from static values to the function of one lane.
        space: Search space.
        static: Hyperparameters that the function gets as Python values; Int or Choice.
        aux: Shapes of the results of one lane other than the score.
    """

    def __init__(
        self, lane: Callable[[Mapping[str, Any]], Callable], space: Space, static: tuple[str, ...], aux: Shapes
    ):
        self._lane, self._space, self._static, self._aux = lane, space, static, aux
        self._programs: dict[tuple[_Group, int], Any] = {}
        self.host = HostFunction(self._evaluate, by_lane=True)

    def _evaluate(
        self,
        key: Key,
        state: State,
        proposal: Proposal,
        finished: Finished = ignore_result,
        known: Collection[int] = (),
    ) -> tuple[State, Outcome]:
        point, budget, trial, active = (
            np.asarray(x) for x in (proposal.point, proposal.budget, proposal.trial, proposal.active)
        )
        size = chunk_size(len(active), combinations(self._space, self._static), jax.default_backend())
        groups: dict[_Group, list[int]] = {}
        values: dict[_Group, dict[str, Any]] = {}
        order = list(self._space)
        for i in (lane for lane in np.flatnonzero(active).tolist() if lane not in known):
            fixed = {name: self._space[name].to_value(point[i, order.index(name)]) for name in self._static}
            group = tuple(map(repr, fixed.values()))
            groups.setdefault(group, []).append(i)
            values[group] = fixed

        def arguments(lanes: list[int]) -> tuple:
            rows = np.pad(lanes, (0, size - len(lanes)), mode="edge")
            return key, point[rows], budget[rows], trial[rows]

        score = np.full(len(active), np.nan, np.float32)
        aux = {n: np.zeros((len(active), *a.shape), a.dtype) for n, a in self._aux.items()}

        def report(lane: int, reason: str | None = None, exception: str | None = None) -> None:
            own = {name: value[lane].copy() for name, value in aux.items()}
            finished(lane, LaneResult(float(score[lane]), own, reason, exception))

        for group, error in self._compile(values, size, arguments([0])).items():
            failed, reason = groups.pop(group), describe(error)
            for lane in failed:
                report(lane, reason, identify(error))
            warnings.warn(f"{say_trials(trial[failed].tolist())} failed: {reason}", RuntimeWarning, stacklevel=2)
        chunks = [(g, lanes[i : i + size]) for g, lanes in groups.items() for i in range(0, len(lanes), size)]
        launched = [self._programs[group, size](*arguments(lanes)) for group, lanes in chunks]  # all at once
        for (_, lanes), result in zip(chunks, launched, strict=True):
            scores, more = jax.device_get(result)
            score[lanes] = scores[: len(lanes)]
            for name, value in more.items():
                aux[name][lanes] = value[: len(lanes)]
            for lane in lanes:
                report(lane)
        return state, Outcome(score, aux)

    def _compile(
        self, values: Mapping[_Group, Mapping[str, Any]], size: int, arguments: tuple
    ) -> dict[_Group, Exception]:
        """Compile the missing programs; return the errors of those that cannot be compiled.

        Only some of many combinations are traced before the study starts, so an error in another one must not end the
        study.
        """
        missing = {group: fixed for group, fixed in values.items() if (group, size) not in self._programs}
        failed: dict[_Group, Exception] = {}
        if not missing:
            return failed
        started = time.perf_counter()
        lowered = {}
        for group, fixed in missing.items():
            # Traced in the caller's thread, which may have a JAX configuration of its own.
            lanes = jax.vmap(self._lane(fixed), in_axes=(None, 0, 0, 0))
            try:
                program = jit(lanes).lower(*arguments)
                aux = {n: jax.ShapeDtypeStruct(a.shape[1:], a.dtype) for n, a in program.out_info[1].items()}
                check_aux(fixed, aux, self._aux)
            except Exception as error:
                failed[group] = error
            else:
                lowered[group] = program
        with ThreadPoolExecutor(COMPILERS) as pool:
            compiled = pool.map(lambda one: one.compile(), lowered.values())
            self._programs |= {(group, size): program for group, program in zip(lowered, compiled, strict=True)}
        self.host.seconds += time.perf_counter() - started
        return failed


def chunk_size(lanes: int, combinations: int, backend: str) -> int:
    """Return the number of lanes of a program: on a CPU the largest power of two up to the average size of a group."""
    if backend != "cpu":
        return lanes
    return 1 << max((lanes // combinations).bit_length() - 1, 0)


def check_aux(fixed: Mapping[str, Any], found: Shapes, known: Shapes) -> None:
    """Raise ValueError if the shapes or dtypes of aux depend on static values; trials could not be compared."""
    for name in sorted({*found, *known}):
        here, there = found.get(name), known.get(name)
        if here is None or there is None or (here.shape, here.dtype) != (there.shape, there.dtype):
            spelling = ", ".join(f"{key}={value!r}" for key, value in fixed.items())
            raise ValueError(
                f"train's aux {name!r} must not depend on static values; with {spelling} it is {_say(here)}, "
                f"elsewhere {_say(there)}"
            )


def _say(shape: jax.ShapeDtypeStruct | None) -> str:
    return "missing" if shape is None else f"{shape.dtype}{list(shape.shape)}"
