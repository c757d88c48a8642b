"""The tables of the comparison as Markdown, from `results/quality.json` and `results/algorithms.json`."""

from typing import Any

_FAMILIES = {
    "hpobench": "HPOBench",
    "hpolib": "HPOLib",
    "nasbench201": "NAS-Bench-201",
    "analytic": "analytic functions",
    "curves": "recorded training",
}
_PEERS = {
    "optuna_tpe": "Optuna TPE",
    "optuna_gp": "Optuna GP",
    "optuna_cmaes": "Optuna CMA-ES",
    "optuna_random": "Optuna random",
    "smac3": "SMAC3",
    "smac": "SMAC3",
    "hebo": "HEBO",
    "vizier": "Vizier GP bandit",
    "hyperoptax": "hyperoptax",
}


def regret_table(quality: dict[str, Any], *, most: int | None = None) -> str:
    """Return mean regrets as Markdown, of all that did every task, the best first: `most` of them and random search."""
    counts = quality["evaluations"]
    rows = list(quality["overall"].items())
    shown = [row for i, row in enumerate(rows) if most is None or i < most or row[0] == "random_search"]
    titles = ["", *(f"after {count}" for count in counts), "mean rank", f"evaluations to {quality['target']}"]
    lines = [f"| {' | '.join(titles)} |", "|---" * len(titles) + "|"]
    for who, row in shown:
        name = f"`{who}`" if row["kind"] == "ours" else _PEERS.get(who, who)
        regrets = [f"{mean:.3f}" for mean, _, _ in row["regret"][:-1]] + [_interval(row["regret"][-1], ".3f")]
        soon = f"more than {counts[-1]}" if row["to_target"] is None else f"{row['to_target']:.0f}"
        cells = [name, *regrets, _interval(row["rank"], ".1f"), f"{soon} ({row['reached']:.0%})"]
        lines.append(f"| {' | '.join(cells)} |")
    families = ", ".join(f"{len(names)} of {_FAMILIES[family]}" for family, names in quality["tasks"].items())
    about = quality["measured_on"]
    note = (
        f"Mean normalised regret (0 = the best configuration, 1 = the median one) over {families}, "
        f"{quality['seeds']} seeds each, one evaluation at a time; in brackets 95% intervals by a bootstrap over tasks "
        f"and seeds. The last column is the median over studies, and the share that got there. "
        f"jax {about['versions']['jax']}."
    )
    return "\n".join([*lines, "", note])


def against_table(quality: dict[str, Any], ours: str) -> str:
    """Return the regret of one of our methods over every peer's as Markdown: below 1 is better than the peer."""
    against = quality["against"][ours]
    counts = quality["evaluations"]
    lines = [
        f"| `{ours}` over | {' | '.join(f'after {count}' for count in counts)} |",
        "|---" * (len(counts) + 1) + "|",
    ]
    for peer, ratios in against.items():
        cells = [_interval(ratios[str(count)], ".2f") for count in counts]
        lines.append(f"| {_PEERS.get(peer, f'`{peer}`')} | {' | '.join(cells)} |")
    return "\n".join(lines)


def families_table(quality: dict[str, Any]) -> str:
    """Return the mean regret by family and by batch size as Markdown, in the order of the overall means."""
    families, batches = quality["families"], quality["batches"]
    last = quality["evaluations"][-1]
    titles = [*(f"{_FAMILIES[family]}" for family in families), *(f"batches of {lanes}" for lanes in batches)]
    lines = [f"| regret after {last}, batches 256 | {' | '.join(titles)} |", "|---" * (len(titles) + 1) + "|"]
    for who, row in quality["overall"].items():
        found = [column.get(who) for column in (*families.values(), *batches.values())]
        cells = ["" if each is None else f"{each[0]:.3f}" for each in found]
        name = f"`{who}`" if row["kind"] == "ours" else _PEERS.get(who, who)
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def asking_table(algorithms: dict[str, Any]) -> str:
    """Return what ask and tell cost as Markdown, by trials told, and the seconds of a hundred studies."""
    growth = algorithms["growth"]
    counts = list(next(iter(growth.values())))
    titles = ["", *(f"{int(count):,} told" for count in counts), "100 studies"]
    lines = [f"| {' | '.join(titles)} |", "|---" * len(titles) + "|"]
    for name, row in sorted(growth.items(), key=lambda item: item[1][counts[-1]]):
        cells = [f"{row[count]:.2g} ms" for count in counts]
        lines.append(f"| `{name}` | {' | '.join(cells)} | {algorithms['studies'][name]['run_s']:.2g} s |")
    about = algorithms["measured_on"]
    return "\n".join(
        [
            *lines,
            "",
            f"Ask and tell for 8 lanes of a space of eight hyperparameters, warm, medians; 100 studies of 100 "
            f"evaluations of a recorded table in one program, without its compilation. {about['cores']} cores "
            f"({about['processor']}), jax {about['versions']['jax']}.",
        ]
    )


def _interval(found: list[float], form: str) -> str:
    value, low, high = (format(each, form) for each in found)
    return f"{value} ({low} to {high})"
