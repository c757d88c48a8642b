"""Strict settings for every test, how programs are compiled for them, and where those are kept."""

import argparse
import gc
import re

import jax
import pytest
from jax.experimental.compilation_cache import compilation_cache

from tests import compiled

jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_numpy_dtype_promotion", "strict")  # of our own code too


def pytest_addoption(parser):
    parser.addoption(
        "--part", type=part, metavar="K/N", help="of the slow cases of `sampled` tests, every N-th from the K-th on"
    )


def part(text):
    """Return `K/N` as numbers: part K of N, from 0."""
    found = re.fullmatch(r"(\d+)/(\d+)", text)
    if found is None or not int(found[1]) < int(found[2]):
        raise argparse.ArgumentTypeError(f"{text!r} must be K/N, such as 0/4, with K below N")
    return int(found[1]), int(found[2])


def pytest_configure(config):
    """Compile equal programs once, in all processes of this run and of later ones; `--cache-clear` forgets them."""
    directory = compiled.directory(config.cache.mkdir("compiled"))
    jax.config.update("jax_compilation_cache_dir", str(directory))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    compilation_cache.reset_cache()


def pytest_collection_finish():
    """Look for garbage less often: Python's way of counting makes it a tenth of the time of tests that trace much."""
    gc.collect()
    gc.freeze()  # modules and tests live to the end
    gc.set_threshold(50_000, 20, 50)


def pytest_unconfigure(config):
    """Forget the programs that were used the longest ago; once, and not in every process."""
    if not hasattr(config, "workerinput"):
        compiled.prune(config.cache.mkdir("compiled"))


@pytest.hookimpl(tryfirst=True)  # before tests are chosen by their marks
def pytest_collection_modifyitems(config, items):
    """Mark as slow the cases that a test's `slow_but_for` does not name; `--part` keeps a part of those of a sample."""
    for item in items:
        marker = item.get_closest_marker("slow_but_for")
        if marker and item.callspec.id not in marker.args:
            item.add_marker(pytest.mark.slow)
    if (chosen := config.getoption("part")) is not None:
        left_out = the_other_parts(items, *chosen)
        config.hook.pytest_deselected(items=left_out)
        gone = set(map(id, left_out))
        items[:] = [item for item in items if id(item) not in gone]


def the_other_parts(items, number, parts):
    """Return the slow cases of each test marked `sampled` that a part leaves out."""
    cases = {}
    for item in items:
        if item.get_closest_marker("sampled") and item.get_closest_marker("slow"):
            cases.setdefault(item.nodeid.partition("[")[0], []).append(item)
    return [item for each in cases.values() for place, item in enumerate(each) if place % parts != number % parts]


@pytest.hookimpl(tryfirst=True)  # before fixtures, which compile too
def pytest_runtest_setup(item):
    """Compile without most of XLA's optimisations, a third of the time, but where a test is marked `optimized`."""
    jax.config.update("jax_disable_most_optimizations", item.get_closest_marker("optimized") is None)


@pytest.fixture(scope="session")
def as_quickly(pytestconfig):
    """Return the environment in which a process of its own compiles as the tests do, and keeps its programs."""
    directory = compiled.directory(pytestconfig.cache.mkdir("compiled")) / "processes"
    return {"JAXHPO_CACHE_DIR": str(directory), "JAX_DISABLE_MOST_OPTIMIZATIONS": "1"}


@pytest.fixture
def standard_promotion():
    """Let third-party code (optax's adam) promote dtypes in one test."""
    with jax.numpy_dtype_promotion("standard"):
        yield


@pytest.fixture
def users_settings():
    """Let JAX promote ranks and dtypes, as it does for whoever runs an example; in every thread, hence no context."""
    strict = {name: getattr(jax.config, name) for name in ("jax_numpy_rank_promotion", "jax_numpy_dtype_promotion")}
    jax.config.update("jax_numpy_rank_promotion", "allow")
    jax.config.update("jax_numpy_dtype_promotion", "standard")
    yield
    for name, value in strict.items():
        jax.config.update(name, value)
