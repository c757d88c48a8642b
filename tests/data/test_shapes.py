"""How arrays are read: as vectors, images or sequences, and what is refused because it may be two of them."""

import numpy as np
import pandas as pd
import pytest

from jaxhpo.data import Dataset, from_arrays, load

N = 20
Y = np.arange(N) % 2
RANDOM = np.random.default_rng(0)
READINGS = RANDOM.normal(size=(N, 7, 3))
BYTES = RANDOM.integers(0, 256, (N, 7, 3))


def back(data):
    """Return all examples in the order of their first number."""
    x = np.concatenate([data.x_train, data.x_valid, data.x_test])
    return x[np.argsort(x.reshape(N, -1)[:, 0])]


def ordered(x):
    x = np.asarray(x, np.float32)
    return x[np.argsort(x.reshape(N, -1)[:, 0])]


# --- images ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("x", "why"),
    [
        (BYTES.astype(np.uint8), "its numbers are bytes"),
        (BYTES > 99, "its numbers are bytes"),
        (BYTES, "its numbers are whole and within 0 to 255"),
        (BYTES.astype(np.float32), "its numbers are whole and within 0 to 255"),
        (BYTES.tolist(), "its numbers are whole and within 0 to 255"),
        (RANDOM.uniform(-1, 1, (N, 5, 5)), "it is square, and its numbers are within -1 to 1"),
        (RANDOM.random((N, 5, 5)), "it is square, and its numbers are within -1 to 1"),
    ],
)
def test_what_is_images_by_itself(x, why):
    data = load((x, Y))
    height, width = np.shape(x)[1:]
    assert (data.kind, data.shape) == ("image", (height, width, 1))
    assert data.notes == (
        f"x is read as images of {height}x{width} pixels: {why}; kind='sequence' or 'vector' decides otherwise",
    )


@pytest.mark.parametrize(
    "x",
    [
        READINGS,
        READINGS.tolist(),
        RANDOM.normal(size=(N, 5, 5)),  # square, but beyond 1
        RANDOM.random((N, 5, 6)),  # within 1, but not square
        BYTES + 1000,
        BYTES - 300,
        BYTES + 0.5,
        np.where(np.arange(7)[None, :, None] < 5, READINGS, np.nan),
    ],
)
def test_what_may_be_both_is_refused(x):
    a, b = np.shape(x)[1:]
    with pytest.raises(ValueError) as error:
        load((x, Y))
    assert str(error.value) == (
        f"x has shape ({N}, {a}, {b}), which may be sequences of {a} steps of {b} numbers or images of {a}x{b} pixels; "
        "say which: kind='sequence' or kind='image' of jaxhpo.data.load, or kind='vector' for neither"
    )


def test_kind_decides():
    image, vector, sequence = (load((READINGS, Y), kind=kind) for kind in ("image", "vector", "sequence"))
    assert [(d.kind, d.shape) for d in (image, vector, sequence)] == [
        ("image", (7, 3, 1)),
        ("vector", (21,)),
        ("sequence", (7, 3)),
    ]
    np.testing.assert_array_equal(back(image), ordered(READINGS)[..., None])
    np.testing.assert_array_equal(back(vector), ordered(READINGS).reshape(N, -1))
    np.testing.assert_array_equal(back(sequence), ordered(READINGS))
    assert (image.notes, vector.notes) == ((), ())
    assert load((BYTES.astype(np.uint8), Y), kind="sequence").shape == (7, 3)
    assert load((BYTES[..., None], Y), kind="vector").shape == (21,)


def test_the_other_splits_are_read_as_the_training_examples():
    data = from_arrays(BYTES, Y, test=(BYTES + 0.5, Y))  # by themselves the test examples could be sequences
    assert (data.kind, data.x_test.shape) == ("image", (N, 7, 3, 1))


# --- channels --------------------------------------------------------------------------------------------------------


def test_channels_first_is_said():
    x = RANDOM.random((N, 3, 8, 9))
    with pytest.raises(ValueError) as error:
        load((x, Y))
    assert str(error.value) == (
        "x has shape (20, 3, 8, 9), which may be images of 8x9 pixels in 3 channels (channels='first') or of 3x8 "
        "pixels in 9 channels (channels='last'); say which by channels= of jaxhpo.data.load"
    )
    first, last = load((x, Y), channels="first"), load((x, Y), channels="last")
    assert (first.shape, last.shape) == ((8, 9, 3), (3, 8, 9))
    np.testing.assert_array_equal(back(first), ordered(x).transpose(0, 2, 3, 1))
    assert load((x, Y), kind="image", channels="first").shape == (8, 9, 3)
    for shape in ((8, 8, 3), (8, 9, 16), (3, 9, 1), (3, 4, 4)):  # which are clear
        assert load((RANDOM.random((N, *shape)), Y)).shape == shape


