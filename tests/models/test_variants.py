"""Every variant equals plain Flax layers, and its masked network the narrow one, gradients included."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxhpo.models import ACTIVATIONS, CNN, DAN, MLP, NORMS, RNN, Active, Dropout, init_together, narrow, widen
from jaxhpo.models.dropout import keep
from jaxhpo.models.norms import GROUP, Norm

WIDE, FEW = 16, 12  # groups of eight: 8 and 8, 8 and 4


def images(n=3, side=16):
    return jnp.asarray(np.random.default_rng(0).normal(size=(n, side, side, 2)))


def tokens(n=3, steps=7):
    x = np.random.default_rng(0).integers(1, 11, (n, steps))
    x[0, 4:] = 0
    x[-1, 2] = 0
    return jnp.asarray(x.astype(jnp.result_type(float)))


MODELS = {
    **{f"mlp {a}": (MLP, {"activation": a}) for a in ACTIVATIONS},
    **{f"mlp {n}": (MLP, {"norm": n}) for n in NORMS},
    "mlp waves": (MLP, {"representation": "periodic", "numbers": tuple(range(9))}),
    **{f"cnn {a}": (CNN, {"activation": a}) for a in ACTIVATIONS},
    **{f"cnn {n}, growth {g}": (CNN, {"norm": n, "growth": g}) for n in NORMS for g in (1, 2)},
    **{f"rnn {c}": (RNN, {"vocabulary": 11, "cell": c, "bidirectional": False}) for c in ("gru", "lstm", "vanilla")},
    **{
        f"rnn {c} both": (RNN, {"vocabulary": 11, "cell": c, "bidirectional": True}) for c in ("gru", "lstm", "vanilla")
    },
    "rnn last both": (RNN, {"vocabulary": 11, "bidirectional": True, "pooling": "last"}),
    **{f"dan {bigrams}": (DAN, {"vocabulary": 11, "bigrams": bigrams}) for bigrams in (0, 7)},
}
READS = (RNN, DAN)


def jitter(params):
    """Return weights with biases and scales that are not zero, where anything is."""
    rng = np.random.default_rng(1)
    return jax.tree.map(lambda p: p + jnp.asarray(rng.normal(size=p.shape) * 0.1), params)


@pytest.mark.sampled
@pytest.mark.slow_but_for("mlp layer-2", "cnn group, growth 2-1", "rnn vanilla-2")
@pytest.mark.parametrize(
    ("name", "layers"), [(name, layers) for name in MODELS for layers in ((1, 3) if "growth 2" in name else (2,))]
)
def test_a_masked_network_is_the_narrow_one(name, layers):
    model, options = MODELS[name]
    with jax.enable_x64(True):
        x = tokens() if model in READS else images()
        deep = layers if options.get("growth") == 2 else 3
        wide, small = model(deep, WIDE, 3, **options), model(layers, FEW, 3, **options)
        active = Active(jnp.int32(layers), jnp.int32(FEW))
        shapes = jax.eval_shape(lambda: small.init(jax.random.key(0), x))["params"]

        @jax.jit
        def weights(key):
            drawn = init_together(wide, key, x, active=active)
            few = jitter(narrow(drawn, shapes, (WIDE, FEW)))
            return drawn, few, widen_into(drawn, few)

        drawn, few, params = weights(jax.random.key(0))
        dropout = Dropout(jnp.float32(0.25), jnp.array([1, 2], jnp.uint32), jnp.arange(3, dtype=jnp.int32))
        dropout = dropout._replace(embedding_rate=jnp.float32(0.5)) if model in READS else dropout

        def loss(apply, **kwargs):
            return lambda p: jnp.sum(jnp.sin(apply({"params": p}, x, dropout=dropout, **kwargs)))

        ours, grads = jax.jit(jax.value_and_grad(loss(wide.apply, active=active)))(params)
        theirs, wanted = jax.jit(jax.value_and_grad(loss(small.apply)))(few)
        placed = jax.jit(widen_into)(drawn, wanted)
    np.testing.assert_allclose(ours, theirs, rtol=1e-12)
    for (path, left), right in zip(jax.tree_util.tree_leaves_with_path(grads), jax.tree.leaves(placed), strict=True):
        np.testing.assert_allclose(left, right, atol=1e-10, err_msg=jax.tree_util.keystr(path))
        assert not np.asarray(left)[np.asarray(right) == 0].any()  # exactly zero where the narrow network has nothing


def widen_into(full, few):
    """Return `few` in its place within zeros of the shapes of `full`; layers that it lacks are zero."""
    zeros = jax.tree.map(jnp.zeros_like, full)
    common = {name: zeros[name] for name in few}
    return zeros | widen(few, common, (WIDE, FEW))


@pytest.mark.slow
@pytest.mark.usefixtures("standard_promotion")
@pytest.mark.parametrize("name", [n for n in NORMS if n != "none"])
@pytest.mark.parametrize("shape", [(5, 16), (5, 4, 3, 32)])
def test_norms_equal_flax(name, shape):
    with jax.enable_x64(True):
        x = jnp.asarray(np.random.default_rng(0).normal(2.0, 3.0, size=shape))
        scale, bias = (jnp.asarray(np.random.default_rng(i).normal(size=shape[-1])) for i in (1, 2))
        theirs = nn.GroupNorm(None, GROUP) if name == "group" else nn.GroupNorm(1)
        wanted = theirs.apply({"params": {"scale": 1 + scale, "bias": bias}}, x)
        found = Norm(name, 16).apply({"params": {"scale": scale, "bias": bias}}, x)
    np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-9)


@pytest.mark.slow
def test_a_layer_norm_of_vectors_is_flaxs():
    x = jnp.asarray(np.random.default_rng(0).normal(size=(5, 6)), jnp.float32)
    zeros = jnp.zeros(6)
    found = Norm("layer", 6).apply({"params": {"scale": zeros, "bias": zeros}}, x)
    wanted = nn.LayerNorm().apply({"params": {"scale": zeros + 1, "bias": zeros}}, x)
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)


class GrowingCNN(nn.Module):
    """As the docstring of CNN says it, in Flax's layers."""

    layers: int
    units: int

    @nn.compact
    def __call__(self, x):
        for i in range(self.layers):
            x = nn.Conv(self.units * (1, 2, 4, 4)[i], (3, 3), name=f"conv_{i}")(x)
            if x.shape[1] >= 8:
                x = nn.max_pool(x, (2, 2), (2, 2))
            x = nn.silu(nn.GroupNorm(None, GROUP, name=f"norm_{i}")(x))
        x = nn.silu(nn.Dense(4 * self.units, name="dense")(x.reshape(len(x), -1)))
        return nn.Dense(3, name="out")(x)


