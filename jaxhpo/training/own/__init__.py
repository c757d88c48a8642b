"""A user's own Flax models: how they are built and called, rehearsed, counted and trained."""

from jaxhpo.training.own.family import Own
from jaxhpo.training.own.model import OwnModel, read_factory

__all__ = ["Own", "OwnModel", "read_factory"]
