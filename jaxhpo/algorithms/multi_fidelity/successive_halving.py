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
    """Train many configurations briefly and continue the best: successive halving (Jamieson & Talwalkar 2016).

    A bracket starts `configurations` uniform draws at the smallest rung. When all are told, the best 1 / eta continue
    to the next rung, and so on to the full budget. Then the next bracket starts, or earlier, if a rung does not fill a
    round. Rungs are budget, budget / eta, ... down to `min_budget`. Failed trials are never promoted. Of equal scores
    the earlier is better. With a single rung the method is random search. Enqueued trials at the smallest rung join a
    bracket; others are ignored.

    Use it if a few epochs separate good from bad configurations. `hyperband` is safer if they may not, and `asha`
    finishes its first configuration sooner. A round costs a few tenths of a millisecond. An objective keeps the
    training states of 1 / eta of a bracket's rung; all others are dropped at once.

    Args:
        space: Search space.
        lanes: Number of lanes: trials of a round.
        budget: Largest budget of a trial, in units of the objective such as epochs.
        eta: Ratio of the budgets of successive rungs; one in `eta` trials of a rung is promoted.
        min_budget: Lower bound of the rungs.
        configurations: Number of configurations that a bracket starts; None is eta^(rungs - 1), the smallest number of
            which one reaches the full budget.

    Raises:
        ValueError: if an argument is invalid; the message names it.
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
