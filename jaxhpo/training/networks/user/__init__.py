"""The user's own Flax models, linen or nnx.

- `family.py`: which programs a space asks of a model (`Own`)
- `model.py`: how a model is built, called and trained (`OwnModel`)
- `nnx_module.py`: what only nnx modules need
- `rehearsal.py`: what a model must fulfil, traced for shapes before anything is trained
- `arithmetic.py`: floating-point operations and memory, counted in the traced program
"""

from jaxhpo.training.networks.user.family import Own
from jaxhpo.training.networks.user.model import OwnModel, read_factory

__all__ = ["Own", "OwnModel", "read_factory"]
