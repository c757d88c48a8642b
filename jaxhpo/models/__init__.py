"""Networks in Flax linen whose depth, width and dropout vary by lane."""

from jaxhpo.models.cnn import CNN
from jaxhpo.models.dropout import Dropout
from jaxhpo.models.layers import Active
from jaxhpo.models.mlp import MLP

__all__ = ["CNN", "MLP", "MODELS", "Active", "Dropout"]

MODELS = {"mlp": MLP, "cnn": CNN}
"""The models that `tune(model=...)` knows by name."""
