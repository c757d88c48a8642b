"""How numbers reach a network, against scikit-learn and plain NumPy."""

from statistics import NormalDist

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.preprocessing import QuantileTransformer

from jaxhpo.models import MLP, Active
from jaxhpo.models.mlp import of_representation
from jaxhpo.models.representations import BINS, EMBEDDED, FREQUENCIES, Periodic, represent, width_of
from jaxhpo.training.trained.quantiles import KNOTS

END = 5.1993376
_represent = jax.jit(represent, static_argnums=(0, 1))


def knots(x):
    """Return the quantiles of columns [N, F], as `quantiles_of` does."""
    return np.quantile(x.astype(np.float64), np.linspace(0, 1, KNOTS), axis=0).T.astype(np.float32)


def represented(name, x, fitted, numbers=None):
    """Return the representation of columns by the quantiles of others; each as it was where it is no number."""
    numbers = tuple(range(x.shape[1])) if numbers is None else numbers
    return np.asarray(_represent(name, numbers, x, x, knots(fitted[:, list(numbers)])))


def columns(n=700):
    rng = np.random.default_rng(0)
    distinct = [rng.normal(size=n), rng.exponential(size=n), 1000 * rng.random(n)]
    tied = np.round(rng.normal(size=n) * 3)
    tied[:2] = -30, 30  # one example at each end: of ties there scikit-learn says otherwise
    inside = np.where(rng.random(n) < 0.6, 0, rng.normal(size=n))
    return np.stack([*distinct, tied, inside], 1).astype(np.float32)


def test_normal_scores_are_scikit_learns():
    x, new = columns(), columns(300) * 1.5
    known = QuantileTransformer(n_quantiles=KNOTS, output_distribution="normal", subsample=None)
    known.fit(x.astype(np.float64))
    for examples in (x, new):  # the new ones reach beyond the ends
        found = represented("quantile", examples, x)
        np.testing.assert_allclose(found, known.transform(examples.astype(np.float64)), atol=2e-5)
    found = represented("quantile", x, x)
    np.testing.assert_allclose([found.min(0), found.max(0)], [[-END] * 5, [END] * 5], atol=1e-5)
    assert (found[x[:, 4] == 0, 4] == found[x[:, 4] == 0, 4][0]).all()


def test_ties_at_an_end_are_in_the_middle_of_their_ranks():
    x = np.zeros((KNOTS, 2), np.float32)  # a knot for each example, ranks 0, 1/128, ..., 1
    x[97:, 0] = 1
    x[64:, 1] = np.linspace(2, 9, 65)
    found, score = represented("quantile", x, x), NormalDist().inv_cdf
    wanted = [score((0 + 96) / 256), score((97 + 128) / 256), score((0 + 63) / 256), score(64 / 128)]
    np.testing.assert_allclose([found[0, 0], found[-1, 0], found[0, 1], found[64, 1]], wanted, atol=1e-6)


def test_a_constant_column_is_harmless():
    x, other = np.full((50, 1), 7, np.float32), np.array([[-1e6], [7], [7.001], [1e6]], np.float32)
    for name, width in (("quantile", 1), ("piecewise", BINS)):
        np.testing.assert_array_equal(represented(name, other, x), np.zeros((4, width)))


