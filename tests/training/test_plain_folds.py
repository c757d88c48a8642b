"""The folds of a configuration, in lanes, equal plain loops of Flax and optax on each fold's training rows."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxhpo.space import Choice, Float, Int, Space
from jaxhpo.training.run.placement import training_data
from jaxhpo.training.step.examples import data_of
from tests.training.folded import trainer_of, with_folds
from tests.training.plain import plain, train_plain

FOLDS, EPOCHS, PATIENCE, WIDE = 3, 10, 2, 16
SPACE = Space(
    {
        "learning_rate": Float(2**-12, 2**-5, log=True),
        "batch_size": Choice((16, 32)),
        "layers": Int(1, 3),
        "units": Choice((WIDE,)),
        "dropout": Choice((0.0, 0.25)),
        "optimizer": Choice(("rmsprop", "adam")),
    }
)
WILD = {"learning_rate": 2**-5, "batch_size": 16, "layers": 3, "units": WIDE, "dropout": 0.0, "optimizer": "rmsprop"}
CALM = {"learning_rate": 2**-9, "batch_size": 32, "layers": 3, "units": WIDE, "dropout": 0.25, "optimizer": "adam"}


def plain_fold(trainer, data, config, fold, start, key):
    """Return the weights after each epoch, each epoch's training loss, and the validation losses, without stopping."""
    sizes, own = trainer.layout.fold_sizes, data_of(data, fold)
    trial = jax.random.fold_in(jax.random.fold_in(key, 0), 5)
    lane = trial if fold == 0 else jax.random.fold_in(jax.random.fold_in(trial, 2), fold)

    def order(epoch):
        number = (sizes.examples - sizes.large) // 16 * 16
        return sizes.training_order(jax.random.fold_in(jax.random.fold_in(key, 1), epoch), jnp.int32(fold), number)

    model, held = plain("mlp", trainer.data, 3, WIDE), trainer.layout.folds.slices[fold]
    x = (jnp.asarray(data.train.x[held]).astype(jnp.float64) - own.offset[None]) * own.scale[None]
    steps = (sizes.examples - sizes.large) // 16 // (config["batch_size"] // 16)
    weights, losses, valid = [], [], []
    for epochs in range(1, EPOCHS + 1):
        ((params, each),) = train_plain(model, [start], [config], own, [lane], None, steps * epochs, order=order)
        weights.append(params)
        losses.append(np.mean(each[-steps:]))
        cross = optax.softmax_cross_entropy_with_integer_labels(model.apply({"params": params}, x), data.train.y[held])
        valid.append(float(cross.mean()))
    return weights, losses, valid


def worst_difference(left, right):
    return max(
        np.linalg.norm(np.asarray(a) - np.asarray(b)) / np.linalg.norm(np.asarray(b))
        for a, b in zip(jax.tree.leaves(left), jax.tree.leaves(right), strict=True)
    )


LANES = [(config, fold) for config in (WILD, CALM) for fold in range(FOLDS)]


def trained(digits, engine, budget):
    """Return the trainer, its data in float64, and the result of every fold of trial 5 in both configurations."""
    key, data = jax.random.key(7), with_folds(digits, FOLDS)
    trainer = trainer_of(data, space=SPACE, engine=engine, folds=FOLDS, epochs=EPOCHS, patience=PATIENCE)
    assert len(trainer.plan.buckets) == 1
    data = training_data(trainer.data, (), trainer.layout.folds)
    data = data._replace(offset=data.offset.astype(np.float64), scale=data.scale.astype(np.float64))
    program, results = jax.jit(partial(trainer.programs.train, 0)), []
    size = len(LANES) if engine == "vmap" else 1  # all side by side, or one after the other
    for at in range(0, len(LANES), size):
        part = LANES[at : at + size]
        point = np.stack([SPACE.from_config(config) for config, _ in part])
        fold, ones = np.array([fold for _, fold in part], np.int32), np.ones(size, np.int32)
        found = jax.tree.map(np.asarray, program(key, data, point, budget * ones, ones > 0, 5 * ones, fold))
        results += [jax.tree.map(lambda leaf, i=i: leaf[i], found) for i in range(size)]
    return trainer, data, results


@pytest.fixture(scope="module")
def loops(small_digits):
    """Weights, training losses and validation losses of each fold's plain loop, from the lane's first weights."""
    with jax.enable_x64(True):
        trainer, data, starts = trained(small_digits, "threads", 0)
        with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
            return [
                plain_fold(trainer, data, config, fold, start.params, jax.random.key(7))
                for (config, fold), start in zip(LANES, starts, strict=True)
            ]


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["threads", "vmap"])
def test_folds_train_stop_and_keep_what_plain_loops_do(small_digits, loops, engine):
    """214 digits in folds of 71, 71 and 72: each has 8 batches of 16 among 143, 143 or 142 examples."""
    with jax.enable_x64(True):
        _, _, results = trained(small_digits, engine, EPOCHS)
    ends = set()
    for (config, _), found, (weights, losses, valid) in zip(LANES, results, loops, strict=True):
        kept = ended = 1
        while ended < EPOCHS and ended - kept < PATIENCE:
            ended += 1
            kept = ended if valid[ended - 1] < valid[kept - 1] else kept
        assert (found.epochs, found.checkpoint) == (ended, kept)
        np.testing.assert_allclose(found.validation_loss[:ended], valid[:ended], rtol=1e-6)
        np.testing.assert_allclose(found.loss[:ended], losses[:ended], rtol=1e-6)
        assert np.isnan(found.loss[ended:]).all()
        assert worst_difference(found.params, weights[kept - 1]) < 1e-9
        ends.add((config["batch_size"], ended, kept))
    assert len(ends) >= 4  # folds end at other epochs, and keep other ones
