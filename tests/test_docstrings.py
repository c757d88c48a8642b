"""Docstrings: their examples run, and they list the parameters."""

import doctest
import importlib
import inspect
import pkgutil
import re
from types import FunctionType

import pytest

import jaxhpo
from jaxhpo import compilation, models

FEWEST = 30  # public names, methods included, that have an example

METHODS = FunctionType | classmethod | staticmethod


def examples():
    """Return the examples of each module that has any, by the module's name."""
    finder, found = doctest.DocTestFinder(), {}
    for module in pkgutil.walk_packages(jaxhpo.__path__, "jaxhpo."):
        tests = [test for test in finder.find(importlib.import_module(module.name)) if test.examples]
        found |= {module.name: tests} if tests else {}
    return found


def public_names():
    """Return public functions, classes and methods by their names."""
    found = {"jaxhpo.compilation.jit": compilation.jit, "jaxhpo.models.max_pool": models.max_pool}
    for module in (jaxhpo, jaxhpo.algorithms, jaxhpo.data):
        found |= {f"{module.__name__}.{name}": getattr(module, name) for name in module.__all__}
    found = {name: value for name, value in found.items() if callable(value)}
    for prefix, kind in [item for item in found.items() if inspect.isclass(item[1])]:
        names = [name for name, member in vars(kind).items() if isinstance(member, METHODS)]
        found |= {f"{prefix}.{name}": getattr(kind, name) for name in names if not name.startswith("_")}
    return found


def parameters(value):
    return [name for name in inspect.signature(value).parameters if name != "self"]


def listed(value):
    """Return the names that the sections Args and Attributes of a docstring list."""
    sections = re.findall(r"^(?:Args|Attributes):\n((?: {4}.*\n?)+)", inspect.getdoc(value), re.MULTILINE)
    return re.findall(r"^ {4}\**(\w+): ", "".join(sections), re.MULTILINE)


EXAMPLES, PUBLIC = examples(), public_names()


@pytest.mark.parametrize("module", EXAMPLES)
def test_the_examples_run_as_written(module):
    report = []
    for test in EXAMPLES[module]:
        doctest.DocTestRunner().run(test, out=report.append)
    assert "".join(report) == ""


def test_the_names_that_are_used_most_have_examples():
    with_example = {name: value for name, value in PUBLIC.items() if ">>> " in value.__doc__}
    assert len(set(with_example.values())) >= FEWEST
    assert "jaxhpo.Space" in with_example


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_every_parameter_is_listed(name):
    """A method of one parameter may describe it in its first line."""
    value = PUBLIC[name]
    is_method = name.rpartition(".")[0] in PUBLIC
    lacking = [parameter for parameter in parameters(value) if parameter not in listed(value)]
    assert lacking == [] or (is_method and len(parameters(value)) == 1)
