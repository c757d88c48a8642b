"""How long data take to load: the first time, decoded, and later, from the cache; and a vocabulary of 25,000 reviews.

    python -m benchmarks.training.loading --data-dir DIR [--quick] [--no-save]

Three times each, with an empty cache directory every time; medians. Importing is not counted.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from typing import Any

from benchmarks.record import parser, save
from jaxhpo.data import load
from jaxhpo.data.named import reader, sources
from jaxhpo.data.text import fit_vocabulary

_REPEATS = 3


def seconds(call: Callable[[], Any]) -> float:
    """Return how long a call takes."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def median(rows: list[float]) -> float:
    """Return the median of seconds, rounded."""
    return round(statistics.median(rows), 3)


def main() -> None:
    """Time the loads and write `results/loading.json`."""
    arguments = parser(__doc__)
    arguments.add_argument("--data-dir", required=True, help="where TFDS data sets lie")
    options = arguments.parse_args()
    names = ["mnist"] if options.quick else list(sources.SOURCES)
    loads: dict[str, dict[str, list[float]]] = {name: {"first": [], "later": []} for name in names}
    load(names[0], data_dir=options.data_dir)  # imports TFDS
    for _ in range(1 if options.quick else _REPEATS):
        for name in names:
            with tempfile.TemporaryDirectory() as cache:
                os.environ["JAXHPO_CACHE_DIR"] = cache
                for which in loads[name]:
                    loads[name][which].append(seconds(lambda name=name: load(name, data_dir=options.data_dir)))
    result: dict[str, Any] = {
        "seconds": {name: {which: median(rows) for which, rows in found.items()} for name, found in loads.items()}
    }
    if not options.quick:
        reviews = reader.texts(reader.read(sources.SOURCES["imdb"], options.data_dir), "train")
        times = [seconds(lambda: fit_vocabulary(reviews, 20_000)) for _ in range(_REPEATS)]
        result["vocabulary"] = {"reviews": len(reviews), "words": 20_000, "seconds": median(times)}
    save("loading", result, write=not options.no_save, module="training.loading")


if __name__ == "__main__":
    main()
