"""A user's Flax model, linen or nnx: how it is built and called, and what a lane trains of it."""

import contextlib
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from types import ModuleType
from typing import Any, NamedTuple

import flax.linen as nn
import jax
from jax.core import Tracer

from jaxhpo.data import Dataset
from jaxhpo.models import dropout, faster_convolutions, use_faster_convolutions
from jaxhpo.training.step.examples import TrainingData, normalise
from jaxhpo.training.step.hyper import Hyper
from jaxhpo.training.step.learner import Batch, loss_of
from jaxhpo.training.step.scoring import Goal
from jaxhpo.types import Array, Key

_FLAGS = {"train": True, "training": True, "is_training": True, "deterministic": False}
"""Arguments of a model's call that say whether it trains, and what they are while it does."""

_DROPOUT = "dropout"  # the stream of random numbers that layers draw from while they train


class UnfitError(ValueError):
    """A user's model, loss or metric does something that training does not support; the message says what."""


class Factory(NamedTuple):
    """How a user's model is built."""

    build: Callable[..., Any]
    takes: tuple[str, ...]  # hyperparameters of the space, by name
    given: Mapping[str, Any]  # what else it takes, of the data
    defaults: Mapping[str, Any]  # what its signature gives those of `takes` that may be left out
    rngs: bool  # whether it takes the random numbers that an nnx module is built with


def read_factory(model: Any, names: tuple[str, ...], data: Dataset) -> Factory:
    """Return how a model is built from hyperparameters of a space (`names`) and from what the data are.

    A model is a function that returns a Flax module, a class of modules, or a linen module that takes nothing.

    Raises:
        ValueError: if it is neither a module nor a function that builds one, or has an argument that neither the space
            nor the data provide.
    """
    if isinstance(model, nn.Module):
        return Factory(lambda: model, (), {}, {}, False)
    if _is_nnx(model):
        raise ValueError(
            f"model={type(model).__name__} has its weights already; give its class, or a function that builds it, so "
            "that every trial gets weights of its own"
        )
    if not callable(model):
        raise ValueError(f"model={model!r} must be 'mlp', 'cnn', 'rnn', or a function that returns a Flax module")
    try:
        parameters = dict(inspect.signature(model.__init__ if isinstance(model, type) else model).parameters)
    except (TypeError, ValueError):
        raise ValueError(f"model={model!r} has no signature; wrap it in a function of its hyperparameters") from None
    if isinstance(model, type):
        parameters.pop(next(iter(parameters)))  # self
        for field in ("parent", "name") if issubclass(model, nn.Module) else ():
            parameters.pop(field, None)
    data_facts = {"classes": data.classes, "outputs": data.outputs, "shape": data.shape, "vocabulary": data.vocabulary}
    takes, given, several = [], {}, any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    for name, parameter in parameters.items():
        if parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL) or name == "rngs":
            continue
        if name in names:
            takes.append(name)
        elif data_facts.get(name) is not None:
            given[name] = data_facts[name]
        elif parameter.default is parameter.empty:
            raise ValueError(
                f"model takes {name!r}, which the space lacks; put it in the space or give it a default "
                f"(of the data it can take {', '.join(known for known, v in data_facts.items() if v is not None)})"
            )
    if several:
        raise ValueError("model takes **keywords, so what of the space it wants is not known; name them one by one")
    defaults = {
        name: parameters[name].default for name in takes if parameters[name].default is not inspect.Parameter.empty
    }
    return Factory(model, tuple(takes), given, defaults, "rngs" in parameters)


