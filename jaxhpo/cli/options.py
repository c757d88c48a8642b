"""The options of `jaxhpo tune`: names, defaults and help are those of `jaxhpo.tune`, `Machine` and `TextOptions`."""

import csv
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any

import typer

from jaxhpo.cli import help as panels
from jaxhpo.cli.language import option_of
from jaxhpo.data import Dataset, TextOptions, load
from jaxhpo.data.tables.kinds import KINDS
from jaxhpo.machine import strict_json
from jaxhpo.space import Space
from jaxhpo.training import Machine
from jaxhpo.tuning import DEFAULTS, Options, tune

_OF_TUNE: dict[str, type] = {
    "model": str,
    "algorithm": str,
    "space": Path,
    "trials": int,
    "lanes": int,
    "epochs": int,
    "patience": int,
    "checkpoint": str,
    "folds": int,
    "repeats": int,
    "seed": int,
    "metric": str,
    "target": str,
    "drop": str,
    "task": str,
    "image_size": str,
    "train_examples": int,
    "data_dir": Path,
    "final_fit": int,
    "timeout": str,
    "output": Path,
    "profile": Path,
    "cache": bool,
}
"""The options of `tune` that the command has, and the type that each has there."""

_PANELS = {
    panels.MODEL: ("model", "epochs", "patience", "checkpoint", "folds", "repeats", "metric", "final_fit"),
    panels.SEARCH: ("algorithm", "space", "trials", "lanes", "timeout", "seed"),
    panels.MACHINE: ("cache", "profile"),
    panels.OUTPUT: ("output",),
}
"""Groups of the options of `tune` in `--help`; those of none say what the data are."""

_SPELLED = {
    "space": "a JSON file with what varies, as Space.to_json() returns it",
    "drop": "columns of a table to leave out, with commas between them",
    "image_size": "what the images of a folder are resized to: 32x32, the height first",
    "columns": f"what a column of a table is: NAME=KIND, once for each column; KIND is one of {', '.join(KINDS)}",
    "header": "whether the first row of a table's file names the columns; unless given, the rows below it tell",
    "kind": 'what arrays of a .npz file are, where they do not tell: "image", "sequence" (of numbers) or "vector"',
    "channels": 'which axis of images is that of the channels, or of sequences that of the features: "first" or "last"',
}
"""What help says of options that a command line spells otherwise than Python."""

_OF_DATA: dict[str, Any] = {"columns": list[str], "header": bool, "kind": str, "channels": str}
"""Options of `jaxhpo.data.load` that `tune` lacks: where one is given, the command loads the data itself."""

_OF_MACHINE: dict[str, type] = {"engine": str, "devices": int, "memory": float, "horizon": str}
_OF_TEXT: dict[str, type] = {"words": int, "length": int, "keep": str}


def documented(thing: Callable[..., Any]) -> dict[str, str]:
    """Return what a docstring says of each argument or attribute, on one line; nothing where Python has dropped it."""
    text = inspect.getdoc(thing) or ""
    section = re.search(r"^(?:Args|Attributes):\n(.*?)(?=^\S|\Z)", text, re.MULTILINE | re.DOTALL)
    entries = re.findall(r"^    (\w+): (.*?)(?=^    \w|\Z)", section[1] if section else "", re.MULTILINE | re.DOTALL)
    return {name: " ".join(said.split()) for name, said in entries}


