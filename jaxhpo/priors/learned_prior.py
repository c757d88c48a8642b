"""What is known of rewards before anything was told: a prior learned from other studies, by what names mean."""

import io
import os
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from jaxhpo.priors import hyperparameter_features
from jaxhpo.space import Space
from jaxhpo.types import Array

_SHIPPED = "shipped.npz"
_FORMAT = 1
_MEAN_SPREAD = 0.25  # variance of the mean's weight around 1: how far a task may differ from the others
_LEVEL_SPREAD = 1.0  # variance of a constant, as told scores have mean 0 wherever they were taken


class Network(NamedTuple):
    """Weights of two hidden layers: F features of meaning -> the mean reward, and K more that rewards may depend on."""

    first: Array  # [F, H] float32
    first_bias: Array  # [H]
    second: Array  # [H, H]
    second_bias: Array  # [H]
    last: Array  # [H, 1 + K]
    last_bias: Array  # [1 + K]


class Learned(NamedTuple):
    """All that is learned."""

    network: Network
    relevance: Array  # [F] float32: logarithms, of what is left, in units of the features
    signal: Array  # [] float32: logarithm of its variance


class LearnedPrior:
    """A Gaussian process's mean and kernel over what hyperparameters mean, learned from past studies.

    A reward is m(z) w_0 + phi(z) w + c + g(x), z being what the configuration x means: m and phi are a network's
    outputs, w_0 ~ N(1, 1/4), w ~ N(0, 1) and c ~ N(0, 1) are a study's own, and g is a Gaussian process whose
    relevances were learned as well where a hyperparameter means something. So a study in which m is wrong says so with
    its first trials. Make one with `fit_prior`, or take the shipped one: `LearnedPrior.shipped()`.

    Args:
        learned: the arrays.

    Raises:
        ValueError: where shapes do not fit, or a number is not finite.
    """

    def __init__(self, learned: Learned):
        self.learned = _checked(learned)

    def __repr__(self) -> str:
        return f"LearnedPrior({', '.join(hyperparameter_features.MEANINGS)})"

    def save(self, path: str | os.PathLike) -> None:
        """Write it to a NumPy archive, a few kilobytes."""
        Path(path).write_bytes(self.to_bytes())

    def to_bytes(self) -> bytes:
        """Return what `save` writes."""
        buffer = io.BytesIO()
        network = {f"network_{name}": value for name, value in self.learned.network._asdict().items()}
        rest = {"relevance": self.learned.relevance, "signal": self.learned.signal}
        np.savez(buffer, format=np.int32(_FORMAT), **{k: np.asarray(v) for k, v in {**network, **rest}.items()})
        return buffer.getvalue()

    @classmethod
    def load(cls, path: str | os.PathLike) -> "LearnedPrior":
        """Return the prior that `save` wrote; nothing in the file is run.

        Raises:
            ValueError: where the file cannot be read, or holds none.
        """
        try:
            content = Path(path).read_bytes()
        except OSError as error:
            raise ValueError(f"path={str(path)!r} cannot be read: {error.strerror}") from None
        return cls._read(content, str(path))

    @classmethod
    def _read(cls, content: bytes, path: str) -> "LearnedPrior":
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as archive:
                held = dict(archive.items())
            if int(held["format"]) != _FORMAT:
                raise ValueError(f"its format is {int(held['format'])}, and this version reads {_FORMAT}")
            network = Network(*(held[f"network_{name}"] for name in Network._fields))
            return cls(Learned(network, held["relevance"], held["signal"]))
        except Exception as error:  # a damaged archive makes zipfile, zlib and NumPy raise whatever they like
            problem = f"path={path!r} holds no learned prior: {' '.join(str(error).split())}"
            raise ValueError(f"{problem}; write one with LearnedPrior.save") from None

    @classmethod
    def shipped(cls) -> "LearnedPrior":
        """Return the prior that comes with jaxhpo; `python -m benchmarks.prior` makes it."""
        return _shipped()


