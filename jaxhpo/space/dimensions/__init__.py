"""The range of one hyperparameter: Float, Int, Choice; and the conditions under which it is active.

- `real.py`, `whole.py`, `choice.py`: `Float`, `Int` and `Choice`
- `cells.py`: values of `step=`, and of wide ranges
- `kinds.py`: what holds for all three
- `conditions.py`: when a hyperparameter is active
- `checks.py`: checks of arguments

A value has three forms, and a dimension converts between them: the *value* that the user reads; its *unit* coordinate,
float32 in [0, 1], which algorithms use; and the index of its *level*, for methods that need a grid.

Levels are decoded by tables that are computed on the host in float64, because ``exp(log(x))`` is not ``x`` in float32.
So the value of a level is exact on the host, and the nearest float32 on the device. Methods for the device take the
array module `xp`: `jax.numpy`, or `numpy` to run on the host.
"""

from jaxhpo.space.dimensions.choice import Choice
from jaxhpo.space.dimensions.conditions import Conditions
from jaxhpo.space.dimensions.kinds import Dimension, place
from jaxhpo.space.dimensions.real import Float
from jaxhpo.space.dimensions.whole import Int

__all__ = ["Choice", "Conditions", "Dimension", "Float", "Int", "place"]
