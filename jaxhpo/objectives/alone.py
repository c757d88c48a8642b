"""One lane of a traced function by itself: the program in which no other trial takes part."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from jaxhpo.compilation import HostFunction, Program
from jaxhpo.space import Space
from jaxhpo.types import Key, Proposal


class Alone:
    """Scores one trial of a round without `vmap`. A study compares that with what the round gave.

    Args:
        lane: Function from static values to the function of one lane.
        space: Search space.
        static: Hyperparameters that the function gets as Python values.
    """

    def __init__(self, lane: Callable[[Mapping[str, Any]], Callable], space: Space, static: tuple[str, ...]):
        self._lane, self._space, self._static = lane, space, static
        self._programs: dict[tuple[str, ...], Program] = {}
        self.host = HostFunction(self._score)

    def _score(self, key: Key, proposal: Proposal, lane: int) -> float:
        point, order = np.asarray(proposal.point[lane]), list(self._space)
        fixed = {name: self._space[name].to_value(point[order.index(name)]) for name in self._static}
        group = tuple(map(repr, fixed.values()))
        if group not in self._programs:
            self._programs[group] = Program(self._lane(fixed))
        program, compiled = self._programs[group], self._programs[group].seconds
        try:
            score, _ = program(key, point, np.int32(proposal.budget[lane]), np.int32(proposal.trial[lane]))
        except Exception:  # static values that cannot be compiled fail alone as they do in a round
            return math.nan
        self.host.seconds += program.seconds - compiled
        return float(score)
