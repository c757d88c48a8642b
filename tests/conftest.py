"""Strict settings for every test: rank promotion raises; implicit dtype promotion of our own code too."""

import jax
import pytest

jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_numpy_dtype_promotion", "strict")


@pytest.fixture
def standard_promotion():
    """Let third-party code (optax's adam) promote dtypes in one test."""
    with jax.numpy_dtype_promotion("standard"):
        yield
