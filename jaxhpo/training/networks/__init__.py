"""The networks that a study trains.

- `family_choice.py`: the networks that a model, a space and the data describe
- `families.py`: what a family of networks has to provide (`Family`), and which of jaxhpo's fits the data
- `builtin.py`: jaxhpo's own MLP, CNN, RNN and DAN (`Builtin`)
- `goal_rehearsal.py`: whether a user's loss and metric can be used
- `user/`: the user's own Flax models (`UserFamily`)
"""

from jaxhpo.training.networks.families import Family, check_mean_outputs
from jaxhpo.training.networks.family_choice import make_family
from jaxhpo.training.networks.user import UserFamily

__all__ = ["Family", "UserFamily", "check_mean_outputs", "make_family"]
