"""Texts to tokens: what a word is, which words get a token, and which part of a text is kept."""

import numpy as np
import pandas as pd
import pytest

import jaxhpo as jh
from jaxhpo.data import Vocabulary, load
from jaxhpo.data.text import PADDING, UNKNOWN, fit_vocabulary, split_words, tokenise


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The film, the FILM!", ["the", "film", "the", "film"]),
        ("It wasn't good...<br /><br/>Not 2 good", ["it", "wasn't", "good", "not", "2", "good"]),
        ("d\u00e9j\u00e0 vu \u2014 \u4f60\u597d", ["d\u00e9j\u00e0", "vu", "\u4f60\u597d"]),
        ("'quoted' rock'n'roll under_score", ["quoted", "rock'n'roll", "under", "score"]),
        ("a < b and <b>bold</b>", ["a", "b", "and", "b", "bold", "b"]),
        ("", []),
        (" ?! ", []),
    ],
)
def test_words(text, words):
    assert split_words(text) == words


def test_the_vocabulary_by_hand():
    texts = ["b a a", "c a b", "d c b"]
    assert fit_vocabulary(texts, 10).words == ("a", "b", "c", "d")  # a and b thrice: the alphabet decides
    assert fit_vocabulary(texts, 2).words == ("a", "b")
    assert len(fit_vocabulary(texts, 2)) == 4
    assert (PADDING, UNKNOWN) == (0, 1)


def test_tokens_by_hand():
    vocabulary = Vocabulary(("a", "b"))
    texts = ["a b c a", "b", ""]
    first = vocabulary.encode(texts, length=3)
    assert first.dtype == np.int32
    np.testing.assert_array_equal(first, [[2, 3, 1], [3, 0, 0], [0, 0, 0]])
    np.testing.assert_array_equal(vocabulary.encode(texts, length=3, keep="last"), [[3, 1, 2], [3, 0, 0], [0, 0, 0]])


def test_the_vocabulary_is_of_training_texts_alone():
    (train, other), words = tokenise(["a a b"], ["z a z z z"], options=jh.TextOptions(words=5, length=9))
    assert words.words == ("a", "b")
    np.testing.assert_array_equal(train, [[2, 2, 3]])  # no longer than the longest training text
    np.testing.assert_array_equal(other, [[1, 2, 1]])


TEXTS = [f"good film number {i}" if i % 2 else f"bad film number {i}" for i in range(20)]
LABELS = [i % 2 for i in range(20)]


@pytest.mark.parametrize("x", [TEXTS, tuple(TEXTS), np.array(TEXTS), pd.Series(TEXTS), [t.encode() for t in TEXTS]])
def test_texts_of_ones_own(x):
    data = load((x, LABELS), text=jh.TextOptions(words=3, length=4))
    assert (data.kind, data.shape, data.classes, data.vocabulary) == ("text", (4,), 2, 5)
    assert [len(y) for y in (data.y_train, data.y_valid, data.y_test)] == [12, 4, 4]
    assert data.words is not None
    assert set(data.words.words[:2]) == {"film", "number"}
    positive = data.x_test[data.y_test == 1]
    assert (positive[:, 0] == positive[0, 0]).all()


@pytest.mark.slow
def test_texts_can_be_tuned():
    options = {"algorithm": "random_search", "trials": 4, "lanes": 4, "epochs": 1, "cache": False, "verbose": False}
    study = jh.tune((TEXTS * 3, LABELS * 3), **options)
    assert study.summary["model"] == "dan"
    assert len(study.trials) == 4


@pytest.mark.parametrize(
    ("x", "message"),
    [
        ([*TEXTS[:19], None], "x holds None in row 19, not a text; fill or drop such rows"),
        ([*TEXTS[:7], float("nan"), *TEXTS[8:]], "x holds nan in row 7, not a text"),
        ([*TEXTS[:3], b"\xff\xfe", *TEXTS[4:]], "x holds text in row 3 that is not UTF-8 (invalid start byte)"),
        (TEXTS[:19], "x has 19 examples and y 20"),
    ],
)
def test_bad_texts(x, message):
    with pytest.raises(ValueError) as error:
        load((x, LABELS))
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"words": 0}, "words=0 must be an integer of at least 1"),
        ({"length": 2.0}, "length=2.0 must be an integer of at least 1"),
        ({"length": True}, "length=True must be"),
        ({"keep": "middle"}, "keep='middle' is unknown; use one of first, last"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError) as error:
        jh.TextOptions(**options)
    assert message in str(error.value)


def test_options_without_texts():
    with pytest.raises(ValueError, match=r"text=.* is for texts, and 'digits' holds image data; leave it out"):
        load("digits", text=jh.TextOptions())
    with pytest.raises(ValueError, match=r"text=200 must be TextOptions"):
        load((TEXTS, LABELS), text=200)
