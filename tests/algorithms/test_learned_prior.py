"""The learned prior: what names mean, the file, what it says of a space against float64 sums, and the learning."""

import io
import math
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxhpo import Objective, Outcome, run_traced
from jaxhpo.algorithms import q_learning
from jaxhpo.algorithms.gp import kernel
from jaxhpo.algorithms.gp.fit import prior_mode
from jaxhpo.algorithms.gp.warp import soften
from jaxhpo.algorithms.history import History
from jaxhpo.algorithms.q_learning import LearnedPrior, fit_prior, learning, meaning
from jaxhpo.algorithms.q_learning.belief import Model
from jaxhpo.algorithms.q_learning.prior import Knowledge, Learned, Network, outputs, read_prior
from jaxhpo.space import Choice, Float, Int, Space

KINDS = list(meaning.MEANINGS)


# --- what names mean ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("learning_rate", "learning_rate"),
        ("lr", "learning_rate"),
        ("LR", "learning_rate"),
        ("Init_LR", "learning_rate"),
        ("batch", "batch_size"),
        ("alpha", "weight_decay"),
        ("l2", "weight_decay"),  # its number belongs to the name
        ("L2_reg", "weight_decay"),
        ("l2_1", "weight_decay"),
        ("depth", "layers"),
        ("units_1", "units"),
        ("n_units_12", "units"),
        ("Channels3", "units"),
        ("dropout_rate2", "dropout"),
        ("optim", "optimizer"),
        ("momentum", "momentum"),
        ("l1", None),
        ("x1", None),
        ("1", None),
        ("units_a", None),
        ("my_lr", None),
        ("activation", None),
    ],
)
def test_names(name, meant):
    assert meaning.meaning_of(name) == meant


def test_what_training_understands_under_several_names_means_the_same():
    from jaxhpo.training import ALIASES, DEFAULTS

    assert {name for name in DEFAULTS if meaning.meaning_of(name)} == {*KINDS, "l2"}
    for alias, name in ALIASES.items():
        assert meaning.meaning_of(alias) == meaning.meaning_of(name), alias


def feature(name, *values):
    """Return the features, all of one kind, that values of a hyperparameter have."""
    space = Space({name: Choice(values)})
    point = np.stack([space.from_config({name: value}) for value in values])
    made = meaning.features(meaning.read(space), space, point, np)
    assert made.dtype == np.float32
    place = KINDS.index(meaning.meaning_of(name))
    assert not np.delete(made, place, axis=1).any()
    return made[:, place].tolist()


@pytest.mark.parametrize(
    ("name", "values", "features"),
    [
        ("learning_rate", (1e-2, 10**-0.8, 10**-3.2, 1e-12, 1e6), (0, 1, -1, -3, 3)),
        ("batch_size", (64, 128, 16, 1), (1 / 3, 1, -1, -3)),
        ("momentum", (0.0, 0.9, 0.99, 0.9999), (-1, 1, 3, 3)),
        ("weight_decay", (1e-2, 1e-5, 0.0), (1, -1, -7 / 3)),
        ("layers", (1, 4, 64), (-1.25, 1.25, 3)),
        ("units", (32, 256, 1), (0, 3 / 1.3, -3)),
        ("dropout", (0.3, 0.5, 0.0), (0, 1, -1.5)),
        ("optimizer", ("adam", "AdamW", "sgd", "momentum", "other"), (1, 1, -1, -1, 0)),
    ],
)
def test_features_by_hand(name, values, features):
    np.testing.assert_allclose(feature(name, *values), features, atol=1e-6)


def test_a_range_is_read_along_its_way():
    space = Space({"lr": Float(1e-4, 1e-1, log=True), "momentum": Float(0.0, 0.99), "other": Int(1, 3)})
    point = np.random.default_rng(0).uniform(size=(50, 3)).astype(np.float32)
    point[0], point[1] = 0.0, 1.0
    made = meaning.features(meaning.read(space), space, point, np)
    np.testing.assert_allclose(made[:, 0], (-4 + 3 * point[:, 0] + 2) / 1.2, atol=2e-3)
    np.testing.assert_allclose(made[:, 2], -2 * np.log10(1 - 0.99 * point[:, 1]) - 1, atol=5e-2)
    assert not np.delete(made, [0, 2], axis=1).any()
    np.testing.assert_array_equal(meaning.features(meaning.read(space), space, jnp.asarray(point), jnp), made)


def test_of_several_of_one_kind_the_mean_counts():
    space = Space({"units_1": Choice((32, 128)), "lr": Choice((1e-2,)), "units_2": Choice((8, 32))})
    meant = meaning.read(space)
    made = meaning.features(meant, space, space.from_config({"units_1": 128, "lr": 1e-2, "units_2": 8})[None], np)
    np.testing.assert_allclose(made[0, KINDS.index("units")], (2 / 1.3 - 2 / 1.3) / 2, atol=1e-6)
    made = meaning.features(meant, space, space.from_config({"units_1": 32, "lr": 1e-2, "units_2": 8})[None], np)
    np.testing.assert_allclose(made[0, KINDS.index("units")], (0 - 2 / 1.3) / 2, atol=1e-6)


