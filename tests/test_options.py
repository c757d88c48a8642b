"""The options of `tune`: written once, documented once, and read by the command line; names of the last release."""

import functools
import inspect
import json

import pytest

import jaxhpo as jh
from jaxhpo import cli
from jaxhpo.cli.options import documented
from jaxhpo.study import Study
from jaxhpo.tuning import DEFAULTS, Options, TrainingStudy
from jaxhpo.tuning.algorithm_choice import choose

SPACE = jh.Space({"x": jh.Float(0.0, 1.0, levels=5), "y": jh.Choice((1, 2))})
QUICK = {"trials": 4, "lanes": 2, "space": SPACE, "verbose": False, "cache": False}


def score(config):
    return config["x"]


FUNCTION = jh.function(score, workers=0)


# --- one place --------------------------------------------------------------------------------------------------------


def test_tune_documents_every_option_and_no_other():
    signature = inspect.signature(jh.tune)
    assert list(signature.parameters) == ["data", *DEFAULTS]
    assert {name: signature.parameters[name].default for name in DEFAULTS} == DEFAULTS
    assert set(documented(jh.tune)) == {"data", *DEFAULTS}
    assert set(documented(jh.Machine)) == {"engine", "devices", "memory", "horizon"}


def test_tune_and_the_command_grow_by_decision_only():
    assert len(inspect.signature(jh.tune).parameters) <= 36  # see the CHANGELOG before you raise it
    commands = [*cli.app.registered_commands, *cli.app.registered_groups]
    assert len(commands) <= 12


def test_help_of_the_command_is_that_of_tune():
    parameters = inspect.signature(cli.app.registered_commands[0].callback).parameters
    trials = parameters["trials"].annotation.__metadata__[0]
    assert trials.help.startswith("How many configurations to train; unless given 32")
    assert "Python" not in "".join(p.annotation.__metadata__[0].help for p in parameters.values())


def test_an_unknown_option_is_refused_as_python_does():
    with pytest.raises(
        TypeError, match=r"tune\(\) got an unexpected keyword argument 'trails'; did you mean 'trials'\?"
    ):
        jh.tune(FUNCTION, trails=4)  # pyright: ignore[reportCallIssue]


def test_what_tune_returns_depends_on_what_it_tunes():
    kinds = [inspect.signature(overload).return_annotation for overload in typing_overloads()]
    assert kinds == [Study, TrainingStudy]


def typing_overloads():
    from typing import get_overloads

    from jaxhpo.tuning import api

    return get_overloads(api.tune)


# --- names of the last release ----------------------------------------------------------------------------------------


def test_prior_is_portfolio_now():
    with pytest.warns(DeprecationWarning, match="jaxhpo.Prior will go; use jaxhpo.Portfolio"):
        assert jh.Prior is jh.Portfolio
    assert "Prior" not in jh.__all__
    with pytest.raises(AttributeError, match="module 'jaxhpo' has no attribute 'Pryor'"):
        _ = jh.Pryor


@pytest.mark.parametrize(("name", "value"), [("engine", "vmap"), ("devices", 1), ("memory", 2.0), ("horizon", "long")])
def test_what_describes_the_machine_was_an_option_each(name, value):
    with pytest.warns(
        DeprecationWarning, match=rf"{name} of tune will go; use machine=jaxhpo.Machine\({name}={value!r}"
    ):
        assert Options(**{name: value}).machine == jh.Machine(**{name: value})
    with pytest.raises(ValueError, match=f"{name} is given beside machine="):
        Options(machine=jh.Machine(), **{name: value})


def test_a_portfolio_was_a_prior():
    portfolio = jh.Portfolio(SPACE, [{"x": 0.25, "y": 2}])
    with pytest.warns(DeprecationWarning, match="tune takes a Portfolio as enqueue=; as prior= it will go"):
        old = jh.tune(FUNCTION, prior=portfolio, algorithm="random_search", **QUICK)
    new = jh.tune(FUNCTION, enqueue=portfolio, algorithm="random_search", **QUICK)
    assert old.finished[0].config == {"x": 0.25, "y": 2}
    assert [t.config for t in old.finished] == [t.config for t in new.finished]
    assert old.summary["prior"] == new.summary["prior"] == portfolio.configs


def test_trainers_took_the_same_arguments():
    digits = jh.data.load("digits", train_examples=64)
    with pytest.warns(
        DeprecationWarning, match=r"engine of Trainer will go; use machine=jaxhpo.Machine\(engine='vmap'\)"
    ):
        trainer = jh.Trainer(digits, "mlp", epochs=1, lanes=2, engine="vmap")
    assert trainer.plan.engine == "vmap"
    with pytest.raises(TypeError, match="Trainer got an unexpected keyword argument 'lane'"):
        jh.Trainer(digits, lane=2)
    with pytest.raises(ValueError, match=r"machine='gpu' must be a jaxhpo.Machine, such as Machine\(engine='vmap'\)"):
        jh.Trainer(digits, machine="gpu")


# --- the algorithm and its prior --------------------------------------------------------------------------------------


def chosen(algorithm, **options):
    return choose(Options(algorithm=algorithm, **options), SPACE, lanes=2, budget=1)


