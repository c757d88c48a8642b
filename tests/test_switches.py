"""The user's switches of JAX: each reaches jaxhpo's programs with right results, or is refused before anything runs."""

import json
import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxhpo as jh

SPACE = jh.Space({"x": jh.Float(0.0, 1.0)})
OPTIONS = {"trials": 4, "lanes": 4, "algorithm": "random_search", "cache": False, "verbose": False}

REFUSED = {
    "jax_debug_nans": (lambda: jax.debug_nans(True), "a failed trial is NaN in jaxhpo's programs"),
    "jax_debug_infs": (lambda: jax.debug_infs(True), "jaxhpo's programs compute with infinities"),
    "jax_disable_jit": (jax.disable_jit, "jaxhpo's trials run in compiled programs"),
}


def never(*arguments, **keywords):
    raise AssertionError(f"called with {arguments} {keywords}")


def on_data():
    return jh.tune((np.zeros((40, 2), np.float32), np.arange(40) % 2), **OPTIONS)


def on_a_traceable():
    return jh.tune(jh.traceable(never), space=SPACE, **OPTIONS)


def on_a_function():
    return jh.tune(jh.function(never, workers=0), space=SPACE, **OPTIONS)


def on_an_algorithm_alone():
    return jh.algorithms.gp(SPACE, lanes=2)


@pytest.mark.parametrize("switch", REFUSED)
@pytest.mark.parametrize("run", [on_data, on_a_traceable, on_a_function, on_an_algorithm_alone])
def test_what_cannot_work_is_refused_before_anything_runs(run, switch):
    turned_on, why = REFUSED[switch]
    with turned_on(), pytest.raises(ValueError) as error:
        run()
    assert str(error.value) == f"{switch} is on, and {why}; turn it off with jax.config.update('{switch}', False)"


@pytest.mark.parametrize("switch", REFUSED)
def test_a_switch_that_is_turned_on_later_is_refused_too(switch):
    algorithm = jh.algorithms.random_search(SPACE, lanes=2)
    objective = jh.traceable(lambda key, hparams: hparams["x"]).objective(SPACE)
    study = jh.Study(SPACE, algorithm, objective)
    with REFUSED[switch][0]():
        for call in (
            study.ask,
            lambda: study.run(2),
            lambda: jh.Study(SPACE, algorithm),
            lambda: jh.run_traced(algorithm, objective, rounds=1),
        ):
            with pytest.raises(ValueError, match=f"^{switch} is on, and "):
                call()
    assert len(study.run(2).finished) == 2


# Results: of trainings, of a traced function and its NaN, of a Python function, and of studies without `tune`.
SCRIPT = """
import json
import jax, jax.numpy as jnp, numpy as np
import jaxhpo as jh

space = jh.Space({"x": jh.Float(0.0, 1.0), "n": jh.Int(1, 3)})
options = {"trials": 4, "lanes": 4, "algorithm": "random_search", "verbose": False}
x = np.random.default_rng(0).random((120, 4)).astype(np.float32)
net = jh.Space({"learning_rate": jh.Float(1e-3, 1e-1, log=True), "dropout": jh.Float(0.0, 0.5)})
trained = jh.tune((x, (x[:, 0] > 0.5).astype(int)), space=net, model="mlp", epochs=2, **options)

def train(key, h):
    return jnp.log(h["x"] - 0.2) + jax.random.uniform(key, (), jnp.float32)

traced = jh.tune(jh.traceable(train), space=space, **options)
called = jh.tune(jh.function(lambda config: config["x"] + config["n"], workers=0), space=space, **options)
told = jh.Study(space, jh.algorithms.sobol(space, lanes=4))
told.tell([trial.config["x"] for trial in told.ask()])
algorithm, objective = jh.algorithms.random_search(space, lanes=2), jh.traceable(train).objective(space)
record = jh.run_traced(algorithm, objective, rounds=2, seeds=1)
scores = {name: study.trials["score"].tolist() for name, study in
          {"trained": trained, "traced": traced, "called": called, "told": told}.items()}
scores["test"] = [trained.best.test_score]
scores["predicted"] = trained.best_model().predict(x[:5]).tolist()
scores["scanned"] = np.asarray(record.outcome.score).ravel().tolist()
print(json.dumps(scores))
"""


@pytest.fixture(scope="module")
def results(as_quickly):
    """Return a function that runs the script in a process of its own, with switches set before JAX is imported."""

    def run(**switches):
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT], capture_output=True, text=True, env=os.environ | as_quickly | switches
        )
        assert done.returncode == 0, done.stderr[-2000:]
        return json.loads(done.stdout)

    return run


@pytest.fixture(scope="module")
def plain(results):
    found = results()
    assert len(set(found["trained"])) > 1
    assert 0 < np.isnan(found["traced"]).sum() < len(found["traced"])
    return found


@pytest.mark.slow
@pytest.mark.parametrize(
    "switches",
    [  # several in a process, as each costs one
        {"JAX_DEFAULT_PRNG_IMPL": "rbg", "JAX_ENABLE_X64": "1", "JAX_LOG_COMPILES": "1"},
        {
            "JAX_DEFAULT_PRNG_IMPL": "unsafe_rbg",
            "JAX_NUMPY_DTYPE_PROMOTION": "strict",
            "JAX_NUMPY_RANK_PROMOTION": "raise",
            "JAX_DEFAULT_MATMUL_PRECISION": "highest",  # what a CPU does anyway
        },
        {"JAX_CHECK_TRACER_LEAKS": "1"},
    ],
    ids=" ".join,
)
def test_these_change_nothing(results, plain, switches):
    found = results(**switches)
    assert found.keys() == plain.keys()
    for what, scores in plain.items():
        np.testing.assert_allclose(found[what], scores, rtol=1e-5, err_msg=what)


@pytest.mark.slow
def test_another_order_of_random_bits_gives_other_numbers_and_right_results(results, plain):
    found = results(JAX_THREEFRY_PARTITIONABLE="0")
    assert found["called"] != plain["called"]
    assert all(1 <= score <= 4 for score in found["called"])  # x + n
    assert all(0 <= score <= 1 for score in found["trained"] + found["told"] + found["test"])
    assert len(set(found["called"])) == 4


def test_the_users_random_numbers_may_be_of_another_kind():
    def train(key, hparams):
        return hparams["x"] + jax.random.uniform(key, (), jnp.float32)

    scores = []
    for kind in ("threefry2x32", "rbg"):
        with jax.default_prng_impl(kind):
            scores.append(jh.tune(jh.traceable(train), space=SPACE, **OPTIONS).trials["score"].tolist())
    assert scores[0] == scores[1]