def add_options(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command whose last argument, `**given`, is what typer reads of the options of `tune`."""
    own = [p for p in inspect.signature(command).parameters.values() if p.kind is not inspect.Parameter.VAR_KEYWORD]
    of_tune = documented(tune) | _SPELLED
    passed = {name: None if DEFAULTS[name] == () else DEFAULTS[name] for name in _OF_TUNE}
    panel_of = {name: panel for panel, names in _PANELS.items() for name in names}
    made = [
        _option(name, kind, passed[name], of_tune.get(name, name), panel_of.get(name, panels.DATA))
        for name, kind in _OF_TUNE.items()
    ]
    made += [_option(name, kind, None, _SPELLED[name], panels.DATA) for name, kind in _OF_DATA.items()]
    for holder, names, panel in ((Machine, _OF_MACHINE, panels.MACHINE), (TextOptions, _OF_TEXT, panels.TEXTS)):
        said, defaults = documented(holder), {field.name: field.default for field in fields(holder)}
        made += [_option(name, kind, None, said.get(name, name), panel, defaults[name]) for name, kind in names.items()]
    last = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own[1:]]
    parameters = [own[0], *made, *last]
    command.__signature__ = inspect.Signature(parameters)  # pyright: ignore[reportFunctionMemberAccess]
    command.__annotations__ = {p.name: p.annotation for p in parameters}
    return command


def _option(name: str, kind: Any, default: Any, said: str, panel: str, shown: Any = None) -> inspect.Parameter:
    """Return an option: `shown` is a default that the command does not pass on."""
    said = said.partition(" In Python")[0].replace("`", "").rstrip(".;,")
    said = f"{said[0].upper()}{said[1:]}." + ("" if shown is None else f"  [default: {shown}]")
    flags = (f"--{name}/--no-{name}",) if kind is bool else (option_of(name),)
    metavar = "NAME=KIND" if name == "columns" else None
    declared = typer.Option(*flags, help=said, metavar=metavar, rich_help_panel=panel)
    annotation = kind if default is not None else kind | None
    where = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(name, where, default=default, annotation=Annotated[annotation, declared])


def read_options(data: str, given: Mapping[str, Any]) -> tuple[str | Dataset, Options]:
    """Return the data and the options of `tune` that a command line means.

    Args:
        data: Name or path of the data.
        given: What typer read, by the names of the options.

    Returns:
        The data, loaded if an option says how that `tune` does not have; and the other options.

    Raises:
        ValueError: if an option is invalid; the message names it.
    """
    values = {name: value for name, value in given.items() if value is not None and value != []}
    machine = Machine(**{name: values.pop(name) for name in _OF_MACHINE if name in values})
    text = {name: values.pop(name) for name in _OF_TEXT if name in values}
    readers = {"space": read_space, "image_size": read_size, "drop": read_names, "columns": read_columns}
    values |= {name: read(values[name]) for name, read in readers.items() if name in values}
    if text:
        values["text"] = TextOptions(**text)
    if not any(name in values for name in _OF_DATA):
        return data, Options(machine=machine, **values)
    of_data = {name: values.pop(name) for name in inspect.signature(load).parameters if name in values}
    seed = of_data.setdefault("seed", DEFAULTS["seed"])
    return load(data, **of_data), Options(machine=machine, seed=seed, **values)


def read_columns(texts: Sequence[str]) -> dict[str, str]:
    """Return the kinds of columns in texts such as "zip=category", by name; raise ValueError where one has none."""
    columns: dict[str, str] = {}
    for text in texts:
        name, _, kind = text.rpartition("=")
        if not name:
            raise ValueError(f"--column {text!r} must be NAME=KIND, such as zip=category")
        if name in columns:
            raise ValueError(f"--column says twice what {name!r} is: {columns[name]} and {kind}")
        columns[name] = kind
    return columns


def read_names(text: str) -> tuple[str, ...]:
    """Return the names in "a,b"; one with a comma stands in double quotes."""
    return tuple(next(csv.reader([text]), ()))


def read_size(text: str) -> tuple[int, int]:
    """Return height and width of "32x32"; raise ValueError where it says none."""
    parts = text.lower().split("x")
    if len(parts) != 2 or not all(part.isascii() and part.isdigit() and len(part) < 9 for part in parts):
        raise ValueError(f"--image-size {text!r} must be height and width, such as 32x32")
    return int(parts[0]), int(parts[1])


def read_space(path: Path) -> Space:
    """Return the space in a JSON file; raise ValueError where it holds none."""
    try:
        content = strict_json.parse(strict_json.read_text(path))
    except OSError as error:
        raise ValueError(f"--space {str(path)!r} cannot be read: {error.strerror}; name a JSON file") from None
    except ValueError as error:
        raise ValueError(f"--space {str(path)!r} is not JSON: {error}") from None
    try:
        return Space.from_json(content)
    except ValueError as error:
        raise ValueError(f"--space {str(path)!r}: {error}") from None