class UserModel(NamedTuple):
    """A user's model with the hyperparameters that make its program; implements `Learner`."""

    factory: Factory
    static: tuple[tuple[str, Any], ...]  # Python values, by name
    tokens: bool  # whether it sees texts: whole numbers, not normalised
    fast: bool  # whether convolutions are to be matrix products

    def prepare(self, data: TrainingData, x: Array) -> Array:
        """Return stored examples as the network sees them."""
        return x if self.tokens else normalise(data, x)

    def start(self, key: Key, example: Array, hyper: Hyper) -> tuple[Any, Any]:
        """Return a trial's first params and statistics."""
        key = jax.random.fold_in(key, 0)
        module = self._build(hyper, key)
        if _is_nnx(module):
            return _nnx().state_of(module)
        with _intercepted(self.fast):
            kept = dict(nn.unbox(module.init(_streams(key), example, **_flags(module, False))))
        return kept.pop("params", {}), kept

    def gradients(
        self, goal: Goal, data: TrainingData, hyper: Hyper, params: Any, statistics: Any, batch: Batch
    ) -> tuple[Array, Any, Any]:
        """Return a batch's loss, its gradients, and the statistics after it."""
        # A batch's first place in the epoch is no other batch's.
        key = jax.random.fold_in(jax.random.wrap_key_data(batch.key, impl="threefry2x32"), batch.position[0])

        def loss(params: Any) -> tuple[Array, Any]:
            outputs, after = self._call(hyper, params, statistics, batch.x, key)
            return loss_of(goal, data, hyper, outputs, batch.y), after

        (value, after), grads = jax.value_and_grad(loss, has_aux=True)(params)
        return value, grads, after

    def evaluate(
        self, data: TrainingData, hyper: Hyper, params: Any, statistics: Any, use: Callable[[Callable], Any]
    ) -> Any:
        """Return `use` of the network as it is trained."""
        return use(lambda x: self._call(hyper, params, statistics, self.prepare(data, x), None)[0])

    def _build(self, hyper: Hyper, key: Key) -> Any:
        """Return the module; an nnx one with first weights from the key."""
        hyperparameters = dict(self.static) | (hyper.own or {})
        # One that is inactive in a configuration is left to the model's own default.
        options = {name: hyperparameters[name] for name in self.factory.takes if name in hyperparameters}
        options |= self.factory.given
        if self.factory.rngs:
            options["rngs"] = _nnx().random_numbers(jax.random.fold_in(key, 1), _streams(key) | {"params": key})
        module = self.factory.build(**options)
        if _is_nnx(module):
            if not self.factory.rngs:
                raise UnfitError(
                    "model builds an nnx module with random numbers of its own, so that all trials would begin with "
                    "the same weights; let it take rngs"
                )
            _nnx().let_rates_be_traced(module)
            if self.fast:
                use_faster_convolutions(module)
        elif not isinstance(module, nn.Module):
            what = f"the class {module.__name__}" if isinstance(module, type) else f"a {type(module).__name__}"
            raise UnfitError(f"model returns {what}, not a Flax module; return one, linen or nnx")
        return module

    def _call(self, hyper: Hyper, params: Any, statistics: Any, x: Array, key: Key | None) -> tuple[Any, Any]:
        """Return outputs and the statistics after them; with a key the network trains."""
        trains = key is not None
        # Built anew, whatever is traced in it is this trace's; first weights that nothing reads are not computed.
        module = self._build(hyper, jax.random.key(0, impl="threefry2x32") if key is None else key)
        if _is_nnx(module):
            _nnx().replace_state(module, params, statistics)
            (module.train if trains else module.eval)()
            outputs = module(x, **_flags(module, trains))
            return outputs, _nnx().state_of(module)[1]
        options: dict[str, Any] = _flags(module, trains)
        if key is not None:
            options |= {"rngs": _streams(key), "mutable": list(statistics)}
        with _intercepted(self.fast):
            found = module.apply({"params": params, **statistics}, x, **options)
        return (found[0], {**statistics, **found[1]}) if trains else (found, statistics)


def _is_nnx(value: Any) -> bool:
    """Return whether a value is an nnx module; where nothing has imported nnx, nothing is one."""
    nnx = sys.modules.get("flax.nnx")
    return nnx is not None and isinstance(value, nnx.Module)


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


def _streams(key: Key) -> dict[str, Key]:
    """Return the random numbers of a linen module by stream; those of any other name are the first's."""
    return {"params": jax.random.fold_in(key, 1), _DROPOUT: key}


def _flags(module: Any, trains: bool) -> dict[str, bool]:
    """Return the arguments by which a model's call is told whether it trains."""
    parameters = inspect.signature(type(module).__call__).parameters
    return {name: (on if trains else not on) for name, on in _FLAGS.items() if name in parameters}


# --- dropout at a traced rate, which Flax's own layers refuse ------------------------------------------------------


def _traced_rate(call: Callable, arguments: tuple, keywords: dict, context: nn.module.InterceptorContext) -> Any:
    layer = context.module
    traced = isinstance(layer, nn.Dropout) and isinstance(layer.rate, Tracer)
    if not traced or context.method_name != "__call__" or layer.broadcast_dims:
        return call(*arguments, **keywords)
    known = inspect.signature(nn.Dropout.__call__).bind(layer, *arguments, **keywords).arguments
    still = nn.merge_param("deterministic", layer.deterministic, known.get("deterministic"))
    if still:
        return known["inputs"]
    key = known.get("rng")
    return dropout(layer.make_rng(layer.rng_collection) if key is None else key, known["inputs"], layer.rate)
