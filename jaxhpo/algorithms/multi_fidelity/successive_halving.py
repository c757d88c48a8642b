"""Successive halving."""

from jaxhpo.algorithms.common.checks import check_common, check_integer
from jaxhpo.algorithms.multi_fidelity.brackets import halve, run_brackets
from jaxhpo.algorithms.multi_fidelity.rungs import read_rungs
from jaxhpo.space import Space
from jaxhpo.types import Algorithm


def successive_halving(
    space: Space,
    *,
    lanes: int,
    budget: int = 1,
    eta: int = 3,
    min_budget: int = 1,
    configurations: int | None = None,
) -> Algorithm:
    """Train many configurations a little, and the best of them on: successive halving (Jamieson & Talwalkar 2016).

    A bracket starts `configurations` uniform draws at the smallest rung. When all are told the best 1 / eta go on to
    the next rung, which continues their training, and so on to the full budget; then another bracket begins, or before,
    where a rung does not fill a batch (`brackets`). Rungs are budget, budget / eta, ... down to
    `min_budget`. Failed trials never go on; of equal ones the earlier does. Where one rung is all there is, this is
    uniform search. Trials of others at the smallest rung join a bracket, and the rest take no part.

    Take it where a few epochs tell the hopeless from the good; `hyperband` hedges where they might not, and `asha`
    finishes its first configuration sooner. Costs a few tenths of a millisecond; an objective keeps the training states
    of a third (1 / eta) of a bracket's rung at most, losers are dropped at once.

    Args:
        space: what to search.
        lanes: rows a proposal has.
        budget: the largest budget of a trial, such as epochs.
        eta: one of so many goes on, at so many times the budget.
        min_budget: no rung is below it.
        configurations: that a bracket starts; None is the fewest of which one reaches the full budget, eta^(rungs - 1).

    Raises:
        ValueError: naming the argument that cannot be.
    """
    check_common(space, lanes, budget)
    rungs = read_rungs(budget, eta, min_budget)
    fewest = eta ** (len(rungs) - 1)
    if configurations is None:
        configurations = fewest
    else:
        check_integer("configurations", configurations, 1)
    if configurations < fewest:
        raise ValueError(f"configurations={configurations} must be at least {fewest}, for one to reach budget={budget}")
    return run_brackets(space, lanes, (halve(configurations, eta, rungs),))
