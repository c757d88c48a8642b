"""The tables of names: the algorithms, and the hyperparameters that a prior knows."""

from jaxhpo import algorithms as methods
from jaxhpo.priors.hyperparameter_features import MEANINGS


def algorithms_table() -> str:
    """Return the registry of algorithms as Markdown."""
    lines = ["| name | what it does | take it |", "|---|---|---|"]
    lines += [f"| `{name}` | {methods.summary(name)} | {methods.use(name)} |" for name in methods.names()]
    return "\n".join(lines)


def meanings_table() -> str:
    """Return the names that the prior of `q_learning` knows as Markdown."""
    lines = ["| hyperparameter | also called |", "|---|---|"]
    lines += [f"| `{name}` | {', '.join(f'`{n}`' for n in kind.names) or '-'} |" for name, kind in MEANINGS.items()]
    return "\n".join(lines)
