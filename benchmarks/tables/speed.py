"""The tables of what studies and steps take, as Markdown."""

import statistics
from typing import Any

from benchmarks.tables.committed import load, machine

_SIDES = {
    "jaxhpo": "jaxhpo, cold",
    "jaxhpo_without_compilation": "jaxhpo without compilation",
    "pytorch": "PyTorch, one by one",
    "flax_best": "Flax at its best, one by one",
    "flax_usual": "Flax as usual, one by one",
}


def tables_of_speed() -> dict[str, str]:
    """Return what studies and steps take as Markdown, by part, from the committed results."""
    cpu = load("speed_mlp", "speed_cnn", "speed_gru")
    (gpu,) = load("gpu/accelerator").values()
    ways, folds = load("ways", "folds").values()
    return {
        "speed": speed_table(cpu),
        "speed, compiled": compiled_table(cpu),
        "one step": one_step(cpu["speed_cnn"]),
        "folds": folds_table(folds),
        "accelerator": accelerator_table(gpu, cpu),
        "accelerator, one configuration": one_configuration_table(gpu),
        "accelerator, lanes": lanes_table(gpu),
        "accelerator, asking": gpu_asking_table(gpu),
        "ways": ways_table(ways),
        "matrix products": products_table(ways),
    }


def folds_table(result: dict[str, Any]) -> str:
    """Return what a small study with folds takes, and what folds cost, as Markdown."""
    cold, cost = result["cold"], result["cost"]
    one, several = cost["seconds"].values()
    rows = [
        (
            f"from the start of the process to the end, {cold['trials']} trials",
            f"{cold['seconds_from_process_start']:.1f} s",
        ),
        ("of these, nothing trained because programs were compiled", f"{cold['compile']:.1f} s"),
        ("of these, trials trained", f"{cold['train']:.1f} s"),
        ("the same trials trained with five folds", f"{several:.1f} s"),
        ("and without folds", f"{one:.1f} s ({cost['ratio']:.1f}x)"),
        ("arithmetic with five folds, over that without", f"{cost['arithmetic']:.1f}"),
    ]
    note = (
        f"Medians of three; the first is {cold['smallest']:.1f} to {cold['largest']:.1f} s, the ratio "
        f"{cost['smallest']:.1f} to {cost['largest']:.1f}. Measured on {machine(result)}."
    )
    return "\n".join(["| | |", "|---|---|", *(f"| {what} | {value} |" for what, value in rows), "", note])


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
    once = [result["title"] for result in results.values() if len(result["all_seconds"].get("flax_usual", [0])) == 1]
    note = f" Flax ran once for {', '.join(once)}." if once else ""
    return "\n".join(
        [
            *_rows(titles, rows),
            "",
            f"A study of {about['trials']} trials. In brackets: how many times jaxhpo's seconds with a cold cache. "
            f"Medians of {about['repeats']} runs in turns.{note} Peers train {about['peer_trials']} of the trials, "
            f"scaled up. Measured on {machine(about)}, PyTorch {about['peer_versions']['torch']}.",
        ]
    )


def compiled_table(results: dict[str, dict[str, Any]]) -> str:
    """Return the seconds of studies without any compilation as Markdown."""

    def cells(side: str) -> list[str]:
        own = [result["seconds"]["jaxhpo_without_compilation"] for result in results.values()]
        return [
            f"{(s := result['seconds'][side]):.3g} s"
            + (f" ({s / o:.1f}x)" if side != "jaxhpo_without_compilation" else "")
            for result, o in zip(results.values(), own, strict=True)
        ]

    rows = [
        ("jaxhpo", cells("jaxhpo_without_compilation")),
        ("PyTorch, one by one", cells("pytorch")),
        ("Flax at its best, one by one", cells("flax_best_without_compilation")),
    ]
    return "\n".join(_rows([result["title"] for result in results.values()], rows))


def one_step(cnn: dict[str, Any]) -> str:
    """Return in words what one step of a CNN takes, and one of larger ones under `vmap`."""
    step, naive = cnn["one_step"], cnn["naive_vmap"]
    ours, torch, least = (1e3 * s for s in (*step["seconds"].values(), step["matrix_products_alone"]["seconds"]))
    if naive.get("finished", True):
        slow = f"{1e3 * naive['step_seconds_per_lane']:.0f} ms a lane"
    else:
        slow = f"more than {naive['cap_seconds']:.0f} s for {naive['steps']} steps, compilation included"
    return (
        f"One step of the CNN takes {ours:.1f} ms, PyTorch's {torch:.1f} ms ({torch / ours:.1f}x). Its matrix products "
        f"alone take {least:.1f} ms. The CNN has two convolutions of 32 channels, the batch 64 images. "
        f"A step of {naive['lanes']} larger plain Flax CNNs under `vmap` takes {slow}. These have three convolutions "
        f"of 64 channels, and batches of 32."
    )


