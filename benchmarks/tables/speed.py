"""The tables of what studies and steps take, as Markdown."""

import statistics
from typing import Any

_SIDES = {
    "jaxhpo": "jaxhpo, cold",
    "jaxhpo_without_compilation": "jaxhpo without compilation",
    "pytorch": "PyTorch, one by one",
    "flax_best": "Flax at its best, one by one",
    "flax_usual": "Flax as usual, one by one",
}


def speed_table(results: dict[str, dict[str, Any]]) -> str:
    """Return the speed of studies as Markdown: a column a model."""

    def cell(result: dict[str, Any], side: str) -> str:
        seconds, cold = result["seconds"][side], result["seconds"]["jaxhpo"]
        return f"{seconds:.3g} s" if side.startswith("jaxhpo") else f"{seconds:.3g} s ({seconds / cold:.1f}x)"

    def lanes(result: dict[str, Any]) -> str:
        each = {row["lanes"]: row["seconds_per_lane"] for row in result["growth"]["lanes"]}
        return f"{each[256] / each[16]:.2f}"

    rows: list[tuple[str, list[str]]] = [
        (name, [cell(result, side) for result in results.values()]) for side, name in _SIDES.items()
    ]
    rows += [
        ("arithmetic that trials asked for", [f"{r['study']['useful_share']:.0%}" for r in results.values()]),
        ("GFLOP/s", [f"{r['study']['gflop_per_second']:.0f}" for r in results.values()]),
        ("GFLOP/s of a 2048 x 2048 product", [_ceiling(r) for r in results.values()]),
        ("seconds a lane with 256 lanes, over those with 16", [lanes(r) for r in results.values()]),
        (
            "programs that a second process compiles",
            [str(r["second_process"]["compilations"]) for r in results.values()],
        ),
        ("its start to its first launch", [_launch(r) for r in results.values()]),
    ]
    titles = [result["title"] for result in results.values()]
    about = next(iter(results.values()))
    measured = about["measured_on"]
    once = [result["title"] for result in results.values() if len(result["all_seconds"].get("flax_usual", [0])) == 1]
    note = f" (Flax once for {', '.join(once)})" if once else ""
    lines = [f"| | {' | '.join(titles)} |", "|---" * (len(titles) + 1) + "|"]
    lines += [f"| {name} | {' | '.join(cells)} |" for name, cells in rows]
    return "\n".join(
        [
            *lines,
            "",
            f"A study of {about['trials']} trials; in brackets, how many times jaxhpo's with a cold cache. Medians "
            f"of {about['repeats']} runs in turns{note}; peers train {about['peer_trials']} of the trials, scaled up. "
            f"{measured['cores']} cores ({measured['processor']}), jax {measured['versions']['jax']}, PyTorch "
            f"{about['peer_versions']['torch']}.",
            "",
            _one_step(results["speed_cnn"]),
        ]
    )


def _one_step(cnn: dict[str, Any]) -> str:
    step, naive = cnn["one_step"], cnn["naive_vmap"]
    ours, torch, least = (1e3 * s for s in (*step["seconds"].values(), step["matrix_products_alone"]["seconds"]))
    line = (
        f"One step of the CNN with two convolutions of 32 channels, on a batch of 64, takes {ours:.1f} ms, PyTorch's "
        f"{torch:.1f} ms ({torch / ours:.1f}x); its matrix products alone, {least:.1f} ms. "
    )
    if naive.get("finished", True):
        slow = f"{1e3 * naive['step_seconds_per_lane']:.0f} ms a lane"
    else:
        slow = f"more than {naive['cap_seconds']:.0f} s for {naive['steps']} steps, compilation included"
    larger = f"{naive['lanes']} larger plain Flax CNNs under `vmap`, of three convolutions of 64 channels"
    return line + f"A step of {larger}, on a batch of 32, takes {slow}."


def accelerator_table(result: dict[str, Any], cpu: dict[str, dict[str, Any]]) -> str:
    """Return what a GPU does as Markdown: studies, one configuration by others, lanes, asking and telling.

    `cpu` has the same studies on a CPU, as `speed_table` takes them.
    """
    studies = result["studies"].values()
    rows = {
        "jaxhpo, cold": [f"{study['seconds']:.3g} s" for study in studies],
        "jaxhpo without compilation": [f"{study['seconds_without_compilation']:.3g} s" for study in studies],
        "arithmetic that trials asked for": [f"{study['useful_share']:.0%}" for study in studies],
        "GFLOP/s": [f"{study['gflop_per_second']:,.0f}" for study in studies],
        "the winner's validation accuracy": [f"{study['best_validation_accuracy']:.3f}" for study in studies],
        "on the CPU": [f"{each['study']['best_validation_accuracy']:.3f}" for each in cpu.values()],
    }
    one, about = result["one_configuration"], result["measured_on"]
    torch, (cold, warm) = statistics.median(one["pytorch_seconds"]), one["flax_seconds"]
    growth = [f"{row['samples_per_second'] / 1e6:.2g} million with {row['lanes']:,}" for row in result["lanes"]]
    asking = [f"{row['both_ms']:.1f} ms with `{name}`" for name, row in result["asking"].items()]
    lanes = next(iter(studies))["plan"]["lanes"]
    return "\n".join(
        [
            f"| | {' | '.join(study['title'] for study in studies)} |",
            "|---" * (len(studies) + 1) + "|",
            *(f"| {name} | {' | '.join(cells)} |" for name, cells in rows.items()),
            "",
            f"Studies of {result['trials']} trials, {lanes} lanes side by side. One CNN of two convolutions of 32 "
            f"channels, trained on batches of 64 for as long, takes PyTorch {torch:.2f} s, and plain Flax "
            f"{statistics.median(warm):.2f} s after {cold[0] - cold[1]:.1f} s of compiling. Examples a second of MLPs: "
            f"{', '.join(growth)} lanes. Asking and telling 8 lanes after {result['told']} trials takes "
            f"{', '.join(asking)}. One run each, {about['device'].split(': ')[1]}, jax {about['versions']['jax']}, "
            f"PyTorch {about['versions']['torch']}.",
        ]
    )


def ways_table(ways: dict[str, Any]) -> str:
    """Return the ways to compute a training step as Markdown."""
    lines = ["| network | way | ms a step | GFLOP/s | seconds to compile |", "|---|---|---|---|---|"]
    for network, steps in ways["steps"].items():
        for way, row in steps.items():
            figures = f"{row['milliseconds']:.3g} | {row['gflop_per_second']:.0f} | {row['compile_seconds']:.1f}"
            lines.append(f"| {network.upper()} | {way} | {figures} |")
    about = ways["measured_on"]
    rates = "; ".join(f"{name} {rate:.0f}" for name, rate in ways["product_gflop_per_second"].items())
    return "\n".join(
        [
            *lines,
            "",
            f"Batches of {ways['batch']}, {about['cores']} cores ({about['processor']}), jax "
            f"{about['versions']['jax']}; under `vmap` per lane.",
            "",
            f"Matrix products alone in the CNN's shapes, GFLOP/s: {rates}.",
        ]
    )


def _ceiling(result: dict[str, Any]) -> str:
    return f"{result['ceiling']['matmul_2048_gflop_per_second']:.0f}"


def _launch(result: dict[str, Any]) -> str:
    return f"{result['second_process']['first_launch_after_process_start']:.1f} s"