@given(st.lists(st.integers(-5, 5), min_size=1, max_size=60), st.lists(st.integers(-9, 9), min_size=2, max_size=8))
@settings(max_examples=60, deadline=None)
def test_order_is_kept_and_shares_are_shares(fitted, examples):
    fitted = np.resize(np.array(fitted, np.float32), 64)[:, None]
    x = np.resize(np.sort(np.array(examples, np.float32)), 8)[:, None]
    score, shares = (represented(name, x, fitted) for name in ("quantile", "piecewise"))
    order = np.argsort(x[:, 0], kind="stable")
    assert (np.diff(score[order], axis=0) >= 0).all()
    assert (np.diff(shares[order], axis=0) >= 0).all()
    assert np.abs(score).max() <= END + 1e-5
    assert shares.min() >= 0
    assert shares.max() <= 1
    wide = np.diff(knots(fitted)[:, :: (KNOTS - 1) // BINS], axis=1)[0] > 0
    assert not shares[:, ~wide].any()


def test_the_piecewise_shares_of_one_column_by_hand():
    x = np.arange(17, dtype=np.float32)[:, None] ** 2  # the edges of 16 bins
    found = represented("piecewise", np.array([[-3], [0], [1], [6.5], [256], [999]], np.float32), x)
    wanted = np.zeros((6, 16))
    wanted[2, 0] = 1
    wanted[3, :2], wanted[3, 2] = 1, 0.5  # the third bin is 4 to 9
    wanted[4:] = 1
    np.testing.assert_allclose(found, wanted, atol=1e-6)
    merged = represented(
        "piecewise", np.array([[0], [0.5], [1]], np.float32), np.repeat([[0.0], [1.0]], [9, 8], axis=0)
    )
    wanted = np.zeros((3, 16))
    wanted[1:, 8] = 0.5, 1  # the ninth of the 17 edges is 0, and the tenth 1
    np.testing.assert_array_equal(merged, wanted)


@pytest.mark.parametrize("name", ["quantile", "piecewise", "periodic"])
def test_what_is_no_number_passes_as_it_is(name):
    x = columns(100)
    found = represented(name, x, x, (0, 1, 3))
    np.testing.assert_array_equal(found[:, -2:], x[:, [2, 4]])
    alone = x[:, [0, 1, 3]]
    np.testing.assert_array_equal(found[:, :-2], alone if name == "periodic" else represented(name, alone, alone))


def test_waves_are_those_of_numpy():
    rng = np.random.default_rng(0)
    with jax.enable_x64(True):
        x = rng.normal(size=(5, 3))
        params = jax.tree.map(
            lambda leaf: rng.normal(size=leaf.shape), jax.eval_shape(Periodic().init, jax.random.key(0), x)["params"]
        )
        found = jax.jit(Periodic().apply)({"params": params}, x)
        angles = 2 * np.pi * params["frequencies"] * x[:, :, None]
        waves = np.concatenate([np.sin(angles), np.cos(angles)], -1)
        layer = params["embedding"]
        wanted = np.maximum(waves @ layer["kernel"] + layer["bias"], 0)
    assert params["frequencies"].shape == (3, FREQUENCIES)
    np.testing.assert_allclose(found, wanted.reshape(5, 3 * EMBEDDED), atol=1e-12)
    drawn = jax.jit(Periodic().init)(jax.random.key(1), np.zeros((1, 400), np.float32))["params"]["frequencies"]
    assert float(drawn.std()) == pytest.approx(0.1, rel=0.05)


def test_a_network_of_several_representations_equals_that_of_the_one_in_use():
    names, numbers, features = ("standard", "quantile", "piecewise"), (0, 2), 4
    several = MLP(2, 6, 3, representation=names, numbers=numbers)
    rng = np.random.default_rng(0)
    inputs = {name: rng.normal(size=(5, width_of(name, 2, 2))).astype(np.float32) for name in names}
    x = np.concatenate(list(inputs.values()), axis=1)
    assert several.input_shape((features,)) == (x.shape[1],) == (4 + 4 + 2 * BINS + 2,)
    for place, name in enumerate(names):
        active = Active(jnp.int32(2), jnp.int32(6), jnp.int32(place))
        params = jax.jit(several.init)(jax.random.key(1), x, active=active)["params"]
        own = of_representation(params, name)
        one = MLP(2, 6, 3, representation=name, numbers=numbers)

        def outputs(params, active=active):
            return several.apply({"params": params}, x, active=active)

        np.testing.assert_allclose(
            jax.jit(outputs)(params), jax.jit(one.apply)({"params": own}, inputs[name]), rtol=1e-5, atol=1e-6
        )
        kernel = np.asarray(own["hidden_0"]["kernel"])
        assert kernel.std() == pytest.approx(np.sqrt(1 / kernel.shape[0]), rel=0.4)
        gradients = jax.jit(jax.grad(lambda params, outputs=outputs: jnp.sum(outputs(params) ** 2)))(params)
        for other in names:
            if other != name:
                for tree in (params, gradients):
                    assert not np.any(tree[f"hidden_0_{other}"]["kernel"])
        assert np.any(gradients[f"hidden_0_{name}"]["kernel"])
    assert several.cost((features,)).params == sum(leaf.size for leaf in jax.tree.leaves(params))


@pytest.mark.parametrize("name", ["standard", "quantile", "piecewise", "periodic"])
def test_the_cost_counts_the_weights_and_the_products(name):
    features, numbers, units, classes = 7, (0, 1, 2, 4, 6), 12, 3
    model = MLP(2, units, classes, representation=name, numbers=numbers)
    cost, shape = model.cost((features,)), model.input_shape((features,))
    width = {"standard": 7, "quantile": 7, "piecewise": 5 * BINS + 2, "periodic": 7}[name]
    assert shape == (width,)
    example = jax.ShapeDtypeStruct((1, *shape), np.float32)
    made = jax.eval_shape(lambda x: represent(name, numbers, x, x, jnp.zeros((5, KNOTS))), jnp.zeros((1, features)))
    assert name == "standard" or made.shape == example.shape
    weights = jax.eval_shape(model.init, jax.random.key(0), example)["params"]
    assert cost.params == sum(leaf.size for leaf in jax.tree.leaves(weights))
    inputs = width if name != "periodic" else 5 * EMBEDDED + 2
    dense = 2 * (inputs * units + units * units + units * classes)
    if name == "periodic":
        waves = 2 * 5 * 2 * FREQUENCIES * EMBEDDED
        assert (cost.forward, cost.backward) == (dense + waves, 2 * (dense + waves))
        assert cost.params - MLP(2, units, classes).cost((inputs,)).params == 264 + 16 * 5
    else:
        assert (cost.forward, cost.backward) == (dense, 2 * dense - 2 * inputs * units)
    plain = MLP(2, units, classes).cost((inputs,))
    assert (cost.launches > plain.launches) == (name != "standard")
