"""The shapes of examples: vectors, images and sequences of numbers, and the rule that tells them apart."""

from typing import Any, NamedTuple

import numpy as np

from jaxhpo.data.checks import read_numbers, read_texts, to_float32

KINDS = ("image", "sequence", "vector")
CHANNELS = ("first", "last")

_FEW = (1, 2, 3, 4)  # how many channels an image has as a rule


class Reading(NamedTuple):
    """Examples as they are understood.

    Attributes:
        x: Vectors [N, F], images [N, H, W, C] or sequences [N, T, F], as `Dataset` has them; or texts.
        kind: "image", "sequence", "vector" or "text".
        notes: What was decided, a sentence each.
    """

    x: np.ndarray | list[str]
    kind: str
    notes: tuple[str, ...] = ()


def check_reading(kind: Any, channels: Any) -> None:
    """Raise ValueError if `kind` or `channels` is neither None nor a known word."""
    for option, value, known in (("kind", kind, KINDS), ("channels", channels, CHANNELS)):
        if value is not None and not (isinstance(value, str) and value in known):
            raise ValueError(f"{option}={value!r} is unknown; use one of {', '.join(known)}")


def read_examples(name: str, value: Any, kind: str | None = None, channels: str | None = None) -> Reading:
    """Return examples as the network's input.

    Without `kind`, [N, F] is vectors and [N, H, W, C] images. [N, A, B] is images where it holds bytes, or whole
    numbers in 0 to 255, or squares of numbers in -1 to 1; else it is refused.

    Args:
        name: Name of the examples in error messages.
        value: Numbers, as anything that `numpy.asarray` takes; sequences of several lengths as a list of [T_i, F]; or
            texts, [N].
        kind: One of `KINDS`; None follows the rule.
        channels: Where [N, ., ., .] has its channels, and [N, ., .] of sequences its features: one of `CHANNELS`; None
            is last.

    Raises:
        ValueError: if the examples are invalid or may be read in two ways; the message says what is wrong and where.
    """
    texts = read_texts(name, value)
    if texts is not None:
        if kind or channels:
            given = f"kind={kind!r}" if kind else f"channels={channels!r}"
            raise ValueError(f"{given} is for numbers, and {name} holds texts; leave it out")
        return Reading(texts, "text")
    if kind == "sequence":
        x = read_sequences(name, value, channels)
        shortest, (_, steps, features) = int(sequence_lengths(x).min()), x.shape
        of = f"{shortest} to {steps} steps" if shortest < steps else f"{steps} steps"
        each = "1 number" if features == 1 else f"{features} numbers, a feature each"
        return Reading(x, kind, (f"{name} is read as sequences of {of} of {each}",))
    if kind is None and _ragged(value):
        raise ValueError(f"{name} has rows of different lengths; give a rectangular array, or kind='sequence'")
    notes: tuple[str, ...] = ()
    if kind is None and dimensions(value) == 3:
        kind, notes = "image", (_image_note(name, np.asarray(value)),)
    x = read_numbers(name, value)
    if x.ndim == 4 and kind in (None, "image"):
        return Reading(_typed(name, _channels_last(name, x, channels)), "image")
    if channels is not None:
        wanted = "images [N, ., ., .] and sequences [N, ., .]"
        raise ValueError(f"channels={channels!r} is for {wanted}, and {name} has shape {x.shape}; leave it out")
    if x.ndim == 3 and kind == "image":
        return Reading(_typed(name, x[..., None]), kind, notes)
    if kind == "vector" and x.ndim > 2:
        x = x.reshape(len(x), -1)
    if x.ndim != 2 or kind == "image":
        wanted = {"image": "[N, height, width] or [N, height, width, channels]", "vector": "[N, features]"}
        either = f"[N, features], {wanted['image']}"
        raise ValueError(f"{name} has shape {x.shape}; give {wanted.get(kind or '', either)}")
    return Reading(_typed(name, x), "vector")


def _typed(name: str, x: np.ndarray) -> np.ndarray:
    return x if x.dtype == np.uint8 else to_float32(name, x)


def _image_note(name: str, x: np.ndarray) -> str:
    """Return why [N, A, B] is images; raise ValueError where it may as well be sequences."""
    _, height, width = x.shape
    numbers = x.size > 0 and x.dtype.kind in "iufb"
    if x.dtype in (np.uint8, bool):
        why = "its numbers are bytes"
    elif numbers and x.min() >= 0 and x.max() <= 255 and (x.dtype.kind != "f" or (x == np.floor(x)).all()):
        why = "its numbers are whole and within 0 to 255"
    elif numbers and height == width and x.min() >= -1 and x.max() <= 1:
        why = "it is square, and its numbers are within -1 to 1"
    elif not numbers:
        why = ""  # refused as no numbers
    else:
        raise ValueError(
            f"{name} has shape {x.shape}, which may be sequences of {height} steps of {width} numbers or images of "
            f"{height}x{width} pixels; say which: kind='sequence' or kind='image' of jaxhpo.data.load, or "
            "kind='vector' for neither"
        )
    return f"{name} is read as images of {height}x{width} pixels: {why}; kind='sequence' or 'vector' decides otherwise"


