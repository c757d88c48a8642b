import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.extend.random import threefry_2x32

from jaxhpo.models import CNN, DAN, MLP, RNN, Active, Dropout, init_together, narrow, widen
from jaxhpo.models.dropout import drop, drop_bits, threefry
from jaxhpo.models.layers import Conv, Dense
from jaxhpo.models.operations.images import convolve, max_pool

KEY = jax.random.key_data(jax.random.key(5))


def tokens(n, steps, vocabulary, dtype=jnp.float32):
    return jnp.asarray(np.random.default_rng(0).integers(1, vocabulary, (n, steps)), dtype)


def test_threefry_is_jax_own():
    counts = jnp.arange(64, dtype=jnp.uint32) * np.uint32(2654435761)
    ours = jnp.concatenate(threefry(KEY, counts[:32], counts[32:]))
    np.testing.assert_array_equal(ours, threefry_2x32(KEY, counts))


@pytest.mark.slow
def test_dropout_bits_follow_the_example_and_are_uniform():
    position = jnp.arange(512, dtype=jnp.int32)
    bits = np.asarray(drop_bits(KEY, position, 0, 64))
    np.testing.assert_array_equal(bits[100:200], drop_bits(KEY, position[100:200], 0, 64))
    assert bits.max() < 2**16
    assert abs(bits.mean() / 2**16 - 0.5) < 0.01
    assert not np.array_equal(bits, drop_bits(KEY, position, 1, 64))
    assert len(np.unique(bits)) > 20_000


@pytest.mark.slow
def test_a_narrow_networks_units_drop_as_they_do_in_the_wide_one():
    position = jnp.arange(8, dtype=jnp.int32)
    for blocks in (1, 4):
        wide = np.asarray(drop_bits(KEY, position, 2, 32, blocks)).reshape(8, blocks, 32)
        few = np.asarray(drop_bits(KEY, position, 2, 6, blocks)).reshape(8, blocks, 6)
        np.testing.assert_array_equal(wide[:, :, :6], few)
        assert len(np.unique(wide)) > 0.9 * wide.size


@pytest.mark.parametrize("rate", [0.0, 0.25, 0.9])
def test_dropout_keeps_the_mean(rate):
    x = jnp.ones((4096, 16))
    y = np.asarray(drop(x, Dropout(jnp.float32(rate), KEY, jnp.arange(4096, dtype=jnp.int32)), 0))
    assert abs((y == 0).mean() - rate) < 0.01
    assert abs(y.mean() - 1) < 0.05
    np.testing.assert_allclose(y[y > 0], 1 / (1 - rate), rtol=1e-3)
    if rate == 0:
        np.testing.assert_array_equal(y, x)


@pytest.mark.slow
@pytest.mark.usefixtures("standard_promotion")
def test_conv_and_dense_are_flax_own():
    x = jax.random.normal(jax.random.key(0), (2, 7, 6, 3))
    for ours, theirs, inputs in ((Conv(5), nn.Conv(5, (3, 3)), x), (Dense(4), nn.Dense(4), x.reshape(2, -1))):
        params = jax.jit(ours.init)(jax.random.key(1), inputs)
        np.testing.assert_allclose(
            jax.jit(ours.apply)(params, inputs), jax.jit(theirs.apply)(params, inputs), atol=1e-5
        )


@pytest.mark.parametrize("shape", [(2, 8, 6, 3), (2, 7, 5, 1)])
@pytest.mark.parametrize("ties", [False, True])
def test_max_pool_is_flax_own_forward_and_back(shape, ties):
    x = jax.random.normal(jax.random.key(0), shape)
    x = jnp.round(x) if ties else x

    @jax.jit
    def both(x, dy):
        flax = lambda x: nn.max_pool(x, (2, 2), strides=(2, 2))  # noqa: E731
        return [(y, pull(dy)[0]) for y, pull in (jax.vjp(function, x) for function in (max_pool, flax))]

    dy = jax.random.normal(jax.random.key(1), (shape[0], shape[1] // 2, shape[2] // 2, shape[3]))
    for mine, other in zip(*both(x, dy), strict=True):
        np.testing.assert_array_equal(mine, other)


def test_max_pool_shows_a_nan():
    assert np.isnan(max_pool(jnp.full((1, 2, 2, 1), jnp.nan))).all()


@pytest.mark.slow_but_for("shape0")
@pytest.mark.parametrize("shape", [(2, 8, 6, 3), (1, 5, 7, 1), (3, 4, 4, 2), (2, 1, 6, 3), (2, 2, 1, 5), (1, 1, 1, 4)])
def test_the_convolution_and_its_gradients_are_lax_own(shape):
    with jax.enable_x64(True):
        x = jax.random.normal(jax.random.key(0), shape, jnp.float64)
        kernel = jax.random.normal(jax.random.key(1), (3, 3, shape[-1], 5), jnp.float64)

        def lax(x, kernel):
            return jax.lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))

        @jax.jit
        def both(x, kernel, dy):
            return [(y, *pull(dy)) for y, pull in (jax.vjp(function, x, kernel) for function in (convolve, lax))]

        dy = jax.random.normal(jax.random.key(2), (*shape[:3], 5), jnp.float64)
        for mine, other in zip(*both(x, kernel, dy), strict=True):
            np.testing.assert_allclose(mine, other, atol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("layers", [1, 2, 3])
def test_tiles_change_nothing(layers):
    with jax.enable_x64(True):
        x = jax.random.normal(jax.random.key(0), (16, 8, 8, 2), jnp.float64)
        whole = CNN(layers, 4, 3)
        params = jax.jit(whole.init)(jax.random.key(1), x)

        def loss_and_grads(model):
            return jax.tree.leaves(jax.jit(jax.value_and_grad(lambda p: jnp.sum(model.apply(p, x) ** 2)))(params))

        expected = loss_and_grads(whole)
        for tile in (4, 8, 16, 5):  # 16 examples cannot be cut into fives: they stay whole
            tiled = whole.clone(tile=tile)
            assert jax.tree.structure(jax.eval_shape(tiled.init, jax.random.key(1), x)) == jax.tree.structure(params)
            for mine, other in zip(loss_and_grads(tiled), expected, strict=True):
                np.testing.assert_allclose(mine, other, rtol=1e-9, atol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize(
    "model", [MLP(3, 16, 10), CNN(3, 8, 10), RNN(2, 8, 3, 11), RNN(2, 8, 3, 11, "lstm", "last"), DAN(2, 8, 3, 11, 7)]
)
def test_the_full_size_masked_is_the_plain_model(model):
    x = tokens(4, 7, 11) if isinstance(model, RNN | DAN) else jax.random.normal(jax.random.key(0), (4, 8, 8, 1))
    full = Active(jnp.int32(model.layers), jnp.int32(model.units))
    init, apply = jax.jit(model.init), jax.jit(model.apply)
    plain, masked = init(jax.random.key(1), x), init(jax.random.key(1), x, active=full)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), plain, masked)
    np.testing.assert_allclose(apply(plain, x), apply(masked, x, active=full), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("layer", "shape", "fan_in"), [(Dense, (1, 64), 64), (Conv, (1, 4, 4, 16), 144)])
