"""The one formula equals optax's five optimizers."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxhpo.training.step.optimizers import OPTIMIZERS, clip, coefficients, start, update

OPTAX = {
    "sgd": optax.sgd(0.1),
    "momentum": optax.sgd(0.1, momentum=0.9),
    "rmsprop": optax.rmsprop(0.1),
    "adam": optax.adam(0.1),
    "adamw": optax.adamw(0.1),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.usefixtures("standard_promotion")
def test_ten_steps_equal_optax(name):
    rng = np.random.default_rng(0)
    params = {"a": rng.normal(size=(3, 2)).astype(np.float32), "b": rng.normal(size=4).astype(np.float32)}
    ours, theirs = params, params
    moments, state = start(params), OPTAX[name].init(params)
    row = coefficients(OPTIMIZERS, jnp.int32(OPTIMIZERS.index(name)))
    step = jax.jit(update)
    for _ in range(10):
        grads = jax.tree.map(lambda p: rng.normal(size=p.shape).astype(np.float32), params)
        ours, moments = step(row, jnp.float32(0.1), grads, moments, ours)
        change, state = OPTAX[name].update(grads, state, theirs)
        theirs = optax.apply_updates(theirs, change)
    assert moments.count == 10
    for left, right in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        np.testing.assert_allclose(left, right, rtol=2e-5, atol=1e-6)


def test_hand_computed_steps():
    # Parameter 1, gradients 2 and then 4, learning rate 0.1.
    expected = {
        "sgd": [0.8, 0.4],
        "momentum": [0.8, 0.8 - 0.1 * (0.9 * 2 + 4)],
        "rmsprop": [1 - 0.2 / np.sqrt(0.4 + 1e-8), None],
        "adam": [0.9, None],
        "adamw": [1 - 0.1 * (1 + 1e-4), None],
    }
    for name, values in expected.items():
        row = coefficients((name,), jnp.int32(0))
        p, moments = jnp.float32(1), start(jnp.float32(1))
        for gradient, value in zip((2.0, 4.0), values, strict=True):
            p, moments = update(row, jnp.float32(0.1), jnp.float32(gradient), moments, p)
            if value is not None:
                np.testing.assert_allclose(p, value, rtol=1e-6)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_zero_weight_without_gradient_stays_exactly_zero(name):
    row = coefficients((name,), jnp.int32(0))
    p, moments = jnp.zeros(3), start(jnp.zeros(3))
    for _ in range(5):
        p, moments = update(row, jnp.float32(0.5), jnp.zeros(3), moments, p)
    assert np.asarray(p).tolist() == [0, 0, 0]


def ten_steps(row, transformation, rate=0.1, before=lambda g: g):
    """Return ten steps' parameters, ours and optax's."""
    rng = np.random.default_rng(0)
    ours = theirs = {"a": rng.normal(size=(3, 2)).astype(np.float32), "b": rng.normal(size=4).astype(np.float32)}
    moments, state = start(ours), transformation.init(theirs)
    for _ in range(10):
        grads = jax.tree.map(lambda p: rng.normal(size=p.shape).astype(np.float32), ours)
        ours, moments = update(row, jnp.float32(rate), before(grads), moments, ours)
        change, state = transformation.update(grads, state, theirs)
        theirs = optax.apply_updates(theirs, change)
    return ours, theirs


@pytest.mark.usefixtures("standard_promotion")
def test_momentum_and_weight_decay_of_ones_own_equal_optax():
    index = jnp.int32(OPTIMIZERS.index("momentum"))
    row = coefficients(OPTIMIZERS, index, momentum=jnp.float32(0.5), weight_decay=jnp.float32(0.2))
    decayed = optax.chain(optax.trace(0.5), optax.add_decayed_weights(0.2), optax.scale_by_learning_rate(0.1))
    jax.tree.map(np.testing.assert_allclose, *ten_steps(row, decayed))
    index = jnp.int32(OPTIMIZERS.index("adamw"))
    row = coefficients(OPTIMIZERS, index, momentum=jnp.float32(0.5), weight_decay=jnp.float32(0.2))
    for left, right in zip(*map(jax.tree.leaves, ten_steps(row, optax.adamw(0.1, weight_decay=0.2))), strict=True):
        np.testing.assert_allclose(left, right, rtol=2e-5, atol=1e-6)  # momentum is not adamw's


@pytest.mark.usefixtures("standard_promotion")
@pytest.mark.parametrize("largest", [0.5, 3.0, 100.0])
def test_clipping_equals_optax(largest):
    row = coefficients(("sgd",), jnp.int32(0))
    clipped = optax.chain(optax.clip_by_global_norm(largest), optax.sgd(0.1))
    result = ten_steps(row, clipped, before=lambda g: clip(g, jnp.float32(largest)))
    for left, right in zip(*map(jax.tree.leaves, result), strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-5, atol=1e-6)


def test_a_limit_of_zero_clips_nothing():
    grads = {"a": jnp.array([3.0, 4.0])}
    assert clip(grads, jnp.float32(0))["a"].tolist() == [3, 4]
    assert clip(grads, jnp.float32(1))["a"].tolist() == pytest.approx([0.6, 0.8])
