"""The user's own Flax models, linen or nnx.

- `family.py`: which programs a space asks of a model (`UserFamily`)
- `factory.py`: what a model is built from, read off its signature
- `model.py`: how a model is built, called and trained (`UserModel`)
- `training_mode.py`: how a model is told whether it trains
- `nnx_module.py`: what only nnx modules need
- `rehearsal.py`: what a model must fulfil, traced for shapes before anything is trained
- `training_checks.py`: whether it trains in training, and not in evaluation
- `dependence.py`: which arguments of a traced function have an influence on which outputs
- `unread.py`: which hyperparameters have no effect
- `lanes.py`: whether a trial computes the same beside another one as alone
- `cost.py`: floating-point operations and memory, counted in the traced program
"""

from jaxhpo.training.networks.user.factory import read_factory
from jaxhpo.training.networks.user.family import UserFamily
from jaxhpo.training.networks.user.model import UserModel

__all__ = ["UserFamily", "UserModel", "read_factory"]