@pytest.mark.parametrize(
    ("given", "lanes", "population"),
    [
        ({}, 2, 8),
        ({}, 3, 9),
        ({"trials": 16}, 2, 8),
        ({"trials": 15}, 2, None),
        ({"lanes": 2}, 2, None),
        ({}, 8, None),
    ],
)
def test_a_population_is_no_smaller_because_rounds_are(given, lanes, population):
    chosen = choose(Options(algorithm="pbt", **given), SPACE, lanes=lanes, budget=10)
    assert chosen.options == ({} if population is None else {"population": population})


def test_the_journal_names_the_algorithm_with_its_options(tmp_path):
    path = tmp_path / "study.jsonl"
    algorithm = functools.partial(functools.partial(jh.algorithms.tpe, startup=3), candidates=8)
    jh.tune(FUNCTION, algorithm=algorithm, output=path, **QUICK)
    header = json.loads(path.read_text().splitlines()[0])["header"]
    assert (header["algorithm"], header["algorithm_options"]) == ("tpe", {"startup": 3, "candidates": 8})
    assert jh.read_journal(path).header["algorithm_options"] == {"startup": 3, "candidates": 8}


def test_options_are_plain_data_whatever_they_are():
    shipped = jh.LearnedPrior.shipped()
    found = chosen(functools.partial(jh.algorithms.q_learning, prior=shipped, gamma=0.5))
    assert found.options == {
        "prior": {"learned_prior": chosen("q_learning", prior=shipped).options["prior"]["learned_prior"]},
        "gamma": 0.5,
    }
    assert (found.name, chosen("q_learning").options) == ("q_learning", {})
    assert chosen("q_learning", prior=None).options == {"prior": None}

    class Custom:
        def __call__(self, space, *, lanes, budget):
            return jh.algorithms.random_search(space, lanes=lanes, budget=budget)

    assert chosen(Custom())[1:] == ("custom", {})


def test_a_prior_is_for_algorithms_that_begin_with_one():
    shipped = jh.LearnedPrior.shipped()
    assert chosen("random_search", prior=None).options == {}
    assert chosen(jh.algorithms.random_search, prior=None).options == {}
    for algorithm in ("random_search", jh.algorithms.random_search):
        with pytest.raises(
            ValueError, match="is for algorithms that begin with one, and random_search does not; leave"
        ):
            chosen(algorithm, prior=shipped)
    with pytest.raises(ValueError, match="prior=None is given beside an algorithm that has one"):
        chosen(functools.partial(jh.algorithms.q_learning, prior=shipped), prior=None)
    with pytest.raises(ValueError, match=r"prior='mine\.npz' must be 'shipped', a jaxhpo.LearnedPrior, or None"):
        Options(prior="mine.npz")


# --- studies ----------------------------------------------------------------------------------------------------------


def test_callbacks_reach_the_study_and_end_it():
    rounds = []
    options = QUICK | {"trials": 40}
    study = jh.tune(
        FUNCTION,
        algorithm="grid_search",
        callbacks=[lambda s, t: rounds.append(len(t)), jh.StopWhenReached(0.5)],
        **options,
    )
    assert len(rounds) == len(study.finished) // 2 < 5
    assert study.stop_reason.endswith("reached 0.5")
    with pytest.raises(ValueError, match="callbacks hold 1, which cannot be called"):
        jh.tune(FUNCTION, callbacks=[1], **QUICK)


def test_a_study_may_go_on_after_its_journal_was_closed(tmp_path):
    path = tmp_path / "study.jsonl"
    study = jh.tune(FUNCTION, output=path, algorithm="random_search", **QUICK)
    before = path.read_bytes()
    with pytest.warns(RuntimeWarning, match="was closed with its result; later trials are in memory only") as warned:
        study.run(6)
    assert len(warned) == 1
    assert len(study.finished) == 10
    assert path.read_bytes() == before


def test_another_look_at_the_test_examples_is_counted(tmp_path):
    small = {"train_examples": 64, "epochs": 1, "trials": 2, "lanes": 2, "verbose": False}
    study = jh.tune("digits", model="mlp", algorithm="random_search", **small)
    first = study.winner.trial
    while study.winner.trial == first:
        study.run(2)
    assert study.winner.test_score is None
    with pytest.warns(
        RuntimeWarning, match=f"this is look 2 at the test examples, which have scored trial {first} before"
    ):
        study.score_test()
    assert study.winner.test_score == study.score_test()


def test_a_study_of_trainings_needs_a_trainer():
    with pytest.raises(ValueError, match=r"trainer='mlp' must be a jaxhpo.Trainer"):
        TrainingStudy("mlp", jh.algorithms.random_search(SPACE, lanes=1))


def test_a_study_of_trainings_has_a_winner():
    study = jh.tune(
        "digits", model="mlp", train_examples=64, epochs=1, trials=2, lanes=2, algorithm="random_search", verbose=False
    )
    assert type(study) is TrainingStudy
    assert study.winner == study.best
    assert study.winner.test_score == study.score_test()
    assert study.best_model().predict(study.trainer.data.x_test[:3]).shape == (3,)
    study._carry = study._carry._replace(objective=study.objective_state._replace(best=None))
    with pytest.raises(
        ValueError, match=f"the weights of trial {study.winner.trial} are not here: its result came from"
    ):
        study.best_model()
