"""The deep averaging network for texts: dense layers over the mean of the embeddings of words and bigrams."""

import flax.linen as nn
import jax.numpy as jnp
import numpy as np

from jaxhpo.models.cost import Cost, dense_cost
from jaxhpo.models.dropout import Dropout, drop_features
from jaxhpo.models.family import STRUCTURAL, Hyperparameter, NetworkFamily
from jaxhpo.models.layers import Active, masked, unit_mask
from jaxhpo.models.mlp import dense_layers
from jaxhpo.models.rnn import PADDING
from jaxhpo.space import Int
from jaxhpo.types import Array

_DEVIATION = 0.1  # of initial embeddings: small beside what a few hundred updates of Adam at 1e-3 add


def bigram_buckets(tokens: Array, buckets: int) -> Array:
    """Return the bucket of each pair of neighbouring tokens: [n, T] int32 -> [n, T - 1] int32, below `buckets`.

    It is ``mix(left * 0x9E3779B1 + right) % buckets`` in uint32, where ``mix`` is the finaliser of MurmurHash3. So a
    pair has the same bucket in every process, on every device.
    """
    left, right = (part.astype(jnp.uint32) for part in (tokens[:, :-1], tokens[:, 1:]))
    pair = left * np.uint32(0x9E3779B1) + right
    pair = (pair ^ (pair >> np.uint32(16))) * np.uint32(0x85EBCA6B)
    pair = (pair ^ (pair >> np.uint32(13))) * np.uint32(0xC2B2AE35)
    pair = pair ^ (pair >> np.uint32(16))
    return (pair % np.uint32(buckets)).astype(jnp.int32)


class DAN(nn.Module):
    """The mean embedding of words and bigrams, then `layers` dense layers: tokens [n, T] -> [n, classes] logits.

    Without bigrams it is the deep averaging network of Iyyer et al. (2015). Hashed bigrams in the same mean are those
    of fastText (Joulin et al. 2016).

    Tokens are whole numbers in the dtype in which the network computes; 0 is padding. Padding has no part in the mean,
    and no bigram has padding in it. The mean of a text without words is 0.

    Each dense layer has ReLU and dropout. If the embedding has a rate of dropout, features of the mean are dropped.

    With `active`, a lane uses the first `active.layers` layers (1 to `layers`), and `active.units` units of each and
    of the embedding. It then equals the smaller network.

    Attributes:
        layers: Number of dense layers before the outputs.
        units: Number of features of an embedding, and of units of each layer.
        classes: Number of outputs.
        vocabulary: Number of tokens.
        bigrams: Number of embeddings that bigrams share, by a hash; 0 leaves bigrams out.
    """

    layers: int
    units: int
    classes: int
    vocabulary: int
    bigrams: int = 0

    @nn.compact
    def __call__(self, x: Array, *, active: Active | None = None, dropout: Dropout | None = None) -> Array:
        """Return the logits; without `dropout` nothing is dropped."""
        mask = unit_mask(active, self.units)
        rows = x.astype(jnp.int32)
        real = rows != PADDING
        if self.bigrams:
            pairs = self.vocabulary + bigram_buckets(rows, self.bigrams)
            rows = jnp.concatenate([rows, pairs], axis=1)
            real = jnp.concatenate([real, real[:, :-1] & real[:, 1:]], axis=1)
        shape = (self.vocabulary + self.bigrams, self.units)
        table = self.param("embedding", masked(None, mask, _DEVIATION), shape, x.dtype)
        counts = real.astype(x.dtype)
        total = jnp.sum(table[rows] * counts[:, :, None], axis=1)
        mean = total / jnp.maximum(jnp.sum(counts, axis=1), 1)[:, None]
        return dense_layers(self, drop_features(mean, dropout), mask, active, dropout)

    def cost(self, shape: tuple[int, ...]) -> Cost:
        """Return the cost of the network on texts of a shape: [T] tokens."""
        (steps,) = shape
        rows = steps + (steps - 1 if self.bigrams else 0)
        forward, _, params = dense_cost((*[self.units] * (self.layers + 1), self.classes))
        params += (self.vocabulary + self.bigrams) * self.units
        held = steps + 2 * rows + (1 + 2 * self.layers) * self.units + self.classes
        return Cost(forward, 2 * forward, held, 2 * rows * self.units, params, 30 + 12 * self.layers)


FAMILY = NetworkFamily(
    DAN,
    kinds=("text",),
    units=lambda shape: (32, 48, 64),
    structure={
        "bigrams": Hyperparameter(
            0,
            (0, 2048, 8192, 32768),
            "embeddings that pairs of neighbouring words share; 0 is none",
            ("bigram_buckets",),
            STRUCTURAL,
        ),
    },
    traced=("embedding_dropout",),
    ranges={"layers": Int(1, 2, default=1)},
    smallest_batch=64,
)
