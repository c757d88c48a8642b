"""The tables of the READMEs, made from the committed JSON, the registry of algorithms and the names a prior knows.

python -m benchmarks.tables
"""

import json
import statistics
from typing import Any

from benchmarks.record import RESULTS
from benchmarks.tables.quality import (
    ablation_table,
    against_table,
    asking_table,
    epochs_table,
    families_table,
    fidelity_table,
    headline,
    prior_sentence,
    regret_table,
)
from benchmarks.tables.speed import accelerator_table, speed_table
from jaxhpo import algorithms as methods
from jaxhpo.priors.hyperparameter_features import MEANINGS


def _span(values: list[float], form: str) -> str:
    """Return the median, and the range where there are several."""
    middle = format(statistics.median(values), form)
    return middle if len(values) == 1 else f"{middle} ({min(values):{form}} to {max(values):{form}})"


def algorithms_table() -> str:
    """Return the registry of algorithms as Markdown."""
    lines = ["| name | what it does | take it |", "|---|---|---|"]
    lines += [f"| `{name}` | {methods.summary(name)} | {methods.use(name)} |" for name in methods.names()]
    return "\n".join(lines)


def meanings_table() -> str:
    """Return the names that the prior of `q_learning` knows as Markdown."""
    lines = ["| hyperparameter | also called |", "|---|---|"]
    lines += [f"| `{name}` | {', '.join(f'`{n}`' for n in kind.names) or '-'} |" for name, kind in MEANINGS.items()]
    return "\n".join(lines)


