"""Compare jaxhpo's MLP with one in plain Flax that has the same hyperparameters, by representation of numbers.

    python -m benchmarks.value.spaces.networks [NAME ...] [--quick] [--no-save]

Trains them on five folds of the training rows of tables of the tuning half, from several seeds, but one where the rows
are more than 8,000. They have the same hyperparameters, number of epochs and patience. Each is kept at its epoch of the
lowest validation loss, and the mean loss over all held-out rows is compared, seed by seed. jaxhpo encodes a table in
its own way, the other network in the usual one: numbers are standardised, categories one-hot. Only validation data are
looked at.
`results/value/networks.json` is written after every table; a table that is there is not trained again.
"""

import json
from typing import Any

import numpy as np
from sklearn.model_selection import KFold, StratifiedKFold

import jaxhpo as jh
from benchmarks.record import RESULTS, parser, save
from benchmarks.value.others import hand_written
from benchmarks.value.own import dataset
from benchmarks.value.problems import PROBLEMS, Problem, parts
from jaxhpo.data.folds import MOST_EXAMPLES

FOLDS, SEEDS, SEEDS_LARGE = 5, 4, 1  # large is more than MOST_EXAMPLES rows
BATCH = 32
FLAX, REPRESENTATIONS = "flax", ("standard", "piecewise")
SPACE = jh.Space(
    {
        "learning_rate": jh.Float(1e-4, 1e-2, log=True),
        "batch_size": jh.Choice((BATCH, 2 * BATCH)),
        "layers": jh.Int(1, 2),
        "units": jh.Choice((64, 128)),
        "l1": jh.Choice((0.0, 1e-6)),
        "l2": jh.Choice((0.0, 1e-6)),
        "dropout": jh.Float(0.0, 0.5),
        "optimizer": jh.Choice(("adam", "adamw")),
        "representation": jh.Choice(REPRESENTATIONS),
    }
)


def config(settings: hand_written.Settings, representation: str) -> dict[str, Any]:
    """Return the settings of the hand-written network as a configuration of `SPACE`."""
    shared = {name: getattr(settings, name) for name in ("learning_rate", "layers", "units", "dropout")}
    own = {"batch_size": settings.batch, "l1": 0.0, "l2": 0.0, "optimizer": "adam"}
    return shared | own | {"representation": representation}


def own(
    problem: Problem, x: Any, y: np.ndarray, settings: hand_written.Settings, seed: int, folds: int
) -> dict[str, float]:
    """Return the loss of jaxhpo's network over all held-out rows, by representation."""
    configs = [config(settings, representation) for representation in REPRESENTATIONS]
    study = jh.tune(
        dataset(problem.task, x, y, seed),
        space=SPACE,
        enqueue=jh.Portfolio(SPACE, configs),
        algorithm="random_search",
        trials=len(configs),
        lanes=len(configs),
        folds=folds,
        epochs=hand_written.EPOCHS,
        patience=hand_written.PATIENCE,
        seed=seed,
        verbose=False,
    )
    return {trial.config["representation"]: float(trial.aux["checkpoint_loss"]) for trial in study.finished}


def plain(problem: Problem, x: Any, y: np.ndarray, settings: hand_written.Settings, seed: int, folds: int) -> float:
    """Return the loss of the network in plain Flax over all held-out rows."""
    dealer = StratifiedKFold if problem.task == "classification" else KFold
    total = 0.0
    for rows, held in dealer(folds, shuffle=True, random_state=seed).split(np.zeros(len(y)), y):
        trained = hand_written.train(problem, x, y, seed, np.inf, settings, (rows, held))
        total += trained.loss * len(held)
    return total / len(y)


def compared(name: str, *, seeds: int, folds: int) -> dict[str, Any]:
    """Return the losses on a table by seed, and the mean differences from plain Flax with their standard errors."""
    problem = PROBLEMS[name]
    seen = parts(problem, 0)
    settings = hand_written.Settings(batch=BATCH)
    losses: dict[str, list[float]] = {who: [] for who in (FLAX, *REPRESENTATIONS)}
    for seed in range(seeds):
        how = problem, seen.x_train, seen.y_train, settings, seed, folds
        for who, loss in (own(*how) | {FLAX: plain(*how)}).items():
            losses[who].append(loss)
    differences = {}
    for who in REPRESENTATIONS:
        each = np.subtract(losses[who], losses[FLAX])
        error = float(each.std(ddof=1) / np.sqrt(seeds)) if seeds > 1 else None
        differences[who] = {"mean": float(each.mean()), "standard_error": error}
    return {"rows": len(seen.y_train), "task": problem.task, "losses": losses, "differences": differences}


def _last(result: dict[str, Any]) -> str:
    """Return what is printed after a table."""
    name, row = list(result["tables"].items())[-1]
    return f"{name:20s} " + ", ".join(f"{who} {np.mean(losses):.4f}" for who, losses in row["losses"].items())


def main() -> None:
    """Compare the tables that are not there, and write `results/value/networks.json`."""
    arguments = parser(__doc__)
    known = [problem.name for problem in PROBLEMS.values() if (problem.half, problem.kind) == ("tuning", "table")]
    arguments.add_argument("names", nargs="*", metavar="NAME", help=f"some of {', '.join(known)}; unless given all")
    options = arguments.parse_args()
    if unknown := set(options.names) - set(known):
        arguments.error(f"unknown {', '.join(sorted(unknown))}; use some of {', '.join(known)}")
    file = RESULTS / "value" / "networks.json"
    there = file.exists() and not options.quick
    tables: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))["tables"] if there else {}
    for name in options.names or known[: 1 if options.quick else None]:
        if name not in tables:
            seeds = SEEDS if PROBLEMS[name].rows <= MOST_EXAMPLES else SEEDS_LARGE
            size = {"seeds": 1, "folds": 2} if options.quick else {"seeds": seeds, "folds": FOLDS}
            tables[name] = compared(name, **size)
            save(
                "value/networks", {"tables": tables}, write=not options.no_save, module="value.spaces.networks",
                show=_last,
            )  # fmt: skip


if __name__ == "__main__":
    main()
