"""Traceable functions: known answers, lanes that do not see each other, few programs."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxhpo.algorithms import random_search
from jaxhpo.compilation import CompilationCounter, HostFunction
from jaxhpo.objectives import Traceable, traceable
from jaxhpo.objectives.static_groups import chunk_size
from jaxhpo.space import Choice, Float, Int, Space
from jaxhpo.study import Study, run_traced
from jaxhpo.types import FRESH, Proposal

SPACE = Space(
    {
        "rate": Float(1e-3, 1.0, log=True, levels=7),
        "units": Choice((2, 4, 8)),
        "steps": Int(1, 5),
        "tanh": Choice((True, False)),
    }
)
KEY = jax.random.key(7, impl="threefry2x32")

# The functions here are toys, of which hardly one uses the whole space; test_effects.py has this warning.
pytestmark = pytest.mark.filterwarnings("ignore:.* no effect. no computation:RuntimeWarning")


def proposal_of(configs, *, trials=None, budget=3, lanes=None):
    """Return a proposal of configurations, padded to `lanes`."""
    count, lanes = len(configs), lanes or len(configs)
    point = np.zeros((lanes, len(SPACE)), np.float32)
    for lane, config in enumerate(configs):
        point[lane] = SPACE.from_config(config)
    trial = np.full(lanes, FRESH, np.int32)
    trial[:count] = np.arange(count) if trials is None else trials
    return Proposal(
        point, np.full(lanes, budget, np.int32), np.full(lanes, FRESH, np.int32), np.arange(lanes) < count, trial
    )


def config(rate=0.1, units=4, steps=2, tanh=True):
    return {"rate": rate, "units": units, "steps": steps, "tanh": tanh}


def evaluate(objective, proposal, key=KEY):
    run = objective.evaluate if isinstance(objective.evaluate, HostFunction) else jax.jit(objective.evaluate)
    state, outcome = run(key, objective.init(key), proposal)
    assert state == ()
    return jax.tree.map(np.asarray, outcome)


def noisy(key, hparams):
    """A gradient descent from a random start: every hyperparameter and the key matter, and rounding is amplified."""
    w = jax.random.normal(key, (8, 8))

    def step(w, _):
        return w - hparams["rate"] * jnp.tanh(w @ w.T) @ w, jnp.sum(jnp.sin(w))

    w, curve = jax.lax.scan(step, w, None, length=5)
    return jnp.mean(w) + hparams["units"].astype(jnp.float32) + hparams["tanh"].astype(jnp.float32), {"curve": curve}


def narrow(key, hparams):
    """The same, whose width and activation are Python values."""
    w = jax.random.normal(key, (hparams["units"], 3))
    x = jnp.tanh(w * hparams["rate"]) if hparams["tanh"] else jnp.maximum(w, 0.0)
    return jnp.sum(jnp.sin(x @ x.T)), {"first": w[0]}


BOTH = pytest.mark.parametrize(
    "wrapped", [traceable(noisy), traceable(narrow, static=("units", "tanh"))], ids=["pure", "static"]
)


def test_numbers_and_bools_arrive_as_their_values():
    def train(key, hparams):
        assert jnp.issubdtype(key.dtype, jax.dtypes.prng_key)
        assert [v.dtype for v in hparams.values()] == [jnp.float32, jnp.int32, jnp.int32, jnp.bool_]
        assert list(hparams) == list(SPACE)
        return hparams["rate"], {name: hparams[name] for name in ("units", "steps", "tanh")}

    objective = traceable(train).objective(SPACE)
    assert not isinstance(objective.evaluate, HostFunction)
    outcome = evaluate(objective, proposal_of([config(), config(1.0, 8, 5, False)]))
    np.testing.assert_array_equal(outcome.score, np.float32([0.1, 1.0]))
    assert {name: value.tolist() for name, value in outcome.aux.items()} == {
        "units": [4, 8],
        "steps": [2, 5],
        "tanh": [True, False],
    }


@pytest.mark.parametrize(
    ("options", "dtype"),
    [((3, 1, 2), jnp.int32), ((3, 0.5), jnp.float32), ((True, False), jnp.bool_), ((False, True), jnp.bool_)],
)
def test_a_choice_of_numbers_or_bools_is_traced_as_its_options(options, dtype):
    space = Space({"x": Float(0.0, 1.0), "c": Choice(options)})

    def train(key, hparams):
        assert hparams["c"].dtype == dtype
        return jnp.where(hparams["c"] == options[0], 10.0, 20.0) + hparams["x"], {"c": hparams["c"]}

    objective = traceable(train).objective(space)
    assert not isinstance(objective.evaluate, HostFunction)
    study = Study(space, random_search(space, lanes=4), objective).run(8)
    assert {trial.config["c"] for trial in study.finished} == set(options)
    for trial in study.finished:
        assert trial.aux["c"] == np.asarray(trial.config["c"], dtype)
        assert trial.score == pytest.approx((10 if trial.config["c"] == options[0] else 20) + trial.config["x"])


@pytest.mark.parametrize("options", [("relu", "tanh"), (None, "l2"), (None, 1), (True, 1), (0, False), ("1", 1)])
def test_any_other_choice_arrives_as_a_python_value_without_being_named(options):
    space = Space({"x": Float(0.0, 1.0), "c": Choice(options), "n": Int(1, 3)})

    def train(key, hparams):
        here = [i for i, o in enumerate(options) if o == hparams["c"] and type(o) is type(hparams["c"])]
        return hparams["x"] + 10.0 * here[0] + 100.0 * hparams["n"]

    with jax.numpy_dtype_promotion("standard"):
        study = Study(space, random_search(space, lanes=4), traceable(train).objective(space))
        for option in options:
            study.enqueue({"x": 0.5, "c": option, "n": 2})
        study.run(2)
    assert study.trials["score"].tolist() == [200.5, 210.5]


def test_what_is_static_by_itself_and_inactive_has_its_first_option():
    space = Space(
        {"opt": Choice(("adam", "sgd")), "kind": Choice(("plain", "nesterov"), when={"opt": "sgd"}), "x": Int(0, 9)}
    )

    def train(key, hparams):
        return hparams["x"] + 10 * (hparams["kind"] == "nesterov") + 100 * (hparams["opt"] == "sgd")

    study = Study(space, random_search(space, lanes=4), traceable(train).objective(space))
    for config in ({"opt": "adam", "x": 3}, {"opt": "sgd", "kind": "nesterov", "x": 4}):
        study.enqueue(config)
    assert study.run(2).trials["score"].tolist() == [3, 114]


def test_many_combinations_have_to_be_named():
    words = {name: Choice(tuple("abc")) for name in ("first", "second", "third")}
    space = Space({"x": Float(0.0, 1.0), **words, "n": Int(1, 2)})
    few = Space({name: space[name] for name in ("x", "first", "second", "n")})

    def train(key, hparams):
        return hparams["x"] + sum(hparams[name] == "a" for name in words if name in hparams)

    message = (
        "space has 27 combinations of options that cannot be traced, of first, second, third, and a program is "
        "compiled for each; name them in static=('first', 'second', 'third') to have as many, or use fewer options"
    )
    with pytest.raises(ValueError) as caught:
        traceable(train).objective(space)
    assert str(caught.value) == message
    traceable(train).objective(few)  # 9
    with pytest.raises(ValueError, match=r"18 combinations .*, of first, second, .* static=\('n', 'first', 'second'\)"):
        traceable(train, static=("n",)).objective(few)
    for static in (("first", "second", "third"), ("n", "third", "second", "first")):
        assert isinstance(traceable(train, static=static).objective(space).evaluate, HostFunction)


def test_a_study_in_one_program_refuses_what_is_static_by_itself():
    space = Space({"c": Choice(("a", "b"))})
    objective = traceable(lambda key, hparams: jnp.float32(hparams["c"] == "a")).objective(space)
    with pytest.raises(ValueError, match=r"a Choice of words is one\) or of a Python function; use Study"):
        run_traced(random_search(space, lanes=2), objective, 2)


def test_static_values_are_python_values():
    seen = []

    def train(key, hparams):
        seen.append((hparams["units"], hparams["tanh"]))
        return jnp.float32(hparams["units"]) + hparams["rate"]

    outcome = evaluate(traceable(train, static=("units", "tanh")).objective(SPACE), proposal_of([config(1.0, 8)]))
    assert outcome.score.tolist() == [9.0]
    assert (8, True) in seen
    assert all(type(units) is int and type(tanh) is bool for units, tanh in seen)


@pytest.mark.parametrize("static", [(), ("units",)])
def test_the_budget_is_the_lanes_own(static):
    def train(key, hparams, budget):
        assert budget.dtype == jnp.int32
        return budget * hparams["steps"]

    objective = traceable(train, static=static).objective(SPACE)
    assert evaluate(objective, proposal_of([config(steps=2), config(steps=5)], budget=10)).score.tolist() == [20, 50]


@pytest.mark.parametrize("static", [(), ("units",)])
def test_a_trials_key_follows_from_the_objectives_and_the_trial(static):
    objective = traceable(lambda key, hparams: jax.random.uniform(key), static=static).objective(SPACE)
    outcome = evaluate(objective, proposal_of([config()] * 3, trials=[4, 9, 5]))
    own = [jax.random.fold_in(jax.random.fold_in(KEY, 0), trial) for trial in (4, 9, 5)]
    assert outcome.score.tolist() == [float(jax.random.uniform(key)) for key in own]
    assert len(set(outcome.score.tolist())) == 3


@pytest.mark.slow_but_for("pure")
@BOTH
def test_lanes_do_not_see_their_siblings(wrapped):
    objective = wrapped.objective(SPACE)
    mine = config(0.1, 4, 2, True)
    others = [config(1.0, 8, 1, False), config(0.001, 4, 3, True), mine, config(0.1, 2, 5, False), mine]
    first = evaluate(objective, proposal_of([mine, *others], trials=[11, 0, 1, 2, 3, 4]))
    second = evaluate(objective, proposal_of([*others[::-1], mine], trials=[20, 21, 22, 23, 24, 11]))
    alone = evaluate(objective, proposal_of([mine], trials=[11], lanes=6))
    for outcome, lane in ((second, 5), (alone, 0)):
        assert outcome.score[lane] == first.score[0]
        for name, value in outcome.aux.items():
            np.testing.assert_array_equal(value[lane], first.aux[name][0])
    assert first.score[0] != first.score[3]  # the same configuration under another trial's key


@pytest.mark.slow
@BOTH
def test_a_study_is_reproducible_and_complete(wrapped):
    def run(seed):
        study = Study(SPACE, random_search(SPACE, lanes=4), wrapped.objective(SPACE), seed=seed).run(10)
        return study.trials["score"].to_numpy()

    scores = run(0)
    assert len(scores) == 10
    assert np.isfinite(scores).all()
    np.testing.assert_array_equal(scores, run(0))
    assert (scores != run(1)).any()


def test_aux_reaches_the_trials():
    study = Study(SPACE, random_search(SPACE, lanes=2), traceable(noisy).objective(SPACE), seed=0).run(4)
    assert all(trial.aux["curve"].shape == (5,) for trial in study.finished)


@pytest.mark.parametrize("static", [(), ("act",)])
def test_a_score_that_is_not_finite_fails_its_lane_alone(static):
    def train(key, hparams):
        return jnp.where(hparams["steps"] == 3, jnp.inf, jnp.log(hparams["steps"] - 2.5))

    space = Space({"steps": Int(1, 5), "act": Choice(("a", "b"))})
    with jax.numpy_dtype_promotion("standard"):
        study = Study(space, random_search(space, lanes=4), traceable(train, static=static).objective(space), seed=0)
        study.run(24)
    for trial in study.finished:
        assert trial.failed == (trial.config["steps"] <= 3)


def test_static_values_that_fail_during_a_study_fail_alone():
    """Of a hundred values the door traces 16; the last trial's has another aux, the one before cannot be computed."""
    space = Space({"size": Int(1, 100)})

    def train(key, hparams):
        if hparams["size"] == 50:
            raise RuntimeError("broken at 50")
        return jnp.float32(hparams["size"]), {"ones": jnp.ones(3 if hparams["size"] == 51 else 2)}

    study = Study(space, random_search(space, lanes=4), traceable(train, static=("size",)).objective(space))
    for size in (3, 50, 51, 4):
        study.enqueue({"size": size})
    with pytest.warns(RuntimeWarning) as warned:
        study.run(4)
    assert study.trials["score"].fillna(0).tolist() == [3, 0, 0, 4]
    said = [str(w.message) for w in warned]
    raised = train.__code__.co_firstlineno + 2
    assert said[0] == f"trial 1 failed: RuntimeError: broken at 50 (test_traceable.py, line {raised})"
    assert said[1].startswith(
        "trial 2 failed: ValueError: train's aux 'ones' must not depend on static values; with size=51"
    )
    reasons = [trial.reason for trial in study.finished]
    assert [f"trial {trial} failed: {reasons[trial]}" for trial in (1, 2)] == said
    assert (reasons[0], reasons[3]) == (None, None)