@cache
def _shipped() -> LearnedPrior:
    content = resources.files("jaxhpo.priors").joinpath(_SHIPPED).read_bytes()
    return LearnedPrior._read(content, _SHIPPED)


def _checked(learned: Learned) -> Learned:
    network = Network(*(np.asarray(leaf, np.float32) for leaf in learned.network))
    relevance, signal = np.asarray(learned.relevance, np.float32), np.asarray(learned.signal, np.float32)
    kinds, hidden, outputs = len(hyperparameter_features.MEANINGS), network.first_bias.size, network.last_bias.size
    shapes = ((kinds, hidden), (hidden,), (hidden, hidden), (hidden,), (hidden, outputs), (outputs,))
    found = (*(leaf.shape for leaf in network), relevance.shape, signal.shape)
    if found != (*shapes, (kinds,), ()) or outputs < 1:
        raise ValueError(f"learned has shapes {found}; they must be {(*shapes, (kinds,), ())}")
    if not all(np.isfinite(leaf).all() for leaf in (*network, relevance, signal)):
        raise ValueError("learned holds numbers that are not finite")
    return Learned(network, relevance, signal)


def outputs(network: Network, features: Array) -> Array:
    """Return the network's outputs: [M, F] -> [M, 1 + K] float32."""
    hidden = jnp.tanh(_product(features, network.first) + network.first_bias[None])
    hidden = jnp.tanh(_product(hidden, network.second) + network.second_bias[None])
    return _product(hidden, network.last) + network.last_bias[None]


class Knowledge:
    """What a prior says of the rewards in one space.

    Where there is no prior, or no name means anything to it, it says what a Gaussian process of mean 0 does.

    Args:
        space: whose configurations they are.
        prior: or none.
    """

    def __init__(self, space: Space, prior: LearnedPrior | None):
        self._space = space
        self._meant = [] if prior is None else hyperparameter_features.read(space)
        self._learned = prior.learned if prior is not None and self._meant else None
        self.centre = np.zeros(len(space), np.float32)
        """[D] float32: logarithms of the relevances that are expected, in units of the cube."""
        self.signal = np.float32(0.0)
        """Logarithm of the variance that is expected of what is not known."""
        if self._learned is not None:
            self.signal = self._learned.signal
            for feature, dimension, table in self._meant:
                width = max(float(table.max() - table.min()), 0.1)
                self.centre[dimension] = self._learned.relevance[feature] + 2 * np.log(width)

    def __bool__(self) -> bool:
        """Whether anything is known."""
        return self._learned is not None

    def __call__(self, point: Array) -> tuple[Array, Array]:
        """Return rewards that are expected, and columns whose products are a covariance: [M, D] -> [M], [M, F]."""
        if self._learned is None:
            return jnp.zeros(point.shape[0], jnp.float32), jnp.zeros((point.shape[0], 0), jnp.float32)
        out = outputs(self._learned.network, hyperparameter_features.features(self._meant, self._space, point, jnp))
        mean = out[:, :1]
        level = jnp.full_like(mean, _LEVEL_SPREAD**0.5)
        return out[:, 0], jnp.concatenate([out[:, 1:], _MEAN_SPREAD**0.5 * mean, level], axis=1)


PriorOption = LearnedPrior | str | os.PathLike | None
"""What `read_prior` takes."""


def read_prior(prior: PriorOption) -> LearnedPrior | None:
    """Return the prior that an option means: "shipped", a LearnedPrior, the path of one, or None.

    Raises:
        ValueError: where it is none of these.
    """
    if prior is None or isinstance(prior, LearnedPrior):
        return prior
    if isinstance(prior, str) and prior == "shipped":
        return LearnedPrior.shipped()
    if isinstance(prior, str | os.PathLike):
        return LearnedPrior.load(prior)
    raise ValueError(f"prior={prior!r} must be 'shipped', a LearnedPrior, the path of one, or None")


def _product(a: Any, b: Any) -> Array:
    return jnp.matmul(a, b, precision="highest")
