"""Learning a prior from past studies."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxhpo.algorithms.common import history as histories
from jaxhpo.algorithms.common.checks import check_integer, check_studies
from jaxhpo.algorithms.gp.kernel import matern
from jaxhpo.algorithms.gp.warp import soften
from jaxhpo.algorithms.warm_start import Past
from jaxhpo.priors import hyperparameter_features
from jaxhpo.priors.learned_prior import Learned, LearnedPrior, Network, outputs
from jaxhpo.space import Space
from jaxhpo.types import Array, Key

_HIDDEN, _FEATURES = 48, 8
_ROWS = (16, 80)  # trials of a study in the likelihood: as many as early in a study, and as late in one
_STUDIES = 12  # studies per step
_FEWEST = 24  # trials that a study must have
_RATE, _DECAY = 5e-3, 3e-3
_HIDES = 0.5  # share of the studies of a step without the feature `optimizer`, which most spaces do not have
_AT_ONCE = 100  # steps per compiled call


class Lesson(NamedTuple):
    """The training data from one study.

    Attributes:
        features: Features of the configurations: [N, F] float32.
        reward: Softened scores: [N] float32.
    """

    features: np.ndarray
    reward: np.ndarray


class _Weights(NamedTuple):
    """The trained parameters.

    Attributes:
        learned: Parameters of the prior.
        noise: Logarithm of the noise variance: [].
        level: Logarithm of the variance of a study's constant: [].
        weight: Logarithm of the variance of the weight of a study's mean: [].
    """

    learned: Learned
    noise: Array
    level: Array
    weight: Array


def fit_prior(studies: Iterable[Past], *, steps: int = 3000, seed: int = 0) -> LearnedPrior:
    """Learn a prior of the rewards from past studies, for `q_learning(..., prior=...)`.

    The studies may have different spaces: hyperparameters are matched by their names
    (`jaxhpo.priors.hyperparameter_features`). All trials should have the same budget. Varied trials, such as those of
    random search, teach most. A network of the names' features, with two hidden layers of 48 units, and a kernel are
    trained by AdamW to maximize the likelihood of each study's rewards, for few and for many trials of the study. This
    is a Gaussian process with a deep mean and a deep kernel that all tasks share (Wistuba & Grabocka 2021, arXiv
    2101.07667). The training takes some minutes on a CPU. With few studies the prior holds only for problems like
    these.

    Args:
        studies: Finished studies: `Study` objects, or journals read by `jaxhpo.read_journal`. A study counts if at
            least 24 of its trials have a score.
        steps: Number of training steps.
        seed: Random seed of the network's initial weights and of the trials that each step uses.

    Returns:
        The learned prior.

    Raises:
        ValueError: if no study has enough trials and a hyperparameter with a known name.
    """
    check_integer("steps", steps, 1)
    check_integer("seed", seed, 0)
    lessons = [lesson for lesson in map(_lesson, check_studies(studies)) if lesson is not None]
    if not lessons:
        raise ValueError(
            f"studies hold none of at least {_FEWEST} finished trials whose hyperparameters have known names; "
            f"known are {', '.join(hyperparameter_features.MEANINGS)}"
        )
    return learn(lessons, steps, seed)


def _lesson(study: Past) -> Lesson | None:
    sign = -1.0 if study.direction == "minimize" else 1.0
    good = [trial for trial in study.finished if np.isfinite(trial.score)]
    if len(good) < _FEWEST or not hyperparameter_features.read(study.space):
        return None
    score = sign * np.array([trial.score for trial in good], np.float32)
    return lesson(study.space, np.stack([trial.point for trial in good]).astype(np.float32), score)


def lesson(space: Space, point: np.ndarray, score: np.ndarray) -> Lesson:
    """Return the training data from one study.

    Args:
        space: Search space.
        point: Configurations: [N, D].
        score: Scores, higher is better: [N].
    """
    size = len(score)
    history = histories.empty(point.shape[1], size)
    there = np.arange(len(history.score)) < size
    told = np.pad(score, (0, len(there) - size), constant_values=np.nan)
    reward = soften(history._replace(score=jnp.asarray(told), budget=jnp.asarray(there, jnp.int32))).score
    return Lesson(
        np.asarray(hyperparameter_features.features(hyperparameter_features.read(space), space, point, np)),
        np.asarray(reward)[:size],
    )


def learn(lessons: list[Lesson], steps: int, seed: int) -> LearnedPrior:
    """Return the prior that maximizes the likelihood of the lessons."""
    most = max(max(len(lesson.reward) for lesson in lessons), _ROWS[-1])
    features = np.stack([np.pad(one.features, ((0, most - len(one.reward)), (0, 0))) for one in lessons])
    reward = np.stack([np.pad(one.reward, (0, most - len(one.reward))) for one in lessons])
    count = np.array([len(one.reward) for one in lessons], np.int32)
    key = jax.random.key(seed, impl="threefry2x32")
    weights = _begin(jax.random.fold_in(key, 0))
    optimizer = optax.adamw(optax.cosine_decay_schedule(_RATE, steps), weight_decay=_DECAY)
    state = optimizer.init(weights)
    taken = min(_STUDIES, len(lessons))

    def loss(weights: _Weights, key: Key) -> Array:
        which_key, rows_key, hide_key = jax.random.split(key, 3)
        which = jax.random.permutation(which_key, len(lessons))[:taken]
        order = jax.vmap(lambda k, n: _drawn(k, n, most))(jax.random.split(rows_key, taken), count[which])
        hidden = jax.random.uniform(hide_key, (taken,), jnp.float32) < _HIDES
        total = jnp.float32(0)
        for rows in _ROWS:
            seen = order[:, :rows]
            there = np.arange(rows, dtype=np.int32)[None] < count[which][:, None]
            z, y = jnp.asarray(features)[which[:, None], seen], jnp.asarray(reward)[which[:, None], seen]
            z = jnp.where(hidden[:, None, None] & _OPTIMIZER[None, None], 0.0, z)
            total = total + jnp.mean(jax.vmap(_surprise, (None, 0, 0, 0))(weights, z, y, there))
        return total

    count = jnp.asarray(count)

    @jax.jit
    def run(weights: _Weights, state: Any, keys: Key) -> tuple[_Weights, Any]:
        def step(carry: Any, key: Key) -> tuple[Any, None]:
            weights, state = carry
            updates, state = optimizer.update(jax.grad(loss)(weights, key), state, weights)
            return (optax.apply_updates(weights, updates), state), None

        return jax.lax.scan(step, (weights, state), keys)[0]

    keys = jax.random.split(jax.random.fold_in(key, 1), steps)
    for first in range(0, steps, _AT_ONCE):
        weights, state = run(weights, state, keys[first : first + _AT_ONCE])
    return LearnedPrior(weights.learned)


_OPTIMIZER = np.array([name == "optimizer" for name in hyperparameter_features.MEANINGS])


def _begin(key: Key) -> _Weights:
    keys = jax.random.split(key, 4)
    kinds = len(hyperparameter_features.MEANINGS)

    def normal(key: Key, *shape: int) -> Array:
        return jax.random.normal(key, shape, jnp.float32)

    network = Network(
        1.2 / kinds**0.5 * normal(keys[0], kinds, _HIDDEN),
        0.5 * normal(keys[1], _HIDDEN),
        normal(keys[2], _HIDDEN, _HIDDEN) / _HIDDEN**0.5,
        jnp.zeros(_HIDDEN, jnp.float32),
        0.3 / _HIDDEN**0.5 * normal(keys[3], _HIDDEN, 1 + _FEATURES),
        jnp.zeros(1 + _FEATURES, jnp.float32),
    )
    relevance = jnp.full(kinds, -1.0, jnp.float32)
    return _Weights(Learned(network, relevance, jnp.float32(-1)), jnp.float32(-2), jnp.float32(-1), jnp.float32(-2))


def _drawn(key: Key, count: Array, most: int) -> Array:
    """Return row numbers in random order, the first `count` rows before all others: [most] int32."""
    order = jax.random.uniform(key, (most,), jnp.float32)
    return jnp.argsort(jnp.where(jnp.arange(most, dtype=jnp.int32) < count, order, 2.0)).astype(jnp.int32)


def _surprise(weights: _Weights, features: Array, reward: Array, there: Array) -> Array:
    """Return the negative log likelihood per trial of a study's rewards: [N, F], [N], [N] bool -> []."""
    learned = weights.learned
    out = outputs(learned.network, features)
    mean, phi = out[:, 0], out[:, 1:]
    apart = jnp.square(features[:, None] - features[None])
    # The square root is not differentiable at 0.
    distance = jnp.sum(apart * jnp.exp(learned.relevance)[None, None], axis=2) + 1e-10
    kernel = jnp.matmul(phi, phi.T, precision="highest") + jnp.exp(learned.signal) * matern(distance)
    kernel = kernel + jnp.exp(weights.level) + jnp.exp(weights.weight) * mean[:, None] * mean[None]
    kernel = jnp.where(there[:, None] & there[None], kernel, 0.0)
    kernel = kernel + jnp.diag(jnp.where(there, jnp.exp(weights.noise) + 1e-4, 1.0))
    lower = jnp.linalg.cholesky(kernel)
    white = jax.scipy.linalg.solve_triangular(lower, jnp.where(there, reward - mean, 0.0), lower=True)
    total = 0.5 * jnp.dot(white, white, precision="highest") + jnp.sum(jnp.log(jnp.diagonal(lower)))
    return total / jnp.sum(there, dtype=jnp.int32).astype(jnp.float32)
