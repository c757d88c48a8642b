"""Recurrent layers against Flax's own cells, and padding that changes nothing."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxhpo.models import RNN, Active
from jaxhpo.models.operations.recurrent import gru, hold, lstm
from jaxhpo.models.rnn import POOLINGS

T, N, IN, H = 9, 4, 5, 6


def random_tree(tree, seed=0):
    rng = np.random.default_rng(seed)
    return jax.tree.map(lambda leaf: jnp.asarray(rng.normal(size=leaf.shape) * 0.5), tree)


def packed(cell, params):
    """Return Flax's parameters as ours: input kernel, bias, recurrent kernel and, for a GRU, its recurrent bias."""
    if cell == "gru":
        kernel = jnp.concatenate([params[f"i{g}"]["kernel"] for g in "rzn"], axis=1)
        bias = jnp.concatenate([params[f"i{g}"]["bias"] for g in "rzn"])
        recurrent = jnp.concatenate([params[f"h{g}"]["kernel"] for g in "rzn"], axis=1)
        return kernel, bias, recurrent, params["hn"]["bias"]
    kernel = jnp.concatenate([params[f"i{g}"]["kernel"] for g in "ifgo"], axis=1)
    bias = jnp.concatenate([params[f"h{g}"]["bias"] for g in "ifgo"])
    return kernel, bias, jnp.concatenate([params[f"h{g}"]["kernel"] for g in "ifgo"], axis=1)


@pytest.mark.slow_but_for("lstm")
@pytest.mark.parametrize("cell", ["gru", "lstm"])
@pytest.mark.usefixtures("standard_promotion")
def test_states_and_gradients_are_flax_own(cell):
    with jax.enable_x64(True), jax.numpy_rank_promotion("allow"):
        x = jnp.asarray(np.random.default_rng(1).normal(size=(T, N, IN)))
        theirs = nn.RNN({"gru": nn.GRUCell, "lstm": nn.LSTMCell}[cell](H, param_dtype=jnp.float64), time_major=True)
        params = random_tree(theirs.init(jax.random.key(0), x)["params"])
        weight = jnp.asarray(np.random.default_rng(2).normal(size=(T, N, H)))

        def flax_loss(params, x):
            return jnp.sum(theirs.apply({"params": params}, x) * weight)

        def our_loss(params, x):
            kernel, bias, *rest = packed(cell, next(iter(params.values())))
            projected = (x.reshape(T * N, IN) @ kernel + bias).reshape(T, N, -1)
            states = gru(projected, *rest) if cell == "gru" else lstm(projected, *rest, jnp.zeros((T, N)))
            return jnp.sum(states * weight)

        ours, theirs = (jax.jit(jax.value_and_grad(loss, (0, 1)))(params, x) for loss in (our_loss, flax_loss))
        for mine, other in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
            np.testing.assert_allclose(mine, other, rtol=1e-9, atol=1e-11)


@pytest.mark.slow
@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_a_held_step_keeps_the_state_exactly(cell):
    rng = np.random.default_rng(0)
    blocks = {"gru": 3, "lstm": 4}[cell]
    projected = jnp.asarray(rng.normal(size=(T, N, blocks * H)), jnp.float32)
    recurrent = jnp.asarray(rng.normal(size=(H, blocks * H)), jnp.float32)
    padding = jnp.asarray(rng.random((T, N)) < 0.5)
    projected = hold(cell, projected, padding)
    held = padding.astype(jnp.float32)
    states = gru(projected, recurrent, jnp.ones(H)) if cell == "gru" else lstm(projected, recurrent, held)
    before = jnp.concatenate([jnp.zeros((1, N, H)), states[:-1]])
    same = np.asarray(states == before).all(axis=-1)
    np.testing.assert_array_equal(same, padding)


@pytest.mark.slow
@pytest.mark.parametrize("cell", ["gru", "lstm"])
@pytest.mark.parametrize("pooling", POOLINGS)
def test_padding_anywhere_changes_nothing(cell, pooling):
    words = np.random.default_rng(0).integers(1, 11, (N, 5))
    after, before, between = (np.zeros((N, 8), int) for _ in range(3))
    after[:, :5], before[:, 3:], between[:, [0, 2, 3, 6, 7]] = words, words, words
    model = RNN(2, H, 3, 11, cell=cell, pooling=pooling)
    params = jax.jit(model.init)(jax.random.key(0), jnp.asarray(words, jnp.float32))
    apply = jax.jit(model.apply)
    plain = apply(params, jnp.asarray(words, jnp.float32))
    for padded in (after, before, between):
        np.testing.assert_allclose(apply(params, jnp.asarray(padded, jnp.float32)), plain, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_padding_gets_the_right_gradient(cell):
    """Padding between words has the gradient of the words alone."""
    with jax.enable_x64(True):
        words = np.random.default_rng(0).integers(1, 11, (N, 5))
        padded = np.zeros((N, 8), int)
        padded[:, [0, 2, 3, 6, 7]] = words
        model = RNN(2, H, 3, 11, cell=cell)
        params = jax.jit(model.init)(jax.random.key(0), jnp.asarray(words, jnp.float64))["params"]

        @jax.jit
        @jax.grad
        def gradient(params, x):
            return jnp.sum(model.apply({"params": params}, jnp.asarray(x, jnp.float64)) ** 2)

        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(a, b, atol=1e-12),
            gradient(params, padded),
            gradient(params, words),
        )


@pytest.mark.slow
def test_a_sequence_of_padding_alone_is_finite():
    for pooling in POOLINGS:
        model = RNN(1, H, 3, 11, pooling=pooling)
        empty = jnp.zeros((2, 4))
        outputs = jax.jit(lambda model=model, empty=empty: model.apply(model.init(jax.random.key(0), empty), empty))
        assert np.isfinite(outputs()).all()


@pytest.mark.slow
@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_unused_units_stay_at_zero(cell):
    x = jnp.asarray(np.random.default_rng(0).integers(0, 11, (N, 7)), jnp.float32)
    model = RNN(2, 8, 3, 11, cell=cell)
    active = Active(jnp.int32(1), jnp.int32(5))
    params = jax.jit(model.init)(jax.random.key(0), x, active=active)["params"]
    grads = jax.jit(jax.grad(lambda p: jnp.sum(model.apply({"params": p}, x, active=active) ** 2)))(params)
    assert not np.asarray(grads["out"]["kernel"])[5:].any()
    for leaf in jax.tree.leaves((grads[f"{cell}_1"], params[f"{cell}_1"]["kernel"])):
        assert not np.asarray(leaf).any()  # the second layer is not used
    recurrent = np.asarray(grads[f"{cell}_0"]["recurrent_kernel"]).reshape(8, -1, 8)
    assert not recurrent[5:].any()
    assert not recurrent[:, :, 5:].any()
    assert recurrent[:5, :, :5].all()
