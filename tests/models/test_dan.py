"""The averages of words and bigrams against NumPy, their hash against Python's integers, and padding without a part."""

from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxhpo as jh
from jaxhpo.models import DAN, Active, Dropout
from jaxhpo.models.dan import bigram_buckets
from jaxhpo.models.dropout import keep
from jaxhpo.training import Trainer
from jaxhpo.training.step.hyper import Hyper
from jaxhpo.training.step.lane import regularise
from jaxhpo.types import Proposal

V, UNITS, CLASSES, BUCKETS = 11, 6, 3, 7
ROWS = [[3, 5, 3, 0, 2], [4, 0, 0, 0, 0], [0, 9, 0, 1, 1], [0, 0, 0, 0, 0], [2, 7, 8, 10, 6]]
WORDS = np.array(ROWS, np.float32)


def hashed(left, right, buckets):
    """Return the bucket of a pair in Python's integers, as `bigram_buckets` says it."""
    pair = (left * 0x9E3779B1 + right) % 2**32
    pair = (pair ^ (pair >> 16)) * 0x85EBCA6B % 2**32
    pair = (pair ^ (pair >> 13)) * 0xC2B2AE35 % 2**32
    return (pair ^ (pair >> 16)) % buckets


def params_of(model, x=WORDS, seed=0):
    """Return weights of any size, biases too."""
    shapes = jax.eval_shape(model.init, jax.random.key(0), x)["params"]
    random = np.random.default_rng(seed)
    return jax.tree.map(lambda leaf: jnp.asarray(random.normal(size=leaf.shape), x.dtype), shapes)


def mean_of(row, table, bigrams):
    """Return the mean over the words of a text and over its neighbours, word by word."""
    parts = [table[token] for token in row if token]
    for left, right in pairwise(row):
        if bigrams and left and right:
            parts.append(table[V + hashed(left, right, bigrams)])
    return np.mean(parts, axis=0) if parts else np.zeros(table.shape[1])


def logits_of(row, params, bigrams, layers):
    h = mean_of(row, params["embedding"], bigrams)
    for i in range(layers):
        h = np.maximum(h @ params[f"hidden_{i}"]["kernel"] + params[f"hidden_{i}"]["bias"], 0)
    return h @ params["out"]["kernel"] + params["out"]["bias"]


def test_a_pair_s_bucket_is_the_hash_that_is_written_down():
    tokens = np.random.default_rng(0).integers(0, 20_002, (50, 9)).astype(np.int32)
    tokens[0, :4] = [0, 1, 1, 100_001]
    for buckets in (7, 8192):
        found = jax.jit(bigram_buckets, static_argnums=1)(tokens, buckets)
        wanted = [[hashed(*pair, buckets) for pair in pairwise(row)] for row in tokens.tolist()]
        assert found.dtype == jnp.int32
        assert found.tolist() == wanted
    assert bigram_buckets(jnp.array([[2, 3, 2]], jnp.int32), 8192).tolist() == [[5308, 4496]]  # of saved models, too


def test_pairs_are_spread_evenly():
    left, right = np.divmod(np.arange(2, 2 + 400 * 400), 400)
    found = np.asarray(bigram_buckets(np.stack([left, right], 1).astype(np.int32), 2048))
    counts = np.bincount(found[:, 0], minlength=2048)
    assert 0.8 < counts.var() / counts.mean() < 1.2  # 1 where buckets are drawn by chance


@pytest.mark.parametrize(("bigrams", "layers"), [(BUCKETS, 2), (0, 1)])
def test_the_network_is_what_numpy_computes(bigrams, layers):
    with jax.enable_x64(True):
        model, x = DAN(layers, UNITS, CLASSES, V, bigrams), WORDS.astype(np.float64)
        params = params_of(model, x)
        found = jax.jit(model.apply)({"params": params}, x)
        params = jax.tree.map(np.asarray, params)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, [logits_of(row, params, bigrams, layers) for row in ROWS], rtol=1e-12)
    assert model.cost((5,)).params == sum(leaf.size for leaf in jax.tree.leaves(params))


@pytest.mark.parametrize("bigrams", [BUCKETS, 0])
def test_padding_at_the_end_changes_no_output_and_no_gradient(bigrams):
    """So batches of any length group are computed exactly."""
    model = DAN(2, UNITS, CLASSES, V, bigrams)
    params, padded = params_of(model), np.pad(WORDS, ((0, 0), (0, 4)))

    @jax.jit
    def both(x):
        outputs, pull = jax.vjp(lambda p: model.apply({"params": p}, x), params)
        return outputs, pull(jnp.cos(outputs))

    plain, longer = both(WORDS), both(padded)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-6), plain, longer)
    gradient = np.asarray(plain[1][0]["embedding"])
    assert not gradient[0].any()  # of padding
    pairs = {hashed(left, right, BUCKETS) for row in ROWS for left, right in pairwise(row) if left * right}
    used = {token for row in ROWS for token in row if token} | ({V + pair for pair in pairs} if bigrams else set())
    assert set(np.flatnonzero(gradient.any(axis=1))) == used


