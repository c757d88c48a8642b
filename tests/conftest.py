"""Strict settings for every test: rank promotion raises; implicit dtype promotion of our own code too."""

import os

import jax
import pytest
from jax.experimental.compilation_cache import compilation_cache

jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_numpy_dtype_promotion", "strict")


@pytest.fixture(scope="session", autouse=True)
def compiled_programs(tmp_path_factory):
    """Compile equal programs once, in all processes of a test run: many tests train the same small network."""
    base = tmp_path_factory.getbasetemp()
    directory = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "compiled"
    directory.mkdir(exist_ok=True)
    jax.config.update("jax_compilation_cache_dir", str(directory))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    compilation_cache.reset_cache()


@pytest.fixture
def standard_promotion():
    """Let third-party code (optax's adam) promote dtypes in one test."""
    with jax.numpy_dtype_promotion("standard"):
        yield
