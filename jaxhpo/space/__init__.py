"""The search space: named dimensions, the conditions under which each is active, and constraints.

- `space.py`: `Space`
- `dimensions/`: `Float`, `Int`, `Choice`, and conditions (`when`)
- `constraints.py`: constraints such as "units * layers <= 256"
- `configs.py`: a configuration read, and that of all defaults
- `plain_data.py`: a space as JSON, a configuration as a line
"""

from jaxhpo.space.dimensions import Choice, Dimension, Float, Int
from jaxhpo.space.plain_data import describe
from jaxhpo.space.space import Space

__all__ = ["Choice", "Dimension", "Float", "Int", "Space", "describe"]
