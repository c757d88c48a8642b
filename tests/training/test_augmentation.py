"""Augmented images: what is known by hand, and that they depend on the example's place alone."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxhpo.training.step.augmentation import blank, move
from jaxhpo.training.step.hyper import Hyper

KEY = jnp.array([3, 7], jnp.uint32)
N, SIDE = 400, 6


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (N, SIDE, SIDE + 1, 2)).astype(np.uint8)


def hyper(**options):
    return Hyper(*[None] * 8)._replace(**{name: jnp.asarray(value) for name, value in options.items()})


def moved(images, position=None, **options):
    position = np.arange(len(images), dtype=np.int32) if position is None else position
    return np.asarray(jax.jit(lambda x, p: move(x, hyper(**options), KEY, p))(images, position))


def test_nothing_is_moved_without_a_strength(images):
    assert move(images, hyper(), KEY, np.arange(N)) is images
    for options in ({"crop": 0}, {"flip": 0.0}, {"crop": 0, "flip": 0.0}):
        result = moved(images, **options)
        assert result.dtype == np.uint8
        np.testing.assert_array_equal(result, images)


@pytest.mark.parametrize("options", [{"flip": 1.0}, {"flip": 1.0, "crop": 0}])
def test_a_certain_flip_mirrors_left_and_right(images, options):
    np.testing.assert_array_equal(moved(images, **options), images[:, :, ::-1])


def test_a_flip_has_its_probability(images):
    flipped = (moved(images, flip=0.25) != images).any((1, 2, 3))
    assert abs(flipped.mean() - 0.25) < 4 * np.sqrt(0.25 * 0.75 / N)


def test_a_shift_is_a_crop_of_the_mirrored_image(images):
    most = 2
    padded = np.pad(images, ((0, 0), (most, most), (most, most), (0, 0)), mode="reflect")
    crops = {
        (i, j): padded[:, i : i + SIDE, j : j + SIDE + 1] for i in range(2 * most + 1) for j in range(2 * most + 1)
    }
    result = moved(images, crop=most)
    counts = dict.fromkeys(crops, 0)
    for n in range(N):
        found = [place for place, crop in crops.items() if (crop[n] == result[n]).all()]
        assert len(found) == 1
        counts[found[0]] += 1
    assert min(counts.values()) > 0  # 400 examples, 25 places
    assert max(counts.values()) < 40


def test_an_image_changes_alike_however_the_epoch_is_cut(images):
    whole = moved(images, crop=2, flip=0.5)
    order = np.random.default_rng(1).permutation(N).astype(np.int32)
    np.testing.assert_array_equal(moved(images[order], order, crop=2, flip=0.5), whole[order])


def test_cutout_blanks_a_square():
    x = jnp.ones((N, 9, 9, 1))
    position = np.arange(N, dtype=np.int32)
    assert blank(x, hyper(), KEY, position) is x
    np.testing.assert_array_equal(blank(x, hyper(cutout=0), KEY, position), x)
    cut = np.asarray(blank(x, hyper(cutout=3), KEY, position)) == 0
    rows, columns = cut.any((2, 3)).sum(1), cut.any((1, 3)).sum(1)
    np.testing.assert_array_equal(cut.sum((1, 2, 3)), rows * columns)  # a rectangle
    assert set(rows) == set(columns) == {2, 3}  # at the edge a part of it
    centres = np.unique(cut[(rows == 3) & (columns == 3)].argmax(1).argmax(1))
    assert len(centres) > 3
