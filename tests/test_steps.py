"""Ranges with steps, of one value, and wide logarithmic ranges of whole numbers."""

import json

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxhpo.space import Choice, Float, Int, Space
from jaxhpo.training import default_space

QUIETLY = settings(deadline=None, derandomize=True, max_examples=60)


@st.composite
def stepped(draw):
    whole, count = draw(st.booleans()), draw(st.integers(0, 3000))
    if whole:
        low, step = draw(st.integers(-1000, 10**6)), draw(st.integers(1, 5000))
        return Int(low, low + count * step, step=step)
    low, step = draw(st.sampled_from([0.0, 0.1, -3.0, 1e-4, 250.0])), draw(st.sampled_from([0.1, 0.25, 1.0, 3e-3, 7.0]))
    return Float(low, low + count * step, step=step)


def values_of(dimension):
    if isinstance(dimension, Int):
        return list(dimension.values)
    step = dimension.step or 0.0
    count = round((dimension.high - dimension.low) / step) if step else 0
    return [float(f"{dimension.low + k * step:.12g}") for k in range(count)] + [dimension.high]


WIDE = [Int(1, 10**9, log=True), Int(1, 10**6, log=True), Int(1000, 10**7, log=True), Int(131_072, 2**24, log=True)]


@pytest.mark.parametrize("dimension", WIDE)
@QUIETLY
@given(unit=st.floats(0, 1, width=32))
def test_wide_ranges_go_there_and_back_on_host_and_device(dimension, unit):
    check(dimension, unit)


@QUIETLY
@given(stepped(), st.floats(0, 1, width=32))
def test_steps_go_there_and_back_on_host_and_device(dimension, unit):
    check(dimension, unit)


def check(dimension, unit):
    """Check that a unit coordinate has one value everywhere, one of those of the dimension."""
    value, snapped = dimension.to_value(unit), dimension.snap(jnp.float32(unit))
    assert value in values_of(dimension)
    assert dimension.to_value(snapped) == value
    assert np.float32(dimension.to_unit(value)) == np.float32(snapped) == dimension.snap(np.float32(unit), np)
    for xp in (jnp, np):
        decoded = dimension.decode(xp.float32(unit), xp)
        assert decoded.dtype == (np.int32 if isinstance(dimension, Int) else np.float32)
        if isinstance(dimension, Int):
            assert int(decoded) == value
        else:
            assert abs(float(decoded) - value) <= 1e-6 * max(abs(dimension.low), abs(dimension.high), 1e-3)


def test_known_steps():
    assert Int(16, 128, step=16).level_values == (16, 32, 48, 64, 80, 96, 112, 128)
    assert Int(2, 8, step=3).to_value(0.99) == 8
    assert Float(0.0, 0.5, step=0.1).level_values == (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)
    assert Float(0.0, 1.0, step=0.25, levels=3).level_values == (0.0, 0.5, 1.0)
    assert Int(0, 100, step=10, levels=3).level_values == (0, 50, 100)
    np.testing.assert_allclose(Int(2, 8, step=3).level_units, [1 / 6, 1 / 2, 5 / 6], rtol=1e-6)
    assert Float(0.0, 0.5, step=0.1).to_unit(0.1 + 0.2) == Float(0.0, 0.5, step=0.1).to_unit(0.3)
    assert Int(0, 10**8, step=10**6).to_value(0.5) == 5 * 10**7
    assert Int(1, 5, step=1) == Int(1, 5)
    np.testing.assert_array_equal(
        Float(0.0, 0.5, step=0.1).decode(jnp.float32([0.0, 0.3, 1.0])), np.float32([0.0, 0.1, 0.5])
    )


def test_uniform_units_give_every_step_its_share():
    units = jnp.asarray(np.random.default_rng(0).uniform(size=8000).astype(np.float32))
    for dimension in (Int(10, 40, step=10), Float(0.0, 0.3, step=0.1)):
        counts = np.unique(np.asarray(dimension.decode(units)), return_counts=True)[1]
        assert len(counts) == 4
        assert abs(counts / 2000 - 1).max() < 0.1


def test_wide_ranges_have_small_numbers_and_four_digits_of_large_ones():
    wide = Int(1, 10**9, log=True)
    for value in (1, 2, 9999, 10_000, 12_340, 123_400_000, 10**9):
        assert wide.to_value(wide.to_unit(value)) == value
    with pytest.raises(ValueError, match=r"value 65536 has more than 4 significant digits, .* use 65540"):
        wide.to_unit(65536)
    ends = Int(131_072, 16_777_216, log=True)
    assert [ends.to_value(u) for u in (0.0, 1.0)] == [131_072, 16_777_216]
    assert Int(1, 10**6, log=True, levels=7).level_values == (1, 10, 100, 1000, 10**4, 10**5, 10**6)
    # The logarithm of a uniform draw is uniform.
    units = np.random.default_rng(0).uniform(size=4000).astype(np.float32)
    share = np.mean(np.asarray(wide.decode(jnp.asarray(units))) <= 30_000)
    assert share == pytest.approx(np.log(30_000 / 0.5) / np.log(10**9 / 0.5), abs=0.03)