def accelerator_table(result: dict[str, Any], cpu: dict[str, dict[str, Any]]) -> str:
    """Return what studies take on a GPU as Markdown.

    `cpu` has the same studies on a CPU, as `speed_table` takes them.
    """
    studies = result["studies"].values()
    rows: list[tuple[str, list[str]]] = [
        ("jaxhpo, cold", [f"{study['seconds']:.3g} s" for study in studies]),
        ("on the CPU", [f"{each['seconds']['jaxhpo']:.3g} s" for each in cpu.values()]),
        ("jaxhpo without compilation", [f"{study['seconds_without_compilation']:.3g} s" for study in studies]),
        ("on the CPU", [f"{each['seconds']['jaxhpo_without_compilation']:.3g} s" for each in cpu.values()]),
        ("arithmetic that trials asked for", [f"{study['useful_share']:.0%}" for study in studies]),
        ("GFLOP/s", [f"{study['gflop_per_second']:,.0f}" for study in studies]),
        ("the winner's validation accuracy", [f"{study['best_validation_accuracy']:.3f}" for study in studies]),
        ("on the CPU", [f"{each['study']['best_validation_accuracy']:.3f}" for each in cpu.values()]),
    ]
    lanes = next(iter(studies))["plan"]["lanes"]
    return "\n".join(
        [
            *_rows([study["title"] for study in studies], rows),
            "",
            f"Studies of {result['trials']} trials, {lanes} lanes side by side. One run each, {_gpu(result)}.",
        ]
    )


def one_configuration_table(result: dict[str, Any]) -> str:
    """Return what one CNN takes other libraries on a GPU as Markdown."""
    one = result["one_configuration"]
    torch, (cold, warm) = statistics.median(one["pytorch_seconds"]), one["flax_seconds"]
    return "\n".join(
        [
            "| one CNN | seconds of training | of compiling before |",
            "|---|---|---|",
            f"| PyTorch | {torch:.2f} | |",
            f"| plain Flax | {statistics.median(warm):.2f} | {cold[0] - cold[1]:.1f} |",
            "",
            f"Two convolutions of {one['config']['units']} channels, batches of {one['config']['batch_size']}, as many "
            f"epochs as a trial. {_gpu(result)}, PyTorch {result['measured_on']['versions']['torch']}.",
        ]
    )


def lanes_table(result: dict[str, Any]) -> str:
    """Return how fast MLPs train on a GPU as their lanes grow as Markdown."""
    rows = [f"| {row['lanes']:,} | {row['samples_per_second'] / 1e6:.2g} million |" for row in result["lanes"]]
    return "\n".join(["| lanes of MLPs | examples a second |", "|---|---|", *rows])


def gpu_asking_table(result: dict[str, Any]) -> str:
    """Return what asking and telling takes on a GPU as Markdown."""
    rows = [f"| `{name}` | {row['both_ms']:.1f} ms |" for name, row in result["asking"].items()]
    return "\n".join([f"| method | asking and telling 8 lanes after {result['told']} trials |", "|---|---|", *rows])


def ways_table(ways: dict[str, Any]) -> str:
    """Return the ways to compute a training step as Markdown."""
    lines = ["| network | way | ms a step | GFLOP/s | seconds to compile |", "|---|---|---|---|---|"]
    for network, steps in ways["steps"].items():
        for way, row in steps.items():
            figures = f"{row['milliseconds']:.3g} | {row['gflop_per_second']:.0f} | {row['compile_seconds']:.1f}"
            lines.append(f"| {network.upper()} | {way} | {figures} |")
    note = f"Batches of {ways['batch']}; under `vmap` a step is of one lane. Measured on {machine(ways)}."
    return "\n".join([*lines, "", note])


def products_table(ways: dict[str, Any]) -> str:
    """Return how fast the matrix products of a CNN are alone as Markdown."""
    rows = [f"| {name} | {rate:.0f} |" for name, rate in ways["product_gflop_per_second"].items()]
    return "\n".join(["| matrix product | GFLOP/s |", "|---|---|", *rows])


def _rows(titles: list[str], rows: list[tuple[str, list[str]]]) -> list[str]:
    lines = [f"| | {' | '.join(titles)} |", "|---" * (len(titles) + 1) + "|"]
    return lines + [f"| {name} | {' | '.join(cells)} |" for name, cells in rows]


def _gpu(result: dict[str, Any]) -> str:
    about = result["measured_on"]
    return f"{about['device'].split(': ')[1]}, jax {about['versions']['jax']}"


def _ceiling(result: dict[str, Any]) -> str:
    return f"{result['ceiling']['matmul_2048_gflop_per_second']:.0f}"


def _launch(result: dict[str, Any]) -> str:
    return f"{result['second_process']['first_launch_after_process_start']:.1f} s"
