"""Words to tokens: a vocabulary fitted on training texts, and texts as rows of tokens."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from jaxhpo.machine.bounds import check_count, check_memory

PADDING, UNKNOWN = 0, 1
"""Tokens for the end of a short row, and for a word that is not in the vocabulary."""

KEEPS = ("first", "last")

_MOST_WORDS, _MOST_TOKENS = 10_000_000, 100_000

_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)
_WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)*")


@dataclass(frozen=True)
class TextOptions:
    """How texts become rows of tokens.

    Args:
        words: How many words get a token of their own: the most frequent ones of the training texts.
        length: Tokens of a row: longer texts are cut, shorter ones padded at the end.
        keep: Which words of a longer text stay: "first" or "last".

    Raises:
        ValueError: if an argument is invalid; the message names it.
    """

    words: int = 20_000
    length: int = 200
    keep: str = "first"

    def __post_init__(self) -> None:
        for name, most in (("words", _MOST_WORDS), ("length", _MOST_TOKENS)):
            check_count(name, getattr(self, name), most)
        _check_keep(self.keep)


def _check_keep(keep: object) -> None:
    if not isinstance(keep, str) or keep not in KEEPS:
        raise ValueError(f"keep={keep!r} is unknown; use one of {', '.join(KEEPS)}")


def check_options(text: object) -> None:
    """Raise ValueError if `text` is neither None nor TextOptions."""
    if text is not None and not isinstance(text, TextOptions):
        raise ValueError(f"text={text!r} must be TextOptions(words=, length=, keep=)")


@dataclass(frozen=True)
class Vocabulary:
    """The words of the vocabulary, in the order of their tokens.

    Token 0 is padding and token 1 an unknown word, so the first word has token 2.

    Attributes:
        words: Words, the most frequent one first.
        keep: "first" or "last": the words that were kept of longer texts when the data set was made.

    Raises:
        ValueError: if an argument is invalid; the message names it.

    Example:
        >>> import jaxhpo
        >>> vocabulary = jaxhpo.data.Vocabulary(("film", "good"))
        >>> vocabulary.encode(["A good film!"], length=4).tolist()
        [[1, 3, 2, 0]]
    """

    words: tuple[str, ...]
    keep: str = "first"

    def __post_init__(self) -> None:
        if not isinstance(self.words, tuple) or not all(isinstance(word, str) for word in self.words):
            raise ValueError(f"words={self.words!r} must be a tuple of strings")
        _check_keep(self.keep)

    def __len__(self) -> int:
        """Return the number of tokens."""
        return len(self.words) + 2

    @cached_property
    def _tokens(self) -> dict[str, int]:
        return {word: token for token, word in enumerate(self.words, start=2)}

    def encode(self, texts: Sequence[str], *, length: int, keep: str = "first") -> np.ndarray:
        """Return texts as tokens, padded at the end.

        Args:
            texts: Texts as strings.
            length: Number of tokens of a row.
            keep: "first" or "last": the words that are kept of a longer text.

        Returns:
            Tokens [len(texts), length] int32.

        Raises:
            ValueError: if an argument is invalid; the message names it.
        """
        if isinstance(texts, str | bytes) or not isinstance(texts, Sequence | np.ndarray):
            raise ValueError(f"texts={texts!r:.80} must be a list of strings")
        for row, text in enumerate(texts):
            if not isinstance(text, str):
                raise ValueError(f"texts[{row}]={text!r:.80} must be a string")
        if isinstance(length, bool) or not isinstance(length, int | np.integer) or length < 1:
            raise ValueError(f"length={length!r} must be an integer of at least 1")
        _check_keep(keep)
        return self._encode([split_words(text) for text in texts], length, keep)

    def _encode(self, texts: Sequence[list[str]], length: int, keep: str) -> np.ndarray:
        rows, token = np.full((len(texts), length), PADDING, np.int32), self._tokens.get
        for row, words in zip(rows, texts, strict=True):
            kept = words[:length] if keep == "first" else words[-length:]
            row[: len(kept)] = [token(word, UNKNOWN) for word in kept]
        return rows


def split_words(text: str) -> list[str]:
    """Return the words of a text in lower case: runs of letters, digits and inner apostrophes; without <br>."""
    return _WORD.findall(_BREAK.sub(" ", text).lower())


def fit_vocabulary(texts: Iterable[str], size: int) -> Vocabulary:
    """Return a vocabulary of the `size` most frequent words; equally frequent words are in alphabetical order."""
    return _fit((split_words(text) for text in texts), size, KEEPS[0])


def tokenise(
    train: Sequence[str], *others: Sequence[str], options: TextOptions | None = None, pooled: bool = False
) -> tuple[list[np.ndarray], Vocabulary]:
    """Return the tokens of training texts and of other texts, and the vocabulary of the training texts.

    Args:
        train: Training texts.
        *others: Other splits of the data.
        options: Text options; None is `TextOptions()`.
        pooled: Whether the first of the others count as training texts for vocabulary and length.

    Returns:
        Tokens of each split, [N, T] int32, and the vocabulary. T is `options.length`, or the number of words of the
        longest training text if that is smaller.
    """
    options = TextOptions() if options is None else options
    known = [train, *others[:1]] if pooled else [train]
    words = [split_words(text) for texts in known for text in texts]
    vocabulary = _fit(words, options.words, options.keep)
    length = max(1, min(options.length, max(map(len, words), default=0)))
    texts = len(train) + sum(map(len, others))
    check_memory(f"{texts:,} texts of {length:,} tokens", 4 * texts * length, "lower length=")
    rows = [vocabulary._encode(words[: len(train)], length, options.keep)]
    return rows + [vocabulary.encode(texts, length=length, keep=options.keep) for texts in others], vocabulary


def _fit(texts: Iterable[list[str]], size: int, keep: str) -> Vocabulary:
    counts: Counter[str] = Counter()
    for words in texts:
        counts.update(words)
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return Vocabulary(tuple(word for word, _ in ranked[:size]), keep)
