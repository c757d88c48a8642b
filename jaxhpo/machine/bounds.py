"""The largest sizes that are taken, checked before memory is allocated or time is spent."""

from typing import Any

from jaxhpo.machine.system import memory_bytes

MOST_TRIALS = 10_000_000
MOST_LANES = 65_536
MOST_EPOCHS = 100_000
MOST_SEEDS = 1_000
MOST_TRAININGS = 64
"""Folds or repeats of a trial."""

MOST_HYPERPARAMETERS = 1_000
MOST_BUDGET = 2**31 - 1
"""Largest budget of a function: budgets are int32."""

_GIB = 2.0**30


def check_count(name: str, value: Any, most: int, *, least: int = 1, more: str = "") -> None:
    """Raise ValueError if a value is not an integer in [least, most].

    Args:
        name: Argument's name in the message.
        value: Its value.
        most: Largest value.
        least: Smallest value.
        more: Anything else that is valid, such as ", or None".
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"{name}={value!r} must be an integer of at least {least}{more}")
    if value > most:
        shown = value if value < 10**20 else "a longer number"
        raise ValueError(f"{name}={shown} must be an integer of at most {most:,}{more}")


def check_visits(epochs: int, examples: int) -> None:
    """Raise ValueError if a training has more updates than int32 counts, whatever its batch size."""
    if epochs * examples > MOST_BUDGET:
        raise ValueError(
            f"epochs={epochs} of {examples:,} training examples are more than {MOST_BUDGET:,} examples; lower epochs"
        )


def check_memory(what: str, size: int, remedy: str) -> None:
    """Raise ValueError if something is larger than half of this machine's memory.

    Args:
        what: What would be allocated, in the words of the message.
        size: How many bytes it takes.
        remedy: What to do about it.
    """
    limit = memory_bytes() // 2
    if size > limit:
        raise ValueError(
            f"{what} would take {size / _GIB:,.3g} GiB, more than half of this machine's memory "
            f"({limit / _GIB:.3g} GiB); {remedy}"
        )