@pytest.mark.parametrize("dimension", [Int(3, 3), Int(3, 3, log=True), Float(0.1, 0.1), Float(0.1, 0.1, log=True)])
def test_a_range_of_one_value_is_a_constant(dimension):
    value = dimension.low
    assert dimension.level_values == (value,)
    assert [dimension.to_value(u) for u in (0.0, 0.5, 1.0)] == [value] * 3
    assert dimension.to_unit(value) == 0.5
    np.testing.assert_array_equal(dimension.decode(jnp.float32([0.0, 1.0])), np.asarray([value] * 2, np.float32))
    assert not dimension.continuous


SPACE = Space(
    {
        "units": Int(16, 128, step=16),
        "rate": Float(0.0, 0.5, step=0.1),
        "fixed": Float(0.1, 0.1),
        "one": Int(3, 3),
        "buffer": Int(1, 10**7, log=True),
        "child": Int(10, 50, step=20, when={"rate": 0.3, "units": (32, 48)}),
    },
    constraints=["units * rate <= 40", "child < 50"],
)


def test_spaces_with_steps_have_conditions_constraints_and_json():
    config = {"units": 48, "rate": 0.3, "fixed": 0.1, "one": 3, "buffer": 123_400, "child": 30}
    assert SPACE.to_config(SPACE.from_config(config)) == config
    again = Space.from_json(json.loads(json.dumps(SPACE.to_json())))
    assert again == SPACE
    assert again["units"].step == 16
    assert (again["rate"].step, again["fixed"].step) == (0.1, None)
    assert Space({"x": Float(0.0, 2.0, step=1.0)}) != Space({"x": Float(0.0, 2.0)})
    with pytest.raises(ValueError, match=r"config units: value 40 is between the steps of 16 from 16; use 48"):
        SPACE.from_config(config | {"units": 40})
    with pytest.raises(ValueError, match=r"a is never 10; it is a whole number in \[0, 40\] by steps of 20"):
        Space({"a": Int(0, 40, step=20), "b": Int(1, 2, when={"a": 10})})


def test_spaces_without_steps_are_written_as_before():
    assert Space({"a": Int(1, 3), "b": Float(0.0, 1.0)}).to_json() == {
        "a": {"type": "int", "low": 1, "high": 3, "log": False, "levels": None},
        "b": {"type": "float", "low": 0.0, "high": 1.0, "log": False, "levels": None},
    }
    assert default_space("mlp").fingerprint == "60998d08c8621b6b"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Int(1, 9, step=3), "Int step=3 does not lead from low=1 to high=9; use high=7 or 10"),
        (lambda: Int(1, 2, step=5), "Int step=5 does not lead from low=1 to high=2; use high=6"),
        (
            lambda: Float(0.0, 1.0, step=0.3),
            "Float step=0.3 does not lead from low=0.0 to high=1.0; use high=0.9 or 1.2",
        ),
        (lambda: Int(1, 9, step=0), "Int step=0 must be at least 1"),
        (lambda: Int(1, 9, step=2.5), "Int step=2.5 is not a whole number"),
        (lambda: Int(1, 9, step="2"), "Int step='2' is not a number"),
        (lambda: Float(0.0, 1.0, step=-0.1), "Float step=-0.1 must be above 0"),
        (lambda: Float(0.0, 1.0, step=True), "Float step=True is not a number"),
        (lambda: Float(0.1, 1.0, step=0.1, log=True), "Float step=0.1 cannot go with log=True; use levels="),
        (lambda: Int(2, 8, step=2, log=True), "Int step=2 cannot go with log=True; use a Choice"),
        (lambda: Float(0.0, 1.0, step=1e-9), "Float step=1e-09 in [0.0, 1.0] is finer than float32 tells apart"),
        (lambda: Int(0, 2 * 10**9, step=2), "Int step=2 gives 1,000,000,001 values, more than float32 tells apart"),
        (lambda: Int(0, 2**40, step=2**38), "is beyond int32; choose another unit"),
        (lambda: Float(0.0, 1.0, step=0.5, levels=9), "Float levels=9 do not fit into 3 steps; use fewer"),
        (lambda: Int(0, 4, step=2, levels=9), "Int levels=9 do not fit into 3 steps; use fewer"),
        (lambda: Int(3, 3, levels=2), "Int levels=2 do not fit where low and high are 3; leave levels out"),
        (lambda: Int(3, 2), "Int low=3 must not be above high=2"),
        (lambda: Int(1, 2**31, log=True), "is finer than float32 can tell apart"),
        (lambda: Choice(()), "Choice options are empty"),
    ],
)
def test_bad_steps(make, message):
    with pytest.raises(ValueError) as error:
        make()
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("dimension", "value", "message"),
    [
        (Float(0.0, 0.5, step=0.1), 0.25, "value 0.25 is between the steps of 0.1 from 0.0; use 0.2"),
        (Float(0.1, 0.1), 0.2, "value 0.2 is outside [0.1, 0.1]"),
        (Int(3, 3), 4, "value 4 is outside [3, 3]"),
    ],
)
def test_bad_values_of_steps(dimension, value, message):
    with pytest.raises(ValueError) as error:
        dimension.to_unit(value)
    assert message in str(error.value)
