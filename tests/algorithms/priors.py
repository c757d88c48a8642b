"""What the tests of the learned prior share: spaces, random priors, a float64 kernel."""

import jax.numpy as jnp
import numpy as np

from jaxhpo.priors import LearnedPrior, hyperparameter_features
from jaxhpo.priors.learned_prior import Learned, Network
from jaxhpo.space import Choice, Float, Int, Space

KINDS = list(hyperparameter_features.MEANINGS)
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


def drawn(seed=0, hidden=5, features=3):
    """Return a prior of random numbers."""
    rng, kinds = np.random.default_rng(seed), len(KINDS)
    shapes = ((kinds, hidden), (hidden,), (hidden, hidden), (hidden,), (hidden, 1 + features), (1 + features,))
    leaves = [0.5 * rng.normal(size=shape).astype(np.float32) for shape in (*shapes, (kinds,), ())]
    return LearnedPrior(Learned(Network(*leaves[:6]), *leaves[6:]))


def matern(theta, ordered, one, other):
    """Return Matern 5/2 between points in float64, as the books write it."""
    distance = 0.0
    for d, has_order in enumerate(ordered):
        apart = np.subtract.outer(one[:, d].astype(float), other[:, d].astype(float))
        distance = distance + np.exp(theta[d]) * (apart**2 if has_order else (apart != 0).astype(float))
    root = np.sqrt(5 * distance)
    return np.exp(theta[-2]) * (1 + root + root**2 / 3) * np.exp(-root)
