"""The learned prior: the file, and what it says of a space against float64 sums."""

import io
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxhpo import Objective, Outcome, run_traced
from jaxhpo.algorithms import q_learning
from jaxhpo.algorithms.common.history import History
from jaxhpo.algorithms.gp import kernel
from jaxhpo.algorithms.gp.fit import prior_mode
from jaxhpo.algorithms.gp.warp import soften
from jaxhpo.algorithms.q_learning.reward_posterior import RewardPosterior
from jaxhpo.priors import LearnedPrior, hyperparameter_features
from jaxhpo.priors.learned_prior import Knowledge, outputs, read_prior
from jaxhpo.space import Choice, Float, Space
from tests.algorithms.priors import KINDS, NAMED, ORDERED, UNNAMED, drawn, matern, points


def same(one, other):
    jax.tree.map(np.testing.assert_array_equal, one.learned, other.learned)
    assert jax.tree.map(np.shape, one.learned) == jax.tree.map(np.shape, other.learned)


def test_a_prior_is_read_as_it_was_written(tmp_path):
    prior, path = drawn(), tmp_path / "prior.npz"
    prior.save(path)
    for read in (LearnedPrior.load(path), LearnedPrior.load(str(path)), read_prior(path), read_prior(str(path))):
        same(prior, read)
    assert path.read_bytes() == prior.to_bytes() == LearnedPrior.load(path).to_bytes()


def test_the_shipped_one_is_small_and_loads():
    prior = LearnedPrior.shipped()
    assert len(prior.to_bytes()) < 1_000_000
    assert read_prior("shipped") is prior
    assert repr(prior).startswith("LearnedPrior(learning_rate, batch_size")
    assert all(leaf.dtype == np.float32 for leaf in jax.tree.leaves(prior.learned))


def held():
    """Return what a file holds."""
    return dict(np.load(io.BytesIO(drawn().to_bytes())))


