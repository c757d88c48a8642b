"""A study: rounds of trials, their results, callbacks and journal.

- `study.py`: `Study`, which asks an algorithm for trials and has an objective score them
- `rounds.py`: one round as a pure function
- `compiled_round.py`: the parts of a round as compiled programs
- `traced.py`: whole studies in one program
- `comparison.py`: trials of the first round computed again, each alone
- `results.py`, `trials.py`: trials, the best one, and tables
- `callbacks.py`: what is called after every round
- `timeout.py`: how long a run may take
- `statistics.py`: bootstrap intervals, paired differences and ranks of several studies
- `journal.py`, `reading.py`: the file of finished trials, written and read
"""

from jaxhpo.study.callbacks import Callback, StopWhenReached, StopWhenStalled
from jaxhpo.study.compiled_round import Seconds
from jaxhpo.study.journal import Journal
from jaxhpo.study.reading import PastStudy, read_journal
from jaxhpo.study.study import Study
from jaxhpo.study.timeout import check_timeout
from jaxhpo.study.traced import run_traced
from jaxhpo.study.trials import Best, Suggestion, Trial

__all__ = [
    "Best",
    "Callback",
    "Journal",
    "PastStudy",
    "Seconds",
    "StopWhenReached",
    "StopWhenStalled",
    "Study",
    "Suggestion",
    "Trial",
    "check_timeout",
    "read_journal",
    "run_traced",
]
