"""What the page about memory and speed says is so."""

import re
from dataclasses import fields

import jaxhpo as jh
from benchmarks.tables.committed import load
from jaxhpo.algorithms.common import history
from jaxhpo.compilation import COMPILERS
from jaxhpo.training.planning import costs, planner
from jaxhpo.training.planning.plan import HORIZONS, Bucket, Plan
from jaxhpo.training.run.usage import Account, Ledger
from jaxhpo.training.step.engines import ENGINES
from tests.docs import pages

PAGE = pages.read("docs/guides/memory_and_speed.md")
WORDS = " ".join(PAGE.split())


def keys(heading):
    """Return the names in the first cells of the first table below a heading."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    first = [row.split(" | ")[0] for row in re.findall(r"^\| `.*$", section, re.MULTILINE)]
    return [name for cell in first for name in re.findall(r"`(\w+)`", cell)]


def test_the_table_of_the_plan_has_its_keys():
    assert sorted(keys("The plan")) == sorted([*Plan._fields, "programs"])
    assert "largest units and layers, variant, widths, lanes of a launch, bytes" in PAGE
    assert Bucket._fields == ("units", "layers", "variant", "widths", "size", "bytes")


def test_the_table_of_the_machine_has_its_fields_and_defaults():
    assert keys("Machine")[:4] == [field.name for field in fields(jh.Machine)]
    assert {f'"{name}"' for name in (*ENGINES, "probe")} <= set(re.findall(r'"\w+"', PAGE))
    assert jh.Machine().horizon == "short"
    assert f"within {HORIZONS['short']} or {HORIZONS['long']:,} trainings" in PAGE
    assert (costs._KNOWN["cpu"].engine, costs._KNOWN["gpu"].engine, costs._KNOWN["tpu"].engine) == (
        "threads",
        "vmap",
        "vmap",
    )


def test_the_table_of_training_has_its_keys():
    assert keys("What training did") == ["seconds", "trials", *Account().report(1.0), "buckets"]
    assert {"busy_seconds", "compile_seconds"} <= set(re.findall(r"`(\w+)`", PAGE))
    assert Ledger().compile_seconds == {}


def test_the_constants_are_the_code_s():
    assert f"it expects less than {planner._USEFUL:.0%}" in WORDS
    assert costs._SLACK == 1.5
    assert "a margin of half" in WORDS
    assert COMPILERS == 2
    assert "two programs at a time" in WORDS
    assert [history.capacity_for(trials) for trials in (1, 65, 129)] == [64, 128, 256]
    assert f"Texts are cut at {jh.TextOptions().length} words" in WORDS


def test_the_figures_are_what_was_measured():
    ways, mlp, cnn = load("ways", "speed_mlp", "speed_cnn").values()
    steps = {way: f"{row['milliseconds']:.3g} ms" for way, row in ways["steps"]["cnn"].items()}
    slow, fast = steps["the same in scan"], steps["the same in scan, convolutions as products"]
    assert f"takes {slow} with it, and {fast} with convolutions" in WORDS
    theirs, ours = steps["Flax, nn.max_pool, host loop"], steps["Flax, reshape and maximum, host loop"]
    assert f"takes {ours} in place of {theirs}" in WORDS
    cold = [found["seconds"]["jaxhpo"] for found in (mlp, cnn)]
    assert f"take {cold[0]:.3g} s for MLPs on the digits and {cold[1]:.3g} s for CNNs" in WORDS
    times = [found["seconds"]["pytorch"] / found["seconds"]["jaxhpo"] for found in (mlp, cnn)]
    assert "takes {:.1f} times and {:.1f} times as long".format(*times) in WORDS
