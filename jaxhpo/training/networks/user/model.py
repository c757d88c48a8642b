"""A user's Flax model, linen or nnx: how it is built and called, and what a lane trains of it."""

import contextlib
import inspect
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.core import Tracer

from jaxhpo.models import dropout, faster_convolutions, use_faster_convolutions
from jaxhpo.training.goal.scoring import Goal
from jaxhpo.training.networks.user.factory import RANDOM, Factory, is_generator
from jaxhpo.training.networks.user.training_checks import note
from jaxhpo.training.networks.user.training_mode import call_flags, flag, is_nnx, tell
from jaxhpo.training.step.examples import TrainingData, normalise
from jaxhpo.training.step.hyper import Hyper
from jaxhpo.training.step.learner import Batch, in_units, loss_of
from jaxhpo.types import Array, Key

_DROPOUT = "dropout"  # the stream of random numbers that layers draw from while they train


class UnfitError(ValueError):
    """A user's model, loss or metric does something that training does not support; the message says what."""


class UserModel(NamedTuple):
    """A user's model with the hyperparameters that make its program; implements `Learner`."""

    factory: Factory
    static: tuple[tuple[str, Any], ...]  # Python values, by name
    tokens: bool  # whether it sees texts: whole numbers, not normalised
    fast: bool  # whether convolutions are to be matrix products
    standardised: bool = False  # whether its outputs are standardised predictions

    def prepare(self, data: TrainingData, x: Array) -> Array:
        """Return stored examples as the network sees them."""
        return x if self.tokens else normalise(data, x)

    def start(self, key: Key, example: Array, hyper: Hyper) -> tuple[Any, Any]:
        """Return a trial's first params and statistics."""
        key = jax.random.fold_in(key, 0)
        module = self._build(hyper, key, trains=False)
        if is_nnx(module):
            return _nnx().state_of(module)
        arguments = call_flags(module, False) | _random_numbers(module, key, False)
        with _intercepted(self.fast):
            x, mask = _masked(module, example)
            kept = dict(nn.unbox(module.init(_streams(key), method=lambda module: module(x, **arguments, **mask))))
        return kept.pop("params", {}), kept

    def gradients(
        self, goal: Goal, data: TrainingData, hyper: Hyper, params: Any, statistics: Any, batch: Batch
    ) -> tuple[Array, Any, Any]:
        """Return a batch's loss, its gradients, and the statistics after it."""
        # A batch's first place in the epoch is no other batch's.
        key = jax.random.fold_in(jax.random.wrap_key_data(batch.key, impl="threefry2x32"), batch.position[0])

        def loss(params: Any) -> tuple[Array, Any]:
            outputs, after = self.call(hyper, params, statistics, batch.x, key, trains=True)
            return loss_of(goal, data, hyper, self.in_units(data, outputs), batch.y), after

        (value, after), grads = jax.value_and_grad(loss, has_aux=True)(params)
        return value, grads, after

    def evaluate(
        self, data: TrainingData, hyper: Hyper, params: Any, statistics: Any, use: Callable[[Callable], Any]
    ) -> Any:
        """Return `use` of the network as it is trained."""

        def network(x: Array) -> Any:
            x = self.prepare(data, x)
            return self.in_units(data, self.call(hyper, params, statistics, x, _any_key(), trains=False)[0])

        return use(network)

    def in_units(self, data: TrainingData, outputs: Any) -> Any:
        """Return standardised predictions in units and shape of the targets, other outputs unchanged."""
        if not self.standardised:
            return outputs
        assert data.target_scale is not None  # standardised is what predicts numbers
        alone = outputs.ndim == 2 and data.target_scale.ndim == 0  # [n, 1], for one target an example
        return in_units(data, outputs[:, 0] if alone else outputs)

    def batch_statistics(self, hyper: Hyper, statistics: Any) -> Any:
        """Return which of a trial's statistics are batch statistics: a nested dict with some of their leaves."""
        module = self._build(hyper, _any_key(), False)
        if is_nnx(module):
            return _nnx().batch_statistics(module)
        return {name: statistics[name] for name in ("batch_stats",) if name in statistics}

    def _build(self, hyper: Hyper, key: Key, trains: bool) -> Any:
        """Return the module, told whether it trains; an nnx one with first weights from the key."""
        factory, hyperparameters = self.factory, dict(self.static) | (hyper.own or {})
        # One that is inactive in a configuration is left to the model's own default.
        options = {name: hyperparameters[name] for name in factory.takes if name in hyperparameters}
        options |= factory.given
        options |= {name: flag(name, trains) for name in factory.flags}
        options |= {name: _generator(key) if whole else key for name, whole in factory.random.items()}
        module = factory.build(**options)
        if is_nnx(module):
            if not factory.random:
                raise UnfitError(
                    "model builds an nnx module with random numbers of its own, so that all trials would begin with "
                    "the same weights; let it take rngs"
                )
            _nnx().let_rates_be_traced(module)
            if self.fast:
                use_faster_convolutions(module)
            _nnx().tell(module, trains)
            return module
        if not isinstance(module, nn.Module):
            what = f"the class {module.__name__}" if isinstance(module, type) else f"a {type(module).__name__}"
            raise UnfitError(f"model returns {what}, not a Flax module; return one, linen or nnx")
        return tell(module, trains)

    def call(self, hyper: Hyper, params: Any, statistics: Any, x: Array, key: Key, trains: bool) -> tuple[Any, Any]:
        """Return the network's outputs and the statistics after them.

        Args:
            hyper: Hyperparameters of the lane.
            params: Weights.
            statistics: What else the network holds.
            x: The network's input: [n, ...].
            key: Random numbers, which a network in evaluation must not use.
            trains: Whether it trains.
        """
        # Built anew, whatever is traced in it is this trace's; first weights that nothing reads are not computed.
        module = self._build(hyper, key, trains)
        arguments = call_flags(module, trains) | _random_numbers(module, key, trains)
        x, mask = _masked(module, x)
        arguments |= mask
        if is_nnx(module):
            _nnx().replace_state(module, params, statistics)
            outputs = module(x, **arguments)
            return outputs, _nnx().state_of(module)[1]
        # Of the module's own method, as an argument of its call may be called `rngs`, which `apply` has too.
        options: dict[str, Any] = {"rngs": _streams(key), "mutable": list(statistics)} if trains else {}
        with _intercepted(self.fast):
            variables = {"params": params, **statistics}
            found = module.apply(variables, method=lambda module: module(x, **arguments), **options)
        return (found[0], {**statistics, **found[1]}) if trains else (found, statistics)


