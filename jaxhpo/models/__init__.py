"""Networks in Flax linen whose depth, width and dropout vary by lane.

- `mlp.py`, `cnn.py`, `rnn.py`, `dan.py`: the networks, each with the `NetworkFamily` that tuning reads
- `family.py`: what such a family declares
- `layers.py`, `dropout.py`, `norms.py`: layers of which a lane uses a part
- `representations.py`: how the numbers of tables and vectors reach a network
- `operations/`: fast convolutions, pooling and recurrences
- `cost.py`: floating-point operations and memory of a network
"""

from importlib import import_module

from jaxhpo.models.cnn import CNN
from jaxhpo.models.cost import Cost, Costed
from jaxhpo.models.dan import DAN
from jaxhpo.models.dropout import Dropout, dropout
from jaxhpo.models.family import NetworkFamily, Variant
from jaxhpo.models.layers import Active, init_together, narrow, widen
from jaxhpo.models.mlp import MLP
from jaxhpo.models.norms import ACTIVATIONS, NORMS
from jaxhpo.models.operations.convolution import faster_convolutions, use_faster_convolutions
from jaxhpo.models.operations.images import max_pool
from jaxhpo.models.operations.recurrent import CELLS
from jaxhpo.models.representations import BY_QUANTILES, STANDARD, names_of, represent
from jaxhpo.models.rnn import RNN

__all__ = [
    "ACTIVATIONS",
    "BY_QUANTILES",
    "CELLS",
    "CNN",
    "DAN",
    "FAMILIES",
    "MLP",
    "NORMS",
    "RNN",
    "STANDARD",
    "Active",
    "Cost",
    "Costed",
    "Dropout",
    "NetworkFamily",
    "Variant",
    "dropout",
    "faster_convolutions",
    "init_together",
    "max_pool",
    "names_of",
    "narrow",
    "represent",
    "use_faster_convolutions",
    "widen",
]

_FILES = ("mlp", "cnn", "rnn", "dan")  # each has a FAMILY; another network is another file and its name here

FAMILIES: dict[str, NetworkFamily] = {name: import_module(f"jaxhpo.models.{name}").FAMILY for name in _FILES}
"""The networks that `tune(model=...)` knows by name."""
