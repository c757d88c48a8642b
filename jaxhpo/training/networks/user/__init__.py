"""The user's own Flax models, linen or nnx.

- `family.py`: which programs a space asks of a model (`UserFamily`)
- `model.py`: how a model is built, called and trained (`UserModel`)
- `nnx_module.py`: what only nnx modules need
- `rehearsal.py`: what a model must fulfil, traced for shapes before anything is trained
- `cost.py`: floating-point operations and memory, counted in the traced program
"""

from jaxhpo.training.networks.user.family import UserFamily
from jaxhpo.training.networks.user.model import UserModel, read_factory

__all__ = ["UserFamily", "UserModel", "read_factory"]