@pytest.mark.slow
@pytest.mark.usefixtures("standard_promotion")
@pytest.mark.parametrize("layers", [1, 2, 3, 4])
def test_a_growing_cnn_equals_flax(layers):
    with jax.enable_x64(True):
        x = images(side=32)
        ours = CNN(layers, 8, 3, activation="silu", norm="group", growth=2)
        params = jax.jit(lambda key: jitter(init_together(ours, key, x)))(jax.random.key(0))
        flax = {k: v | {"scale": 1 + v["scale"]} if "norm" in k else v for k, v in params.items()}
        wanted = jax.jit(GrowingCNN(layers, 8).apply)({"params": flax}, x)
        for model in (ours, ours.clone(tile=1)):
            np.testing.assert_allclose(jax.jit(model.apply)({"params": params}, x), wanted, rtol=1e-6)
        count = sum(leaf.size for leaf in jax.tree.leaves(params))
    assert ours.cost((32, 32, 2)).params == count


@pytest.mark.slow
@pytest.mark.usefixtures("standard_promotion")
def test_a_bidirectional_vanilla_layer_equals_flax():
    with jax.enable_x64(True):
        x = tokens()
        ours = RNN(1, 5, 3, 11, cell="vanilla", bidirectional=True)
        params = jitter(init_together(ours, jax.random.key(0), x))
        embedded = params["embedding"][x.astype(int)]
        real = x != 0
        halves = []
        for name, order in (("vanilla_0", slice(None)), ("vanilla_0_back", slice(None, None, -1))):
            p = params[name]
            inner = {"i": {"kernel": p["kernel"], "bias": p["bias"]}, "h": {"kernel": p["recurrent_kernel"]}}
            h, states = jnp.zeros((len(x), 5)), []
            for step in np.arange(x.shape[1])[order]:
                after, _ = nn.SimpleCell(5).apply({"params": inner}, h, embedded[:, step])
                h = jnp.where(real[:, step, None], after, h)
                states.append(jnp.where(real[:, step, None], h, 0))
            halves.append(sum(states) / real.sum(1).astype(float)[:, None])
        wanted = jnp.concatenate(halves, 1) @ params["out"]["kernel"] + params["out"]["bias"][None]
        np.testing.assert_allclose(ours.apply({"params": params}, x), wanted, rtol=1e-6)


@pytest.mark.slow
def test_embedding_dropout_drops_features_for_a_whole_text():
    x = tokens(n=1)
    model = RNN(1, 4, 3, 11)
    params = model.init(jax.random.key(0), x.astype(jnp.float32))["params"]
    key, position = jnp.array([1, 2], jnp.uint32), jnp.zeros(1, jnp.int32)
    dropout = Dropout(jnp.float32(0), key, position, jnp.float32(0.5))
    kept = keep(dropout._replace(rate=jnp.float32(0.5)), 128, 32, jnp.float32)[0]
    assert set(np.unique(kept)) == {0.0, 2.0}
    scaled = params | {"embedding": params["embedding"] * kept[None]}
    x = x.astype(jnp.float32)
    found = model.apply({"params": params}, x, dropout=dropout)
    np.testing.assert_allclose(found, model.apply({"params": scaled}, x), rtol=1e-5)