def _nnx() -> ModuleType:
    from jaxhpo.training.networks.user import (
        nnx_module,  # imports nnx, a third of a second that a linen user need not wait
    )

    return nnx_module


@contextlib.contextmanager
def _intercepted(fast: bool) -> Iterator[None]:
    """Let linen's layers take a traced rate of dropout, and convolutions be matrix products where that is `fast`."""
    with nn.intercept_methods(_traced_rate), faster_convolutions() if fast else contextlib.nullcontext():
        yield


def _any_key() -> Key:
    """Return a key for what must not depend on one."""
    return jax.random.key(0, impl="threefry2x32")


def _generator(key: Key) -> Any:
    """Return the random numbers that an nnx module draws first weights from, and layers while they train."""
    return _nnx().random_numbers(jax.random.fold_in(key, 1), _streams(key) | {"params": key})


def _random_numbers(module: Any, key: Key, trains: bool) -> dict[str, Any]:
    """Return the random numbers that a module's call takes; in evaluation only those it cannot do without."""
    parameters = inspect.signature(type(module).__call__).parameters
    named = [parameters[n] for n in RANDOM if n in parameters]
    wanted = [p for p in named if trains or p.default is p.empty]
    whole: Any = _generator(key) if is_nnx(module) and any(map(is_generator, wanted)) else _streams(key)
    return {p.name: whole if is_generator(p) else jax.random.fold_in(key, 2) for p in wanted}


def _streams(key: Key) -> dict[str, Key]:
    """Return the random numbers of a linen module by stream; those of any other name are the first's."""
    return {"params": jax.random.fold_in(key, 1), _DROPOUT: key}


def _masked(module: Any, x: Array) -> tuple[Array, dict[str, Array]]:
    """Return the network's input with zeros for the padding of sequences, and `mask` where a model's call takes it."""
    if x.ndim != 3:
        return x, {}
    gaps = jnp.isnan(x)
    takes = "mask" in inspect.signature(type(module).__call__).parameters
    return jnp.where(gaps, jnp.zeros_like(x), x), {"mask": ~jnp.all(gaps, axis=-1)} if takes else {}


# --- dropout at a traced rate, which Flax's own layers refuse ------------------------------------------------------


def _traced_rate(call: Callable, arguments: tuple, keywords: dict, context: nn.module.InterceptorContext) -> Any:
    layer = context.module
    if context.method_name == "__call__":
        note(layer)
    traced = isinstance(layer, nn.Dropout) and isinstance(layer.rate, Tracer)
    if not traced or context.method_name != "__call__" or layer.broadcast_dims:
        return call(*arguments, **keywords)
    known = inspect.signature(nn.Dropout.__call__).bind(layer, *arguments, **keywords).arguments
    still = nn.merge_param("deterministic", layer.deterministic, known.get("deterministic"))
    if still:
        return known["inputs"]
    key = known.get("rng")
    return dropout(layer.make_rng(layer.rng_collection) if key is None else key, known["inputs"], layer.rate)
