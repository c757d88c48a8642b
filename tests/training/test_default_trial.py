"""The default configuration as a trial of a study of trainings."""

import json
import math

import pytest

import jaxhpo as jh
from jaxhpo.study.trials import BEFORE
from jaxhpo.training import Trainer
from jaxhpo.tuning import TrainingStudy
from jaxhpo.types import FRESH, LaneResult

SPACE = jh.Space(
    {
        "learning_rate": jh.Float(1e-3, 1e-1, log=True, levels=5, default=2e-3),
        "units": jh.Choice((4, 8), default=8),
        "layers": jh.Int(1, 1),
    }
)
DEFAULT = {"learning_rate": 2e-3, "units": 8, "layers": 1}
OTHER = {"learning_rate": 1e-2, "units": 4, "layers": 1}
EPOCHS, LANES = 3, 4


@pytest.fixture(scope="module")
def trainer(small_digits):
    return Trainer(small_digits, "mlp", SPACE, epochs=EPOCHS, lanes=LANES, continues=True)


def study_of(trainer, name="random_search", lanes=LANES, budget=EPOCHS, **options):
    return TrainingStudy(trainer, jh.algorithms.make(name, SPACE, lanes=lanes, budget=budget), **options)


def told(study, rounds):
    """Tell made-up scores; return the trials of each round."""
    return [study.tell([0.1 * i for i in range(len(study.ask()))]) for _ in range(rounds)]


@pytest.mark.slow
def test_it_is_in_the_last_lane_of_the_first_round(trainer):
    seen = []
    study = study_of(trainer, "asha", on_trial=lambda trial: seen.append((trial.trial, trial.config)))
    assert study.default is None
    study.run(2 * LANES)
    default = study.finished[LANES - 1]
    assert study.default == default.trial == default.lane == LANES - 1
    assert (default.config, default.budget, default.source, default.round) == (DEFAULT, EPOCHS, FRESH, 0)
    assert default.aux["epochs"] == EPOCHS
    assert 0 < default.score <= 1
    assert [trial.trial for trial in study.finished] == list(range(2 * LANES))
    assert [trial.budget for trial in study.finished[: LANES - 1]] == [1] * (LANES - 1)
    assert sorted(seen) == [(trial.trial, trial.config) for trial in study.finished]
    assert [trial.config for trial in study.finished].count(DEFAULT) == 1


def test_ask_and_tell_have_it_too(trainer):
    study = study_of(trainer)
    asked = study.ask()
    assert [suggestion.trial for suggestion in asked] == [0, 1, 2, 3]
    assert (asked[-1].config, asked[-1].budget, asked[-1].source) == (DEFAULT, EPOCHS, FRESH)
    assert study.ask() == asked
    study.tell([0.1, 0.2, 0.3, 0.9])
    assert study.default == 3
    assert study.best.trial == 3
    assert all(suggestion.config != DEFAULT for suggestion in study.ask())
    assert [trial.trial for trials in told(study, 2) for trial in trials] == list(range(4, 12))


@pytest.mark.slow
def test_the_algorithm_never_sees_it(trainer):
    seen = []
    plain = jh.algorithms.random_search(SPACE, lanes=LANES, budget=EPOCHS)

    def tell(key, state, proposal, outcome):
        seen.append((proposal, outcome))
        return state, {}

    study = TrainingStudy(trainer, plain._replace(tell=tell))
    without = jh.Study(SPACE, plain, direction="maximize")
    study._host._call = lambda name, size, function, *args: function(*args)  # traced by nothing, so that values show
    told(study, 1)
    proposal, outcome = seen[0]
    assert proposal.active.tolist() == [True, True, True, False]
    assert proposal.trial.tolist() == [0, 1, 2, FRESH]
    own = [without.space.to_config(point) for point in proposal.point]
    assert own == [suggestion.config for suggestion in without.ask()]
    assert outcome.score.tolist()[:3] == pytest.approx([0.0, 0.1, 0.2])
    assert math.isnan(outcome.score[3])
    assert math.isnan(outcome.standard_error[3])


@pytest.mark.parametrize("limit", [1, 3])
def test_it_takes_the_last_lane_within_a_limit(trainer, limit):
    study = study_of(trainer)
    steps = study._steps()
    keys, carry = study._start()
    proposal = steps.propose(keys, carry.algorithm, carry.clock, limit)
    assert proposal.active.tolist() == [lane < limit for lane in range(LANES)]
    assert SPACE.to_config(proposal.point[limit - 1]) == DEFAULT
    assert proposal.trial.tolist() == [lane if lane < limit else FRESH for lane in range(LANES)]


def test_with_one_lane_it_is_the_first_trial(trainer):
    study = study_of(trainer, lanes=1)
    first, second, third = (trials[0] for trials in told(study, 3))
    assert first.config == DEFAULT
    assert study.default == 0
    assert (first.trial, second.trial, third.trial) == (0, 1, 2)


