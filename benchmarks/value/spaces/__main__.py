"""Which space a study of few trials ends better in: drawn from what recorded random searches said.

    python -m benchmarks.value.spaces [FILE.jsonl] [--trials 16] [--baseline NAME] [--no-save]

Reads the lines of random searches of the tuning half, and the records of what their trials said, which lie in a folder
beside the file. Nothing is trained. From each record, 200 times some of the trials are drawn. Of them the winner and
the mean of the ten lowest losses have a test score and a test loss, and their means over the draws are compared. Parts
of candidates (`PARTS`) are drawn from the trials that they have, where these are enough.
`results/value/spaces.json` has the mean differences from the baseline, kind by kind of problem, on the problems that
all candidates of the kind have.

The lines and records come from, for example:

    python -m benchmarks.value --half tuning --splits 1 --seconds 1200
        --methods random_search:space=wide,trials=32 random_search:space=narrow,trials=32
"""

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from zlib import crc32

import numpy as np

from benchmarks.record import RESULTS, parser, save
from benchmarks.value.methods import options_of
from benchmarks.value.recorded import only, read
from benchmarks.value.rules.__main__ import recorded_lines
from benchmarks.value.rules.choosing import TEN, Rule, mean_of, winner
from benchmarks.value.rules.pool import Pool, figures_of, pool_of
from benchmarks.value.rules.variants import compared, shown
from benchmarks.value.run import Line, record_name, records
from benchmarks.value.spaces.candidates import PARTS

DRAWS = 200
ENDS: dict[str, Rule] = {"winner": winner, "ensemble": partial(mean_of, TEN)}
"""What a study ends with, by name."""


def candidate_of(line: Line) -> str:
    """Return the name of the space, and of the network where it is named, that a line's study searched.

    Raises:
        ValueError: if the line is of a study without `space=`.
    """
    text = line["method"].partition(":")[2]
    options = options_of(text) if text else {}
    if "space" not in options:
        raise ValueError(f"method {line['method']!r} searched no space by name; give it space=NAME")
    return " ".join(filter(None, (options["space"], options.get("model"))))


def drawn(pool: Pool, trials: int, seed: int) -> Pool:
    """Return some of the trials of a pool, in its order."""
    rows = np.sort(np.random.default_rng(seed).permutation(len(pool.losses))[:trials])
    each = {name: getattr(pool, name)[rows] for name in ("scores", "losses", "valid", "test")}
    return pool._replace(**each)


def figures(lines: Iterable[Line], folder: Path, *, trials: int, draws: int = DRAWS) -> list[Line]:
    """Return a line of each candidate on each split: the mean test score and loss over draws, of winner and ensemble.

    The field `study` says of what kind of problem and of which of the two it is, such as "tables, winner".

    Args:
        lines: of studies.
        folder: of their records.
        trials: that are drawn.
        draws: how often.
    """
    found = []
    for line in lines:
        recorded, candidate = read(folder / record_name(line)), candidate_of(line)
        pools = {candidate: pool_of(recorded)}
        parts = {name: only(recorded, keep) for name, (whole, keep) in PARTS.items() if whole == candidate}
        pools |= {name: pool_of(part) for name, part in parts.items() if len(part.trials) >= trials}
        what = {name: line[name] for name in ("problem", "split")}
        first = crc32(f"{line['problem']} {line['split']}".encode())
        for name, pool in pools.items():
            several = [drawn(pool, trials, first + draw) for draw in range(draws)]
            for end, rule in ENDS.items():
                score, loss = np.mean([figures_of(one, rule(one)) for one in several], axis=0).tolist()
                own = {"study": f"{line['kind']}s, {end}", "method": name, "score": score, "loss": loss}
                found.append(what | own | {"trials": min(trials, len(pool.losses))})
    return found


def on_common_splits(lines: list[Line], baseline: str) -> list[Line]:
    """Return the lines of the splits that every candidate of the kind has; none of a kind without the baseline."""
    there: dict[str, dict[str, set[tuple[str, int]]]] = {}
    for line in lines:
        of_kind = there.setdefault(line["kind"], {})
        of_kind.setdefault(candidate_of(line), set()).add((line["problem"], line["split"]))
    common = {kind: set.intersection(*each.values()) for kind, each in there.items() if baseline in each}
    return [line for line in lines if (line["problem"], line["split"]) in common.get(line["kind"], ())]


def main() -> None:
    """Compare the candidates on what is recorded."""
    arguments = parser(__doc__)
    default = RESULTS / "value" / "tuning.jsonl"
    arguments.add_argument("file", nargs="?", type=Path, default=default, metavar="FILE.jsonl", help="lines of studies")
    arguments.add_argument("--trials", type=int, default=16, help="that are drawn; 16 unless given")
    arguments.add_argument("--baseline", default="wide", metavar="NAME", help="the candidate that others differ from")
    options = arguments.parse_args()
    try:
        if options.trials < 1:
            raise ValueError(f"--trials {options.trials} must be at least 1")
        searches = [line for line in recorded_lines(options.file) if line["method"].startswith("random_search:")]
        names = list(dict.fromkeys(map(candidate_of, searches)))
        lines = on_common_splits(searches, options.baseline)
        if not lines:
            there = ", ".join(names) or "none"
            raise ValueError(
                f"candidate {options.baseline!r} has no split in {options.file} that others have; there are {there}"
            )
    except ValueError as error:
        arguments.error(str(error))
    found = figures(lines, records(options.file), trials=options.trials, draws=2 if options.quick else DRAWS)
    result = {"baseline": options.baseline, "compared": compared(found, options.baseline)}
    write = not (options.no_save or options.quick)
    save("value/spaces", result, write=write, module="value.spaces", show=partial(shown, "space"))


if __name__ == "__main__":
    main()
