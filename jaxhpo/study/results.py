"""The results of a study so far, as people read them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jaxhpo.space import Space
from jaxhpo.study import trials as tables
from jaxhpo.study.trials import Best, Trial

if TYPE_CHECKING:
    import pandas as pd

_SIGNS = {"maximize": 1.0, "minimize": -1.0}


class Results:
    """Finished trials, the metrics of rounds, and tables of both.

    Args:
        space: What varies.
        direction: "maximize" or "minimize": which scores are better.

    Raises:
        ValueError: if `direction` is neither.
    """

    def __init__(self, space: Space, direction: str):
        if direction not in tuple(_SIGNS):
            raise ValueError(f"direction={direction!r} must be 'maximize' or 'minimize'")
        self.space, self.direction, self._sign = space, direction, _SIGNS[direction]
        self._trials: list[Trial] = []
        self._metrics: list[dict[str, float]] = []

    @property
    def finished(self) -> list[Trial]:
        """Every finished trial in order, with what the objective said beside the score."""
        return list(self._trials)

    @property
    def trials(self) -> pd.DataFrame:
        """One row a trial, in order.

        Columns are trial, round, lane; source: the trial that it continues, -1 if none; budget; trained_from: the
        budget from which it was trained, 0 if from the start; one for each hyperparameter; score; state; reason: why it
        failed; seconds.

        Values are as they were told: the option None is None, and an inactive hyperparameter is `pd.NA`. A file that
        `to_csv` writes has an empty cell for both; the journal (`output=` of `tune`) tells them apart.
        """
        return tables.trials_table(self.space, self._trials)

    @property
    def incumbent(self) -> pd.DataFrame:
        """The best score after every trial: columns trial, score, seconds."""
        return tables.incumbent_table(self._trials, self._sign)

    def top(self, count: int = 5) -> pd.DataFrame:
        """Return the rows of `trials` with the best scores, in the order of `best`.

        Args:
            count: Number of rows at most.

        Raises:
            ValueError: if `count` is not an integer of at least 1.
        """
        if isinstance(count, bool) or not isinstance(count, int) or count < 1:
            raise ValueError(f"count={count!r} must be an integer of at least 1")
        ranked = tables.ranked_trials(self._trials, self._sign, self._tie_break)[:count]
        rows = {trial.trial: row for row, trial in enumerate(self._trials)}
        return self.trials.iloc[[rows[trial.trial] for trial in ranked]]

    @property
    def metrics(self) -> pd.DataFrame:
        """One row a round: round, trials told so far, seconds, and the algorithm's own metrics."""
        import pandas as pd

        return pd.DataFrame(self._metrics)

    @property
    def latest_metrics(self) -> dict[str, float]:
        """The latest row of `metrics`; empty before the first round."""
        return dict(self._metrics[-1]) if self._metrics else {}

    @property
    def best(self) -> Best:
        """The trial with the best score so far. Of equal scores, that of the lower validation loss, then the earlier.

        Raises:
            ValueError: if no trial has a score.
        """
        found = tables.best_trial(self._trials, self._sign, self._tie_break)
        if found is None:
            state = f"all {len(self._trials)} trials failed" if self._trials else "no trial has been told"
            raise ValueError(f"study has no best trial: {state}")
        return Best(found.trial, found.config, found.score)

    def _tie_break(self, trial: Trial) -> float:
        """Return what parts equal scores, the lower the better; trials of a function have nothing."""
        return tables.no_tie_break(trial)
