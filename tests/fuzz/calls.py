"""Arguments of Python and of the command line, and searches."""

from collections.abc import Callable
from typing import Any
from unittest import mock

import numpy as np
from hypothesis import strategies as st
from typer.testing import CliRunner

import jaxhpo as jh
from jaxhpo import cli
from jaxhpo.cli import commands
from jaxhpo.tuning import DEFAULTS, Options, Tuning
from tests.fuzz.spaces import SPACE
from tests.fuzz.values import OBJECTS, ODD_TEXTS

NOT_WRITTEN = sorted(set(DEFAULTS) - {"output", "profile"})
OPTIONS = st.dictionaries(st.sampled_from(NOT_WRITTEN), OBJECTS, min_size=1, max_size=2)
OF_TEXT, OF_MACHINE = ("words", "length", "keep"), ("engine", "devices", "memory", "horizon")
FIELDS = st.dictionaries(st.sampled_from(OF_TEXT + OF_MACHINE), OBJECTS, min_size=1)


def run_options(given_options: dict[str, Any]) -> None:
    space = jh.Space({"x": jh.Float(0.0, 1.0, levels=5)})
    options = {"space": space, "algorithm": "random_search", "trials": 8, "cache": False} | given_options
    Tuning(jh.function(score, workers=0), Options(**options))


def score(config: dict[str, Any]) -> float:
    return config["x"]


def run_fields(fields: dict[str, Any]) -> None:
    text = {name: value for name, value in fields.items() if name in OF_TEXT}
    machine = {name: value for name, value in fields.items() if name not in text}
    jh.TextOptions(**text)
    options = Options(machine=jh.Machine(**machine), model="mlp", trials=2, cache=False)
    Tuning(jh.data.load("digits", train_examples=64), options)


VALUE_OF = {
    "model": st.sampled_from(["mlp", "cnn", "rnn", "dan"]),
    "algorithm": st.sampled_from(["random_search", "sobol", "grid_search", "tabular_q"]),
    "trials": st.integers(1, 99).map(str),
    "lanes": st.integers(1, 9).map(str),
    "epochs": st.integers(1, 9).map(str),
    "seed": st.integers(0, 9).map(str),
    "metric": st.sampled_from(["accuracy", "r2"]),
    "task": st.sampled_from(["classification", "regression"]),
    "image-size": st.sampled_from(["8x8", "8", "x", "-1x2", "9" * 5000 + "x1"]),
    "train-examples": st.integers(1, 2000).map(str),
    "final-fit": st.integers(-1, 3).map(str),
    "timeout": st.sampled_from(["5", "5m", "1e9", "9" * 400, "٣", "-1"]),
    "engine": st.sampled_from(["threads", "vmap", "sharded", "probe"]),
    "devices": st.integers(0, 3).map(str),
    "memory": st.sampled_from(["1", "0.001", "nan", "inf", "1e308", "-1"]),
    "horizon": st.sampled_from(["short", "long"]),
    "words": st.integers(0, 9).map(str),
    "length": st.integers(0, 9).map(str),
    "keep": st.sampled_from(["first", "last"]),
    "target": st.just("y"),
    "drop": st.just("a,b"),
    "space": st.just("/nowhere.json"),
    "data-dir": st.just("/nowhere"),
}
ODD_ARGUMENTS = st.one_of(
    st.sampled_from(ODD_TEXTS).map(lambda text: text.replace("\x00", "0").replace("\ud800", "s")),
    st.sampled_from(["2147483648", "9" * 5000, "-1", "1.5", "1e400", "--json", "None", "/dev/null", "[red]"]),
)


@st.composite
def lines(draw: Callable[..., Any]) -> list[str]:
    """Draw the arguments of `jaxhpo`."""
    data = draw(st.sampled_from(["digits"] * 6 + ["imdb", "/nowhere/x.csv", "/dev/null", "/dev/full"]) | ODD_ARGUMENTS)
    words = ["tune", data]
    for name in draw(st.lists(st.sampled_from(sorted(VALUE_OF)), max_size=4, unique=True)):
        words += [f"--{name}", draw(ODD_ARGUMENTS if draw(st.integers(0, 4)) == 0 else VALUE_OF[name])]
    return words + draw(
        st.lists(st.sampled_from(["--json", "--details", "--no-cache", "--bogus", "extra"]), max_size=1)
    )


class Checked(Tuning):
    """A call of `tune` that is checked, and does not run."""

    def __init__(self, *arguments: Any):
        super().__init__(*arguments)
        raise ValueError("all is well")


def run_command(words: list[str]) -> None:
    with mock.patch.object(commands, "Tuning", Checked):
        done = CliRunner(env={"TFDS_DATA_DIR": ""}).invoke(cli.app, words)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 2, (done.exit_code, done.output)
    assert done.stdout == ""
    if done.stderr.startswith("error: "):
        assert done.stderr.count("\n") == 1
        assert done.stderr[:-1].isprintable()
        assert len(done.stderr) < 3000


@st.composite
def searches(draw: Callable[..., Any]) -> Any:
    """Draw small data and options of `tune`."""
    rows, noise = draw(st.sampled_from([12, 30, 40])), draw(st.integers(0, 2**31))
    rng = np.random.default_rng(noise)
    shape = draw(st.sampled_from([(3,), (1,), (4, 4), (4, 4, 3)]))
    x = rng.normal(size=(rows, *shape)) * draw(st.sampled_from([1.0, 1e-6, 1e6]))
    task = draw(st.sampled_from(["classification", "regression"]))
    y = (
        rng.normal(size=rows)
        if task == "regression"
        else np.array(draw(st.sampled_from([["a", "b"], [0, 1], [False, True]])))[np.arange(rows) % 2]
    )
    space = draw(st.none() | st.just({"learning_rate": {"type": "float", "low": 0.001, "high": 0.1}}) | SPACE)
    return (
        x,
        y,
        {
            "task": task,
            "seed": draw(st.integers(0, 99)),
            "algorithm": draw(st.sampled_from(["random_search", "sobol"])),
        },
        space,
    )


def run_tune(drawn: Any) -> None:
    x, y, options, space = drawn
    if space is not None:
        options = options | {"space": jh.Space.from_json(space)}
    study = jh.tune((x, y), model="mlp", trials=2, lanes=2, epochs=1, verbose=False, cache=False, **options)
    assert len(study.finished) == 2
