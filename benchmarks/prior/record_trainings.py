"""Record the trainings that the tasks of the family "surrogates" are fitted to, and fit them; record the lessons.

    python -m benchmarks.prior.record_trainings [digits_few cancer ...] [--fit] [--quick] [--no-save] [--data-dir DIR]

Draws configurations of a continuous space for each of `benchmarks.quality.problems`, trains them with jaxhpo's own
Trainer, fits a smooth function to their validation scores, and writes both to `benchmarks/data`. `--fit` fits again
what is recorded. The trainings of `benchmarks.prior.lessons` are recorded alike, and not fitted. DIR holds a prepared
MNIST, CIFAR-10 and IMDB, which some need. Two hours on one core.
"""

import zlib

import jax
import numpy as np

from benchmarks.prior.lessons import LESSONS
from benchmarks.quality import fit_surrogates
from benchmarks.quality.problems import PROBLEMS, Problem
from benchmarks.quality.tasks import surrogates
from benchmarks.quality.tasks.surrogates import Trainings
from benchmarks.record import parser
from jaxhpo import Machine, Trainer
from jaxhpo.types import Proposal

_LANES = 256
_QUICK = 16  # configurations
_KNOWN = PROBLEMS | LESSONS


def places(problem: Problem, count: int, seed: int) -> np.ndarray:
    """Return a Latin hypercube sample of places, whole numbers and options at the middle of theirs: [N, D] uint8."""
    rng = np.random.default_rng(seed)
    space = problem.space
    strata = rng.permuted(np.tile(np.arange(count), (len(space) - 1, 1)), axis=1).T
    drawn = np.floor((strata + rng.random(strata.shape)) / count * 256).astype(np.uint8)
    return surrogates.to_places(np.asarray(space.canonical(surrogates.to_points(drawn))))


def seed_of(name: str) -> int:
    """Return what a problem's configurations are drawn by; a lesson's stays when others come or go."""
    return zlib.crc32(name.encode()) if name in LESSONS else list(PROBLEMS).index(name)


def record(name: str, *, quick: bool = False, data_dir: str | None = None) -> Trainings:
    """Return a problem's configurations and their validation scores, the mean over repeats."""
    problem = _KNOWN[name]
    count = _QUICK if quick else problem.configurations
    at = places(problem, count, seed_of(name))
    points = np.asarray(problem.space.canonical(surrogates.to_points(at)))
    examples = problem.examples(data_dir)
    epochs = 1 if quick else problem.epochs
    lanes = min(_LANES, count)
    trainer = Trainer(
        examples,
        problem.model,
        problem.space,
        epochs=epochs,
        lanes=lanes,
        machine=Machine(horizon="long"),
        checkpoint="last",
    )
    nothing = 0.0 if examples.classes is None else 1 / examples.classes  # what one that diverged knows
    total = np.zeros(count)
    repeats = 1 if quick else problem.repeats
    for repeat in range(repeats):
        key = jax.random.key(repeat, impl="threefry2x32")
        state = trainer.objective.init(key)
        for start in range(0, count, lanes):
            rows = np.arange(start, min(start + lanes, count))
            point = np.pad(points[rows], ((0, lanes - len(rows)), (0, 0)), mode="edge")
            active = np.arange(lanes) < len(rows)
            trial = np.where(active, start + np.arange(lanes), -1).astype(np.int32)
            proposal = Proposal(point, np.full(lanes, epochs, np.int32), np.full(lanes, -1, np.int32), active, trial)
            state, outcome = trainer.objective.evaluate(key, state, proposal)
            score = np.nan_to_num(np.asarray(outcome.score, np.float64)[active], nan=nothing, neginf=nothing)
            total[rows] += np.clip(score, 0, 1)  # of a regression as well: below 0 is worse than the mean
            print(f"{name}: repeat {repeat + 1}/{repeats}, {rows[-1] + 1}/{count}", flush=True)
    return Trainings(problem.space, at, total / repeats, nothing)


def main() -> None:
    """Record and fit each problem."""
    arguments = parser(__doc__)
    arguments.add_argument("problems", nargs="*", default=list(_KNOWN), help="which; all unless given")
    arguments.add_argument("--fit", action="store_true", help="fit again what is recorded; train nothing")
    arguments.add_argument("--data-dir", metavar="DIR", help="holds prepared data sets; else TFDS_DATA_DIR")
    options = arguments.parse_args()
    if unknown := set(options.problems) - set(_KNOWN):
        arguments.error(f"unknown {', '.join(unknown)}; use some of {', '.join(_KNOWN)}")
    write = not (options.quick or options.no_save)
    for name in options.problems:
        jax.clear_caches()  # a process cannot hold the programs of all
        if options.fit:
            trainings = surrogates.read(name)[0]
        else:
            trainings = record(name, quick=options.quick, data_dir=options.data_dir)
            if write:  # before the fit, as trainings are dear
                surrogates.save(name, trainings)
        score = trainings.score
        print(f"{name}: recorded best {score.max():.4f}, median {np.median(score):.4f}, worst {score.min():.4f}")
        if name in LESSONS:
            continue
        fit = fit_surrogates.fit(trainings, quick=options.quick)
        print(f"{name}: {fit}", flush=True)
        if write:
            surrogates.save(name, trainings, fit)


if __name__ == "__main__":
    main()
