"""A model that computes something else beside other trials than alone is refused with both numbers."""

import re

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.custom_batching import custom_vmap

from jaxhpo.space import Choice, Float, Space
from jaxhpo.training import Trainer

SPACE = Space({"lr": Float(1e-4, 1e-2, log=True), "batch_size": Choice((16,))})


def batched(rule):
    """Return a function that is the identity of one trial, with a rule of the user's for several."""
    function = custom_vmap(lambda x: x)
    function.def_vmap(lambda size, is_batched, x: (rule(x), is_batched[0]))
    return function


def net(function):
    class Made(nn.Module):
        @nn.compact
        def __call__(self, x):
            x = nn.Dense(12)(x.reshape(len(x), -1))
            offset = function(jax.lax.stop_gradient(jnp.mean(x)))
            return nn.Dense(10)(x + 30 * offset)

    return Made


def shared(x):
    """Subtract the lanes' mean: zero of one lane."""

    def host(x):
        return np.broadcast_to(np.mean(x, dtype=np.float32), x.shape)

    return jax.pure_callback(host, jax.ShapeDtypeStruct(x.shape, x.dtype), x, vmap_method="broadcast_all")


ONE_BY_ONE = {
    "a rule that keeps lanes apart": batched(lambda x: x),
    "a callback for each lane": lambda x: jax.pure_callback(
        lambda x: np.asarray(x), jax.ShapeDtypeStruct(x.shape, x.dtype), x, vmap_method="sequential"
    ),
    "a callback that runs alone": lambda x: jax.pure_callback(
        lambda x: np.asarray(x), jax.ShapeDtypeStruct(x.shape, x.dtype), x
    ),
}
TOGETHER = {"a reduction": batched(lambda x: x * 0 + jnp.mean(x)), "a callback for all lanes": shared}


@pytest.mark.slow_but_for("a reduction")
@pytest.mark.parametrize("case", TOGETHER)
def test_a_model_that_reduces_over_trials_is_refused_with_both_numbers(case, small_digits):
    with pytest.raises(ValueError) as refused:
        Trainer(small_digits, net(TOGETHER[case]), SPACE, epochs=1)
    said = re.fullmatch(
        r"model has other losses beside another trial \(([\d.]+)\) than alone \(([\d.]+)\); let nothing in it reduce "
        r"over the trials \(custom_vmap, pure_callback\)",
        str(refused.value),
    )
    assert said, refused.value
    beside, alone = map(float, said.groups())
    assert abs(beside - alone) > 1e-3
    assert alone > 1  # of ten classes before any training


@pytest.mark.slow
@pytest.mark.parametrize("case", ONE_BY_ONE)
def test_what_keeps_trials_apart_is_taken(case, small_digits):
    Trainer(small_digits, net(ONE_BY_ONE[case]), SPACE, epochs=1)
