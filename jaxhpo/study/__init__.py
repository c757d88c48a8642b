"""The round loop, its journal and its results. A study takes an Algorithm and an Objective and imports neither."""

from jaxhpo.study.compiled_round import Seconds
from jaxhpo.study.journal import Journal
from jaxhpo.study.reading import PastStudy, read_journal
from jaxhpo.study.study import Study, check_timeout
from jaxhpo.study.traced import run_traced
from jaxhpo.study.trials import Best, Suggestion, Trial

__all__ = [
    "Best",
    "Journal",
    "PastStudy",
    "Seconds",
    "Study",
    "Suggestion",
    "Trial",
    "check_timeout",
    "read_journal",
    "run_traced",
]
