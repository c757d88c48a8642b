"""The factor of the learning rate equals optax's schedules."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxhpo.training.step.schedules import SCHEDULES, factor

UPDATES = 50


def factors(name, warmup=None):
    index = None if name is None else jnp.int32(SCHEDULES.index(name))
    warmup = None if warmup is None else jnp.float32(warmup)
    return jax.vmap(lambda t: factor(SCHEDULES, index, warmup, t, jnp.int32(UPDATES)))(jnp.arange(UPDATES))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "theirs"),
    [
        ("constant", optax.constant_schedule(1.0)),
        ("cosine", optax.cosine_decay_schedule(1.0, UPDATES)),
        ("one_cycle", optax.cosine_onecycle_schedule(UPDATES, 1.0)),
    ],
)
@pytest.mark.usefixtures("standard_promotion")
def test_schedules_equal_optax(name, theirs):
    np.testing.assert_allclose(factors(name), [float(theirs(t)) for t in range(UPDATES)], atol=2e-6)


@pytest.mark.slow
def test_warm_up_rises_to_the_whole_rate_and_then_the_schedule_begins():
    rising = np.arange(1, 11) / 10
    np.testing.assert_allclose(factors(None, 0.2), [*rising, *[1.0] * 40], rtol=1e-6)
    cosine = 0.5 * (1 + np.cos(np.pi * np.arange(40) / 40))
    np.testing.assert_allclose(factors("cosine", 0.2), [*rising, *cosine], rtol=1e-5, atol=1e-7)
    assert factors("one_cycle", 0.2).tolist() == factors("one_cycle").tolist()


@pytest.mark.slow
def test_without_warm_up_a_constant_rate_is_exactly_itself():
    assert factors("constant", 0.0).tolist() == [1.0] * UPDATES
    assert factors("constant").tolist() == [1.0] * UPDATES


def test_beyond_the_last_update_the_rate_stays_low():
    for name in ("cosine", "one_cycle"):
        after = factor(SCHEDULES, jnp.int32(SCHEDULES.index(name)), None, jnp.int32(99), jnp.int32(UPDATES))
        assert 0 <= float(after) < 1e-5