# --- sequences -------------------------------------------------------------------------------------------------------

LENGTHS = [7, 2, 5, 1] * 5
RAGGED = [row[:length] for row, length in zip(READINGS, LENGTHS, strict=True)]
PADDED = np.where(np.arange(7)[None, :, None] < np.array(LENGTHS)[:, None, None], READINGS, np.nan)


@pytest.mark.parametrize(
    "x",
    [
        PADDED,
        RAGGED,
        tuple(RAGGED),
        [row.tolist() for row in RAGGED],
        np.array([*RAGGED, None], object)[:-1],
        np.concatenate([PADDED, np.full((N, 4, 3), np.nan)], 1),  # padding that no sequence needs
    ],
)
def test_sequences_of_several_lengths(x):
    data = load((x, Y), kind="sequence")
    assert (data.kind, data.shape, data.x_train.dtype) == ("sequence", (7, 3), np.float32)
    np.testing.assert_array_equal(back(data), ordered(PADDED))
    assert data.notes == ("x is read as sequences of 1 to 7 steps of 3 numbers, a feature each",)


def test_one_number_a_step_and_channels_first():
    one = load((READINGS[:, :, 0], Y), kind="sequence")
    assert (one.shape, one.notes) == ((7, 1), ("x is read as sequences of 7 steps of 1 number",))
    assert load(([row[:, 0] for row in RAGGED], Y), kind="sequence").shape == (7, 1)
    first = load((READINGS.swapaxes(1, 2), Y), kind="sequence", channels="first")
    np.testing.assert_array_equal(back(first), ordered(READINGS))


def test_sequences_are_scaled_by_feature_without_padding():
    data = load((PADDED * [1, 10, 0] + [0, 50, 7], Y), kind="sequence")
    steps = data.x_train[~np.isnan(data.x_train).any(-1)]
    assert len(steps) == sum(np.isfinite(row[:, 0]).sum() for row in data.x_train)
    np.testing.assert_allclose(data.offset, steps.mean(0, np.float64)[None], rtol=1e-6)
    np.testing.assert_allclose(data.scale[0, :2], 1 / steps[:, :2].std(0, np.float64), rtol=1e-5)
    assert data.scale[0, 2] == 1  # a feature that is constant
    assert (data.offset.shape, data.scale.dtype) == ((1, 3), np.float32)


def test_splits_of_other_lengths_are_padded_alike():
    longer = np.concatenate([READINGS, READINGS], 1)
    data = from_arrays(READINGS, Y, kind="sequence", test=(longer, Y), valid=(READINGS[:, :3], Y))
    assert (data.x_train.shape, data.x_valid.shape, data.x_test.shape) == ((N, 14, 3),) * 3
    np.testing.assert_array_equal(data.x_test, longer.astype(np.float32))
    assert np.isnan(data.x_valid[:, 3:]).all()
    assert data.take(10).shape == (14, 3)


def spoilt(row, step, value, x=PADDED):
    x = x.copy()
    x[row, step] = value
    return x


