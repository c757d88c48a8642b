"""What an nnx module holds, and dropout at a traced rate in it; imported only where a model is one."""

from typing import Any

from flax import nnx
from jax.core import Tracer

from jaxhpo.models import dropout
from jaxhpo.training.networks.user.training_checks import note
from jaxhpo.training.networks.user.training_mode import FLAGS, flag
from jaxhpo.types import Array, Key

_LEFT_OUT = nnx.Any(nnx.RngState, nnx.Intermediate)  # of what a module holds: made anew in every call


def random_numbers(default: Key, streams: dict[str, Key]) -> nnx.Rngs:
    """Return the random numbers that a module is built with: those of a stream that is not named are the default's."""
    return nnx.Rngs(default, **streams)


def state_of(module: nnx.Module) -> tuple[Any, Any]:
    """Return a module's params and statistics, nested dicts of arrays."""
    _, params, _, statistics = nnx.split(module, nnx.Param, _LEFT_OUT, ...)
    return nnx.to_pure_dict(params), nnx.to_pure_dict(statistics)


def replace_state(module: nnx.Module, params: Any, statistics: Any) -> None:
    """Give a module other params and statistics, of the same names and shapes."""
    for kind, values in zip((nnx.Param, nnx.Not(nnx.Any(nnx.Param, _LEFT_OUT))), (params, statistics), strict=True):
        state = nnx.state(module, kind)
        nnx.replace_by_pure_dict(state, values)
        nnx.update(module, state)


def batch_statistics(module: nnx.Module) -> Any:
    """Return a module's batch statistics alone, a nested dict of arrays."""
    return nnx.to_pure_dict(nnx.state(module, nnx.BatchStat))


def tell(module: nnx.Module, trains: bool) -> None:
    """Say to a module and to all modules in it whether it trains."""
    switch = module.train if trains else module.eval
    # A flag that the user calls `train` hides the method of this name.
    switch() if callable(switch) else (nnx.Module.train if trains else nnx.Module.eval)(module)
    for _, part in nnx.iter_graph(module):
        for name in FLAGS if isinstance(part, nnx.Module) else ():
            if isinstance(vars(part).get(name), bool):
                setattr(part, name, flag(name, trains))


class _Dropout(nnx.Dropout):
    """Dropout whose rate may be traced, and of whose calls note is taken."""

    def __call__(self, inputs: Array, *, deterministic: bool | None = None, rngs: Any = None) -> Array:
        note(self)
        if not isinstance(self.rate, Tracer) or self.broadcast_dims:
            return super().__call__(inputs, deterministic=deterministic, rngs=rngs)
        still = self.deterministic if deterministic is None else deterministic
        if still:
            return inputs
        rngs = self.rngs if rngs is None else rngs
        key = rngs[self.rng_collection]() if isinstance(rngs, nnx.Rngs) else rngs
        return dropout(key() if isinstance(key, nnx.RngStream) else key, inputs, self.rate)


def let_rates_be_traced(module: nnx.Module) -> None:
    """Let a module's dropout layers take a traced rate, which Flax's own refuse."""
    for _, layer in nnx.iter_graph(module):
        if type(layer) is nnx.Dropout:
            layer.__class__ = _Dropout
