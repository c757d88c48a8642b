from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax import lax

from jaxhpo.models.operations.convolution import conv_general_dilated, faster_convolutions, use_faster_convolutions

CHANNELS_LAST = {1: ("NWC", "WIO", "NWC"), 2: ("NHWC", "HWIO", "NHWC"), 3: ("NDHWC", "DHWIO", "NDHWC")}

# image, in, kernel, out, strides, padding, dilation of the kernel, groups
COMMON = [
    ((7, 6), 3, (3, 3), 2, (1, 1), "SAME", (1, 1), 1),
    ((7, 6), 2, (3, 3), 8, (1, 1), "SAME", (1, 1), 1),
    ((1, 2), 4, (3, 3), 1, (1, 1), "SAME", (1, 1), 1),
    ((1, 1), 4, (5, 5), 2, (1, 1), ((4, 4), (2, 3)), (1, 1), 1),
    ((8, 7), 4, (2, 4), 3, (1, 1), "SAME_LOWER", (1, 1), 1),
    ((9, 8), 4, (2, 4), 2, (2, 2), "SAME", (1, 1), 1),
    ((9, 8), 4, (3, 2), 2, (1, 1), "SAME", (2, 3), 1),
    ((9, 8), 2, (3, 2), 5, (1, 3), ((3, 2), (0, 4)), (2, 3), 1),
    ((9, 8), 4, (3, 3), 2, (1, 1), ((-2, 1), (1, -1)), (1, 1), 1),
    ((6, 5), 3, (1, 1), 4, (2, 2), "VALID", (1, 1), 1),
    ((6, 5), 6, (6, 4), 2, (1, 1), "VALID", (1, 1), 1),
    ((9,), 3, (3,), 4, (1,), "SAME", (1,), 1),
    ((9,), 8, (4,), 2, (1,), ((3, 0),), (1,), 1),
    ((9,), 3, (3,), 2, (2,), "VALID", (2,), 1),
    ((7, 6), 3, (3, 3), 3, (1, 1), "SAME", (1, 1), 3),
    ((9, 8), 3, (3, 2), 6, (2, 1), "VALID", (1, 1), 3),
    ((9, 8), 4, (3, 2), 4, (2, 1), ((3, 2), (0, 4)), (2, 3), 4),
    ((9, 8), 2, (3, 3), 4, (1, 1), ((-2, 1), (1, -1)), (1, 1), 2),
    ((6, 5), 2, (2, 2), 10, (1, 1), "SAME", (1, 1), 2),
    ((9,), 4, (3,), 8, (2,), "SAME", (1,), 4),
    ((9,), 3, (4,), 3, (1,), ((3, 4),), (2,), 3),
    ((7, 6), 8, (3, 3), 4, (1, 1), "SAME", (1, 1), 2),
    ((9, 8), 8, (3, 2), 8, (2, 1), ((3, 2), (0, 4)), (2, 3), 2),
    ((9,), 8, (3,), 4, (1,), "VALID", (2,), 2),
]


