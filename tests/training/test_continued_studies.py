"""Studies whose algorithms continue trials: what they run, keep and compile."""

import functools

import jax.numpy as jnp
import numpy as np
import pytest

import jaxhpo as jh
from jaxhpo.algorithms import random_search, tabular_q
from jaxhpo.compilation import CompilationCounter
from jaxhpo.study import Study
from jaxhpo.training import Machine, Trainer

STUDIED = jh.Space(
    {
        "learning_rate": jh.Choice((0.003, 0.01)),
        "batch_size": jh.Choice((16, 32)),
        "layers": jh.Int(1, 2),
        "units": jh.Choice((4, 8)),
    }
)


def check(study):
    """Check that every continued trial has its source's configuration and curve, and ran what was missing."""
    trials = {t.trial: t for t in study.finished}
    continued = [t for t in trials.values() if t.source >= 0]
    assert continued
    for t in trials.values():
        before = trials[t.source].budget if t.source >= 0 else 0
        assert int(t.aux["epochs"]) == t.budget - before
        assert t.score == t.aux["curve"][t.budget - 1]
        assert np.isfinite(t.aux["curve"]).tolist() == [epoch < t.budget for epoch in range(4)]
        if before:
            assert t.config == trials[t.source].config
            np.testing.assert_array_equal(t.aux["curve"][:before], trials[t.source].aux["curve"][:before])
    return continued


@pytest.mark.slow
def test_a_study_continues_trials(small_digits):
    trainer = Trainer(
        small_digits, "mlp", STUDIED, epochs=4, lanes=4, machine=Machine(engine="threads"), continues=True
    )
    algorithm = tabular_q(STUDIED, lanes=4, budget=4, rungs=(1, 2, 4))
    study = Study(STUDIED, algorithm, trainer.objective).run(48)
    check(study)
    assert len(study.objective_state.kept) <= 4
    ran = sum(int(t.aux["epochs"]) for t in study.finished)
    assert ran < sum(t.budget for t in study.finished)
    assert 0 <= trainer.score_test(study.objective_state) <= 1


@pytest.mark.slow
def test_tune_continues_where_the_algorithm_does(small_digits):
    algorithm = functools.partial(tabular_q, rungs=(1, 2, 4))
    common = {
        "model": "mlp",
        "space": STUDIED,
        "epochs": 4,
        "lanes": 4,
        "machine": Machine(engine="threads"),
        "verbose": False,
    }
    study = jh.tune(small_digits, algorithm=algorithm, trials=40, final_fit=1, **common)
    check(study)
    assert study.best.test_score is not None
    assert study.best_model().predict(small_digits.x_test[:3]).shape[0] == 3


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["threads", "vmap"])
def test_a_study_that_continues_compiles_no_more_programs(engine, small_digits):
    compiled = []
    for continues in (False, True):
        trainer = Trainer(
            small_digits, "mlp", STUDIED, epochs=4, lanes=4, machine=Machine(engine=engine), continues=continues
        )
        algorithm = random_search(STUDIED, lanes=4, budget=4)
        rungs = tabular_q(STUDIED, lanes=4, budget=4, rungs=(1, 4))
        study = Study(STUDIED, rungs if continues else algorithm, trainer.objective)
        study.run(4)
        counter = CompilationCounter()
        study.run(24)
        compiled.append((len(trainer.executor._programs), counter.requests))
    assert compiled[0][0] == compiled[1][0] == len(trainer.plan.buckets)
    assert compiled[1][1] == compiled[0][1] == 0


def product(key, hparams, budget):
    return hparams["x"] * budget.astype(jnp.float32)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.* no effect. no computation:RuntimeWarning")
def test_functions_of_a_budget_train_again_from_the_start():
    space = jh.Space({"x": jh.Float(0.0, 1.0, levels=3), "y": jh.Choice((1, 2))})
    algorithm = functools.partial(tabular_q, rungs=(1, 3))
    budgets = []

    def score(config, budget):
        budgets.append(budget)
        return config["x"] * budget

    study = jh.tune(
        jh.function(score, workers=0), space=space, algorithm=algorithm, trials=40, lanes=4, epochs=3, verbose=False
    )
    assert [t.budget for t in study.finished] == budgets
    assert (study.trials.source >= 0).any()
    assert (study.trials.trained_from == 0).all()
    for traced in (jh.traceable(product), jh.traceable(product, static=("y",))):
        study = jh.tune(traced, space=space, algorithm=algorithm, trials=40, lanes=4, epochs=3, verbose=False)
        assert all(t.score == np.float32(t.config["x"]) * t.budget for t in study.finished)
        assert (study.trials.source >= 0).any()
    for without in (jh.function(lambda config: 0.0, workers=0), jh.traceable(lambda key, h: h["x"])):
        assert without.objective(space).retain is None
        with pytest.raises(ValueError, match="takes no budget; let it take one, `budget`, or use an algorithm"):
            jh.tune(without, space=space, algorithm=algorithm, trials=8, lanes=4, epochs=3, verbose=False)
