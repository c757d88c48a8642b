"""What the page on one's own function says is so."""

import re

import jax
import jax.numpy as jnp
import pytest

import jaxhpo as jh
from jaxhpo.objectives.hyperparameters import MOST_COMBINATIONS, static_names, traced_values
from jaxhpo.tuning.workloads import _OF_DATA
from tests.docs import pages

PAGE = pages.read("docs/tutorials/own_function.md")
WORDS = " ".join(PAGE.split())
DIMENSIONS = {
    "`Float`": jh.Float(0.0, 1.0),
    "`Int`": jh.Int(1, 3),
    "`Choice` of whole numbers": jh.Choice((1, 4)),
    "`Choice` of numbers": jh.Choice((1, 0.5)),
    "`Choice` of bools": jh.Choice((False, True)),
    "any other `Choice`: words, None, mixed kinds": jh.Choice(("a", None, 1)),
}


@pytest.mark.parametrize("kind", DIMENSIONS)
def test_the_table_says_what_reaches_a_function(kind):
    told = re.findall(rf"^\| {re.escape(kind)} \| (.*?) \|", PAGE, re.MULTILINE)
    space = jh.Space({"x": DIMENSIONS[kind]})
    if static_names(space, ()):
        assert told == ["the option, static by itself"]
        return
    found = jax.eval_shape(lambda point: traced_values(space, point), jax.ShapeDtypeStruct((1,), jnp.float32))
    assert told == [f"a traced {found['x'].dtype}"]


def test_numbers_and_names_are_the_code_s():
    assert f"More than {MOST_COMBINATIONS} are refused" in WORDS
    named = re.findall(r"`(\w+)=`", WORDS.split("Options of data, such as ")[1].split(" are refused")[0])
    assert named
    assert set(named) <= set(_OF_DATA)


def test_a_float_is_not_static():
    assert "A `Float` cannot be static" in WORDS
    with pytest.raises(ValueError, match="a Float"):
        static_names(jh.Space({"x": DIMENSIONS["`Float`"]}), ("x",))


def test_pbt_takes_no_functions():
    assert "`pbt` takes no functions" in WORDS
    space = jh.Space({"x": DIMENSIONS["`Float`"]})
    function = jh.function(lambda config, budget: config["x"] * budget, workers=0)
    with pytest.raises(ValueError, match="a function trains every trial from its start"):
        jh.tune(function, space=space, algorithm="pbt", trials=8, lanes=4, epochs=4, verbose=False)


@pytest.mark.parametrize("name", re.findall(r"^\| `(\w+\.py)` \|", PAGE, re.MULTILINE))
def test_the_examples_exist(name):
    assert (pages.ROOT / "examples" / name).exists()
