"""What the page about accelerators says is so."""

import tomllib

from benchmarks.tables.committed import load
from jaxhpo.training.planning import costs, resources
from tests.docs import pages

PAGE = pages.read("docs/guides/accelerators.md")
WORDS = " ".join(PAGE.split())


def test_the_extras_exist():
    extras = tomllib.loads(pages.read("pyproject.toml"))["project"]["optional-dependencies"]
    for name in ("cuda12", "cuda13", "tpu", "benchmarks"):
        assert name in extras
        assert name in PAGE


def test_the_defaults_are_the_code_s():
    known = costs._KNOWN
    assert (known["cpu"].lanes, known["gpu"].lanes, known["tpu"].lanes) == (8, 64, 64)
    large = f"beyond {resources._LARGE:,} training examples one for each core, and two at least"
    assert f"| default lanes | 8, or one for each core if it has more; {large} | 64, but" in PAGE


def test_the_studies_are_what_was_measured():
    (gpu,) = load("gpu/accelerator").values()
    cpu = load("speed_mlp", "speed_cnn", "speed_gru").values()
    rows = {
        "H200, with empty cache": [study["seconds"] for study in gpu["studies"].values()],
        "H200, without compiling": [study["seconds_without_compilation"] for study in gpu["studies"].values()],
        "two cores, with empty cache": [found["seconds"]["jaxhpo"] for found in cpu],
        "two cores, without compiling": [found["seconds"]["jaxhpo_without_compilation"] for found in cpu],
    }
    for name, seconds in rows.items():
        assert f"| {name} | {' | '.join(f'{each:.3g} s' for each in seconds)} |" in PAGE
    studies, ours = gpu["studies"].values(), [found["study"] for found in cpu]
    told = "{:.0%}, {:.0%} and {:.0%}".format(*(study["useful_share"] for study in studies))
    assert f"what the trials asked for: {told}" in WORDS
    there, here = (
        "{:.3f}, {:.3f} and {:.3f}".format(*(study["best_validation_accuracy"] for study in side))
        for side in (studies, ours)
    )
    assert f"accuracies of {there} there, and {here} on the CPU" in WORDS
    assert "took {:.2f}, {:.2f} and {:.2f} GiB".format(*(study["peak_gib"] for study in studies)) in WORDS


def test_what_lanes_and_choosing_take_is_what_was_measured():
    (gpu,) = load("gpu/accelerator").values()
    growth = gpu["lanes"]
    assert [row["lanes"] for row in growth] == [1, 64, 1024]
    rates = [f"{row['samples_per_second'] / 1e6:.2g} million" for row in growth]
    assert f"| {' | '.join(rates)} |" in PAGE
    times = [row["lanes"] * row["seconds_per_lane"] / growth[0]["seconds_per_lane"] for row in growth]
    assert f"64 lanes take {times[1]:.1f} times as long as one lane, and 1,024 lanes {times[2]:.1f} times" in WORDS
    agent, gp, tables = (gpu["asking"][name]["both_ms"] for name in ("q_learning", "gp", "tabular_q"))
    assert f"take `q_learning` {agent:.1f} ms, `gp` {gp:.1f} ms and `tabular_q` {tables:.1f} ms" in WORDS
    assert gpu["told"] == 96


def test_the_memory_of_a_plan_is_what_was_planned():
    (gpu,) = load("gpu/accelerator").values()
    assert {study["plan"]["memory"] for study in gpu["studies"].values()} == {84_437_630_976}
    assert f"{84_437_630_976 / 2**30:.1f} GiB on the H200" in WORDS
