"""Early stopping in a lane equals that of a plain loop of Flax and optax: its epochs, its losses, its weights."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from tests.training.plain import plain
from tests.training.test_equivalence import WIDEST, data_of, make_trainer, run, train_alone, worst_difference

EPOCHS, PATIENCE, STEPS = 16, 2, 10
CONFIG = {"batch_size": 16, "layers": 3, "units": WIDEST, "l1": 0.0, "l2": 0.0, "dropout": 0.0, "optimizer": "rmsprop"}
CONFIGS = [CONFIG | {"learning_rate": 2**-7}, CONFIG | {"learning_rate": 2**-12}]  # one overfits, one does not


def plain_losses(dataset, data, weights):
    """Return the validation loss of each of some plain weights."""
    model = plain("mlp", dataset, 3, WIDEST)
    x = (jnp.asarray(data.valid.x).astype(jnp.float64) - data.offset[None]) * data.scale[None]
    found = [model.apply({"params": params}, x) for params in weights]
    return [float(optax.softmax_cross_entropy_with_integer_labels(z, data.valid.y).mean()) for z in found]


@pytest.mark.slow
@pytest.mark.parametrize("plan", ["threads, one bucket", "vmap, one bucket"])
def test_a_lane_stops_and_keeps_what_a_plain_loop_does(small_digits, plan):
    with jax.enable_x64(True):
        data, key = data_of(small_digits, "float64"), jax.random.key(7)
        trainer = make_trainer("mlp", small_digits, plan, EPOCHS, patience=PATIENCE)
        starts = run(trainer, CONFIGS, key, data, [0, 0])
        results = run(trainer, CONFIGS, key, data, [EPOCHS, EPOCHS])
        after = [train_alone("mlp", small_digits, data, key, CONFIGS, starts, STEPS * n) for n in range(1, EPOCHS + 1)]
        with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
            losses = [plain_losses(small_digits, data, [epoch[lane][0] for epoch in after]) for lane in (0, 1)]
    ends = []
    for lane, (config, result) in enumerate(zip(CONFIGS, results, strict=True)):
        kept = ended = 1
        while ended < EPOCHS and ended - kept < PATIENCE:
            ended += 1
            kept = ended if losses[lane][ended - 1] < losses[lane][kept - 1] else kept
        assert (result.epochs, result.checkpoint, result.updates) == (ended, kept, STEPS * ended)
        np.testing.assert_allclose(result.validation_loss[:ended], losses[lane][:ended], rtol=1e-6)
        assert worst_difference(config, result.params, after[kept - 1][lane][0]) < 1e-9
        ends.append(ended)
    assert ends[0] < ends[1] == EPOCHS
