"""The tables of search methods as Markdown, from `results/quality*.json`, `algorithms.json`, `ablation.json`, ..."""

from collections.abc import Sequence
from typing import Any

from benchmarks.tables.committed import exists, load, machine

_FAMILIES = {
    "hpobench": "HPOBench",
    "hpolib": "HPOLib",
    "nasbench201": "NAS-Bench-201",
    "analytic": "analytic functions",
    "curves": "recorded training",
    "surrogates": "surrogates of trainings",
}
_TOGETHER = "\u00a0"  # a space at which no cell is broken
_PEERS = {
    "optuna_tpe": "Optuna TPE",
    "optuna_gp": "Optuna GP",
    "optuna_cmaes": "Optuna CMA-ES",
    "smac3": "SMAC3",
    "hebo": "HEBO",
    "hyperoptax": "hyperoptax",
}


def comparison() -> dict[str, str]:
    """Return the tables of the comparison of search methods, from the committed results."""
    results = load("quality", "quality_verdict", "quality_smooth", "algorithms", "fidelity")
    quality, verdict, smooth = (results[name] for name in ("quality", "quality_verdict", "quality_smooth"))
    return {
        "recorded tables": regret_table(verdict),
        "headline": headline(verdict, [("q_learning", peer) for peer in ("hebo", "optuna_gp", "optuna_tpe", "smac3")]),
        "recorded tables, families": families_table(verdict),
        "prior": prior_table(verdict, "hpobench"),
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
    if not exists("ablation"):
        return {}
    (found,) = load("ablation").values()
    return {part: ablation_table(found, part) for part in found["parts"]}


def regret_table(quality: dict[str, Any]) -> str:
    """Return mean regrets as Markdown, of all that did every task, the best first."""
    counts, at, target = quality["evaluations"], quality["compared_at"], quality["target"]
    rows = list(quality["overall"].items())
    titles = ["", *(f"after {count}" for count in counts), f"mean rank at {at}", f"evaluations to {target}", "seeds"]
    lines = [f"| {' | '.join(titles)} |", "|---" * len(titles) + "|"]
    for who, row in rows:
        regrets = [
            "" if found is None else _interval(found, ".3f") if count == at else f"{found[0]:.3f}"
            for count, found in zip(counts, row["regret"], strict=True)
        ]
        soon = "" if row["reached"] is None else f"{_soon(row, counts[-1])} ({row['reached']:.0%})"
        lines.append(
            f"| {' | '.join([_name(who), *regrets, _interval(row['rank'], '.1f'), soon, str(row['seeds'])])} |"
        )
    families = ", ".join(f"{len(names)} of {_FAMILIES[family]}" for family, names in quality["tasks"].items())
    note = (
        f"Mean normalised regret, one evaluation at a time. Tasks: {families}. In brackets: 95% intervals by a "
        f"bootstrap over tasks and seeds. Ranks are of means by task, among {len(rows)} searchers. Evaluations to "
        f"{target}: the median over studies, and the share of them that got there within {counts[-1]}. "
        f"Computed with jax {quality['measured_on']['versions']['jax']}."
    )
    return "\n".join([*lines, "", note])


def _soon(row: dict[str, Any], last: int) -> str:
    return f"more than {last}" if row["to_target"] is None else f"{row['to_target']:.0f}"


def against_table(quality: dict[str, Any], ours: str) -> str:
    """Return the regret of one of our methods over every peer's as Markdown: below 1 is better than the peer."""
    against = quality["against"][ours]
    counts = quality["evaluations"]
    lines = [
        f"| `{ours}` over | {' | '.join(f'after {count}' for count in counts)} | tasks |",
        "|---" * (len(counts) + 2) + "|",
    ]
    for peer, ratios in against.items():
        cells = [_interval(ratios[str(count)], ".2f") if str(count) in ratios else "" for count in counts]
        lines.append(f"| {_name(peer)} | {' | '.join(cells)} | {ratios['tasks']} |")
    return "\n".join(lines)


def headline(quality: dict[str, Any], pairs: Sequence[tuple[str, str]]) -> str:
    """Return in words what part of a peer's regret each of our methods has, a list for each of ours."""
    at, of = quality["compared_at"], {}
    for ours, peer in pairs:
        ratio = _interval(quality["against"][ours][peer][str(at)], ".2f")
        of.setdefault(ours, []).append(f"- {ratio} of that of {_name(peer)}")
    return "\n\n".join(
        "\n".join([f"After {at} evaluations the regret of `{ours}` is", "", *rows]) for ours, rows in of.items()
    )


def prior_table(quality: dict[str, Any], family: str) -> str:
    """Return what `q_learning` reaches on a family with its prior and without it as Markdown."""
    found, counts = quality["prior"][family], quality["evaluations"]
    rows = {
        "with the prior": [f"{regret:.3f}" for regret in found["with"]],
        "without": [f"{regret:.3f}" for regret in found["without"]],
        "difference": [_interval(each, "+.3f") for each in found["difference"]],
    }
    lines = [
        f"| `q_learning` on {_FAMILIES[family]} | {' | '.join(f'after {count}' for count in counts)} |",
        "|---" * (len(counts) + 1) + "|",
    ]
    return "\n".join([*lines, *(f"| {name} | {' | '.join(cells)} |" for name, cells in rows.items())])


def families_table(quality: dict[str, Any]) -> str:
    """Return the mean regret by family and by batch size as Markdown, in the order of the overall means."""
    families, batches = quality["families"], quality["batches"]
    columns = [*families.values(), *batches.values()]
    titles = [*(f"{_FAMILIES[family]}" for family in families), *(f"256 in batches of {lanes}" for lanes in batches)]
    lines = [f"| after {quality['compared_at']} | {' | '.join(titles)} |", "|---" * (len(titles) + 1) + "|"]
    for who in dict.fromkeys([*quality["overall"], *(who for column in columns for who in column)]):
        cells = [f"{column[who]['regret'][0]:.3f}" if who in column else "" for column in columns]
        lines.append(f"| {_name(who)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def epochs_table(quality: dict[str, Any]) -> str:
    """Return the mean regret at equal epochs as Markdown, in the order of the first column."""
    epochs = quality["epochs"]
    titles = [
        f"{100 if lanes == '1' else 256} whole trainings' epochs, {lanes} lane{'s' * (lanes != '1')}"
        for lanes in epochs
    ]
    lines = [f"| | {' | '.join(titles)} |", "|---" * (len(titles) + 1) + "|"]
    for who in dict.fromkeys(who for column in epochs.values() for who in column):
        cells = [_interval(column[who]["regret"], ".4f") if who in column else "" for column in epochs.values()]
        lines.append(f"| {_name(who)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def fidelity_table(fidelity: dict[str, Any]) -> str:
    """Return what early stopping spends to reach what random search ends with as Markdown."""
    lines = ["| data | method | epochs | seconds | seeds that got there |", "|---|---|---|---|---|"]
    for name, methods in fidelity["data"].items():
        for who, row in methods.items():
            shares = ["more than all" if row[k] is None else f"{row[k]:.0%}" for k in ("epochs_share", "seconds_share")]
            title = name.replace("_", " ")
            lines.append(f"| {title} | {_name(who)} | {' | '.join(shares)} | {row['reached']} of {fidelity['seeds']} |")
    return "\n".join(
        [
            *lines,
            "",
            f"Medians over seeds, as shares of what random search's {fidelity['trials']} trials of "
            f"{fidelity['epochs']} epochs take. Its own rows say when it had its best. {fidelity['lanes']} lanes. "
            f"Measured on {machine(fidelity)}.",
        ]
    )


def ablation_table(ablation: dict[str, Any], part: str) -> str:
    """Return what variants of the agent reach in a part of the ablation, and how they differ, as Markdown."""
    found = ablation["parts"][part]
    counts, compared = found["at"], found["compared_at"]
    titles = [part, *(f"after {count}" for count in counts), *(f"difference after {count}" for count in compared)]
    lines = [f"| {' | '.join(titles)} |", "|---" * len(titles) + "|"]
    for i, row in enumerate(found["rows"]):
        regrets = [_interval(each, ".3f") for each in row["regret"]]
        away = [_interval(each, "+.3f") if i else "" for each in row["difference"]]
        lines.append(f"| {' | '.join([row['variant'], *regrets, *away])} |")
    unit = "whole trainings' epochs" if found["unit"] == "epochs" else "evaluations"
    drawn = "tasks and seeds" if found["tasks_drawn"] else "seeds, for these tasks alone"
    names = ", ".join(f"`{name}`" for name in found["tasks"])
    note = (
        f"Mean normalised regret after so many {unit}. Differences are to the first row, below 0 where it is better. "
        f"In brackets: 95% intervals by a bootstrap over {drawn}. {found['seeds']} seeds of each task. Tasks: {names}. "
        f"Computed with jax {ablation['measured_on']['versions']['jax']}."
    )
    if "unnamed" in found:
        alike = "are the same to the last digit" if found["unnamed"]["same"] else "differ"
        tasks = ", ".join(f"`{name}`" for name in found["unnamed"]["tasks"])
        note += f" Where names mean nothing ({tasks}), studies with and without it {alike}."
    return "\n".join([*lines, "", note])


def _name(who: str) -> str:
    return _PEERS.get(who, f"`{who}`")


def asking_table(algorithms: dict[str, Any]) -> str:
    """Return what ask and tell cost as Markdown, by trials told, and the seconds of a hundred studies."""
    growth = algorithms["growth"]
    counts = list(next(iter(growth.values())))
    titles = ["", *(f"{int(count):,} told" for count in counts), "100 studies"]
    lines = [f"| {' | '.join(titles)} |", "|---" * len(titles) + "|"]
    for name, row in sorted(growth.items(), key=lambda item: item[1][counts[-1]]):
        cells = [f"{_two_digits(row[count])} ms" for count in counts]
        lines.append(f"| `{name}` | {' | '.join(cells)} | {_two_digits(algorithms['studies'][name]['run_s'])} s |")
    return "\n".join(
        [
            *lines,
            "",
            f"Ask and tell for 8 lanes of a space of eight hyperparameters, compiled before. Medians. The last column "
            f"has 100 studies of 100 evaluations of a recorded table in one program, without its compilation. "
            f"Measured on {machine(algorithms)}.",
        ]
    )


def _two_digits(value: float) -> str:
    return f"{float(f'{value:.2g}'):g}"


def _interval(found: list[float | None], form: str) -> str:
    value, low, high = ("inf" if each is None else format(each, form) for each in found)
    return f"{value} ({low}{_TOGETHER}to{_TOGETHER}{high})"