@pytest.mark.parametrize(
    "dimensions",
    [
        {"units": Choice(("few", "many"))},
        {"units": Choice((8, "many"))},
        {"dropout": Choice((False, True))},
        {"momentum": Choice((None, 0.9))},
        {"optimizer": Int(0, 3)},
        {"optimizer": Float(0.0, 1.0)},
        {"x1": Float(0.0, 1.0), "kind": Choice(("a", "b"))},
    ],
)
def test_what_says_nothing_is_not_read(dimensions):
    assert meaning.read(Space(dimensions)) == []


def test_what_is_not_read_takes_no_part_in_the_mean():
    space = Space({"units_1": Choice((32, 128)), "units_2": Choice(("few", "many"))})
    made = meaning.features(meaning.read(space), space, space.from_config({"units_1": 128, "units_2": "few"})[None], np)
    np.testing.assert_allclose(made[0, KINDS.index("units")], 2 / 1.3, atol=1e-6)


# --- the file ----------------------------------------------------------------------------------------------------


def drawn(seed=0, hidden=5, features=3):
    """Return a prior of random numbers."""
    rng, kinds = np.random.default_rng(seed), len(KINDS)
    shapes = ((kinds, hidden), (hidden,), (hidden, hidden), (hidden,), (hidden, 1 + features), (1 + features,))
    leaves = [0.5 * rng.normal(size=shape).astype(np.float32) for shape in (*shapes, (kinds,), ())]
    return LearnedPrior(Learned(Network(*leaves[:6]), *leaves[6:]))


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


# --- what it says of a space -------------------------------------------------------------------------------------

UNNAMED = Space({"x1": Float(0.0, 1.0), "x2": Int(1, 6), "kind": Choice(("a", "b", "c"))})
NAMED = Space(
    {
        "lr": Float(1e-4, 1e-1, log=True),
        "x": Float(0.0, 1.0),
        "units_1": Int(8, 128, log=True),
        "units_2": Int(8, 128, log=True),
        "optimizer": Choice(("sgd", "adam", "adamw")),
    }
)
ORDERED = (True, True, True, True, False)


def points(number, seed=0, space=NAMED):
    unit = np.random.default_rng(seed).uniform(size=(number, len(space))).astype(np.float32)
    return np.asarray(space.canonical(jnp.asarray(unit)))


def plain(prior, point):
    """Return the mean and the features in float64: [N, D] of NAMED -> [N], [N, K]."""
    z = meaning.features(meaning.read(NAMED), NAMED, point, np).astype(float)
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
    model = Model(space, knowledge, 1, 1)
    np.testing.assert_array_equal(model.start, prior_mode(len(space)))


def test_outputs_are_those_of_plain_numpy():
    prior, z = drawn(), np.random.default_rng(1).normal(size=(9, len(KINDS))).astype(np.float32)
    first, first_bias, second, second_bias, last, last_bias = prior.learned.network
    wanted = np.tanh(np.tanh(z @ first + first_bias) @ second + second_bias) @ last + last_bias
    np.testing.assert_allclose(outputs(prior.learned.network, jnp.asarray(z)), wanted, atol=1e-5)


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
    start = Model(NAMED, knowledge, 1, 1).start
    np.testing.assert_allclose(start, np.append(knowledge.centre, [knowledge.signal, -6.0]), atol=1e-6)


def matern(theta, ordered, one, other):
    """Return Matern 5/2 between points in float64, as the books write it."""
    distance = 0.0
    for d, has_order in enumerate(ordered):
        apart = np.subtract.outer(one[:, d].astype(float), other[:, d].astype(float))
        distance = distance + np.exp(theta[d]) * (apart**2 if has_order else (apart != 0).astype(float))
    root = np.sqrt(5 * distance)
    return np.exp(theta[-2]) * (1 + root + root**2 / 3) * np.exp(-root)


