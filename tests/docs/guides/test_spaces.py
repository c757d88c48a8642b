"""What the guide to search spaces says is so."""

import json
import math
import re
from dataclasses import MISSING, fields

import pytest

import jaxhpo as jh
from jaxhpo.machine.bounds import MOST_HYPERPARAMETERS
from jaxhpo.models.family import MASKABLE, STRUCTURAL, Limits
from jaxhpo.space import constraints
from jaxhpo.space.dimensions import cells, checks
from jaxhpo.training.config import space_reader
from jaxhpo.training.config.hyperparameters import ALIASES, HYPERPARAMETERS
from jaxhpo.training.step.optimizers import DECAYS
from tests.docs import pages

PAGE = pages.read("docs/guides/spaces.md")
WORDS = " ".join(PAGE.split())


def table(first):
    """Return the rows of the table whose first column has this title: cells without their outer blanks."""
    lines = PAGE[PAGE.index(f"| {first} |") :].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line[1:-1].split("|")] for line in lines]


def row(name):
    (found,) = [cells for cells in table("hyperparameter | what it is") if f"`{name}`" in cells[0]]
    return found


def ranges(dimension):
    if isinstance(dimension, jh.Int | jh.Float):
        return f"{dimension.low:g} to {dimension.high:g}"
    return f"{dimension.options[0]} to {dimension.options[-1]}"


@pytest.mark.parametrize("name", HYPERPARAMETERS)
def test_the_table_has_every_hyperparameter_and_option(name):
    (row,) = [line for line in PAGE.splitlines() if line.startswith("| `") and f"`{name}`" in line.split(" | ")[0]]
    allowed = HYPERPARAMETERS[name].allowed
    named = [option for option in allowed if isinstance(option, str)] if isinstance(allowed, tuple) else []
    assert [option for option in named if f"`{option}`" not in row] == []


def test_the_hyperparameters_that_vary_are_those_of_the_default_spaces():
    told = {name for cells in table("hyperparameter | what it is") if cells[2] for name in cells[0].split(", ")}
    rnn, dan = jh.default_space("rnn", (50,)), jh.default_space("dan", (50,))
    assert told == {f"`{name}`" for name in {*rnn, *dan, *jh.default_space("mlp", (4,), numbers=4)}}
    mlp, (small, large) = jh.default_space("mlp"), [jh.default_space("cnn", (n, n, 1)) for n in (16, 17)]
    assert row("learning_rate")[2] == "3e-4 to 5e-3, logarithmic"
    assert (mlp["learning_rate"].low, mlp["learning_rate"].high, mlp["learning_rate"].log) == (3e-4, 5e-3, True)
    assert row("batch_size")[2].startswith(
        ", ".join(map(str, mlp["batch_size"].options)) + ", of an RNN or DAN from 64;"
    )
    assert rnn["batch_size"].options == dan["batch_size"].options == mlp["batch_size"].options[1:]
    assert row("layers")[2] == f"{ranges(mlp['layers'])}; RNN, DAN: {ranges(rnn['layers'])}"
    assert (small["layers"], dan["layers"]) == (mlp["layers"], rnn["layers"])
    units = [ranges(space["units"]) for space in (mlp, small, large, rnn)]
    assert row("units")[2] == "MLP: {}; CNN: {}, {} above 16 pixels; RNN, DAN: {}".format(*units)
    assert dan["units"] == rnn["units"]
    penalties = row("l1")[2]
    assert row("l2")[2] == penalties
    assert tuple(map(float, penalties.split(", "))) == mlp["l1"].options == mlp["l2"].options
    assert row("dropout")[2] == ranges(mlp["dropout"])
    assert row("optimizer")[2] == ", ".join(f"`{optimizer}`" for optimizer in mlp["optimizer"].options)
    assert row("cell")[2] == ", ".join(f"`{cell}`" for cell in rnn["cell"].options)


def test_what_the_page_says_of_the_default_space():
    space = jh.default_space("mlp")
    assert f"has {math.prod(space.level_counts):,} configurations" in WORDS
    assert len(space) == 8
    assert "Eight hyperparameters vary" in WORDS
    represented = jh.default_space("mlp", (4,), 256, numbers=4)
    assert {**represented} == {**space, "representation": represented["representation"]}
    assert row("representation")[2] == ", ".join(f"`{name}`" for name in represented["representation"].options)
    assert "With 1 to 32 of them an MLP's `representation` varies too" in WORDS
    assert len(jh.default_space("mlp", (32,), numbers=32)) == 9
    assert len(jh.default_space("mlp", (33,), numbers=33)) == 8
    assert jh.default_space("cnn", (8, 8, 1), numbers=4) == jh.default_space("cnn", (8, 8, 1))
    assert jh.default_space("mlp", (4,), 256) == space
    assert jh.default_space("mlp", (4,), 255)["batch_size"].options == (16, 32, 64, 128)
    assert jh.default_space("mlp", (4,), 40)["batch_size"].options == (4, 8, 16, 32)
    assert "Below 256 training examples the smallest batch is at most an eighth of them, and the others follow" in WORDS


