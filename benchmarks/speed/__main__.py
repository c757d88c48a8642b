"""How fast studies are: jaxhpo beside plain Flax and PyTorch, how cost grows, and what the machine could do.

    python -m benchmarks.speed [mlp cnn gru] [--data-dir DIR] [--repeats 3] [--quick] [--no-save] [--no-pytorch]

A study of 64 trials over eight hyperparameters runs with a cold compilation cache. The same configurations are then
trained one after the other, on the same examples in the same order for as many epochs, by PyTorch, by plain Flax and
optax as usually written (a trial makes and jits its own step) and as the best user writes them (numbers are arguments,
trials of one structure share a compilation): 16 of the 64, scaled up; every side runs in processes of its own, in
turns. Needs PyTorch and matplotlib (`pip install -e '.[benchmarks]'`); the CNN needs a prepared MNIST. Each model's
figures go to `results/speed_MODEL.json`, of a GPU to `results/gpu`, and a plot of all three beside them;
`python -m benchmarks.speed.accelerator` is what fits into five minutes of one.
"""

import importlib.metadata
import json
import os
import statistics
import tempfile
from typing import Any

import jax

from benchmarks.record import parser, results, save
from benchmarks.speed import limits, tasks
from benchmarks.speed.process import call, spare_memory

_PEER_TRIALS = 16
_CAP, _QUICK_CAP = 120.0, 10.0  # seconds that the naive vmap gets
_NAIVE_LANES, _NAIVE_STEPS = 8, 4
_LANES = {"cpu": [1, 4, 16, 64, 256]}
_ACCELERATOR_LANES = [1, 4, 16, 64, 256, 1024]
_MEMORY_GIB = 1.0


def study(name: str, common: dict[str, Any], trials: int, *, twice: bool) -> list[dict[str, Any]]:
    """Return a study with a cold compilation cache and, where `twice`, what a second process of it takes."""
    with tempfile.TemporaryDirectory() as cache:
        return [call("ours:study", cache=cache, name=name, trials=trials, **common) for _ in range(1 + twice)]


def structures(configs: list[dict[str, Any]]) -> int:
    """Return how many programs the best Flax user compiles: one for each structure, optimizer and batch size."""
    return len({tuple(c[key] for key in ("layers", "units", "optimizer", "batch_size")) for c in configs})


