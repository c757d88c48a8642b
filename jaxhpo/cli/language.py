"""Messages of Python in the words of the command line: `--target 'y'`, where Python says `target='y'`."""

import ast
import re
import shlex
from collections.abc import Iterable, Mapping
from typing import Any

_QUOTED = r"""(?<!\w)'(?:[^'\\]|\\.)*'|(?<!\w)"(?:[^"\\]|\\.)*\""""
_BRACKETS = "|".join(
    rf"""{before}\{first}(?:{_QUOTED}|[^\{first}\{last}'"])*\{last}"""
    for before, first, last in ((r"\w*", "(", ")"), ("", "[", "]"), ("", "{", "}"))
)
_VALUE = rf"{_QUOTED}|{_BRACKETS}|[\w.+-]*\w|"
_LONG = re.compile(_QUOTED)
_MOST_QUOTED, _MOST = 300, 2_000

_PYTHON_ONLY = {
    ", or a Flax model of your own": "",
    ", or a function of your own": "",
    ", or None": "",
    " of jaxhpo.data.load": "",
    "your own (x, y), file or folder": "a file or folder of your own",
}
"""What a message offers that a command line cannot give, and what it offers there instead."""

_GROUPS = {"text": ("words", "length", "keep"), "machine": ("engine", "devices", "memory", "horizon")}
"""Arguments of Python that a command line has an option for each field of."""


def option_of(name: str) -> str:
    """Return the option of an argument.

    Example:
        >>> option_of("train_examples")
        '--train-examples'
    """
    return "--column" if name == "columns" else "--" + name.replace("_", "-")


def in_options(message: str, names: Iterable[str], given: Mapping[str, Any] | None = None) -> str:
    """Return a message in which the arguments that it names are options.

    What stands in quotes is the user's, and stays.

    Args:
        message: What Python says.
        names: Arguments that are options of the command.
        given: The values of the options; None where they are not known.

    Example:
        >>> in_options("lanes=8 exceeds trials=4; column 'seed=1' is constant, leave it out: drop=['seed=1']",
        ...            ["lanes", "trials", "seed", "drop"])
        "--lanes 8 exceeds --trials 4; column 'seed=1' is constant, leave it out: --drop 'seed=1'"
    """
    known = sorted({*names}, key=len, reverse=True)
    groups = {group: [name for name in fields if name in known] for group, fields in _GROUPS.items()}
    arguments = "|".join([*known, *(group for group, fields in groups.items() if fields)])
    phrases = "|".join(map(re.escape, _PYTHON_ONLY))
    token = re.compile(rf"(?P<quoted>{_QUOTED})|(?<![\w.])(?P<name>{arguments})=(?P<value>{_VALUE})|{phrases}")

    def said(found: re.Match[str]) -> str:
        if found["quoted"] is not None:
            return found["quoted"]
        if found["name"] is None:
            return _PYTHON_ONLY[found[0]]
        if found["name"] in known:
            return _spell(found["name"], found["value"])
        fields = groups[found["name"]]
        told = [f"{option_of(name)} {given[name]}" for name in fields if given and given.get(name) is not None]
        return " ".join(told) or _list([option_of(name) for name in fields])

    return token.sub(said, message)


def shortened(message: str) -> str:
    """Return a message whose quotations, and which itself, are not longer than a reader wants.

    Example:
        >>> shortened("column '" + 500 * "a" + "' is constant") == "column '" + 296 * "a" + "...' is constant"
        True
    """

    def cut(found: re.Match[str]) -> str:
        text = found[0]
        return text if len(text) <= _MOST_QUOTED else f"{text[: _MOST_QUOTED - 3]}...{text[0]}"

    short = _LONG.sub(cut, message)
    return short if len(short) <= _MOST else short[: _MOST - 3] + "..."


def _spell(name: str, text: str) -> str:
    """Return an option with a value that Python spells; the option alone where there is none."""
    if not text:
        return option_of(name)
    if name == "image_size" and text.startswith("("):  # also `(height, width)`, which has no value
        return f"{option_of(name)} {'x'.join(text[1:-1].replace(' ', '').upper().split(','))}"
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        value = None
    if isinstance(value, bool):
        return option_of(name if value else f"no-{name}")
    if isinstance(value, dict):
        return " ".join(f"{option_of(name)} {shlex.quote(f'{key}={kind}')}" for key, kind in value.items())
    if isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):
        text = repr(",".join(f'"{item}"' if "," in item else item for item in value))
    return f"{option_of(name)} {text}"


def _list(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