@pytest.mark.parametrize(
    ("x", "options", "message"),
    [
        (spoilt(3, 0, np.nan), {}, "x holds no number in row 3; drop such rows"),
        (spoilt(0, 2, np.nan), {}, "x holds nan in row 0, step 2; fill it: padding is steps at the end of which all"),
        (spoilt(0, 2, [1, np.nan, 2]), {}, "x holds nan in row 0, step 2; fill it"),
        (spoilt(0, 6, [1, np.nan, 2]), {}, "x holds nan in row 0, step 6; fill it"),
        (spoilt(2, 1, np.inf), {}, "x holds inf in row 2, step 1; fill it"),
        (spoilt(2, 1, 1e300), {}, "x holds a number beyond float32 first in row 2"),
        ([*RAGGED[:-1], np.zeros((0, 3))], {}, "x[19] is empty, of shape (0, 3)"),
        ([*RAGGED[:-1], np.zeros((2, 4))], {}, "x has 3 features in row 0 and 4 in row 19; give sequences of the same"),
        ([*RAGGED[:-1], [[1.0, 2.0], [3.0]]], {}, "x[19] has rows of different lengths"),
        ([*RAGGED[:-1], np.full((2, 3), np.nan)], {}, "x[19] holds nan first in row 0"),
        ([*RAGGED[:-1], np.zeros((2, 3, 1))], {}, "x[19] has shape (2, 3, 1); give each sequence as [steps, features]"),
        (
            RAGGED,
            {"channels": "first"},
            "channels='first' is for sequences of one length; give x as a list of [T_i, F]",
        ),
        (
            READINGS[:, :3],
            {"channels": "first"},
            "channels='first' leaves x of shape (20, 3, 3) unclear; give x.",
        ),
        (READINGS[..., None], {}, "x has shape (20, 7, 3, 1); give sequences [N, steps, features]"),
        (READINGS[:, 0, 0], {}, "x has shape (20,); give sequences"),
        (READINGS.astype(str), {}, "not numbers"),
        (["some", "words"] * 10, {}, "kind='sequence' is for numbers, and x holds texts; leave it out"),
        (RAGGED, {"kind": None}, "x has rows of different lengths; give a rectangular array, or kind='sequence'"),
        (
            READINGS[:, 0],
            {"kind": "image"},
            "x has shape (20, 3); give [N, height, width] or [N, height, width,",
        ),
        (READINGS[:, 0, 0], {"kind": "vector"}, "x has shape (20,); give [N, features]"),
        (
            READINGS[:, 0],
            {"kind": None, "channels": "first"},
            "channels='first' is for images [N, ., ., .] and seq",
        ),
        (BYTES, {"kind": "image", "channels": "last"}, "channels='last' is for images [N, ., ., .] and sequences"),
        (
            np.ones((N, 4, 4, 4)),
            {"kind": None, "channels": "first"},
            "channels='first' leaves x of shape (20, 4",
        ),
        (READINGS, {"kind": "series"}, "kind='series' is unknown; use one of image, sequence, vector"),
        (READINGS, {"kind": 3}, "kind=3 is unknown"),
        (READINGS, {"channels": "middle"}, "channels='middle' is unknown; use one of first, last"),
    ],
)
def test_bad_examples(x, options, message):
    with pytest.raises(ValueError) as error:
        load((x, Y), **{"kind": "sequence"} | options)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("option", [{"kind": "sequence"}, {"channels": "first"}])
def test_options_that_make_no_sense(option, tmp_path):
    ((name, value),) = option.items()
    frame = pd.DataFrame(READINGS[:, 0]).assign(y=Y)
    frame.to_csv(tmp_path / "t.csv", index=False)
    for data in ("digits", from_arrays(READINGS[:, 0], Y)):
        with pytest.raises(ValueError, match=f"{name}='{value}' is for your own data, and .* has its own"):
            load(data, **option)
    for data in (frame, (frame, Y), str(tmp_path / "t.csv"), tmp_path):
        with pytest.raises(ValueError, match=f"{name}='{value}' is for arrays, and .*; leave it out"):
            load(data, **option)


def test_arrays_in_a_file(tmp_path):
    np.savez(tmp_path / "a.npz", x=PADDED, y=Y)
    data = load(tmp_path / "a.npz", kind="sequence")
    np.testing.assert_array_equal(back(data), ordered(PADDED))
    np.savez(tmp_path / "b.npz", x=BYTES[:, None], y=Y)
    assert load(tmp_path / "b.npz", channels="first").shape == (7, 3, 1)


def test_a_dataset_made_by_hand_is_checked():
    x, y = PADDED.astype(np.float32), Y.astype(np.int32)
    parts = {"y_train": y, "x_valid": x, "y_valid": y, "x_test": x, "y_test": y, "classes": 2}
    assert Dataset("mine", x, **parts).kind == "sequence"
    with pytest.raises(ValueError, match=r"x_train of sequences must be float32 \[N, steps, features\], not float64"):
        Dataset("mine", PADDED, **parts)
    with pytest.raises(ValueError, match="x_train holds nan in row 0, step 2; fill it"):
        Dataset("mine", spoilt(0, 2, np.nan).astype(np.float32), **parts)