def test_initial_weights_have_the_variance_of_flax(layer, shape, fan_in):
    kernel = np.asarray(layer(256).init(jax.random.key(0), jnp.ones(shape))["params"]["kernel"])
    assert kernel.size // 256 == fan_in
    assert kernel.std() * np.sqrt(fan_in) == pytest.approx(1, rel=0.03)
    assert abs(kernel.mean()) < 0.01


@pytest.mark.slow
@pytest.mark.parametrize("model", [MLP, CNN])
def test_masked_weights_have_the_narrow_networks_variance(model):
    x = jax.random.normal(jax.random.key(0), (1, 8, 8, 1))
    active = Active(jnp.int32(2), jnp.int32(16))
    wide = jax.jit(model(2, 64, 10).init)(jax.random.key(1), x, active=active)["params"]
    narrow = jax.jit(model(2, 16, 10).init)(jax.random.key(2), x)["params"]
    for name in ("hidden_1", "out") if model is MLP else ("conv_1", "dense"):
        ours, theirs = np.asarray(wide[name]["kernel"]), np.asarray(narrow[name]["kernel"])
        assert (ours != 0).sum() == theirs.size
        assert abs(ours[ours != 0].std() / theirs.std() - 1) < 0.15


def test_the_image_keeps_four_pixels_a_side():
    for side, pixels in ((8, 16), (28, 49), (5, 25), (16, 16)):
        shapes = jax.eval_shape(lambda s=side: CNN(1, 2, 3).init(jax.random.key(0), jnp.zeros((1, s, s, 1))))
        assert shapes["params"]["dense"]["kernel"].shape[0] == pixels * 2


@pytest.mark.slow
@pytest.mark.parametrize("model", [MLP(2, 32, 10), CNN(2, 32, 10)])
def test_weights_drawn_together_vary_as_flax_draws_them(model):
    x, active = jnp.zeros((1, 8, 8, 1)), Active(jnp.int32(2), jnp.int32(16))
    init = jax.jit(model.init)
    ours = jax.jit(lambda key: init_together(model, key, x, active=active))(jax.random.key(1))
    theirs = init(jax.random.key(2), x, active=active)["params"]
    assert jax.tree.structure(ours) == jax.tree.structure(theirs)
    for (path, mine), other in zip(jax.tree_util.tree_leaves_with_path(ours), jax.tree.leaves(theirs), strict=True):
        np.testing.assert_array_equal(np.asarray(mine) == 0, np.asarray(other) == 0)
        if path[-1].key == "kernel" and mine.size > 500:
            assert abs(np.std(mine) / np.std(other) - 1) < 0.15, path
    assert np.std(init(jax.random.key(3), x)["params"]["out"]["kernel"]) > 0.01  # and Flax draws on


@pytest.mark.slow
@pytest.mark.parametrize("make", [MLP, CNN])
def test_narrow_takes_the_used_part_and_widen_puts_it_back(make):
    x, active = jnp.zeros((1, 8, 8, 1)), Active(jnp.int32(2), jnp.int32(8))
    wide = jax.jit(make(3, 32, 10).init)(jax.random.key(1), x, active=active)["params"]
    shapes = jax.eval_shape(make(2, 8, 10).init, jax.random.key(1), x)["params"]
    few = narrow(wide, shapes, (32, 8))
    assert jax.tree.map(jnp.shape, few) == jax.tree.map(lambda leaf: leaf.shape, shapes)
    for path, leaf in jax.tree_util.tree_leaves_with_path(few):
        if path[-1].key == "kernel":
            assert np.all(leaf != 0), path  # everything used, nothing else
    same = {name: wide[name] for name in few}
    jax.tree.map(np.testing.assert_array_equal, widen(few, same, (32, 8)), same)
