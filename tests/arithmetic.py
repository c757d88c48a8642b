"""Sums and products of the shapes that jaxhpo computes, as it has JAX compile them, against NumPy in float64.

A release of JAX may compute wrongly, as 0.10.2 does with the first case under a `vmap` of size 1, unless
`jaxhpo.compilation` has it compile otherwise. The tests do this with every version that they run with, and
`tests/minimum/run` with the lowest one:

    python tests/arithmetic.py
"""

from concurrent.futures import ThreadPoolExecutor

import jax
import jax.numpy as jnp
import numpy as np

from jaxhpo.compilation import jit

WAYS = ("alone", "scan", "scan, vmap of 1", "scan, vmap of 8", "scan, vmap of 64", "threads")
_STEPS = 2  # of a scan
_LIMIT = 2e-5  # over the size of what is right: rounding stays below a tenth of it, a wrong sum is off by its size


def _waves(xp, u, w, b, c):
    """Return a weighted sum of cosines: a reduction that is fused into what follows it."""
    return (xp.cos((u[:, None, :] * w[None]).sum(2) + b[None]) * c[None]).sum(1)


def _distances(xp, u, v, scale):
    """Return the closeness of points by their distances, as a Gaussian process's kernel has them."""
    return xp.exp(-0.5 * (((u[:, None, :] - v[None]) / scale[None, None]) ** 2).sum(2))


def _log_softmax(xp, x):
    shifted = x - x.max(1, keepdims=True)
    return shifted - xp.log(xp.exp(shifted).sum(1, keepdims=True))


def _layer_norm(xp, x):
    centred = x - x.mean(1, keepdims=True)
    return centred / xp.sqrt((centred**2).mean(1, keepdims=True) + 1e-6)


def _group_norm(xp, x):
    n, h, w, c = x.shape
    groups = x.reshape(n, h * w, c // 8, 8)
    centred = groups - groups.mean((1, 3), keepdims=True)
    return (centred / xp.sqrt((centred**2).mean((1, 3), keepdims=True) + 1e-6)).reshape(x.shape)


def _convolution(xp, x, w):
    """Return a 3x3 convolution as one matrix product of shifted images."""
    padded = xp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    height, width = x.shape[1:3]
    rows = xp.concatenate([padded[:, i : i + height, j : j + width] for i in range(3) for j in range(3)], -1)
    return rows.reshape(-1, rows.shape[-1]) @ w


def _pool(xp, x):
    n, h, w, c = x.shape
    del xp
    return x.reshape(n, h // 2, 2, w // 2, 2, c).max((2, 4))


def _masked_mean(xp, x, w):
    real = xp.maximum(xp.sign(w), 0)
    return (x * real[..., None]).sum(1) / xp.maximum(real.sum(1), 1)[:, None]


def _gates(xp, h, w, b):
    products = h @ w + b[None]
    forget, new = products[:, : h.shape[1]], products[:, h.shape[1] :]
    return h / (1 + xp.exp(-forget)) + xp.tanh(new)


CASES = {
    "waves": (_waves, (8, 7), [(128, 7), (128,), (128,)]),
    "score": (lambda xp, u: 1 - ((u - 0.6) ** 2).sum(-1), (8, 5), []),
    "distances": (_distances, (8, 7), [(64, 7), (7,)]),
    "dense": (lambda xp, x, w, b: xp.maximum(x @ w + b[None], 0), (32, 64), [(64, 48), (48,)]),
    "outputs": (lambda xp, x, w: x @ w, (32, 8), [(8, 10)]),
    "gradient of a kernel": (lambda xp, d, x: x.T @ d, (32, 16), [(32, 64)]),
    "gradient of a bias": (lambda xp, d: d.sum(0), (64, 48), []),
    "product with a vector": (lambda xp, x, w: x @ w, (64, 7), [(7,)]),
    "products of a batch": (lambda xp, a, b: a @ b, (8, 16, 12), [(8, 12, 4)]),
    "softmax": (_log_softmax, (64, 10), []),
    "layer norm": (_layer_norm, (32, 48), []),
    "group norm": (_group_norm, (16, 4, 4, 16), []),
    "convolution": (_convolution, (16, 8, 8, 3), [(27, 16)]),
    "pooling": (_pool, (16, 8, 8, 16), []),
    "masked mean": (_masked_mean, (9, 8, 4), [(9, 8)]),
    "gates": (_gates, (16, 8), [(8, 16), (16,)]),
    "penalties": (lambda xp, w: xp.stack([xp.abs(w).sum(), (w**2).sum(), w.max(), w.min()]), (64, 48), []),
    "running sum": (lambda xp, x: xp.cumsum(x, 1), (8, 20), []),
}
"""Function of NumPy or jax.numpy and arrays; shape of the first, which differs by lane and step, and of the others."""


def wrong(way):
    """Return what one way computes wrongly: by case, the largest difference from float64 over the largest number."""
    axes = (int(way.split()[-1]),) if "vmap" in way else (4,) if way == "threads" else ()
    axes += (_STEPS,) if "scan" in way else ()
    count = int(np.prod(axes, dtype=int))
    random = np.random.default_rng(0)

    def draw(*shape):
        return (random.uniform(0.1, 1.0, shape) * random.choice([-1, 1], shape)).astype(np.float32)

    first = {name: draw(count, *shape) for name, (_, shape, _) in CASES.items()}
    others = {name: [draw(*shape) for shape in shapes] for name, (_, _, shapes) in CASES.items()}
    arguments = {name: value.reshape(*axes, *value.shape[1:]) for name, value in first.items()}
    found = _function(way)(arguments, others)
    differences = {}
    for name, (case, _, _) in CASES.items():
        wide = [np.asarray(other, np.float64) for other in others[name]]
        right = np.stack([case(np, x.astype(np.float64), *wide) for x in first[name]])
        own = np.asarray(found[name], np.float64).reshape(right.shape)
        differences[name] = float(np.abs(own - right).max() / max(1.0, np.abs(right).max()))
    return {name: difference for name, difference in differences.items() if not difference < _LIMIT}


def _function(way):
    """Return the compiled function of first and other arguments that computes all cases in one way."""
    if way == "alone":
        return jit(_compute)
    if way == "scan":
        return jit(_scan)
    if "vmap" in way:
        return jit(jax.vmap(_scan, in_axes=(0, None)))
    one = jit(_compute)

    def threads(first, others):
        lanes = [jax.tree.map(lambda leaf, i=i: leaf[i], first) for i in range(4)]
        with ThreadPoolExecutor(2) as pool:
            return jax.tree.map(lambda *leaves: np.stack(leaves), *pool.map(lambda lane: one(lane, others), lanes))

    return threads


def _compute(first, others):
    return {name: case(jnp, first[name], *others[name]) for name, (case, _, _) in CASES.items()}


def _scan(first, others):
    return jax.lax.scan(lambda carry, step: (carry, _compute(step, others)), 0, first)[1]


if __name__ == "__main__":
    found = {way: wrong(way) for way in WAYS}
    print(f"jax {jax.__version__}: {len(CASES)} sums and products in {len(WAYS)} ways, of which wrong:", found)
    raise SystemExit(any(found.values()))
