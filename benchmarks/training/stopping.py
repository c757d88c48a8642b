"""What it costs to keep each training's best epoch, and what patience saves.

    python -m benchmarks.training.stopping [--quick] [--no-save]

Eight configurations of one shape train for as many epochs with `checkpoint="best"` and with "last", in turns in one
process, compiled before; the figure is the median of the seconds' ratios, beside the smallest and the largest. Then
eight MLPs train with the default patience: lanes one by one compute only their own epochs, and those side by side all
that their launch has. Shares are of the arithmetic of trainings without patience.
"""

import statistics
from typing import Any

import jax
import numpy as np

import jaxhpo as jh
from benchmarks.record import parser, save
from benchmarks.speed import tasks
from benchmarks.speed.ours import batch_of, timed
from jaxhpo.training import Machine, Trainer
from jaxhpo.tuning.training_length import MOST, PATIENCE_FEW

_LANES = 8
_REPEATS = 7
_EPOCHS = {"mlp": 20, "cnn": 5, "rnn": 2}
_WORK = (("mlp", "threads"), ("mlp", "vmap"), ("cnn", "threads"), ("rnn", "threads"))
_SHAPE = {"batch_size": jh.Choice((32,)), "layers": jh.Choice((2,)), "units": jh.Choice((32,))}


def space_of(model: str) -> jh.Space:
    """Return a model's default space with one shape, so that each engine has one program."""
    cell = {"cell": jh.Choice(("gru",))} if model == "rnn" else {}
    return jh.Space(dict(jh.default_space(model)) | _SHAPE | cell)


def data_of(model: str) -> jh.Dataset:
    """Return the examples of a model: scikit-learn's digits, or a made-up text."""
    return tasks.text(1000) if model == "rnn" else jh.data.load("digits")


def configs_of(space: jh.Space) -> list[dict[str, Any]]:
    """Return configurations that are drawn from a space."""
    point = np.random.default_rng(0).random((_LANES, len(space)), np.float32)
    return [space.to_config(row) for row in point]


def cost(model: str, engine: str, *, quick: bool) -> dict[str, float]:
    """Return how many times as long trainings take that keep their best epoch."""
    data, epochs = data_of(model), 1 if quick else _EPOCHS[model]
    machine = Machine(engine=engine)
    made = [
        Trainer(data, model, space_of(model), epochs=epochs, lanes=_LANES, machine=machine, checkpoint=kept)
        for kept in ("best", "last")
    ]
    starts = [trainer.objective.init(jax.random.key(0)) for trainer in made]
    batches = [batch_of(trainer, configs_of(trainer.space), epochs) for trainer in made]
    for trainer, state, batch in zip(made, starts, batches, strict=True):
        timed(trainer, state, batch)
    rows = [[timed(*each) for each in zip(made, starts, batches, strict=True)] for _ in range(1 if quick else _REPEATS)]
    ratios = sorted(best / last for best, last in rows)
    return {"ratio": statistics.median(ratios), "smallest": ratios[0], "largest": ratios[-1]}


def saving(engine: str, *, quick: bool) -> dict[str, float]:
    """Return the epochs of MLPs on the digits with the default patience, and which share of the arithmetic was done."""
    data, most = jh.data.load("digits"), 4 if quick else MOST
    machine, patience = Machine(engine=engine), 1 if quick else PATIENCE_FEW
    trainer = Trainer(data, "mlp", space_of("mlp"), epochs=most, lanes=_LANES, machine=machine, patience=patience)
    configs = configs_of(trainer.space)
    batch, state = batch_of(trainer, configs, most), trainer.objective.init(jax.random.key(0))
    _, outcome = trainer.objective.evaluate(jax.random.key(0), state, batch)
    done = trainer.report()
    trainer.forget()
    trainer.objective.evaluate(jax.random.key(0), state, batch_of(trainer, configs, 1))
    one = trainer.report()
    return {
        "most_epochs": most,
        "mean_epochs": float(np.mean(outcome.aux["epochs"])),
        "needed_share": done["useful_gflop"] / (most * one["useful_gflop"]),
        "executed_share": done["total_gflop"] / (most * one["total_gflop"]),
    }


def main() -> None:
    """Measure both, and write `results/stopping.json`."""
    options = parser(__doc__).parse_args()
    result = {
        "cost": {f"{model}, {engine}": cost(model, engine, quick=options.quick) for model, engine in _WORK},
        "saving": {engine: saving(engine, quick=options.quick) for engine in ("threads", "vmap")},
    }
    save("stopping", result, write=not options.no_save, module="training.stopping")


if __name__ == "__main__":
    main()