def _channels_last(name: str, x: np.ndarray, channels: str | None) -> np.ndarray:
    """Return images [N, H, W, C]; raise ValueError where it is not clear which axis has the channels."""
    _, first, middle, last = x.shape
    if channels is None and first in _FEW and last not in _FEW:
        raise ValueError(
            f"{name} has shape {x.shape}, which may be images of {middle}x{last} pixels in {first} channels "
            f"(channels='first') or of {first}x{middle} pixels in {last} channels (channels='last'); say which by "
            "channels= of jaxhpo.data.load"
        )
    if channels != "first":
        return x
    if first == middle == last:  # a trained model could not tell them from images with the channels last
        raise ValueError(f"channels='first' leaves {name} of shape {x.shape} unclear; give np.moveaxis({name}, 1, -1)")
    return np.moveaxis(x, 1, -1)


# --- sequences -------------------------------------------------------------------------------------------------------


def read_sequences(name: str, value: Any, channels: str | None = None) -> np.ndarray:
    """Return sequences as [N, T, F] float32, where steps after the end of a sequence are nan.

    Args:
        name: Name of the sequences in error messages.
        value: [N, T, F], or [N, T] with one number a step; steps at the end of which all numbers are nan are padding.
            Or a list of [T_i, F] or of [T_i].
        channels: "first" if the array is [N, F, T].

    Raises:
        ValueError: if they are invalid; the message says what is wrong and where.
    """
    if _ragged(value):
        if channels == "first":
            raise ValueError(f"channels='first' is for sequences of one length; give {name} as a list of [T_i, F]")
        x = _padded(name, [_one(f"{name}[{row}]", item) for row, item in enumerate(value)])
    else:
        x = read_numbers(name, value, gaps=True)
        x = x[..., None] if x.ndim == 2 else x
        if x.ndim != 3:
            raise ValueError(f"{name} has shape {x.shape}; give sequences [N, steps, features], or a list of [T_i, F]")
        if channels == "first":
            if x.shape[1] == x.shape[2]:  # a trained model could not tell them from [N, T, F]
                raise ValueError(f"channels='first' leaves {name} of shape {x.shape} unclear; give x.swapaxes(1, 2)")
            x = x.swapaxes(1, 2)
    x = to_float32(name, x)
    check_sequences(name, x)
    return np.ascontiguousarray(x[:, : sequence_lengths(x).max()])


def check_sequences(name: str, x: np.ndarray) -> None:
    """Raise ValueError if sequences [N, T, F] hold infinite numbers, or nan that is no padding at the end."""
    lengths = sequence_lengths(x)
    if not lengths.all():
        raise ValueError(f"{name} holds no number in row {int(lengths.argmin())}; drop such rows")
    inside = np.arange(x.shape[1])[None] < lengths[:, None]
    rows, steps = np.nonzero(inside & (~np.isfinite(x)).any(-1))
    if len(rows):
        row, step = int(rows[0]), int(steps[0])
        number = next(number for number in x[row, step].tolist() if not np.isfinite(number))
        remedy = "fill it: padding is steps at the end of which all numbers are nan"
        raise ValueError(f"{name} holds {number} in row {row}, step {step}; {remedy}")


def sequence_lengths(x: np.ndarray) -> np.ndarray:
    """Return the steps of each sequence without padding at the end: [N, T, F] -> [N] int64."""
    real = np.any(~np.isnan(x), axis=-1)
    return np.where(real.any(1), x.shape[1] - np.argmax(np.flip(real, 1), axis=1), 0)


def pad_sequences(x: np.ndarray, steps: int) -> np.ndarray:
    """Return sequences with padding up to a number of steps: [N, T, F] -> [N, steps, F]."""
    return np.pad(x, [(0, 0), (0, steps - x.shape[1]), (0, 0)], constant_values=np.nan)


def _ragged(value: Any) -> bool:
    """Return whether a value is a list of sequences that differ in length, or an array of objects that are arrays."""
    objects = isinstance(value, np.ndarray) and value.dtype == object and value.ndim == 1
    if not (objects or isinstance(value, list | tuple)) or not len(value):
        return False
    if objects or not dimensions(value[0]):
        return dimensions(value[0]) > 0
    return len({len(item) if dimensions(item) else 0 for item in value}) > 1


def dimensions(value: Any) -> int:
    """Return the number of axes of what `numpy.asarray` takes; 1 for ragged lists."""
    if isinstance(value, range):  # NumPy would make an array of it, whatever its length
        return 1
    try:
        return np.ndim(value)
    except ValueError:  # ragged itself
        return 1


def _one(name: str, value: Any) -> np.ndarray:
    x = read_numbers(name, value)
    x = x[:, None] if x.ndim == 1 else x
    if x.ndim != 2:
        raise ValueError(f"{name} has shape {x.shape}; give each sequence as [steps, features]")
    return to_float32(name, x)


def _padded(name: str, rows: list[np.ndarray]) -> np.ndarray:
    features = {row.shape[1] for row in rows}
    if len(features) > 1:
        odd = next(i for i, row in enumerate(rows) if row.shape[1] != rows[0].shape[1])
        problem = f"{rows[0].shape[1]} features in row 0 and {rows[odd].shape[1]} in row {odd}"
        raise ValueError(f"{name} has {problem}; give sequences of the same features")
    steps = max(map(len, rows))
    return np.concatenate([pad_sequences(row[None], steps) for row in rows])
