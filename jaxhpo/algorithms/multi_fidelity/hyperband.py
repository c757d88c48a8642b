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
    """Hedge between many short trainings and a few long ones: Hyperband (Li et al. 2018).

    Runs brackets of successive halving in turn, each of about the same total budget: the first starts the most
    configurations at the smallest rung, every next one fewer at the rung above, the last a few at the full budget
    (`bracket_plans`); then from the first again. Rungs are budget, budget / eta, ... down to `min_budget`. Where a rung
    does not fill a batch the next bracket starts early (`brackets`). Failed trials never go on; of
    equal ones the earlier does. Where one rung is all there is, this is uniform search. Trials of others join a bracket
    that starts at their budget, and the rest take no part.

    Take it where learning curves may cross, so that it is not known how early a configuration can be judged. Costs a
    few tenths of a millisecond; an objective keeps the training states of 1 / eta of each open bracket's rung at most.

    Args:
        space: what to search.
        lanes: rows a proposal has.
        budget: the largest budget of a trial, such as epochs.
        eta: one of so many goes on, at so many times the budget.
        min_budget: no rung is below it.
        brackets: how many of a round's brackets, from the first on; None is all, as many as there are rungs. One
            fewer leaves out the last, which is uniform search at the full budget; 1 is `successive_halving`.

    Raises:
        ValueError: naming the argument that cannot be.
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
    """Return (configurations, budget) of every rung of every bracket, the one of most configurations first.

    Bracket s = s_max, ..., 0 starts ceil((s_max + 1) / (s + 1) * eta^s) configurations, as in Algorithm 1 of the paper.
    """
    number, plans = len(rungs), []
    for s in reversed(range(number)):
        configurations = -(-number * eta**s // (s + 1))
        plans.append(halve(configurations, eta, rungs[number - 1 - s :]))
    return tuple(plans)
