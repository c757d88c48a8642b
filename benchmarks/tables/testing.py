"""The tables of what the tests take, and of what releases of JAX take and compute."""

from typing import Any

from benchmarks.tables.committed import exists, load, machine


def tables_of_tests() -> dict[str, str]:
    """Return what the tests take as Markdown, by part, from the committed results; none where it was not measured."""
    made = {"tiers": _tiers, "lines": _lines, "imports": _imports, "dearest_before": _dearest, "dearest": _dearest}
    return {part: show(*load(f"testing/{part}").values()) for part, show in made.items() if exists(f"testing/{part}")}


def tables_of_releases() -> dict[str, str]:
    """Return what releases of JAX take and compute as Markdown, by part; none where it was not measured."""
    made = {"studies": _studies, "kept": _kept}
    return {part: show(*load(f"releases/{part}").values()) for part, show in made.items() if exists(f"releases/{part}")}


def _tiers(found: dict[str, Any]) -> str:
    seconds, runs = found["medians"], len(found["seconds"]["first"])
    how = "One run" if runs == 1 else f"Medians of {runs} runs"
    return (
        f"The default tier takes {seconds['first']:.0f} seconds with an empty cache of compiled programs, and "
        f"{seconds['again']:.0f} with a full one. {how}, {machine(found)}."
    )


def _lines(found: dict[str, Any]) -> str:
    return (
        f"The default tier executes {found['share_of_whole']:.1%} of the {found['whole']:,} lines of `jaxhpo/` that "
        f"all tests execute. There are {found['lines']:,} lines (Python {found['measured_on']['versions']['python']})."
    )


def _imports(found: dict[str, Any]) -> str:
    return (
        f"`import jaxhpo` takes {found['ratio']:.2f} times as long as `import jax, flax.linen`, "
        f"{found['seconds']['jaxhpo']:.1f} seconds. Measured on {machine(found)}."
    )


def _dearest(found: dict[str, Any]) -> str:
    parts = ", ".join(f"{name} {seconds:,}" for name, seconds in found["seconds"].items())
    total = (
        f"All {found['tests']:,} tests take {sum(found['seconds'].values()):,} seconds ({parts}). Measured on "
        f"{machine(found)}."
    )
    rows = [f"| {took:.0f} | {runs} | `{name.removeprefix('tests.')}` |" for name, runs, took in found["dearest"]]
    return "\n".join(["| seconds | runs | test |", "|---|---|---|", *rows, "", total])


def _studies(found: dict[str, Any]) -> str:
    lines = ["| study | release | seconds to compile | to train | best score | mean score |", f"{'|---' * 6}|"]
    for name, releases in found["studies"].items():
        for release, row in releases.items():
            seconds = f"{row['compile']:.2f} | {row['train']:.2f}"
            lines.append(f"| {name.upper()} | {release} | {seconds} | {row['best']:.4f} | {row['mean']:.4f} |")
    return "\n".join([*lines, "", f"Medians. Measured on {machine(found)}."])


def _kept(found: dict[str, Any]) -> str:
    lines = ["| method | release | studies | the same | mean regret kept | now | difference |", f"{'|---' * 7}|"]
    for name, releases in found["kept"].items():
        for release, row in releases.items():
            kept, now = row["mean regret kept"], row["mean regret now"]
            difference = f"{now - kept:.5f} +- {row['standard error of the difference']:.5f}"
            same = f"{row['studies']} | {row['same to four digits']}"
            lines.append(f"| `{name}` | {release} | {same} | {kept:.5f} | {now:.5f} | {difference} |")
    return "\n".join(lines)