def test_one_program_for_everything_without_static_names():
    objective = traceable(noisy).objective(SPACE)
    study = Study(SPACE, random_search(SPACE, lanes=4), objective, seed=0).run(4)
    counter = CompilationCounter()
    study.run(12)
    assert counter.requests == 0


@pytest.mark.slow
def test_one_program_for_each_combination_of_static_values():
    objective = traceable(narrow, static=("units", "tanh")).objective(SPACE)
    configs = [config(units=u, tanh=t) for u in (2, 4, 8) for t in (False, True)]
    rounds = [configs[:1] * 6, configs[:2] * 3, configs, [*configs[3:], *configs[3:]]]
    counter = CompilationCounter()
    for batch, total in zip(rounds, (1, 2, 6, 6), strict=True):
        before = evaluate(objective, proposal_of(batch, lanes=6))
        assert np.isfinite(before.score).all()
        assert counter.requests == total
    assert objective.evaluate.seconds > 0


@pytest.mark.parametrize(
    ("lanes", "combinations", "cpu"), [(8, 1, 8), (8, 2, 4), (8, 3, 2), (6, 1, 4), (8, 8, 1), (8, 100, 1), (1, 1, 1)]
)
def test_chunks_are_a_groups_average_size_on_a_cpu_and_whole_elsewhere(lanes, combinations, cpu):
    assert chunk_size(lanes, combinations, "cpu") == cpu
    assert chunk_size(lanes, combinations, "gpu") == lanes


