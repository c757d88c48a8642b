"""The tables of how long trainings are, and what it costs to end them early."""

from typing import Any

from benchmarks.tables.committed import load, machine
from jaxhpo.tuning.training_length import training_length


def tables_of_lengths() -> dict[str, str]:
    """Return how many epochs are enough, and what early stopping costs and saves, as Markdown by part."""
    stopping, lengths = load("stopping", "lengths").values()
    return {
        "lengths": lengths_table(lengths),
        "stopping, cost": stopping_cost_table(stopping),
        "stopping, saving": stopping_saving_table(stopping),
    }


def lengths_table(result: dict[str, Any]) -> str:
    """Return the winner's validation score by the most epochs of a trial as Markdown, at the default patience."""
    tables = {name: result["tables"][name] for name in sorted(result["tables"])}
    names = [f"{name} ({table['train_examples']:,})" for name, table in tables.items()]
    lines = [f"| most epochs | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    usual = {name: _usual(table) for name, table in tables.items()}
    for epochs in sorted(next(iter(usual.values()))):
        cells = []
        for name in tables:
            row = usual[name][epochs]
            cells.append(f"{row['score_within']:.4f} ({row['trials_within']}, {row['mean_epochs']:.0f})")
        lines.append(f"| {epochs} | {' | '.join(cells)} |")
    note = (
        "The winner's validation accuracy or R2 among as many random trials as fit into the epochs of eight with 300. "
        f"In brackets: how many these are, and the mean epochs of a trial. {_sentence(machine(result))}"
    )
    return "\n".join([*lines, "", note])


def _usual(table: dict[str, Any]) -> dict[int, dict[str, Any]]:
    """Return a table's rows with the default patience, by the most epochs."""
    patience = training_length(table["train_examples"], None, checkpoint="best").stopping.patience
    return {row["epochs"]: row for row in table["compared"] if row["patience"] == patience}


def stopping_cost_table(result: dict[str, Any]) -> str:
    """Return what keeping the best epoch costs as Markdown."""
    lines = ["| network, engine | training seconds, with the best epoch kept over without | smallest | largest |"]
    lines.append("|---|---|---|---|")
    for name, row in result["cost"].items():
        lines.append(f"| {name} | {row['ratio']:.3f} | {row['smallest']:.3f} | {row['largest']:.3f} |")
    return "\n".join([*lines, "", f"Medians of ratios in turns. {_sentence(machine(result))}"])


def stopping_saving_table(result: dict[str, Any]) -> str:
    """Return what patience saves as Markdown."""
    lines = ["| engine | most epochs | mean epochs | arithmetic needed | arithmetic done |", "|---|---|---|---|---|"]
    for engine, row in result["saving"].items():
        shares = " | ".join(f"{row[f'{what}_share']:.0%}" for what in ("needed", "executed"))
        lines.append(f"| `{engine}` | {row['most_epochs']} | {row['mean_epochs']:.0f} | {shares} |")
    return "\n".join([*lines, "", f"Shares of what trainings without patience take. {_sentence(machine(result))}"])


def _sentence(where: str) -> str:
    return f"Measured on {where}."
