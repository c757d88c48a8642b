"""Networks in Flax linen whose depth, width and dropout vary by lane."""

from jaxhpo.models.cnn import CNN
from jaxhpo.models.cost import Cost
from jaxhpo.models.dropout import Dropout
from jaxhpo.models.layers import Active, init_together, narrow, widen
from jaxhpo.models.mlp import MLP
from jaxhpo.models.norms import ACTIVATIONS, NORMS
from jaxhpo.models.recurrent import CELLS
from jaxhpo.models.rnn import RNN
from jaxhpo.models.variants import Variant

__all__ = [
    "ACTIVATIONS",
    "CELLS",
    "CNN",
    "MLP",
    "MODELS",
    "NORMS",
    "RNN",
    "Active",
    "Cost",
    "Dropout",
    "Variant",
    "init_together",
    "narrow",
    "widen",
]

MODELS = {"mlp": MLP, "cnn": CNN, "rnn": RNN}
"""The models that `tune(model=...)` knows by name."""
