import math

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxhpo.space import Choice, Float, Int

settings.register_profile("jaxhpo", deadline=None, derandomize=True, max_examples=60)
settings.load_profile("jaxhpo")

finite = {"allow_nan": False, "allow_infinity": False}


@st.composite
def floats(draw):
    log = draw(st.booleans())
    low = draw(st.floats(1e-8, 1e3) if log else st.floats(-1e4, 1e4))
    factor = draw(st.floats(1.5, 1e6))
    high = low * factor if log else low + factor
    return Float(low, high, log=log, levels=draw(st.none() | st.integers(2, 40)))


@st.composite
def ints(draw):
    log = draw(st.booleans())
    offset = draw(st.sampled_from([0, 0, 10**5, 10**6 if log else 15 * 10**6]))
    low = offset + draw(st.integers(1, 500) if log else st.integers(-1000, 1000))
    high = low + draw(st.integers(1, 3000))
    levels = draw(st.none() | st.integers(2, 9))
    try:
        return Int(low, high, log=log, levels=levels)
    except ValueError:  # so many levels do not fit
        return Int(low, high, log=log)


choices = st.lists(
    st.integers(-50, 50) | st.sampled_from(["a", "b", None, 0.5]), min_size=1, max_size=8, unique=True
).map(lambda options: Choice(tuple(options)))
dimensions = floats() | ints() | choices


@pytest.mark.slow
@given(dimensions)
def test_levels_go_through_unit_and_value_and_back(dimension):
    units = jnp.asarray(dimension.level_units)
    for level, (unit, value) in enumerate(zip(dimension.level_units, dimension.level_values, strict=True)):
        assert dimension.to_value(unit) == value
        assert np.float32(dimension.to_unit(value)) == unit
        assert int(dimension.to_level(units[level])) == level
        assert np.float32(dimension.snap(units[level])) == unit


@pytest.mark.slow
@given(dimensions)
def test_the_device_decodes_levels_to_the_hosts_float32(dimension):
    decoded = np.asarray(dimension.decode(jnp.asarray(dimension.level_units)))
    numeric = not isinstance(dimension, Choice) or dimension.numeric
    expected = dimension.level_values if numeric else range(len(dimension.level_values))
    np.testing.assert_array_equal(decoded, np.asarray(expected, decoded.dtype))


@given(dimensions, st.floats(0, 1, width=32))
def test_any_unit_decodes_on_host_and_device_alike(dimension, unit):
    unit = np.float32(unit)
    host, device = dimension.to_value(unit), dimension.decode(jnp.asarray(unit))
    if isinstance(dimension, Float):
        scale = max(abs(dimension.low), abs(dimension.high)) if not dimension.log else abs(host)
        assert abs(float(device) - host) <= 2e-5 * scale
        assert np.float32(dimension.low) <= device <= np.float32(dimension.high)
    elif isinstance(dimension, Int):
        # At the border between two cells of a logarithmic scale float32 may fall on either side.
        assert abs(int(device) - host) <= int(dimension.log)
        assert dimension.low <= int(device) <= dimension.high
    else:
        index = list(dimension.options).index(host)
        assert device == (host if dimension.numeric else index)


@given(dimensions, st.floats(0, 1, width=32))
def test_snapping_is_idempotent_and_keeps_the_value(dimension, unit):
    snapped = dimension.snap(jnp.float32(unit))
    assert float(dimension.snap(snapped)) == float(snapped)
    assert float(dimension.decode(snapped)) == float(dimension.decode(jnp.float32(unit)))
    wide = isinstance(dimension, Int) and dimension.high - dimension.low >= 1024
    if not (isinstance(dimension, Float) or (wide and dimension.log)):
        value = dimension.to_value(float(snapped))
        assert np.float32(dimension.to_unit(value)) == np.float32(snapped)


@pytest.mark.slow
@given(dimensions)
def test_greater_units_give_no_smaller_values(dimension):
    units = np.unique(np.r_[np.linspace(0, 1, 500), dimension.level_units]).astype(np.float32)
    device = np.asarray(dimension.decode(jnp.asarray(units)))
    host = [dimension.to_value(u) for u in units]
    if isinstance(dimension, Choice):
        host = [dimension.options.index(v) for v in host]
        device = host if dimension.numeric else device  # numbers come in the order they were given
    tolerance = 1e-6 * np.abs(device).max() if isinstance(dimension, Float) else 0  # a level's table against float32
    assert np.all(np.diff(host) >= (-1e-11 * np.abs(host).max() if isinstance(dimension, Float) else 0))
    assert np.all(np.diff(device) >= -tolerance)


