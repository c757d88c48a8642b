"""Networks in Flax linen whose depth, width and dropout vary by lane."""

from jaxhpo.models.cnn import CNN
from jaxhpo.models.convolution import faster_convolutions, use_faster_convolutions
from jaxhpo.models.cost import Cost, Costed
from jaxhpo.models.dropout import Dropout, dropout
from jaxhpo.models.images import max_pool
from jaxhpo.models.layers import Active, init_together, narrow, widen
from jaxhpo.models.mlp import MLP
from jaxhpo.models.norms import ACTIVATIONS, NORMS
from jaxhpo.models.recurrent import CELLS
from jaxhpo.models.rnn import RNN
from jaxhpo.models.variants import CHOICES, Variant

__all__ = [
    "ACTIVATIONS",
    "CELLS",
    "CHOICES",
    "CNN",
    "MLP",
    "MODELS",
    "NORMS",
    "RNN",
    "Active",
    "Cost",
    "Costed",
    "Dropout",
    "Variant",
    "dropout",
    "faster_convolutions",
    "init_together",
    "max_pool",
    "narrow",
    "use_faster_convolutions",
    "widen",
]

MODELS = {"mlp": MLP, "cnn": CNN, "rnn": RNN}
"""The models that `tune(model=...)` knows by name."""
