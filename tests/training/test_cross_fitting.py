"""Cross-fitted outputs: those of the epoch that is best on the other examples."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxhpo.data.folds import Folds
from jaxhpo.training.step import cross_fitting
from jaxhpo.training.step.cross_fitting import first_cross_fit, losses_without_parts, next_cross_fit
from tests.training.folded import GOOD, run, trainer_of, vectors

CONFIG = GOOD | {"learning_rate": 0.3}


def squared(outputs, y):
    return jnp.mean(jnp.square(outputs - y))


def test_the_losses_are_those_of_the_other_examples():
    outputs, y = np.array([1, 2, 3, 4, 5, 6, 100], np.float32), np.zeros(7, np.float32)
    # Parts of examples (0, 3), (1, 4) and (2, 5); the last example is left over.
    expected = [(4 + 25 + 9 + 36) / 4, (1 + 16 + 9 + 36) / 4, (1 + 16 + 4 + 25) / 4]
    np.testing.assert_allclose(losses_without_parts(squared, outputs, y, 3), expected, rtol=1e-6)
    np.testing.assert_allclose(losses_without_parts(squared, outputs[:1], y[:1], 1), [1.0])


def test_a_part_without_a_loss_goes_by_that_of_all():
    def loss(outputs, y):  # which needs both classes
        return jnp.where(jnp.min(y) == jnp.max(y), jnp.nan, squared(outputs, y))

    outputs, y = np.arange(4, dtype=np.float32), np.array([0, 1, 0, 0], np.float32)
    # Without the examples (0, 2) those of 1 and 3 remain; without these, two of one class.
    np.testing.assert_allclose(losses_without_parts(loss, outputs, y, 2), [4.5, squared(outputs, y)])


@settings(deadline=None, max_examples=20)
@given(st.lists(st.tuples(*[st.sampled_from([0.1, 0.2, 0.2, 0.3, np.nan])] * 3), min_size=1, max_size=5))
def test_each_part_has_the_outputs_of_its_own_first_best_epoch(losses):
    losses = np.array(losses, np.float32)
    outputs = np.arange(len(losses), dtype=np.float32)[:, None, None] + np.arange(14).reshape(7, 2) / 100 + 1
    found = first_cross_fit(jax.ShapeDtypeStruct((7, 2), jnp.float32), 3)
    for epoch, own in zip(outputs.astype(np.float32), losses, strict=True):
        found = next_cross_fit(found, own, epoch)
    for row in range(7):
        own = losses[:, row % 3]
        expected = outputs[np.nanargmin(own), row] if np.isfinite(own).any() else np.zeros(2)
        np.testing.assert_allclose(found.outputs[row], expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("copies", "engine"),
    [
        pytest.param({}, "threads"),
        pytest.param({"folds": 3}, "vmap", marks=pytest.mark.slow),
        pytest.param({"folds": 30}, "threads", marks=pytest.mark.slow),  # some of three examples, and of four
    ],
)
def test_a_training_has_them_of_its_own_epochs(copies, engine):
    """Whole trainings of one epoch, two, ... tell the outputs after each; the choice is made in NumPy."""
    epochs, count, data = 6, copies.get("folds", 1), vectors(100, copies.get("folds", 3))
    last = trainer_of(data, engine=engine, epochs=epochs, lanes=1, checkpoint="last", **copies)
    each = [run(last, (0, CONFIG, epoch))[0].outputs[0] for epoch in range(1, epochs + 1)]
    state, _ = run(trainer_of(data, engine=engine, epochs=epochs, lanes=1, **copies), (0, CONFIG, epochs))
    y = np.asarray((state.data.train if count > 1 else state.data.valid).y)
    cross = [-np.take_along_axis(jax.nn.log_softmax(own), y[:, None], 1)[:, 0] for own in each]
    folds = Folds.in_order(count, len(y)).slices
    parts = min(cross_fitting.PARTS, len(y) // count)
    chosen = set()
    for first, end in [(fold.start, fold.stop) for fold in folds]:
        for i in range(end - first):
            # The whole parts of the fold; a small fold has as many parts.
            rows = np.arange((end - first) // parts * parts)
            rows = first + rows[rows % parts != i % parts]
            best = int(np.argmin([own[rows].mean() for own in cross]))
            chosen.add(best)
            np.testing.assert_allclose(state.cross_fitted[0][first + i], each[best][first + i], rtol=1e-5, atol=1e-6)
    assert len(chosen) > 1  # or the epoch is no choice


def test_where_the_last_epoch_counts_the_outputs_are_the_same():
    state, _ = run(trainer_of(vectors(100), lanes=1, checkpoint="last"), (0, CONFIG, 2))
    np.testing.assert_array_equal(state.cross_fitted[0], state.outputs[0])
