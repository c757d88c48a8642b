"""A prior of the rewards, learned from past studies of other problems, in terms of the hyperparameters' names."""

import io
import os
from functools import cache
from importlib import resources
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from jaxhpo.errors import check_path
from jaxhpo.machine.npz import read_npz
from jaxhpo.priors import hyperparameter_features
from jaxhpo.space import Space
from jaxhpo.types import Array

_SHIPPED = "shipped.npz"
_FORMAT = 1
_MEAN_SPREAD = 0.25  # variance of the mean's weight around 1, by which tasks differ
_LEVEL_SPREAD = 1.0  # variance of a study's constant, needed because told scores always have mean 0


class Network(NamedTuple):
    """Weights of a network of two hidden layers: F features -> the mean reward and K features of the kernel.

    Attributes:
        first: Weights of the first layer: [F, H] float32.
        first_bias: Biases of the first layer: [H].
        second: Weights of the second layer: [H, H].
        second_bias: Biases of the second layer: [H].
        last: Weights of the output layer: [H, 1 + K].
        last_bias: Biases of the output layer: [1 + K].
    """

    first: Array
    first_bias: Array
    second: Array
    second_bias: Array
    last: Array
    last_bias: Array


class Learned(NamedTuple):
    """The learned parameters of a prior.

    Attributes:
        network: Network of the mean and of the kernel's features.
        relevance: Logarithms of the relevances of the residual process, in units of the features: [F] float32.
        signal: Logarithm of the variance of the residual process: [] float32.
    """

    network: Network
    relevance: Array
    signal: Array


class LearnedPrior:
    """The mean and kernel of a Gaussian process over the meaning of hyperparameters, learned from past studies.

    The reward of a configuration x with features z is m(z) w_0 + phi(z) w + c + g(x). Here m and phi are outputs of a
    network; w_0 ~ N(1, 1/4), w ~ N(0, 1) and c ~ N(0, 1) differ between studies; g is a Gaussian process, whose
    relevances are learned too for hyperparameters with a meaning. So the first trials of a study correct a wrong m.
    `fit_prior` learns a prior; `LearnedPrior.shipped()` returns the one that comes with jaxhpo.

    Args:
        learned: Learned parameters.

    Raises:
        ValueError: if shapes do not fit, or a number is not finite.

    Example:
        >>> import jaxhpo
        >>> prior = jaxhpo.LearnedPrior.shipped()
        >>> prior.learned.network.first.shape  # features, units
        (8, 48)
        >>> space = jaxhpo.Space({"learning_rate": jaxhpo.Float(1e-4, 1e-1, log=True), "units": jaxhpo.Int(8, 256)})
        >>> algorithm = jaxhpo.algorithms.q_learning(space, lanes=8, prior=prior)
    """

    def __init__(self, learned: Learned):
        self.learned = _checked(learned)

    def __repr__(self) -> str:
        return f"LearnedPrior({', '.join(hyperparameter_features.MEANINGS)})"

    def save(self, path: str | os.PathLike) -> None:
        """Write the prior to a NumPy archive of a few kilobytes.

        Args:
            path: Path of the file.
        """
        check_path("path", path).write_bytes(self.to_bytes())

    def to_bytes(self) -> bytes:
        """Return the content of the file that `save` writes."""
        buffer = io.BytesIO()
        network = {f"network_{name}": value for name, value in self.learned.network._asdict().items()}
        rest = {"relevance": self.learned.relevance, "signal": self.learned.signal}
        np.savez(buffer, format=np.int32(_FORMAT), **{k: np.asarray(v) for k, v in {**network, **rest}.items()})
        return buffer.getvalue()

    @classmethod
    def load(cls, path: str | os.PathLike) -> "LearnedPrior":
        """Return the prior that `save` wrote. No code in the file is executed.

        Args:
            path: Path of the file.

        Raises:
            ValueError: if the file cannot be read or does not hold a prior.
        """
        try:
            content = check_path("path", path).read_bytes()
        except OSError as error:
            raise ValueError(f"path={str(path)!r} cannot be read: {error.strerror}") from None
        return cls._read(content, str(path))

    @classmethod
    def _read(cls, content: bytes, path: str) -> "LearnedPrior":
        try:
            held = read_npz(io.BytesIO(content))
            if int(held["format"]) != _FORMAT:
                raise ValueError(f"its format is {int(held['format'])}, and this version reads {_FORMAT}")
            network = Network(*(held[f"network_{name}"] for name in Network._fields))
            return cls(Learned(network, held["relevance"], held["signal"]))
        except Exception as error:  # for a damaged archive zipfile, zlib and NumPy raise many types
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
    """Return the outputs of the network: [M, F] -> [M, 1 + K] float32."""
    hidden = jnp.tanh(_product(features, network.first) + network.first_bias[None])
    hidden = jnp.tanh(_product(hidden, network.second) + network.second_bias[None])
    return _product(hidden, network.last) + network.last_bias[None]


class Knowledge:
    """The prior of the rewards in one space.

    Without a prior, or if it knows no name of the space, it is a Gaussian process of mean 0.

    Args:
        space: Search space.
        prior: Learned prior, or None.
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
        """Whether the prior knows a name of the space."""
        return self._learned is not None

    def __call__(self, point: Array) -> tuple[Array, Array]:
        """Return prior means, and columns whose inner products are the prior covariance: [M, D] -> [M], [M, F]."""
        if self._learned is None:
            return jnp.zeros(point.shape[0], jnp.float32), jnp.zeros((point.shape[0], 0), jnp.float32)
        out = outputs(self._learned.network, hyperparameter_features.features(self._meant, self._space, point, jnp))
        mean = out[:, :1]
        level = jnp.full_like(mean, _LEVEL_SPREAD**0.5)
        return out[:, 0], jnp.concatenate([out[:, 1:], _MEAN_SPREAD**0.5 * mean, level], axis=1)


PriorOption = LearnedPrior | str | os.PathLike | None
"""What `read_prior` takes."""


def read_prior(prior: PriorOption) -> LearnedPrior | None:
    """Return the prior that an option stands for: "shipped", a LearnedPrior, the path of a file, or None.

    Raises:
        ValueError: if the option is none of these, or the file does not hold a prior.
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
