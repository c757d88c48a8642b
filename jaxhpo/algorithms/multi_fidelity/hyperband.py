"""Hyperband."""

from jaxhpo.algorithms.common.checks import check_common, check_integer
from jaxhpo.algorithms.multi_fidelity.brackets import Plan, halve, run_brackets
from jaxhpo.algorithms.multi_fidelity.rungs import read_rungs
from jaxhpo.space import Space
from jaxhpo.types import Algorithm


def hyperband(
    space: Space,
    *,
    lanes: int,
    budget: int = 1,
    eta: int = 3,
    min_budget: int = 1,
    brackets: int | None = None,
) -> Algorithm:
    """Run brackets of successive halving with different starting budgets: Hyperband (Li et al. 2018).

    The brackets run in turn, each with about the same total budget. The first starts the most configurations, at the
    smallest rung; each further one starts fewer, one rung higher; the last starts a few at the full budget
    (`bracket_plans`). Then the first follows again. Rungs are budget, budget / eta, ... down to `min_budget`. If a rung
    does not fill a round, the next bracket starts early. Failed trials are never promoted. Of equal scores the earlier
    is better. With a single rung the method is random search. Enqueued trials join a bracket that starts at their
    budget, if there is one.

    Use it if learning curves may cross, so that the budget at which configurations can be compared is unknown. A round
    costs a few tenths of a millisecond. An objective keeps the training states of 1 / eta of the rung of each open
    bracket.

    Args:
        space: Search space.
        lanes: Number of lanes: trials of a round.
        budget: Largest budget of a trial, in units of the objective such as epochs.
        eta: Ratio of the budgets of successive rungs; one in `eta` trials of a rung is promoted.
        min_budget: Lower bound of the rungs.
        brackets: Number of brackets that are repeated, from the first on; None is the number of rungs. One fewer leaves
            out the last bracket, which is random search at the full budget; 1 is `successive_halving`.

    Raises:
        ValueError: if an argument is invalid; the message names it.
    """
    check_common(space, lanes, budget)
    rungs = read_rungs(budget, eta, min_budget)
    if brackets is None:
        brackets = len(rungs)
    check_integer("brackets", brackets, 1)
    if brackets > len(rungs):
        raise ValueError(f"brackets={brackets} must not be above {len(rungs)}, the number of rungs of budget={budget}")
    return run_brackets(space, lanes, bracket_plans(rungs, eta)[:brackets])


def bracket_plans(rungs: tuple[int, ...], eta: int) -> tuple[Plan, ...]:
    """Return (number of configurations, budget) of every rung of every bracket, largest bracket first.

    Bracket s = s_max, ..., 0 starts ceil((s_max + 1) / (s + 1) * eta^s) configurations, as in Algorithm 1 of the paper.
    """
    number, plans = len(rungs), []
    for s in reversed(range(number)):
        configurations = -(-number * eta**s // (s + 1))
        plans.append(halve(configurations, eta, rungs[number - 1 - s :]))
    return tuple(plans)