@pytest.mark.parametrize("name", HYPERPARAMETERS)
def test_the_value_where_a_space_leaves_it_out(name):
    said, default = row(name)[3], HYPERPARAMETERS[name].default
    if name == "weight_decay":
        assert said == "1e-4 in `adamw`, else 0"
        assert {optimizer: 1e-4 if optimizer == "adamw" else 0 for optimizer in DECAYS} == DECAYS
    elif name == "clip":
        assert said == "none"
        assert default is None
    elif default is None:
        lacking = space_reader.lacking(name)
        assert said == (f"`{lacking}`" if isinstance(lacking, str) else f"{lacking:g}")
    elif default is False:
        assert said == "no"
    else:
        assert said.partition(";")[0] == (f"`{default}`" if isinstance(default, str) else f"{default:g}")


def spelled(allowed):
    if not isinstance(allowed, Limits):
        return ", ".join(f"`{option}`" for option in allowed)
    if allowed.whole:
        return f"whole, {allowed.low:,} to {allowed.high:,}"
    if math.isinf(allowed.high):
        return "0 or more" if allowed.low_allowed else "above 0"
    return "0 to 1" if allowed.high_allowed else "0 to below 1"


def test_the_limits_and_other_names_are_the_code_s():
    told = {name: (allowed, others) for name, allowed, others in table("hyperparameter | allowed")}
    assert told == {
        name: (spelled(known.allowed), ", ".join(f"`{alias}`" for alias in known.aliases))
        for name, known in HYPERPARAMETERS.items()
    }
    assert ALIASES["lr"] == "learning_rate"
    assert f"With `growth` 2, `layers` is at most {space_reader._DEEPEST}" in WORDS


def test_the_arguments_are_those_of_the_dimensions():
    told = {name: of for names, of, *_ in table("argument | of") for name in re.findall(r"`(\w+)`", names)}
    for kind in (jh.Float, jh.Int, jh.Choice):
        known = {field.name for field in fields(kind)}
        assert {name for name, of in told.items() if f"`{kind.__name__}`" in of or of == "all three"} == known
    defaults = {field.name: field.default for field in fields(jh.Int) if field.default is not MISSING}
    assert defaults == {"log": False, "levels": None, "step": 1, "when": None, "default": None}
    assert {field.default for field in fields(jh.Float) if field.name in ("levels", "step", "when", "default")} == {
        None
    }


def test_the_algorithms_that_need_levels():
    space, need = jh.Space({"x": jh.Float(0.0, 1.0), "y": jh.Float(0.0, 1.0)}), []
    for name in set(jh.algorithms.names()) - {"sobol"}:  # which imports SciPy, two seconds, and needs none
        try:
            getattr(jh.algorithms, name)(space, lanes=4, budget=5)
        except ValueError as error:
            need += [name] if "has no levels" in str(error) else [str(error)]
    (told,) = re.findall(r"only with these algorithms: (.*?)\. They search a grid", WORDS)
    assert sorted(re.findall(r"`(\w+)`", told)) == sorted(need)


def test_the_rows_of_the_grammar_are_constraints():
    of = {"layers": jh.Int(1, 4), "units": jh.Choice((32, 64)), "learning_rate": jh.Float(1e-3, 1e-1)}
    space = of | {"optimizer": jh.Choice(("sgd", "adam"))}
    examples = [example.strip("`") for _, example in table("a constraint may have")]
    assert len(examples) == 6
    for example in examples:
        assert jh.Space(space, constraints=[example]).constraints == (example,)


def test_the_json_is_a_space():
    (text,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    space = jh.Space.from_json(json.loads(text))
    assert list(space) == ["optimizer", "momentum", "layers", "units"]
    assert space.constraints == ("units * layers <= 256",)


def test_what_has_programs_of_its_own():
    rows = {hyperparameters: cost for _, hyperparameters, cost in table("tuned | hyperparameters")}
    structural = [name for name, known in HYPERPARAMETERS.items() if known.kind == STRUCTURAL]
    maskable = [name for name, known in HYPERPARAMETERS.items() if known.kind == MASKABLE]
    assert ", ".join(f"`{name}`" for name in structural) in rows
    assert ", ".join(f"`{name}`" for name in maskable) in rows


def test_the_limits_are_the_code_s():
    said = f"at most {MOST_HYPERPARAMETERS:,} hyperparameters and {constraints._MOST:,} constraints"
    assert said in WORDS
    assert f"at most {checks.MOST_LEVELS:,} options" in WORDS
    assert f"up to {checks.IMPLICIT_LEVELS:,} values" in WORDS
    assert f"At least 1 in {constraints._RAREST:,} configurations" in WORDS
    assert constraints._CLOSE == 1e-6  # a millionth
    assert cells._DIGITS == 4  # significant digits