@given(floats(), st.floats(0, 1, width=32))
def test_a_real_number_goes_there_and_back_on_the_host(dimension, unit):
    value = dimension.to_value(unit)
    # The value has float64's precision, the unit float32's; wide offsets cost the value digits.
    assert dimension.to_unit(value) == pytest.approx(unit, abs=1e-6)


@given(ints())
def test_every_integer_goes_there_and_back(dimension):
    for value in range(dimension.low, dimension.high + 1, max(1, (dimension.high - dimension.low) // 50)):
        unit = dimension.to_unit(value)
        assert 0 <= unit <= 1
        assert dimension.to_value(unit) == value
        assert int(dimension.decode(jnp.float32(unit))) == value


@pytest.mark.parametrize(
    "dimension",
    [
        Int(15_000_000, 15_000_010),
        Int(-16_000_000, -15_999_000),
        Int(0, 1_000_000),
        Int(900_000, 1_000_000, log=True),
        Int(1, 60_000, log=True),
    ],
)
def test_large_integers_are_told_apart_on_the_device(dimension):
    values = np.unique(np.linspace(dimension.low, dimension.high, 5000).astype(np.int64))
    units = jnp.asarray(np.array([dimension.to_unit(v) for v in values.tolist()], np.float32))
    np.testing.assert_array_equal(dimension.decode(units), values)
    snapped = dimension.snap(units)
    np.testing.assert_array_equal(dimension.decode(snapped), values)
    np.testing.assert_array_equal(dimension.snap(snapped), snapped)


def test_known_levels():
    assert Float(1e-4, 1e-1, log=True, levels=4).level_values == (1e-4, 1e-3, 1e-2, 1e-1)
    assert Float(0.0, 0.5, levels=6).level_values == (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)
    np.testing.assert_array_equal(Float(0.0, 1.0, levels=3).level_units, np.float32([0, 0.5, 1]))
    assert Int(8, 128, log=True, levels=5).level_values == (8, 16, 32, 64, 128)
    assert Int(1, 3).level_values == (1, 2, 3)
    np.testing.assert_allclose(Int(1, 3).level_units, [1 / 6, 1 / 2, 5 / 6], rtol=1e-6)
    assert Float(0.0, 1.0).level_values == ()
    assert Int(1, 5000).level_values == ()
    np.testing.assert_allclose(Choice(("a", "b")).level_units, [0.25, 0.75])


def test_known_values():
    assert Float(1.0, 100.0, log=True).to_value(0.5) == pytest.approx(10.0)
    assert Float(0.0, 10.0).to_value(0.25) == 2.5
    assert [Int(1, 3).to_value(u) for u in (0.0, 0.32, 0.34, 0.66, 0.67, 1.0)] == [1, 1, 2, 2, 3, 3]
    assert [Choice(["abc"] + ["d"]).to_value(u) for u in (0.0, 0.49, 0.51, 1.0)] == ["abc", "abc", "d", "d"]


@pytest.mark.parametrize("dimension", [Int(1, 4), Int(1, 4, log=False, levels=2), Choice(("a", "b", "c", "d"))])
def test_uniform_units_give_every_value_its_share(dimension):
    units = jnp.asarray(np.random.default_rng(0).uniform(size=8000).astype(np.float32))
    counts = np.unique(np.asarray(dimension.decode(units)), return_counts=True)[1]
    assert len(counts) == 4
    assert abs(counts / 2000 - 1).max() < 0.1


def test_log_integers_favour_the_small():
    units = jnp.asarray(np.random.default_rng(0).uniform(size=8000).astype(np.float32))
    values = np.asarray(Int(1, 100, log=True).decode(units))
    share = math.log(10.5 / 0.5) / math.log(100.5 / 0.5)
    assert (values <= 10).mean() == pytest.approx(share, abs=0.02)


def test_what_is_ordered_and_numeric():
    assert Choice((1, 2.5)).ordered
    assert not Choice((1, "a")).ordered
    assert not Choice((True, False)).ordered
    assert Choice(("s", "m", "l"), ordered=True).ordered
    assert Choice((1, True)).options == (1, True)
    assert Choice(np.array([1, 2])).options == (1, 2)
    assert isinstance(Choice(np.array([1, 2])).options[0], int)
    assert Float(1, 2).low == 1.0
    assert isinstance(Float(1, 2).low, float)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Float(2.0, 1.0), "Float low=2.0 must not be above high=1.0"),
        (lambda: Float(0.0, 1.0, log=True), "Float low=0.0 must be above 0 with log=True; raise low or drop log"),
        (lambda: Float(-1.0, 1.0, log=True), "must be above 0 with log=True"),
        (lambda: Float(0.0, math.inf), "Float high=inf is not finite"),
        (lambda: Float(math.nan, 1.0), "Float low=nan is not finite"),
        (lambda: Float("0", 1.0), "Float low='0' is not a number"),
        (lambda: Float(True, 2.0), "Float low=True is not a number"),
        (lambda: Float(0, 10**400), "is not finite; give a finite number"),
        (lambda: Float(0.0, 1e39), "Float high=1e+39 is beyond float32's range; choose another unit"),
        (lambda: Float(1e-40, 1.0, log=True), "Float low=1e-40 is beyond float32's range"),
        (lambda: Float(1.0, 1.0 + 1e-12), "Float range [1.0, 1.000000000001] is finer than float32 tells apart"),
        (lambda: Float(1.0, 1.000001, levels=90), "Float levels=90 in [1.0, 1.000001] is finer than float32"),
        (lambda: Float(0.0, 1.0, levels=1), "Float levels=1 must be an integer of at least 2"),
        (lambda: Float(0.0, 1.0, levels=2.5), "Float levels=2.5 must be"),
        (lambda: Float(0.0, 1.0, log="yes"), "Float log='yes' must be True or False"),
        (lambda: Int(1.5, 3), "Int low=1.5 is not a whole number; use Float"),
        (lambda: Int(0, 8, log=True), "Int low=0 must be above 0 with log=True"),
        (lambda: Int(1, 4, levels=9), "Int levels=9 do not fit between 1 and 4; use fewer"),
        (lambda: Int(0, 2**40), "is finer than float32 can tell apart; use Float"),
        (lambda: Int(2**22, 2**22 + 9, log=True), "is finer than float32 can tell apart; use Float"),
        (lambda: Int(1, 3, levels=1), "Int levels=1 must be an integer of at least 2"),
        (lambda: Int(1, math.inf), "Int high=inf is not finite"),
        (lambda: Int("1", 3), "Int low='1' is not a number"),
        (lambda: Choice({"a", "b"}), "must be a list of options, in a fixed order"),
        (lambda: Choice(b"ab"), "Choice options=b'ab' must be a list of options"),
        (lambda: Choice((1, 2**31)), "Choice option 2147483648 is beyond int32; choose another unit"),
        (lambda: Choice((0.5, 1e300)), "Choice option 1e+300 is beyond float32; choose another unit"),
        (lambda: Choice(()), "Choice options are empty; give at least one"),
        (lambda: Choice("adam"), "Choice options='adam' must be a list of options"),
        (lambda: Choice(3), "Choice options=3 must be a list"),
        (lambda: Choice(("a", "b", "a")), "Choice options ['a', 'b', 'a'] hold a duplicate"),
        (lambda: Choice((1, 1.0)), "hold a duplicate"),
        (lambda: Choice((1.0, math.nan)), "Choice option=nan is not finite"),
        (lambda: Choice(([1], [2])), "Choice option [1] must be a string, number, bool or None"),
        (lambda: Choice((1, 2), ordered="yes"), "Choice ordered='yes' must be True or False"),
    ],
)
def test_bad_dimensions(make, message):
    with pytest.raises(ValueError) as error:
        make()
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("dimension", "value", "message"),
    [
        (Float(0.0, 1.0), 1.5, "value 1.5 is outside [0.0, 1.0]"),
        (Float(0.0, 1.0), "x", "value='x' is not a number"),
        (Int(1, 3), 2.5, "value 2.5 is not a whole number"),
        (Int(1, 3), 4, "value 4 is outside [1, 3]"),
        (Choice(("a", 1)), "b", "value 'b' is not one of ['a', 1]"),
        (Choice((0, 1)), True, "value True is not one of [0, 1]"),
    ],
)
def test_bad_values(dimension, value, message):
    with pytest.raises(ValueError) as error:
        dimension.to_unit(value)
    assert message in str(error.value)
