import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.extend.random import threefry_2x32

from jaxhpo.models import CNN, MLP, Active, Dropout
from jaxhpo.models.dropout import drop, drop_bits, threefry
from jaxhpo.models.layers import Conv, Dense, max_pool

KEY = jax.random.key_data(jax.random.key(5))


def test_threefry_is_jax_own():
    counts = jnp.arange(64, dtype=jnp.uint32) * np.uint32(2654435761)
    ours = jnp.concatenate(threefry(KEY, counts[:32], counts[32:]))
    np.testing.assert_array_equal(ours, threefry_2x32(KEY, counts))


def test_dropout_bits_follow_the_example_and_are_uniform():
    position = jnp.arange(512, dtype=jnp.int32)
    bits = np.asarray(drop_bits(KEY, position, 0, 64))
    np.testing.assert_array_equal(bits[100:200], drop_bits(KEY, position[100:200], 0, 64))
    assert bits.max() < 2**16
    assert abs(bits.mean() / 2**16 - 0.5) < 0.01
    assert not np.array_equal(bits, drop_bits(KEY, position, 1, 64))
    assert len(np.unique(bits)) > 20_000


@pytest.mark.parametrize("rate", [0.0, 0.25, 0.9])
def test_dropout_keeps_the_mean(rate):
    x = jnp.ones((4096, 16))
    y = np.asarray(drop(x, Dropout(jnp.float32(rate), KEY, jnp.arange(4096, dtype=jnp.int32)), 0))
    assert abs((y == 0).mean() - rate) < 0.01
    assert abs(y.mean() - 1) < 0.05
    np.testing.assert_allclose(y[y > 0], 1 / (1 - rate), rtol=1e-3)
    if rate == 0:
        np.testing.assert_array_equal(y, x)


@pytest.mark.usefixtures("standard_promotion")
def test_conv_and_dense_are_flax_own():
    x = jax.random.normal(jax.random.key(0), (2, 7, 6, 3))
    params = Conv(5).init(jax.random.key(1), x)
    np.testing.assert_allclose(Conv(5).apply(params, x), nn.Conv(5, (3, 3)).apply(params, x), atol=1e-5)
    flat = x.reshape(2, -1)
    params = Dense(4).init(jax.random.key(1), flat)
    np.testing.assert_allclose(Dense(4).apply(params, flat), nn.Dense(4).apply(params, flat), atol=1e-5)


@pytest.mark.parametrize("shape", [(2, 8, 6, 3), (2, 7, 5, 1)])
def test_max_pool_is_flax_own(shape):
    x = jax.random.normal(jax.random.key(0), shape)
    np.testing.assert_array_equal(max_pool(x), nn.max_pool(x, (2, 2), strides=(2, 2)))


@pytest.mark.parametrize("model", [MLP(3, 16, 10), CNN(3, 8, 10)])
def test_the_full_size_masked_is_the_plain_model(model):
    x = jax.random.normal(jax.random.key(0), (4, 8, 8, 1))
    full = Active(jnp.int32(model.layers), jnp.int32(model.units))
    plain, masked = model.init(jax.random.key(1), x), model.init(jax.random.key(1), x, active=full)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), plain, masked)
    np.testing.assert_allclose(model.apply(plain, x), model.apply(masked, x, active=full), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("model", [MLP, CNN])
def test_masked_weights_have_the_narrow_networks_variance(model):
    x = jax.random.normal(jax.random.key(0), (1, 8, 8, 1))
    wide = model(2, 64, 10).init(jax.random.key(1), x, active=Active(jnp.int32(2), jnp.int32(16)))["params"]
    narrow = model(2, 16, 10).init(jax.random.key(2), x)["params"]
    for name in ("hidden_1", "out") if model is MLP else ("conv_1", "dense"):
        ours, theirs = np.asarray(wide[name]["kernel"]), np.asarray(narrow[name]["kernel"])
        assert (ours != 0).sum() == theirs.size
        assert abs(ours[ours != 0].std() / theirs.std() - 1) < 0.15


def test_the_image_keeps_four_pixels_a_side():
    for side, pixels in ((8, 16), (28, 49), (5, 25), (16, 16)):
        shapes = jax.eval_shape(lambda s=side: CNN(1, 2, 3).init(jax.random.key(0), jnp.zeros((1, s, s, 1))))
        assert shapes["params"]["dense"]["kernel"].shape[0] == pixels * 2