def test_what_was_enqueued_comes_first(trainer):
    study = study_of(trainer)
    study.enqueue(OTHER)
    study.enqueue(OTHER, budget=2)
    first, second = told(study, 2)
    assert [(trial.config, trial.budget) for trial in first] == [(OTHER, EPOCHS), (OTHER, 2)]
    assert [trial.trial for trial in second] == [2, 3, 4, 5]
    assert second[-1].config == DEFAULT
    assert study.default == 5


def test_an_interruption_gives_it_back(trainer, monkeypatch):
    study = study_of(trainer)
    with monkeypatch.context() as patch:
        patch.setattr("jaxhpo.study.study.round_step", interrupted)
        with pytest.raises(KeyboardInterrupt):
            study.run(LANES)
    assert study.default is None
    assert study.finished == []
    (first,) = told(study, 1)
    assert first[-1].config == DEFAULT
    assert study.default == LANES - 1


def interrupted(steps, keys, carry, limit):
    assert steps.propose(keys, carry.algorithm, carry.clock, limit).active.all()
    raise KeyboardInterrupt


@pytest.mark.slow
def test_known_results_are_those_of_the_same_trials(trainer):
    study = study_of(trainer, seed=3).run(LANES)
    known = {trial.trial: LaneResult(trial.score, trial.aux) for trial in study.finished}
    again = study_of(trainer, seed=3, known=known).run(LANES)
    assert [row_of(trial) for trial in again.finished] == [row_of(trial) for trial in study.finished]
    assert again.default == study.default == LANES - 1


def row_of(trial):
    return {name: getattr(trial, name) for name in BEFORE} | {"config": trial.config, "score": trial.score}


@pytest.mark.slow
def test_no_program_is_compiled_for_it(trainer):
    with_default, without = study_of(trainer), study_of(trainer)
    without._queue._default = None
    for study in (with_default, without):
        study.run(2 * LANES)
    assert with_default.default == LANES - 1
    assert without.default is None
    assert with_default._host._programs.keys() == without._host._programs.keys()
    assert len(with_default._host._programs) == with_default.planned_programs(2 * LANES)
    assert with_default.planned_programs(2 * LANES) == without.planned_programs(2 * LANES)


WITHOUT = {
    "none": jh.Space(dict(SPACE) | {"units": jh.Choice((4, 8))}),
    "forbidden": jh.Space(SPACE, ["units < 8 or learning_rate > 0.01"]),
}


@pytest.mark.slow_but_for("none")
@pytest.mark.parametrize("space", WITHOUT.values(), ids=WITHOUT)
def test_a_space_without_one_has_no_such_trial(space, small_digits):
    trainer = Trainer(small_digits, "mlp", space, epochs=EPOCHS, lanes=LANES)
    study = TrainingStudy(trainer, jh.algorithms.random_search(space, lanes=LANES, budget=EPOCHS))
    (first,) = told(study, 1)
    plain = jh.Study(space, jh.algorithms.random_search(space, lanes=LANES, budget=EPOCHS))
    assert [trial.config for trial in first] == [suggestion.config for suggestion in plain.ask()]
    assert study.default is None


@pytest.mark.slow_but_for("False")
@pytest.mark.parametrize("warm", [False, True])
def test_a_grid_has_none(trainer, warm):
    grid = jh.algorithms.grid_search(SPACE, lanes=5, budget=EPOCHS)
    if warm:
        grid = jh.algorithms.warm_started(grid, SPACE, jh.Portfolio(SPACE, [OTHER]))
    study = TrainingStudy(trainer, grid)
    configs = [tuple(trial.config.values()) for trials in told(study, 2) for trial in trials]
    assert study.default is None
    assert tuple(DEFAULT.values()) not in configs
    assert len(set(configs)) == 10 or warm


def test_a_plain_study_has_none(trainer):
    algorithm = jh.algorithms.random_search(SPACE, lanes=LANES, budget=EPOCHS)
    study = jh.Study(trainer.space, algorithm, trainer.objective)
    assert all(suggestion.config != DEFAULT for suggestion in study.ask())
    assert not hasattr(study, "default")


@pytest.mark.slow
def test_tune_counts_it(small_digits, tmp_path):
    options = {"model": "mlp", "epochs": 2, "lanes": 2, "space": SPACE, "verbose": False, "cache": False}
    study = jh.tune(small_digits, trials=4, output=tmp_path / "out.jsonl", algorithm="hyperband", **options)
    assert len(study.finished) == 4
    assert study.default == 1
    assert study.finished[1].config == study.space.default()
    assert study.finished[1].budget == 2
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    (row,) = [row for row in rows if row.get("trial") == 1]
    assert row["config"] == study.space.default()
    assert jh.read_journal(tmp_path / "out.jsonl").space.default() == study.space.default()
    with_own = jh.tune(small_digits, trials=3, enqueue=[study.best.config], algorithm="random_search", **options)
    assert [trial.round for trial in with_own.finished] == [0, 1, 1]
    assert with_own.finished[0].config == study.best.config
    assert with_own.default == 2