def arrays(image, inputs, kernel, outputs, dtype=np.float32, groups=1):
    rng = np.random.default_rng(0)
    shapes = (2, *image, inputs), (*kernel, inputs // groups, outputs)
    return tuple(rng.normal(size=shape).astype(dtype) for shape in shapes)


def both(strides, padding, **options):
    """Return ours and that of `lax`, of the same arguments."""
    options = {"window_strides": strides, "padding": padding, **options}
    return partial(conv_general_dilated, **options), partial(lax.conv_general_dilated, **options)


def value_and_gradients(convolve):
    """Return [y, dx, dkernel] for a cotangent that tells the pixels apart."""

    def results(x, kernel):
        y, pull = jax.vjp(convolve, x, kernel)
        return [y, *pull(jnp.cos(jnp.arange(y.size, dtype=y.dtype)).reshape(y.shape))]

    return results


def assert_same(ours, theirs, rtol):
    for a, b in zip(*map(jax.device_get, (ours, theirs)), strict=True):
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
        np.testing.assert_allclose(np.float64(a), np.float64(b), rtol=rtol, atol=rtol * float(np.abs(b).max()))


def together(ours, theirs, *args):
    """Return what both give, of one compiled program."""
    return jax.jit(lambda *args: (ours(*args), theirs(*args)))(*args)


def primitives(jaxpr):
    for equation in jaxpr.eqns:
        yield equation.primitive.name
        for inner in jax.tree.leaves(list(equation.params.values()), is_leaf=lambda p: hasattr(p, "eqns")):
            inner = getattr(inner, "jaxpr", inner)
            if hasattr(inner, "eqns"):
                yield from primitives(inner)


def names(function, *args):
    """Return the names of the primitives that a function uses when traced afresh."""
    return set(primitives(jax.make_jaxpr(lambda *args: function(*args))(*args).jaxpr))


@pytest.mark.parametrize("case", COMMON)
def test_common_convolutions_are_those_of_lax_without_its_primitive(case):
    image, inputs, kernel, outputs, strides, padding, dilation, groups = case
    options = {"rhs_dilation": dilation, "dimension_numbers": CHANNELS_LAST[len(image)], "feature_group_count": groups}
    with jax.enable_x64(True):
        args = arrays(image, inputs, kernel, outputs, np.float64, groups)
        ours, theirs = map(value_and_gradients, both(strides, padding, **options))
        assert_same(*together(ours, theirs, *args), 1e-13)
        used = names(ours, *args)
    assert ("dot_general" in used) == (groups < inputs or outputs > 4 * inputs)
    assert not {name for name in used if "conv_general" in name or "scatter" in name or "gather" in name}


FALLBACKS = [
    ((7, 6), 4, (3, 3), 4, {"batch_group_count": 2}),
    ((7, 6), 4, (3, 3), 4, {"lhs_dilation": (2, 1), "padding": ((1, 1), (0, 2))}),
    ((7, 6), 7, (3, 3), 4, {"dimension_numbers": ("NHCW", "HWIO", "NCHW")}),
    ((4, 4, 4), 3, (2, 3, 2), 4, {}),
]


@pytest.mark.parametrize(("image", "inputs", "kernel", "outputs", "options"), FALLBACKS)
def test_other_convolutions_are_left_to_lax(image, inputs, kernel, outputs, options):
    args = arrays(image, inputs, kernel, outputs)
    if "dimension_numbers" in options:
        args = np.moveaxis(args[0], -1, 2), args[1]
    options = {"padding": "SAME", "dimension_numbers": CHANNELS_LAST[len(image)], **options}
    ours, theirs = map(value_and_gradients, both((1,) * len(image), **options))
    assert_same(*together(ours, theirs, *args), 1e-6)
    assert "conv_general_dilated" in names(ours, *args)


@pytest.mark.parametrize("size", [0, 2])
def test_no_pixels_are_left_to_lax(size):
    ours, _ = both((1, 1), "VALID", dimension_numbers=CHANNELS_LAST[2])
    assert ours(jnp.zeros((2, size, size, 3)), jnp.zeros((3, 3, 3, 4))).shape == (2, 0, 0, 4)


@pytest.mark.parametrize(("inputs", "outputs"), [(4, 3), (3, 4)])
def test_groups_of_unequal_size_are_an_error_of_lax(inputs, outputs):
    ours, _ = both((1, 1), "SAME", dimension_numbers=CHANNELS_LAST[2], feature_group_count=2)
    with pytest.raises(ValueError, match="feature_group_count"):
        ours(jnp.zeros((2, 4, 4, inputs)), jnp.zeros((3, 3, 2, outputs)))


@pytest.mark.parametrize(("dtype", "groups"), [(None, 1), (np.float32, 1), (None, 4), (np.float32, 4)])
def test_half_precision(dtype, groups):
    args = arrays((7, 6), 4, (3, 3), 4, jnp.bfloat16, groups)
    options = {"dimension_numbers": CHANNELS_LAST[2], "feature_group_count": groups, "precision": "highest"}
    convolutions = both((1, 1), "SAME", preferred_element_type=dtype, **options)
    ours, theirs = together(*map(value_and_gradients, convolutions), *args)
    assert_same(ours, theirs, 0.02)


LANES = [(2, 1, (0, 0)), (8, 1, (None, 0)), (2, 1, (0, None)), (4, 2, (0, 0)), (8, 4, (0, 0))]


@pytest.mark.parametrize(("outputs", "groups", "lanes"), LANES)
def test_vmap_and_checkpoint(outputs, groups, lanes):
    x, kernel = arrays((5, 4), 4, (3, 3), outputs, groups=groups)
    args = [a if lane is None else np.stack([a, -a, 2 * a]) for a, lane in zip((x, kernel), lanes, strict=True)]
    ours, theirs = both((1, 1), "SAME", dimension_numbers=CHANNELS_LAST[2], feature_group_count=groups)
    ours, theirs = value_and_gradients(jax.checkpoint(ours)), value_and_gradients(theirs)
    assert_same(*together(jax.vmap(ours, lanes), jax.vmap(theirs, lanes), *args), 1e-5)


def test_forward_mode_and_second_derivatives():
    x, kernel = arrays((4, 4), 2, (3, 3), 1)
    ours, theirs = both((1, 1), "SAME", dimension_numbers=CHANNELS_LAST[2])
    hessians = together(*(jax.hessian(lambda k, f=f: jnp.sum(f(x, k) ** 3)) for f in (ours, theirs)), kernel)
    assert_same(hessians[:1], hessians[1:], 1e-5)


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_a_scan_keeps_no_copies_of_neighbours(groups):
    x, kernel = arrays((8, 8), 4, (3, 3), 4, groups=groups)
    ours, _ = both((1, 1), "SAME", dimension_numbers=CHANNELS_LAST[2], feature_group_count=groups)

    def last(kernel):
        return lax.scan(lambda h, _: (jnp.tanh(ours(h, kernel)), None), x, length=5)[0]

    pull = jax.eval_shape(lambda kernel: jax.vjp(last, kernel)[1], kernel)
    kept = sum(leaf.size for leaf in jax.tree.leaves(pull))
    assert kept < 5 * 4 * x.size  # the state, what `tanh` keeps


def filled(shapes):
    """Return weights without the time that compiling random ones takes."""
    return jax.tree.map(lambda a: np.sin(np.arange(a.size, dtype=a.dtype)).reshape(a.shape), shapes)


class Linen(nn.Module):
    """A `setup` convolution used twice, a depthwise one, a rematerialised one in groups, one with a user's function."""

    own: object = None

    def setup(self):
        self.twice = nn.Conv(3, 3)
        depthwise = nn.Conv(6, 3, padding="CIRCULAR", feature_group_count=3)
        grouped = nn.remat(nn.Conv)(2, 2, strides=2, padding=1, feature_group_count=2)
        self.others = nn.Sequential([depthwise, grouped])
        self.last = nn.Conv(2, 3, conv_general_dilated=self.own)

    def __call__(self, x):
        y = self.last(self.others(self.twice(nn.relu(self.twice(x)))))
        assert self.twice.conv_general_dilated is None
        return y


@pytest.mark.slow
def test_linen_modules_give_the_same_and_are_left_as_they_were():
    x = arrays((8,), 3, (1,), 1)[0]
    model = Linen()
    shapes = jax.eval_shape(model.init, jax.random.key(0), x)
    variables = filled(shapes)

    def gradients(variables):
        return jax.value_and_grad(lambda v: jnp.sum(model.apply(v, x) ** 2))(variables)

    theirs = jax.jit(gradients)(variables)
    with faster_convolutions():
        ours = jax.jit(lambda variables: gradients(variables))(variables)
        assert jax.eval_shape(model.init, jax.random.key(0), x) == shapes
        used = names(gradients, variables)
        kept = names(Linen(lax.conv_general_dilated).apply, variables, x)
    assert_same(jax.tree.leaves(ours), jax.tree.leaves(theirs), 1e-4)
    assert "conv_general_dilated" not in used
    assert "conv_general_dilated" in kept
    assert "conv_general_dilated" in names(gradients, variables)
    assert model == Linen()


def test_a_linen_conv_that_fails_is_left_as_it_was():
    conv = nn.Conv(2, (3, 3)).bind({"params": {}})
    with faster_convolutions(), pytest.raises(Exception, match="kernel"):
        conv(jnp.zeros((1, 4, 4, 1)))
    assert conv.conv_general_dilated is None


class Nnx(nnx.Module):
    def __init__(self, rngs, **last):
        depthwise = nnx.Conv(4, 8, 3, feature_group_count=4, rngs=rngs)
        self.first = nnx.Sequential(nnx.Conv(3, 4, 3, rngs=rngs), nnx.relu, depthwise)
        self.last = nnx.Conv(8, 2, 3, strides=2, feature_group_count=2, rngs=rngs, **last)

    def __call__(self, x):
        return self.last(self.first(x))


@pytest.mark.slow
def test_nnx_modules_give_the_same():
    x = arrays((8,), 3, (1,), 1)[0]

    def gradients(model):
        graph, state = nnx.split(model)
        return jax.value_and_grad(lambda s: jnp.sum(nnx.merge(graph, s)(x) ** 2)), filled(state)

    model = nnx.eval_shape(lambda: Nnx(nnx.Rngs(0)))
    theirs, state = gradients(model)
    use_faster_convolutions(model)
    ours, _ = gradients(model)
    assert_same(*map(jax.tree.leaves, together(ours, theirs, state)), 1e-4)
    assert "conv_general_dilated" not in names(ours, state)


def test_an_nnx_conv_keeps_its_users_function():
    def own(*args, **kwargs):
        return lax.conv_general_dilated(*args, **kwargs)

    model = nnx.eval_shape(lambda: Nnx(nnx.Rngs(0), conv_general_dilated=own))
    use_faster_convolutions(model)
    assert model.last.conv_general_dilated is own
    assert model.first.layers[0].conv_general_dilated is conv_general_dilated
