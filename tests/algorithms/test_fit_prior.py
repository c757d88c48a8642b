"""Learning a prior from past studies."""

import math
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxhpo import prior_fitting
from jaxhpo.algorithms import q_learning
from jaxhpo.prior_fitting import fit_prior
from jaxhpo.priors.learned_prior import Knowledge, outputs
from jaxhpo.space import Float, Int, Space
from tests.algorithms.priors import KINDS, UNNAMED, drawn, matern, points

SEARCHED = Space({"learning_rate": Float(1e-5, 1.0, log=True), "units": Int(8, 128, log=True), "x": Float(0.0, 1.0)})
STEPS = 60


def past(seed, direction="maximize", space=SEARCHED, trials=48):
    """Return a study in which learning rates near 1e-2 were best."""
    point = points(trials, seed, space)
    sign = -1.0 if direction == "minimize" else 1.0
    score = sign * -10 * (point[:, 0] - 0.6) ** 2
    finished = [SimpleNamespace(point=row, score=float(value)) for row, value in zip(point, score, strict=True)]
    return SimpleNamespace(space=space, direction=direction, finished=finished)


def fitted(seed=0, direction="maximize"):
    # optax promotes dtypes.
    with jax.numpy_dtype_promotion("standard"):
        return fit_prior([past(i, direction) for i in range(3)], steps=STEPS, seed=seed)


@pytest.fixture(scope="module")
def learned():
    return fitted()


OTHER = Space({"neurons": Int(4, 64, log=True), "lr": Float(1e-4, 10.0, log=True)})


@pytest.mark.slow
@pytest.mark.parametrize(("space", "name"), [(SEARCHED, "learning_rate"), (OTHER, "lr")])
def test_it_learns_what_past_studies_have_in_common(learned, space, name):
    rates = np.geomspace(1e-4, 1.0, 41)
    known = dict.fromkeys(space, 0.5)
    unit = np.array([[space[n].to_unit(rate) if n == name else half for n, half in known.items()] for rate in rates])
    mean = np.asarray(Knowledge(space, learned)(space.canonical(jnp.asarray(unit, jnp.float32)))[0])
    assert 3e-3 < rates[mean.argmax()] < 3e-2
    assert mean.max() > mean[0] + 0.3
    assert mean.max() > mean[-1] + 0.3


@pytest.mark.slow
def test_learning_is_the_same_twice_and_where_lower_is_better(learned):
    assert fitted(direction="minimize").to_bytes() == learned.to_bytes()


@pytest.mark.slow
def test_another_seed_learns_another(learned):
    assert fitted(seed=1).to_bytes() != learned.to_bytes()


@pytest.mark.slow
def test_the_agent_begins_where_it_is_best(learned):
    method = q_learning(OTHER, lanes=1, prior=learned, candidates=8, gamma=0.0, eps_max=0.0)
    first = method.ask(jax.random.key(1), method.init(jax.random.key(0)))
    assert 2e-3 < OTHER.to_config(first.point[0])["lr"] < 5e-2


def test_failed_trials_teach_nothing():
    study = past(0)
    same = past(0)
    for trial in study.finished[:10]:
        trial.score = math.nan
    same.finished = same.finished[10:]
    one, other = prior_fitting._lesson(study), prior_fitting._lesson(same)
    jax.tree.map(np.testing.assert_array_equal, one, other)
    assert one.features.shape == (38, len(KINDS))
    assert one.reward.mean() == pytest.approx(0, abs=1e-5)
    assert one.reward.std() == pytest.approx(1, abs=1e-5)


@pytest.mark.slow
def test_studies_of_few_trials_and_of_unknown_names_are_left_out():
    assert prior_fitting._lesson(past(0, trials=24)) is not None
    assert prior_fitting._lesson(past(0, trials=23)) is None
    assert prior_fitting._lesson(past(0, space=UNNAMED)) is None
    failed = past(0, trials=24)
    failed.finished[3].score = math.nan
    assert prior_fitting._lesson(failed) is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([],), "studies hold none of at least 24 finished trials"),
        (([past(0, trials=10), past(0, space=UNNAMED)],), "known are learning_rate, batch_size"),
        (([past(0)], 0), "steps=0 must be an integer of at least 1"),
        (([past(0)], 1, -1), "seed=-1 must be an integer of at least 0"),
    ],
)
def test_arguments_are_checked(arguments, message):
    with pytest.raises(ValueError) as error:
        fit_prior(arguments[0], **dict(zip(("steps", "seed"), arguments[1:], strict=False)))
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.slow
def test_how_unlikely_rewards_are_by_hand():
    prior, rng = drawn(), np.random.default_rng(2)
    z, y = rng.normal(size=(20, len(KINDS))).astype(np.float32), rng.normal(size=20).astype(np.float32)
    there = np.arange(20) < 14
    weights = prior_fitting._Weights(prior.learned, jnp.float32(-2), jnp.float32(-1), jnp.float32(-0.5))
    found, slopes = jax.jit(jax.value_and_grad(prior_fitting._surprise))(weights, z, y, there)
    z, y = z[:14].astype(float), y[:14].astype(float)
    out = np.asarray(outputs(prior.learned.network, jnp.asarray(z, jnp.float32)), float)
    m, phi = out[:, 0], out[:, 1:]
    theta = np.append(prior.learned.relevance, [prior.learned.signal, -2.0])
    cov = matern(theta, [True] * len(KINDS), z, z) + phi @ phi.T + np.exp(-1.0) + np.exp(-0.5) * np.outer(m, m)
    cov += (np.exp(-2.0) + 1e-4) * np.eye(14)
    wanted = 0.5 * ((y - m) @ np.linalg.solve(cov, y - m) + np.linalg.slogdet(cov)[1]) / 14
    assert float(found) == pytest.approx(wanted, rel=1e-3)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(slopes))
