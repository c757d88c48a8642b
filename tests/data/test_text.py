"""Text at the door: tokens are int32 in 0 .. vocabulary - 1."""

import numpy as np
import pytest

from jaxhpo.data import Dataset, load
from jaxhpo.training import Trainer

TOKENS = np.array([[1, 2, 0], [3, 4, 1]], np.int32)
LABELS = np.array([0, 1], np.int32)
SPLITS = ("train", "valid", "test")


def make(x=TOKENS, vocabulary=5):
    return Dataset("text", TOKENS, LABELS, x, LABELS, TOKENS, LABELS, classes=2, vocabulary=vocabulary)


def test_tokens_reach_the_network_as_they_are():
    data = make()
    assert (data.kind, data.shape) == ("text", (3,))
    np.testing.assert_array_equal((data.x_train - data.offset) * data.scale, TOKENS)
    assert data.offset.dtype == data.scale.dtype == np.float32
    assert make(vocabulary=None).kind == "vector"
    assert repr(data) == "Dataset('text', text (3,), 2 classes, 2/2/2 train/valid/test)"


def test_every_token_of_the_vocabulary_is_one():
    largest = np.full((2, 3), 2**24 - 1, np.int32)
    assert make(largest, 2**24).vocabulary == 2**24
    assert make(TOKENS * 0, 5).kind == "text"  # padding alone


def test_a_part_of_a_text_is_a_text():
    x, y = np.arange(40, dtype=np.int32).reshape(20, 2), np.arange(20, dtype=np.int32) % 2
    data = Dataset("text", x, y, x[:2], y[:2], x[:2], y[:2], classes=2, vocabulary=40)
    part = load(data, train_examples=6)
    assert (part.kind, part.vocabulary, part.x_train.shape) == ("text", 40, (6, 2))
    assert {tuple(row) for row in part.x_train.tolist()} < {tuple(row) for row in x.tolist()}
    np.testing.assert_array_equal(np.bincount(part.y_train), [3, 3])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"x": TOKENS + 1}, "x_valid has tokens 1 .. 5, outside 0 .. 4"),
        ({"x": TOKENS - 1}, "x_valid has tokens -1 .. 3, outside 0 .. 4"),
        ({"x": TOKENS.astype(np.float32)}, "x_valid of text must be int32 tokens [N, T], not float32 (2, 3)"),
        ({"x": TOKENS.astype(np.int64)}, "x_valid of text must be int32 tokens [N, T], not int64 (2, 3)"),
        ({"x": TOKENS.astype(np.uint8)}, "x_valid of text must be int32 tokens [N, T], not uint8 (2, 3)"),
        ({"x": TOKENS.astype("U2")}, "x_valid is <U2; give a numpy array of numbers"),
        ({"x": TOKENS.tolist()}, "x_valid is list; give a numpy array of numbers"),
        ({"x": TOKENS * np.float32(np.nan)}, "x_valid holds nan or infinite values"),
        ({"x": TOKENS[:, :2]}, "x_valid has shape (2, 2)"),
        ({"x": TOKENS[:, 0]}, "x_valid has shape (2,); give [N, features]"),
        ({"x": TOKENS[..., None]}, "x_valid has shape (2, 3, 1); give [N, features]"),
        ({"vocabulary": 4}, "x_train has tokens 0 .. 4, outside 0 .. 3"),
        ({"vocabulary": "5"}, "vocabulary='5' must be an integer in [2, 16777216], or None"),
        ({"vocabulary": 1}, "vocabulary=1 must be an integer in [2,"),
        ({"vocabulary": True}, "vocabulary=True must be an integer"),
        ({"vocabulary": 5.0}, "vocabulary=5.0 must be an integer"),
        ({"vocabulary": 2**24 + 1}, "vocabulary=16777217 must be an integer in [2, 16777216], or None"),
    ],
)
def test_bad_text(arguments, message):
    with pytest.raises(ValueError) as error:
        make(**arguments)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("split", SPLITS)
def test_every_split_is_checked(split):
    splits = {f"{what}_{s}": array for s in SPLITS for what, array in (("x", TOKENS), ("y", LABELS))}
    with pytest.raises(ValueError, match=f"x_{split} has tokens 0 .. 5, outside 0 .. 4"):
        Dataset("text", **(splits | {f"x_{split}": TOKENS + (TOKENS == 4)}), classes=2, vocabulary=5)


def test_images_are_no_text():
    images = TOKENS.reshape(2, 3, 1, 1)
    with pytest.raises(ValueError, match=r"x_train of text must be int32 tokens \[N, T\], not int32 \(2, 3, 1, 1\)"):
        Dataset("text", images, LABELS, images, LABELS, images, LABELS, classes=2, vocabulary=5)


@pytest.mark.parametrize("model", ["mlp", "cnn"])
def test_a_text_is_for_a_network_that_embeds_words(model):
    with pytest.raises(ValueError) as error:
        Trainer(make(), model)
    assert str(error.value) == f"model={model!r} cannot take 'text', text data of shape (3,); use 'dan'"
    with pytest.raises(ValueError, match=r"model='rnn' cannot take 'text', vector data of shape \(3,\); use 'mlp'"):
        Trainer(make(vocabulary=None), "rnn")
