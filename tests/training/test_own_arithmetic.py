"""What a user's network costs, counted off its program, is what it costs by hand."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxhpo.training.networks.user.cost import cost_of, products

N = 4


def counted(function, *shapes):
    arguments = [jax.ShapeDtypeStruct(shape, np.float32) for shape in shapes]
    return products(jax.make_jaxpr(function)(*arguments).jaxpr)


def module_flops(module, *shape):
    x = jax.ShapeDtypeStruct(shape, np.float32)
    params = jax.eval_shape(module.init, jax.random.key(0), x)
    return products(jax.make_jaxpr(module.apply)(params, x).jaxpr)


def test_a_dense_layer():
    assert module_flops(nn.Dense(7), N, 5) == 2 * N * 5 * 7


@pytest.mark.parametrize(
    ("options", "shape", "flops"),
    [
        ({}, (N, 8, 8, 2), 2 * N * 64 * 9 * 2 * 6),
        ({"strides": (2, 2)}, (N, 8, 8, 2), 2 * N * 16 * 9 * 2 * 6),
        ({"padding": "VALID"}, (N, 8, 8, 2), 2 * N * 36 * 9 * 2 * 6),
        ({"feature_group_count": 2}, (N, 8, 8, 2), 2 * N * 64 * 9 * 1 * 6),
    ],
)
def test_a_convolution(options, shape, flops):
    assert module_flops(nn.Conv(6, (3, 3), **options), *shape) == flops


def test_a_product_of_batches():
    assert counted(lambda a, b: jnp.einsum("bij,bjk->bik", a, b), (3, 4, 5), (3, 5, 6)) == 2 * 3 * 4 * 5 * 6


def test_a_loop_counts_its_rounds():
    def loop(x, w):
        return jax.lax.scan(lambda c, _: (c @ w, None), x, length=9)[0]

    assert counted(loop, (N, 5), (5, 5)) == 9 * 2 * N * 25
    assert counted(lambda x, w: loop(loop(x, w), w), (N, 5), (5, 5)) == 18 * 2 * N * 25


def test_a_loop_of_unknown_rounds_counts_once():
    def loop(x, w):
        return jax.lax.while_loop(lambda x: jnp.sum(x) > 0, lambda x: x @ w, x)

    assert counted(loop, (N, 5), (5, 5)) == 2 * N * 25


def test_a_recurrent_network():
    # A GRU has three gates, each a product of the input and one of the state, 9 times.
    assert module_flops(nn.RNN(nn.GRUCell(6)), N, 9, 5) == 9 * 3 * 2 * N * (5 * 6 + 6 * 6)


def test_of_branches_the_dearest():
    def branches(x, w):
        return jax.lax.cond(jnp.sum(x) > 0, lambda: x @ w, lambda: x @ w @ w)

    assert counted(branches, (N, 5), (5, 5)) == 2 * 2 * N * 25


def test_what_is_inside_jit_and_remat():
    assert counted(jax.jit(jnp.dot), (N, 5), (5, 6)) == 2 * N * 30
    assert counted(jax.checkpoint(jnp.dot), (N, 5), (5, 6)) == 2 * N * 30


def test_cost_of_a_network():
    """Two layers: backwards each has a product for its weights, the second one for its input too."""

    def loss(params, x):
        return jnp.sum(jnp.tanh(x @ params["a"]) @ params["b"])

    params = {"a": jax.ShapeDtypeStruct((5, 6), np.float32), "b": jax.ShapeDtypeStruct((6, 7), np.float32)}
    cost = cost_of(loss, params, jax.ShapeDtypeStruct((N, 5), np.float32), N)
    assert cost.forward == 2 * (30 + 42)
    assert cost.backward == 2 * (30 + 42 + 42)
    assert cost.params == 30 + 42
    assert 6 <= cost.held <= 5 + 6 + 6 + 7  # the tanh at least
