"""Which prior a task may be tried with: no method is judged on examples that its prior has learned from.

A problem, a lesson or a task belongs to at most one *family*: those whose examples are the same or alike. A prior
"without" a family has learned from none of its members.
"""

import inspect
from pathlib import Path

from benchmarks.prior.lessons import LESSONS
from benchmarks.quality.problems import PROBLEMS
from benchmarks.quality.tasks import curves, surrogates, tables
from jaxhpo.priors import LearnedPrior

SHIPPED = "shipped"
_SAME = {  # beginnings of names whose examples are the same or alike
    "digits": ("digits", "rare_threes", "long_digits", "broad_digits"),
    "mnist": ("mnist",),
    "tabular": ("cancer", "diabetes", "friedman", "wine", "iris", "sparse", "long_wine", "long_cancer", "broad_cancer"),
    "hpolib": ("hpolib",),
}
FAMILIES = (*_SAME, "drawn")
"""Groups of lessons that are left out together; "drawn" are the other examples that a program drew."""


def family(name: str) -> str | None:
    """Return the group of a problem, lesson or task; None where nothing like it is learned from."""
    for group, beginnings in _SAME.items():
        if name.startswith(beginnings):
            return group
    known = name in PROBLEMS or name in LESSONS
    return "drawn" if known and not name.startswith(("cifar", "reviews")) else None


def path(left_out: str) -> Path:
    """Return where a prior lies."""
    if left_out == SHIPPED:
        return Path(inspect.getfile(LearnedPrior)).parent / "shipped.npz"
    return surrogates.DATA / f"prior_without_{left_out}.npz"


def prior_for(task: str) -> str:
    """Return the prior that a task may be tried with, of no family with its examples: for `read`."""
    left_out = family(task)
    return SHIPPED if left_out is None else f"without {left_out}"


def read(name: str) -> LearnedPrior:
    """Return a prior by what `prior_for` calls it."""
    return LearnedPrior.load(path(name.removeprefix("without ")))


def names() -> list[str]:
    """Return the names of everything that is learned from."""
    return [*PROBLEMS, *LESSONS, *curves.NAMES, *tables.NAMES["hpolib"]]


def without(left_out: str) -> list[str]:
    """Return the names of what a prior learns from: all but a family."""
    return [name for name in names() if family(name) != left_out]
