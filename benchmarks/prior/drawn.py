"""Lessons that are drawn: examples, networks, ranges and how long is trained, all by a seed.

A handful of lessons that somebody chose teaches what these have in common. These are many, and nobody chose them.
"""

from collections.abc import Callable

import numpy as np
from sklearn import datasets

from benchmarks.prior.lesson_examples import MANY, DataDir, Make, classes, teacher
from benchmarks.quality.problems import Examples, Problem, vectors

SEEDS = tuple(seed for seed in range(48) if seed != 12)
"""Of that one half of the trainings are perfect: there is nothing to learn."""
_VALID = 600
_STEPS = 6000  # of the smallest batch at most
_OPTIMIZERS = ("adam", "adam", "momentum", "momentum", "adamw", "rmsprop")
_RATE_ENDS = ((1e-6, 1e-5, 1e-4, 1e-3), (0.1, 0.3, 1.0, 3.0))
_DECAY_ENDS = ((1e-8, 1e-7, 1e-6, 1e-5), (0.01, 0.1, 1.0))
_UNIT_ENDS = ((4, 8, 16), (64, 128, 192))
_SMALLEST = (8, 10, 16, 20, 32)
_TIMES = (2, 4, 8, 16)


def draw(seed: int) -> Problem:
    """Return the problem of a seed."""
    rng = np.random.default_rng((seed, 7))
    make, about, uneven = _examples(rng)
    train = int(np.rint(np.exp(rng.uniform(np.log(80), np.log(1500)))))
    smallest = int(rng.choice(_SMALLEST))
    times = rng.choice(_TIMES, rng.integers(1, len(_TIMES)), replace=False)
    batches = (smallest, *(int(smallest * t) for t in np.sort(times) if smallest * t <= train))
    longest = min(150.0, _STEPS * smallest / train)
    epochs = int(np.rint(np.exp(rng.uniform(np.log(min(4.0, longest)), np.log(longest)))))
    ends = [(float(rng.choice(low)), float(rng.choice(high))) for low, high in (_RATE_ENDS, _DECAY_ENDS)]
    return Problem(
        make,
        f"drawn: {about}",
        train,
        _VALID,
        epochs,
        optimizer=str(rng.choice(_OPTIMIZERS)),
        units=(int(rng.choice(_UNIT_ENDS[0])), int(rng.choice(_UNIT_ENDS[1]))),
        configurations=384,
        rates=ends[0],
        batches=batches,
        momenta=(float(rng.choice((0.0, 0.5))), 0.99),
        decays=ends[1],
        layers=(1, int(rng.integers(2, 6))),
        dropouts=(0.0, float(rng.choice((0.4, 0.6, 0.8)))) if rng.random() < 0.5 else None,
        balanced=uneven and rng.random() < 0.5,
    )


def _examples(rng: np.random.Generator) -> tuple[Make, str, bool]:
    """Return what makes examples, a few words, and whether classes differ in size."""
    kind = rng.choice(("classes", "classes", "shells", "network", "network values", "linear values"))
    features = int(np.rint(np.exp(rng.uniform(np.log(4), np.log(60)))))
    number, seed = int(rng.choice((2, 2, 3, 5))), int(rng.integers(2**31))
    noise = float(rng.choice((0.0, 0.05, 0.15, 0.3)))
    if kind == "classes":
        informative = min(features, max(4, features // int(rng.integers(1, 4))))
        uneven, most = number < 5 and rng.random() < 0.5, float(rng.uniform(0.6, 0.9))
        shape = {
            "n_classes": number,
            "n_clusters_per_class": int(rng.integers(1, 4)) if number < 5 else 1,
            "weights": [most, 0.6 * (1 - most)][: number - 1] if uneven else None,
            "flip_y": noise,
            "class_sep": float(rng.uniform(0.5, 1.5)),
        }
        return classes(seed, features, informative, **shape), "classes", uneven
    if kind == "shells":
        few = min(features, 10)
        shape = {"n_samples": MANY, "n_features": few, "n_classes": number, "random_state": seed}
        return _made(datasets.make_gaussian_quantiles, **shape), "shells", False
    if kind == "linear values":
        shape = {"n_samples": MANY, "n_features": features, "n_informative": max(features // 3, 2)}
        return _made(datasets.make_regression, noise=200 * noise, random_state=seed, **shape), "values", False
    outputs = 1 if kind == "network values" else number
    return _network(seed, min(features, 20), outputs, noise), f"{kind} of a random one", False


def _made(make: Callable[..., Examples], **options: object) -> Make:
    def examples(data_dir: DataDir) -> Examples:
        x, y = make(**options)
        return vectors(x, y, classes=y.dtype.kind != "f")

    return examples


def _network(seed: int, inputs: int, outputs: int, noise: float) -> Make:
    """Return what makes inputs, and what a random network of two hidden layers says of them, noisily."""

    def examples(data_dir: DataDir) -> Examples:
        rng = np.random.default_rng(seed)
        x, y = teacher(rng, inputs, outputs, MANY)
        y += noise * y.std(axis=0) * rng.normal(size=y.shape)
        return vectors(x, y[:, 0], classes=False) if outputs == 1 else vectors(x, y.argmax(axis=1))

    return examples