class Trap:
    """An object that leaves a file behind if it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return self.path.touch, ()


def refused(path):
    """Return why a path is refused; in one line that names it."""
    with pytest.raises(ValueError) as error:
        LearnedPrior.load(path)
    assert f"path={str(path)!r} " in str(error.value)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_objects_in_a_file_are_not_run(tmp_path):
    path, mark = tmp_path / "prior.npz", tmp_path / "mark"
    np.savez(path, **{**held(), "signal": np.array([Trap(mark)], object)})
    assert "holds no learned prior" in refused(path)
    assert not mark.exists()
    np.load(path, allow_pickle=True)["signal"]
    assert mark.exists()  # the trap works


def test_files_that_are_not_there(tmp_path):
    assert "cannot be read: No such file" in refused(tmp_path / "none.npz")
    assert "cannot be read: Is a directory" in refused(tmp_path)


@pytest.mark.parametrize("content", [b"", b"words", b"\x80\x04N.", b"PK\x03\x04"])
def test_files_that_are_no_archives(tmp_path, content):
    (tmp_path / "prior").write_bytes(content)
    assert "holds no learned prior" in refused(tmp_path / "prior")


def test_an_array_is_no_archive(tmp_path):
    np.save(tmp_path / "prior.npy", np.zeros(3))
    assert "holds no learned prior" in refused(tmp_path / "prior.npy")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": np.int32(2)}, "its format is 2, and this version reads 1"),
        ({"format": None}, "'format"),
        ({"relevance": None}, "'relevance"),
        ({"network_last": None}, "'network_last"),
        ({"relevance": np.zeros(3, np.float32)}, "learned has shapes"),
        ({"signal": np.zeros(1, np.float32)}, "learned has shapes"),
        ({"network_first": np.zeros((9, 5), np.float32)}, "learned has shapes"),
        ({"network_last": np.float32(0)}, "learned has shapes"),
        ({"network_last_bias": np.zeros(7, np.float32)}, "learned has shapes"),
        ({"network_first_bias": np.zeros((5, 1), np.float32)}, "learned has shapes"),
        ({"network_last": np.zeros((5, 0)), "network_last_bias": np.zeros(0)}, "learned has shapes"),
        ({"network_second": np.full((5, 5), "a")}, "could not convert"),
        ({"signal": np.float32(np.nan)}, "not finite"),
        ({"network_second": np.full((5, 5), np.inf)}, "not finite"),
    ],
)
def test_archives_that_hold_none(tmp_path, change, message):
    arrays = {name: array for name, array in {**held(), **change}.items() if array is not None}
    np.savez(tmp_path / "prior.npz", **arrays)
    assert message in refused(tmp_path / "prior.npz")


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_a_damaged_file_is_refused_or_read(save, tmp_path):
    path, rng = tmp_path / "prior.npz", np.random.default_rng(0)
    save(path, **held())
    whole = path.read_bytes()
    for _ in range(300):
        damaged = bytearray(whole)
        damaged[rng.integers(len(whole))] = rng.integers(256)
        path.write_bytes(damaged)
        try:
            LearnedPrior.load(path)
        except ValueError:
            refused(path)
    for length in range(0, len(whole), 211):
        path.write_bytes(whole[:length])
        refused(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"relevance": np.zeros(2)},
            "learned has shapes ((8, 5), (5,), (5, 5), (5,), (5, 4), (4,), (2,), ()); they must",
        ),
        ({"signal": np.zeros((1, 1))}, "learned has shapes"),
        ({"signal": -np.inf}, "learned holds numbers that are not finite"),
    ],
)
def test_arrays_are_checked(change, message):
    with pytest.raises(ValueError) as error:
        LearnedPrior(drawn().learned._replace(**change))
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("prior", "message"),
    [
        (3, "prior=3 must be 'shipped', a LearnedPrior, the path of one, or None"),
        (True, "prior=True must be"),
        ("nothing", "path='nothing' cannot be read"),
    ],
)
def test_priors_that_are_none(prior, message):
    with pytest.raises(ValueError) as error:
        q_learning(Space({"lr": Float(0.0, 1.0)}), lanes=1, prior=prior)
    assert message in str(error.value)


def test_a_prior_is_read_as_given():
    prior = drawn()
    assert read_prior(prior) is prior
    assert read_prior(None) is None


def plain(prior, point):
    """Return the mean and the features in float64: [N, D] of NAMED -> [N], [N, K]."""
    z = hyperparameter_features.features(hyperparameter_features.read(NAMED), NAMED, point, np).astype(float)
    first, first_bias, second, second_bias, last, last_bias = (leaf.astype(float) for leaf in prior.learned.network)
    out = np.tanh(np.tanh(z @ first + first_bias) @ second + second_bias) @ last + last_bias
    return out[:, 0], out[:, 1:]


@pytest.mark.parametrize(("space", "prior"), [(UNNAMED, "shipped"), (UNNAMED, None), (NAMED, None)])
def test_where_nothing_is_known_the_mean_is_0(space, prior):
    knowledge = Knowledge(space, read_prior(prior))
    assert not knowledge
    mean, columns = knowledge(jnp.asarray(points(7, space=space)))
    assert mean.tolist() == [0.0] * 7
    assert columns.shape == (7, 0)
    assert not knowledge.centre.any()
    assert knowledge.signal == 0
    model = RewardPosterior(space, knowledge, 1, 1)
    np.testing.assert_array_equal(model.start, prior_mode(len(space)))


def test_outputs_are_those_of_plain_numpy():
    prior, z = drawn(), np.random.default_rng(1).normal(size=(9, len(KINDS))).astype(np.float32)
    first, first_bias, second, second_bias, last, last_bias = prior.learned.network
    wanted = np.tanh(np.tanh(z @ first + first_bias) @ second + second_bias) @ last + last_bias
    np.testing.assert_allclose(outputs(prior.learned.network, jnp.asarray(z)), wanted, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("prior", [drawn(), LearnedPrior.shipped()])
def test_what_is_known_by_hand(prior):
    knowledge, point = Knowledge(NAMED, prior), points(20)
    assert knowledge
    mean, columns = (np.asarray(leaf, float) for leaf in jax.jit(knowledge)(jnp.asarray(point)))
    m, phi = plain(prior, point)
    np.testing.assert_allclose(mean, m, atol=2e-5)
    wanted = phi @ phi.T + 0.25 * np.outer(m, m) + 1.0  # w ~ N(0, 1), w_0 ~ N(1, 1/4), c ~ N(0, 1)
    np.testing.assert_allclose(columns @ columns.T, wanted, atol=1e-4)


def test_relevances_that_are_expected_by_hand():
    prior = drawn()
    knowledge = Knowledge(NAMED, prior)
    relevance = dict(zip(KINDS, prior.learned.relevance.tolist(), strict=True))
    widths = [3 / 1.2, None, 4 / 1.3 / 2, 4 / 1.3 / 2, 2.0]  # of the features over the cube
    for found, name, width in zip(
        knowledge.centre, ("learning_rate", None, "units", "units", "optimizer"), widths, strict=True
    ):
        assert found == pytest.approx(0.0 if width is None else relevance[name] + 2 * math.log(width), abs=5e-2)
    assert knowledge.signal == prior.learned.signal
    fixed = Knowledge(Space({"lr": Choice((0.1,))}), prior)
    np.testing.assert_allclose(fixed.centre, [relevance["learning_rate"] + 2 * math.log(0.1)], atol=1e-5)
    start = RewardPosterior(NAMED, knowledge, 1, 1).start
    np.testing.assert_allclose(start, np.append(knowledge.centre, [knowledge.signal, -6.0]), atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("budget", [1, 9])
def test_the_posterior_is_that_of_a_float64_process(budget):
    prior, told, at = drawn(), points(16), points(24, 1)
    spent = np.array([1, 3, 9, 1] * 4, np.int32) if budget > 1 else np.ones(16, np.int32)
    model = RewardPosterior(NAMED, Knowledge(NAMED, prior), budget, 1)
    theta = np.asarray(model.start, float) + np.append(np.linspace(-0.5, 0.5, len(model.order)), [0.2, 2.0])
    theta = theta.astype(np.float32)
    score = (np.sin(4 * told[:, 0]) + told[:, 1] - 0.3 * (spent < budget)).astype(np.float32)
    room = 64 - 16
    history = History(
        jnp.asarray(np.pad(told, ((0, room), (0, 0)))),
        jnp.asarray(np.pad(score, (0, room), constant_values=np.nan)),
        jnp.full(64, jnp.nan, jnp.float32),
        jnp.asarray(np.pad(spent, (0, room))),
        jnp.asarray(np.pad(np.arange(16, dtype=np.int32), (0, room), constant_values=-1)),
        jnp.int32(16),
    )
    made = jax.jit(model.condition)(jnp.asarray(theta), history)
    predicted = jax.jit(model.predict)(made.posterior, jnp.asarray(at))

    def known(point, spent):
        mean, phi = plain(prior, point)
        columns = np.column_stack([phi, 0.5 * mean, np.ones(len(mean))])
        if budget == 1:
            return mean, columns, point
        share = np.log(spent) / np.log(9)
        return mean, np.column_stack([columns, 2.0 * (1 - share)]), np.column_stack([point, share])

    ordered = (*ORDERED, True) if budget > 1 else ORDERED
    before, phi, x = known(told, spent)
    after, new_phi, new_x = known(at, np.full(len(at), budget))
    noise = kernel.NOISE + np.exp(theta[-1].astype(float))
    inverse = np.linalg.inv(matern(theta, ordered, x, x) + phi @ phi.T + noise * np.eye(16))
    across = matern(theta, ordered, new_x, x) + new_phi @ phi.T
    target = np.asarray(soften(history).score, float)[:16]
    whole = matern(theta, ordered, new_x, new_x) + new_phi @ new_phi.T
    left = whole - across @ inverse @ across.T
    np.testing.assert_allclose(predicted.mean, after + across @ inverse @ (target - before), atol=2e-3)
    np.testing.assert_allclose(predicted.variance, np.diag(left), atol=2e-3)
    np.testing.assert_allclose(predicted.white @ predicted.white.T, across @ inverse @ across.T, atol=2e-3)
    np.testing.assert_allclose(
        made.mean[:16], before + (np.linalg.inv(inverse) - noise * np.eye(16)) @ inverse @ (target - before), atol=2e-3
    )
    assert (np.asarray(made.mean)[16:] == -np.inf).all()


def objective(score):
    return Objective(lambda key: (), lambda key, state, proposal: (state, Outcome(score(proposal.point), {})))


@pytest.mark.slow
def test_where_no_name_is_known_nothing_changes():
    score, tried = objective(lambda p: -((p[:, 0] - 0.3) ** 2) + p[:, 1]), []
    for prior in ("shipped", None):
        method = q_learning(UNNAMED, lanes=2, prior=prior, candidates=8, evaluations=2, gamma=0.0)
        tried.append(run_traced(method, score, 5))
    jax.tree.map(np.testing.assert_array_equal, *tried)
    assert len(np.unique(np.asarray(tried[0].proposal.point).reshape(-1, 3), axis=0)) == 10