@pytest.mark.parametrize("budget", [1, 9])
def test_the_posterior_is_that_of_a_float64_process(budget):
    prior, told, at = drawn(), points(16), points(24, 1)
    spent = np.array([1, 3, 9, 1] * 4, np.int32) if budget > 1 else np.ones(16, np.int32)
    model = Model(NAMED, Knowledge(NAMED, prior), budget, 1)
    theta = np.asarray(model.start, float) + np.append(np.linspace(-0.5, 0.5, len(model.order)), [0.2, 2.0])
    theta = theta.astype(np.float32)
    score = (np.sin(4 * told[:, 0]) + told[:, 1] - 0.3 * (spent < budget)).astype(np.float32)
    room = 64 - 16
    history = History(
        jnp.asarray(np.pad(told, ((0, room), (0, 0)))),
        jnp.asarray(np.pad(score, (0, room), constant_values=np.nan)),
        jnp.asarray(np.pad(spent, (0, room))),
        jnp.asarray(np.pad(np.arange(16, dtype=np.int32), (0, room), constant_values=-1)),
        jnp.int32(16),
    )
    made = jax.jit(model.condition)(jnp.asarray(theta), history)
    beliefs = jax.jit(model.believe)(made.posterior, jnp.asarray(at))

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
    target = np.asarray(soften(history), float)[:16]
    whole = matern(theta, ordered, new_x, new_x) + new_phi @ new_phi.T
    left = whole - across @ inverse @ across.T
    np.testing.assert_allclose(beliefs.mean, after + across @ inverse @ (target - before), atol=2e-3)
    np.testing.assert_allclose(beliefs.variance, np.diag(left), atol=2e-3)
    np.testing.assert_allclose(beliefs.white @ beliefs.white.T, across @ inverse @ across.T, atol=2e-3)
    np.testing.assert_allclose(
        made.mean[:16], before + (np.linalg.inv(inverse) - noise * np.eye(16)) @ inverse @ (target - before), atol=2e-3
    )
    assert (np.asarray(made.mean)[16:] == -np.inf).all()


def objective(score):
    return Objective(lambda key: (), lambda key, state, proposal: (state, Outcome(score(proposal.point), {})))


def test_where_no_name_is_known_nothing_changes():
    score, tried = objective(lambda p: -((p[:, 0] - 0.3) ** 2) + p[:, 1]), []
    for prior in ("shipped", None):
        method = q_learning(UNNAMED, lanes=2, prior=prior, candidates=8, evaluations=2, gamma=0.0)
        tried.append(run_traced(method, score, 5))
    jax.tree.map(np.testing.assert_array_equal, *tried)
    assert len(np.unique(np.asarray(tried[0].proposal.point).reshape(-1, 3), axis=0)) == 10


# --- the learning ------------------------------------------------------------------------------------------------

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


@pytest.mark.parametrize(("space", "name"), [(SEARCHED, "learning_rate"), (OTHER, "lr")])
def test_it_learns_what_past_studies_have_in_common(learned, space, name):
    rates = np.geomspace(1e-4, 1.0, 41)
    known = dict.fromkeys(space, 0.5)
    unit = np.array([[space[n].to_unit(rate) if n == name else half for n, half in known.items()] for rate in rates])
    mean = np.asarray(Knowledge(space, learned)(space.canonical(jnp.asarray(unit, jnp.float32)))[0])
    assert 3e-3 < rates[mean.argmax()] < 3e-2
    assert mean.max() > mean[0] + 0.3
    assert mean.max() > mean[-1] + 0.3


def test_learning_is_the_same_twice_and_where_lower_is_better(learned):
    assert fitted(direction="minimize").to_bytes() == learned.to_bytes()


def test_another_seed_learns_another(learned):
    assert fitted(seed=1).to_bytes() != learned.to_bytes()


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
    one, other = learning._lesson(study), learning._lesson(same)
    jax.tree.map(np.testing.assert_array_equal, one, other)
    assert one.features.shape == (38, len(KINDS))
    assert one.reward.mean() == pytest.approx(0, abs=1e-5)
    assert one.reward.std() == pytest.approx(1, abs=1e-5)


def test_studies_of_few_trials_and_of_unknown_names_are_left_out():
    assert learning._lesson(past(0, trials=24)) is not None
    assert learning._lesson(past(0, trials=23)) is None
    assert learning._lesson(past(0, space=UNNAMED)) is None
    failed = past(0, trials=24)
    failed.finished[3].score = math.nan
    assert learning._lesson(failed) is None


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


def test_how_unlikely_rewards_are_by_hand():
    prior, rng = drawn(), np.random.default_rng(2)
    z, y = rng.normal(size=(20, len(KINDS))).astype(np.float32), rng.normal(size=20).astype(np.float32)
    there = np.arange(20) < 14
    weights = learning._Weights(prior.learned, jnp.float32(-2), jnp.float32(-1), jnp.float32(-0.5))
    found, slopes = jax.jit(jax.value_and_grad(learning._surprise))(weights, z, y, there)
    z, y = z[:14].astype(float), y[:14].astype(float)
    out = np.asarray(outputs(prior.learned.network, jnp.asarray(z, jnp.float32)), float)
    m, phi = out[:, 0], out[:, 1:]
    theta = np.append(prior.learned.relevance, [prior.learned.signal, -2.0])
    cov = matern(theta, [True] * len(KINDS), z, z) + phi @ phi.T + np.exp(-1.0) + np.exp(-0.5) * np.outer(m, m)
    cov += (np.exp(-2.0) + 1e-4) * np.eye(14)
    wanted = 0.5 * ((y - m) @ np.linalg.solve(cov, y - m) + np.linalg.slogdet(cov)[1]) / 14
    assert float(found) == pytest.approx(wanted, rel=1e-3)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(slopes))
