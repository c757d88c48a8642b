"""How lanes run: one after the other inside one program, or all at once.

An engine turns the body of one lane into a function of all lanes; the bodies never know which. Facts behind the
defaults: on a CPU two cores are busy with one lane's matrix products, and `map` lets every lane take its own branch;
an accelerator is idle under one small network, and `vmap` fills it.
"""

from collections.abc import Callable
from typing import Any

import jax

from jaxhpo.training.lane import Lane, Result


def run_map(body: Callable[[Lane], Result], lanes: Lane) -> Result:
    """Run lanes in sequence; a branch not taken costs nothing."""
    return jax.lax.map(body, lanes)


def run_vmap(body: Callable[[Lane], Result], lanes: Lane) -> Result:
    """Run lanes side by side in every operation; both sides of a branch are computed."""
    return jax.vmap(body)(lanes)


ENGINES: dict[str, Callable[[Callable[[Any], Any], Any], Any]] = {"map": run_map, "vmap": run_vmap}
"""Engines by name: (body of one lane, lanes [B, ...]) -> results [B, ...]."""
