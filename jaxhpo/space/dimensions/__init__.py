"""One hyperparameter's range: Float, Int, Choice; and the conditions under which it is active.

A value has three spellings, and a dimension translates between them: the *value* that a person reads, its *unit*
coordinate (float32 in [0, 1], what algorithms exchange), and for grid methods the index of its *level*.

Levels decode through tables built on the host in float64, because float32 ``exp(log(x))`` is not ``x``; so a
level's value comes back exactly, and on the device as its nearest float32. What runs on the device takes the module of
its arithmetic: with NumPy's in place of JAX's it runs on the host.
"""

from jaxhpo.space.dimensions.choice import Choice
from jaxhpo.space.dimensions.conditions import Conditions
from jaxhpo.space.dimensions.kinds import Dimension, place
from jaxhpo.space.dimensions.real import Float
from jaxhpo.space.dimensions.whole import Int

__all__ = ["Choice", "Conditions", "Dimension", "Float", "Int", "place"]
