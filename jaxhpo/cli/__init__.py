"""The command `jaxhpo`.

- `commands.py`: the commands
- `options.py`: the options of `jaxhpo tune`, made from those of `jaxhpo.tune`
- `help.py`: what `--help` shows
- `language.py`: messages of Python in the words of the command line
- `terminal.py`: errors, warnings and the logs of other libraries in the terminal
"""

from jaxhpo.cli.commands import app, main
from jaxhpo.cli.options import read_space

__all__ = ["app", "main", "read_space"]
