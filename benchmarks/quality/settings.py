"""What every searcher is given: how many evaluations, how many at a time, how often."""

from typing import NamedTuple


class Setting(NamedTuple):
    """One way to search."""

    lanes: int  # evaluations between two decisions
    evals: int  # in all
    seeds: int  # studies


SEQUENTIAL = Setting(1, 100, 20)
BATCHES = (Setting(8, 256, 20), Setting(32, 256, 20))
FULL = (SEQUENTIAL, *BATCHES)
QUICK = (Setting(8, 24, 2),)
QUICK_TASKS = ("digits_mlp",)
QUICK_METHODS = ("random_search", "genetic", "asha")
AT = (10, 20, 30, 50, 100)  # evaluations that tables show
COMPARED_AT = 50  # of them: where searchers are ranked; slow peers go no further
TARGET = 0.1  # a regret, reached or not
