"""The command `jaxhpo`.

- `commands.py`: the commands
- `options.py`: the options of `jaxhpo tune`, made from those of `jaxhpo.tune`
"""

from jaxhpo.cli.commands import app, main
from jaxhpo.cli.options import read_space

__all__ = ["app", "main", "read_space"]
