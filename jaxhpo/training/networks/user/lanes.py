"""Whether a user's model computes for a trial beside others what it computes for the trial alone."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax.extend import core

from jaxhpo.compilation import jit
from jaxhpo.training.networks.user.cost import inner_programs

# JAX's own operations compute every lane as they would alone. What these make of several lanes, others decide.
_OTHERS_DECIDE = ("custom_vmap_call", "pure_callback", "io_callback", "ffi_call", "pallas_call", "custom_partitioning")
_ROUNDING, _NOTHING = 1e-3, 1e-6  # of the largest number, and of all zeros


def others_decide(program: core.Jaxpr) -> bool:
    """Return whether a program has an operation of which others than JAX decide what it makes of several lanes."""
    return any(
        equation.primitive.name in _OTHERS_DECIDE or any(map(others_decide, inner_programs(equation.params)))
        for equation in program.eqns
    )


def check_lanes(lane: Callable[..., tuple[Any, Any, Any]], first: tuple, second: tuple) -> None:
    """Raise ValueError if two trials give other numbers in the lanes of one program than each of them alone.

    Args:
        lane: Function of a trial -> losses, outputs and gradients.
        first: Its arguments for one trial.
        second: Its arguments for another one.
    """
    alone = [jit(lane)(*trial) for trial in (first, second)]
    try:
        together = jit(jax.vmap(lane))(*jax.tree.map(lambda a, b: jax.numpy.stack([a, b]), first, second))
    except Exception:  # NotImplementedError, or what the user's code raises
        return  # lanes that cannot share a program run one by one
    for part, name in enumerate(("losses", "outputs", "gradients")):
        for i, one in enumerate(alone):
            a, b = (
                np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(tree)])
                for tree in (one[part], jax.tree.map(lambda leaf, i=i: leaf[i], together[part]))
            )
            worst = int(np.argmax(np.abs(a - b)))
            if np.abs(a - b)[worst] > _ROUNDING * float(np.max(np.abs(a))) + _NOTHING:
                raise ValueError(
                    f"model has other {name} beside another trial ({b[worst]:.6g}) than alone ({a[worst]:.6g}); let "
                    "nothing in it reduce over the trials (custom_vmap, pure_callback)"
                )
