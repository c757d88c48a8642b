"""A user's own objective.

- `traceable.py`: `traceable(train)`: a function that JAX traces, and that trains in lanes
- `hyperparameters.py`: what such a function gets of each hyperparameter
- `effects.py`: which hyperparameters have an effect
- `static_groups.py`: lanes grouped by hyperparameters that such a function needs as Python values
- `alone.py`: one lane of such a function by itself
- `function.py`: `function(score)`: any Python function, called in processes
- `pool.py`, `worker.py`: the processes
- `signatures.py`: checks of a function's arguments
"""

from jaxhpo.objectives.function import Function, function
from jaxhpo.objectives.traceable import Traceable, traceable

__all__ = ["Function", "Traceable", "function", "traceable"]