def status_table(status: dict[str, Any], algorithms: dict[str, Any]) -> str:
    """Return the status as Markdown: medians, and ranges over seeds."""
    lines = [
        "| command | seeds | winner's validation accuracy | its test accuracy | seconds |",
        "|---|---|---|---|---|",
    ]
    for command, rows in status["runs"].items():
        valid, test = (_span([row[f"{part}_accuracy"] for row in rows], ".4f") for part in ("validation", "test"))
        seconds = _span([row["process_seconds"] for row in rows], ".0f")
        lines.append(f"| `{command}` | {len(rows)} | {valid} | {test} | {seconds} |")
    ask_tell = algorithms["methods"]["tabular_q"]["64 lanes"]["both_ms"]
    about = status["measured_on"]
    return "\n".join(
        [
            *lines,
            "",
            f"Medians and ranges; a winner is picked by validation accuracy. Seconds are whole processes, start and "
            f"compilation included, on {about['cores']} cores ({about['processor']}), jax {about['versions']['jax']}. "
            f"Asking and telling `tabular_q` for 64 lanes takes {ask_tell:.1f} ms once compiled "
            f"({algorithms['measured_on']['processor']}).",
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


_NAMES = {"mnist": "MNIST, CNN", "cifar10": "CIFAR-10, CNN", "imdb": "IMDB, bidirectional GRU"}


def accuracy_table(runs: dict[str, dict[str, Any]], study: dict[str, Any], loading: dict[str, Any]) -> str:
    """Return what single configurations reach as Markdown, and how long data take to load."""
    lines = [
        "| | epochs | validation accuracy | test accuracy | minutes, compilation and loading included |",
        "|---|---|---|---|---|",
    ]
    machines: dict[str, list[str]] = {}
    for name, run in runs.items():
        figures = f"{run['validation_accuracy']:.4f} | {run['test_accuracy']:.4f} | {run['process_seconds'] / 60:.1f}"
        lines.append(f"| {_NAMES[name]} | {run['epochs']} | {figures} |")
        machines.setdefault(_machine(run), []).append(_NAMES[name].split(",")[0])
    machines.setdefault(_machine(study), []).append("the study")
    machines.setdefault(_machine(loading), []).append("loading")
    words = loading["vocabulary"]
    loads = "; ".join(f"{name} {row['first']:.1f} and {row['later']:.2f}" for name, row in loading["seconds"].items())
    return "\n".join(
        [
            *lines,
            "",
            f"`{study['command']}` takes {study['process_seconds'] / 60:.1f} minutes; its winner has validation "
            f"accuracy {study['best']['validation_accuracy']:.4f} and test accuracy "
            f"{study['best']['test_accuracy']:.4f}. Seconds of the first and of later loads: {loads}, of which the "
            f"vocabulary of {words['reviews']:,} reviews {words['seconds']:.1f}. "
            + "; ".join(f"{', '.join(what)}: {machine}" for machine, what in machines.items())
            + ".",
        ]
    )


def _machine(result: dict[str, Any]) -> str:
    about = result["measured_on"]
    return f"{about['cores']} cores ({about['processor']}), jax {about['versions']['jax']}"


def accuracy() -> str:
    """Return `accuracy_table` of the committed results."""
    runs = load(*(f"accuracy_{name}" for name in _NAMES))
    runs = dict(zip(_NAMES, runs.values(), strict=True))
    return accuracy_table(runs, *load("accuracy_study", "loading").values())


def tables_of_tests() -> dict[str, str]:
    """Return what the tests take as Markdown, by part, from the committed results; none where it was not measured."""
    made = {"tiers": _tiers, "lines": _lines, "imports": _imports, "dearest_before": _dearest, "dearest": _dearest}
    return {part: show(*load(f"testing/{part}").values()) for part, show in made.items() if _measured("testing", part)}


def _measured(directory: str, part: str) -> bool:
    return (RESULTS / directory / f"{part}.json").exists()


def _tiers(found: dict[str, Any]) -> str:
    seconds, runs = found["medians"], len(found["seconds"]["first"])
    how = "one run" if runs == 1 else f"medians of {runs}"
    return (
        f"The default tier takes {seconds['first']:.0f} seconds with an empty cache of compiled programs and "
        f"{seconds['again']:.0f} with a full one ({how}; {_machine(found)})."
    )


def _lines(found: dict[str, Any]) -> str:
    return (
        f"The default tier executes {found['share_of_whole']:.1%} of the {found['whole']:,} lines of `jaxhpo/` that "
        f"all tests execute; there are {found['lines']:,} (Python {found['measured_on']['versions']['python']})."
    )


def _imports(found: dict[str, Any]) -> str:
    return (
        f"`import jaxhpo` takes {found['ratio']:.2f} times as long as `import jax, flax.linen`, "
        f"{found['seconds']['jaxhpo']:.1f} seconds ({_machine(found)})."
    )


def _dearest(found: dict[str, Any]) -> str:
    parts = ", ".join(f"{name} {seconds:,}" for name, seconds in found["seconds"].items())
    total = f"{found['tests']:,} tests in {sum(found['seconds'].values()):,} seconds ({parts}; {_machine(found)})."
    rows = [f"| `{name.removeprefix('tests.')}` | {runs} | {took:.0f} |" for name, runs, took in found["dearest"]]
    return "\n".join(["| test | runs | seconds |", "|---|---|---|", *rows, "", total])


def tables_of_releases() -> dict[str, str]:
    """Return what releases of JAX take and compute as Markdown, by part; none where it was not measured."""
    made = {"studies": _studies, "kept": _kept}
    return {
        part: show(*load(f"releases/{part}").values()) for part, show in made.items() if _measured("releases", part)
    }


def _studies(found: dict[str, Any]) -> str:
    lines = ["| study | release | seconds to compile | to train | best score | mean score |", f"{'|---' * 6}|"]
    for name, releases in found["studies"].items():
        for release, row in releases.items():
            seconds = f"{row['compile']:.2f} | {row['train']:.2f}"
            lines.append(f"| {name.upper()} | {release} | {seconds} | {row['best']:.4f} | {row['mean']:.4f} |")
    return "\n".join([*lines, "", f"Medians; {_machine(found)}."])


def _kept(found: dict[str, Any]) -> str:
    lines = ["| method | release | studies | the same | mean regret kept | now | difference |", f"{'|---' * 7}|"]
    for name, releases in found["kept"].items():
        for release, row in releases.items():
            kept, now = row["mean regret kept"], row["mean regret now"]
            difference = f"{now - kept:.5f} +- {row['standard error of the difference']:.5f}"
            same = f"{row['studies']} | {row['same to four digits']}"
            lines.append(f"| `{name}` | {release} | {same} | {kept:.5f} | {now:.5f} | {difference} |")
    return "\n".join(lines)


def load(*names: str) -> dict[str, dict[str, Any]]:
    """Return committed results by name."""
    return {name: json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8")) for name in names}


def main() -> None:
    """Print the tables."""
    print(algorithms_table())
    print()
    print(meanings_table())
    print()
    print(status_table(**load("status", "algorithms")))
    print()
    print(accuracy())
    print()
    speed = load("speed_mlp", "speed_cnn", "speed_gru")
    print(speed_table(speed))
    print()
    print(accelerator_table(load("gpu/accelerator")["gpu/accelerator"], speed))
    print()
    print(ways_table(**load("ways")))
    for table in (comparison() | ablation() | tables_of_releases() | tables_of_tests()).values():
        print("", table, sep="\n")


def comparison() -> dict[str, str]:
    """Return the tables of the comparison of search methods, from the committed results."""
    results = load("quality", "quality_verdict", "quality_smooth", "algorithms", "fidelity")
    quality, verdict, smooth = (results[name] for name in ("quality", "quality_verdict", "quality_smooth"))
    return {
        "recorded tables": regret_table(verdict),
        "headline": headline(verdict, [("q_learning", peer) for peer in ("hebo", "optuna_gp", "optuna_tpe", "smac3")]),
        "prior": prior_sentence(verdict, "hpobench"),
        "smooth": regret_table(smooth),
        "smooth headline": headline(smooth, [(ours, "optuna_gp") for ours in ("q_learning", "q_learning_no_prior")]),
        "smooth, q_learning": against_table(smooth, "q_learning"),
        "smooth, q_learning_no_prior": against_table(smooth, "q_learning_no_prior"),
        "smooth, batches": families_table(smooth),
        "recorded tables, q_learning": against_table(verdict, "q_learning"),
        "recorded tables, gp": against_table(verdict, "gp"),
        "recorded tables, tpe": against_table(verdict, "tpe"),
        "workbench": regret_table(quality),
        "families": families_table(quality),
        "epochs": epochs_table(quality),
        "fidelity": fidelity_table(results["fidelity"]),
        "asking": asking_table(results["algorithms"]),
    }


def ablation() -> dict[str, str]:
    """Return the tables of what each part of the agent brings, by part; none where it was not measured."""
    if not (RESULTS / "ablation.json").exists():
        return {}
    (found,) = load("ablation").values()
    return {part: ablation_table(found, part) for part in found["parts"]}


if __name__ == "__main__":
    main()