def test_one_word_and_no_word_have_outputs():
    for steps in (1, 2):
        model, x = DAN(1, UNITS, CLASSES, V, BUCKETS), WORDS[[3, 1], :steps]
        params = params_of(model, x)
        found = jax.jit(model.apply)({"params": params}, x)
        wanted = [logits_of(row, jax.tree.map(np.asarray, params), BUCKETS, 1) for row in ([0], [4])]
        np.testing.assert_allclose(found, wanted, rtol=1e-5)


def test_unused_units_stay_at_zero():
    model, active = DAN(2, 8, CLASSES, V, BUCKETS), Active(jnp.int32(1), jnp.int32(5))

    @jax.jit
    def start(key):
        params = model.init(key, WORDS, active=active)["params"]
        return params, jax.grad(lambda p: jnp.sum(model.apply({"params": p}, WORDS, active=active) ** 2))(params)

    params, grads = jax.tree.map(np.asarray, start(jax.random.key(0)))
    for tree in (params, grads):
        assert not tree["embedding"][:, 5:].any()
        assert not tree["hidden_0"]["kernel"][5:].any()
        assert not tree["hidden_0"]["kernel"][:, 5:].any()
        assert not tree["hidden_1"]["kernel"].any()  # the second layer is not used
        assert not tree["out"]["kernel"][5:].any()
    assert params["embedding"][:, :5].all()
    assert abs(params["embedding"][:, :5].std() / 0.1 - 1) < 0.25


def test_embedding_dropout_drops_features_of_the_mean():
    model = DAN(1, UNITS, CLASSES, V, BUCKETS)
    params, one = params_of(model), WORDS[:1]
    key, position = jnp.array([1, 2], jnp.uint32), jnp.zeros(1, jnp.int32)
    dropout = Dropout(jnp.float32(0), key, position, jnp.float32(0.5))
    kept = keep(dropout._replace(rate=jnp.float32(0.5)), 128, UNITS, jnp.float32)[0]
    assert set(np.unique(kept)) == {0.0, 2.0}
    scaled = params | {"embedding": params["embedding"] * kept[None]}
    apply = jax.jit(model.apply)
    found = apply({"params": params}, one, dropout=dropout)
    np.testing.assert_allclose(found, apply({"params": scaled}, one), rtol=1e-5)


def test_penalties_are_of_kernels_not_of_embeddings():
    params = params_of(DAN(1, UNITS, CLASSES, V, BUCKETS))
    hyper = Hyper(*[jnp.float32(0)] * 8)._replace(l1=jnp.float32(0.5), l2=jnp.float32(0.25))
    found = regularise(jax.tree.map(jnp.zeros_like, params), params, hyper)
    assert not np.asarray(found["embedding"]).any()
    kernel = np.asarray(params["hidden_0"]["kernel"])
    np.testing.assert_allclose(found["hidden_0"]["kernel"], 0.5 * np.sign(kernel) + 0.5 * kernel, rtol=1e-6)


def test_a_lane_learns_what_only_the_order_of_two_words_tells():
    random = np.random.default_rng(0)
    x, y = random.integers(4, 20, (240, 4)).astype(np.int32), random.integers(0, 2, 240).astype(np.int32)
    x[:, 1], x[:, 2] = 2 + y, 3 - y
    parts = (x[:160], y[:160], x[160:200], y[160:200], x[200:], y[200:])
    data = jh.Dataset("order", *parts, classes=2, vocabulary=20)
    fixed = {"learning_rate": 0.02, "batch_size": 16, "layers": 1, "units": 8, "bigrams": 2048}
    space = jh.Space({name: jh.Choice((value,)) for name, value in fixed.items()})
    trainer = Trainer(data, "dan", space, epochs=20, lanes=1)
    budget, source, trial = (np.array([value], np.int32) for value in (20, -1, 0))
    one = Proposal(space.from_config(fixed)[None], budget, source, np.array([True]), trial)
    state, outcome = trainer.objective.evaluate(jax.random.key(0), trainer.objective.init(jax.random.key(0)), one)
    assert outcome.score[0] == trainer.score_test(state) == 1
    blind = DAN(1, UNITS, 2, 20, 0)
    params, apply = params_of(blind), jax.jit(blind.apply)
    swapped = x[:, [0, 2, 1, 3]].astype(np.float32)
    wanted = apply({"params": params}, x.astype(np.float32))
    np.testing.assert_allclose(apply({"params": params}, swapped), wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_texts_are_tuned_saved_and_predicted(tmp_path):
    texts = ["good fine film", "bad poor film", "fine good", "poor bad film"] * 4
    labels = ["up", "down"] * 8
    space = {"bigrams": jh.Choice((2048,)), "units": jh.Choice((4, 8)), "embedding_dropout": jh.Float(0.0, 0.5)}
    options = {"algorithm": "random_search", "folds": 1, "cache": False, "verbose": False}
    study = jh.tune((texts, labels), model="dan", space=jh.Space(space), trials=4, lanes=2, epochs=3, **options)
    assert study.summary["model"] == "dan"
    assert np.isfinite([trial.score for trial in study.finished]).all()
    model = study.best_model()
    model.save(tmp_path / "m")
    again = jh.load_model(tmp_path / "m")
    given = ["good film", "never seen words", "", "bad"]
    assert np.array_equal(again.outputs(given), model.outputs(given))
    assert set(again.predict(given)) <= {"up", "down"}