def compare(name: str, common: dict[str, Any], *, trials: int, repeats: int, pytorch: bool) -> dict[str, Any]:
    """Return the seconds of a study with jaxhpo and with its peers: medians of runs in turns."""
    ours: list[dict[str, Any]] = []
    torch, usual, cold, warm = [], [], [], []
    few = min(_PEER_TRIALS, trials)
    with tempfile.TemporaryDirectory() as cache:
        for repeat in range(repeats):
            first, *second = study(name, common, trials, twice=repeat == repeats - 1)
            ours.append(first)
            configs = ours[0]["configs"]
            part = configs[:few]
            if pytorch:
                torch.append(sum(call("torch_peer:run", cache=cache, name=name, configs=part, **common)))
            for best, passes in ((False, [usual]), (True, [cold, warm])):
                found = call("flax_peer:run", cache=cache, name=name, configs=part, best=best, **common)
                for into, seconds in zip(passes, found, strict=True):
                    into.append(sum(seconds))
    training = statistics.median(warm)
    compiling = statistics.median(c - w for c, w in zip(cold, warm, strict=True))
    compiling *= structures(configs) / structures(part)
    middle = sorted(ours, key=lambda run: run["seconds"])[len(ours) // 2]
    scale = trials / few
    seconds = {
        "jaxhpo": statistics.median(run["seconds"] for run in ours),
        "jaxhpo_without_compilation": statistics.median(run["seconds_without_compilation"] for run in ours),
        "flax_best": training * scale + compiling,
        "flax_best_without_compilation": training * scale,
        "flax_usual": statistics.median(usual) * scale,
    } | ({"pytorch": statistics.median(torch) * scale} if pytorch else {})
    return {
        "trials": trials,
        "peer_trials": few,
        "peer_versions": {"torch": importlib.metadata.version("torch")} if pytorch else {},
        "repeats": repeats,
        "seconds": seconds,
        "all_seconds": {"jaxhpo": [run["seconds"] for run in ours]}
        | {peer: [s * scale for s in each] for peer, each in (("pytorch", torch), ("flax_usual", usual))},
        "times_faster": {
            f"than_{peer}{part}": seconds[peer] / seconds[f"jaxhpo{part}"]
            for peer in ("pytorch", "flax_best", "flax_usual")
            for part in ("", "_without_compilation")
            if peer in seconds
        },
        "study": {key: value for key, value in middle.items() if key != "configs"},
        "second_process": {
            key: second[0][key] for key in ("seconds", "compilations", "cache_hits", "first_launch_after_process_start")
        },
    }


def naive(name: str, common: dict[str, Any]) -> dict[str, Any]:
    """Return what `vmap` of the whole Flax network costs, or that it did not finish in time."""
    cap = _QUICK_CAP if common["quick"] else _CAP
    with tempfile.TemporaryDirectory() as cache:
        found = call(
            "flax_peer:naive_vmap",
            cache=cache,
            limit=cap,
            name=name,
            lanes=_NAIVE_LANES,
            steps=_NAIVE_STEPS,
            **common,
        )
    return {"lanes": _NAIVE_LANES, "steps": _NAIVE_STEPS, "cap_seconds": cap} | (found or {"finished": False})


def grow(name: str, common: dict[str, Any], *, quick: bool) -> dict[str, Any]:
    """Return how seconds a lane and memory grow."""
    lanes = [1, 4] if quick else _LANES.get(jax.default_backend(), _ACCELERATOR_LANES)
    epochs, units = ([2], [8]) if quick else ([1, 2, 4, 8], [8, 16, 32, 64, 128])
    engine = "vmap" if jax.default_backend() != "cpu" else None
    with tempfile.TemporaryDirectory() as cache:
        found = call("growth:measure", cache=cache, name=name, lanes=lanes, epochs=epochs, units=units, **common)
        found["memory"] = [
            call("growth:memory", cache=cache, name=name, lanes=lanes[-1], budget=_MEMORY_GIB, engine=engine, **common)
            for engine in (["vmap"] if engine else ["threads", "vmap"])
        ]
    return found


def one_step(*, quick: bool) -> dict[str, Any]:
    """Return the seconds of one CNN lane's step, ours and PyTorch's in turns, and of its matrix products alone."""
    units, batch = 32, 64
    steps, turns = (4, 1) if quick else (50, 3)
    ours, torch = [], []
    with tempfile.TemporaryDirectory() as cache:
        for _ in range(turns):
            ours += call("ours:step_seconds", cache=cache, units=units, batch=batch, steps=steps)
            torch += call(
                "torch_peer:step_seconds", cache=cache, units=units, dense=4 * units, batch=batch, steps=steps
            )
    seconds = {"jaxhpo": statistics.median(ours), "pytorch": statistics.median(torch)}
    products = limits.cnn_step(units, batch)
    return {
        "seconds": seconds,
        "times_faster_than_pytorch": seconds["pytorch"] / seconds["jaxhpo"],
        "matrix_products_alone": products,
        "share_of_the_limit": products["seconds"] / seconds["jaxhpo"],
    }


def main() -> None:
    """Measure and write `results/speed_MODEL.json` and the plots."""
    arguments = parser(__doc__)
    arguments.add_argument("models", nargs="*", default=list(tasks.TITLES), help="which; all unless given")
    arguments.add_argument("--data-dir", default=os.environ.get("TFDS_DATA_DIR"), help="where the prepared MNIST lies")
    arguments.add_argument("--no-pytorch", action="store_true", help="leave PyTorch out")
    arguments.add_argument("--repeats", type=int, default=3, help="runs of every side")
    options = arguments.parse_args()
    unknown = [name for name in options.models if name not in tasks.TITLES]
    if unknown:
        arguments.error(f"model {unknown[0]!r} is unknown; use some of {', '.join(tasks.TITLES)}")
    spare_memory()
    for name in options.models:
        common = {"data_dir": options.data_dir, "quick": options.quick}
        result: dict[str, Any] = {"title": tasks.TITLES[name]}
        trials, repeats = (4, 1) if options.quick else (tasks.TRIALS, options.repeats)
        result |= compare(name, common, trials=trials, repeats=repeats, pytorch=not options.no_pytorch)
        result["growth"] = grow(name, common, quick=options.quick)
        if name == "cnn":
            result["naive_vmap"] = naive(name, common)
            if not options.no_pytorch:
                result["one_step"] = one_step(quick=options.quick)
        result["ceiling"] = limits.ceiling()
        save(f"speed_{name}", result, write=not options.no_save, module="speed")
    if not options.no_save:
        from benchmarks.tables.pictures.speed import plot

        files = {name: results() / f"speed_{name}.json" for name in tasks.TITLES}
        found = {name: json.loads(file.read_text()) for name, file in files.items() if file.exists()}
        plot(found, results() / "speed.png")


if __name__ == "__main__":
    main()