def test_a_batch_of_padding_only_has_no_scores():
    objective = traceable(narrow, static=("units", "tanh")).objective(SPACE)
    outcome = evaluate(objective, proposal_of([], lanes=4))
    assert np.isnan(outcome.score).all()
    assert outcome.aux["first"].shape == (4, 3)


def test_nothing_is_compiled_at_the_door():
    counter = CompilationCounter()
    traceable(noisy).objective(SPACE)
    traceable(narrow, static=("units", "tanh")).objective(SPACE)
    assert counter.requests == 0


def test_the_pure_form_runs_inside_a_scan():
    objective = traceable(noisy).objective(SPACE)
    proposal = jax.tree.map(jnp.asarray, proposal_of([config(), config(1.0)]))

    @jax.jit
    def scores(key):
        return jax.lax.scan(lambda s, _: (s, objective.evaluate(key, (), proposal)[1].score), 0, None, length=2)[1]

    assert np.asarray(scores(KEY)).shape == (2, 2)


def test_other_parameters_with_defaults_and_partials_are_fine():
    def train(key, hparams, budget, scale=2.0):
        return budget * scale * hparams["rate"]

    with jax.numpy_dtype_promotion("standard"):
        for wrapped in (traceable(train), Traceable(functools.partial(train, budget=3))):
            outcome = evaluate(wrapped.objective(SPACE), proposal_of([config(1.0)], budget=3))
            assert outcome.score.tolist() == [6.0]
    assert evaluate(traceable(lambda *args: 1.0).objective(SPACE), proposal_of([config()])).score.tolist() == [1.0]
