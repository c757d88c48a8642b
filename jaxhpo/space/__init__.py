"""The search space: named dimensions, the conditions under which each is active, and constraints.

- `space.py`: `Space`
- `dimensions/`: `Float`, `Int`, `Choice`, and conditions (`when`)
- `constraints.py`: constraints such as "units * layers <= 256"
- `plain_data.py`: a space as JSON
"""

from jaxhpo.space.dimensions import Choice, Dimension, Float, Int
from jaxhpo.space.space import Space, describe

__all__ = ["Choice", "Dimension", "Float", "Int", "Space", "describe"]
