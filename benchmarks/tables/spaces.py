"""The tables of what the default spaces were chosen by."""

from statistics import fmean
from typing import Any

from benchmarks.record import RESULTS
from benchmarks.tables.committed import load, machine
from benchmarks.value.comparison import Compared
from benchmarks.value.methods import ENSEMBLE, options_of
from benchmarks.value.report import FIGURES, NOTE, cells_of, markdown
from benchmarks.value.run import Line, read
from jaxhpo.study.statistics import Interval

SECONDS = 60.0
_NAMES = {"hand_written": "one network by hand", "tfidf_naive_bayes": "TF-IDF and naive Bayes"}


def tables_of_spaces() -> dict[str, str]:
    """Return what candidates bring on tables and images, and what networks end with on texts, as Markdown by part."""
    result, networks = load("value/spaces", "value/networks").values()
    lines = read(RESULTS / "value" / "tuning.jsonl")
    texts = [line for line in lines if line["kind"] == "text" and line["seconds"] == SECONDS]
    return {name: differences_table(result, name) for name in result["compared"]} | {
        "tables, networks": networks_table(networks),
        "texts, networks": ends_table(texts),
    }


def differences_table(result: dict[str, Any], name: str) -> str:
    """Return the mean differences of the candidates from the baseline as Markdown, such as of "tables, winner"."""
    there, wins = result["compared"][name], "wins / level / losses"
    rows = []
    for candidate, row in there["variants"].items():
        if candidate != result["baseline"]:
            cells = []
            for figure in FIGURES:
                own = row[figure]
                mean = Interval(*(own[field] for field in Interval._fields))
                made = cells_of(Compared(mean, own["wins"], own["level"], own["losses"]))
                cells += made if len(there["problems"]) > 1 else [made[0].partition(" (")[0], made[1]]
            rows.append([f"`{candidate}`", *cells])
    # Of one problem there is no interval.
    intervals = NOTE if len(there["problems"]) > 1 else NOTE.partition(" Differences have")[0]
    trials = {row["trials"] for row in there["variants"].values()}
    note = (
        f"Differences from `{result['baseline']}` on {', '.join(f'`{problem}`' for problem in there['problems'])}, one "
        f"split each; means over 200 draws of {max(trials):g} trials. {intervals} Measured on {machine(result)}."
    )
    return "\n\n".join([markdown(["space", "test score", wins, "test loss", wins], rows), note])


def networks_table(result: dict[str, Any]) -> str:
    """Return the validation loss in plain Flax, and how far jaxhpo's is from it, table by table, as Markdown."""
    rows = []
    for name, there in result["tables"].items():
        cells = [
            f"{one['mean']:+.4f}" + ("" if one["standard_error"] is None else f" ± {one['standard_error']:.4f}")
            for one in there["differences"].values()
        ]
        rows.append([name, f"{there['rows']:,}", f"{fmean(there['losses']['flax']):.4f}", *cells])
    seeds = [len(each) for there in result["tables"].values() for each in there["losses"].values()]
    titles = [f"difference of `{name}`" for name in next(iter(result["tables"].values()))["differences"]]
    note = (
        "Loss of the rows that are held out by five folds: log loss, or squared error over the variance of the "
        f"targets. Lower is better. Means of {max(seeds)} seeds; differences are paired, with one standard error. "
        f"Tables without a standard error have one seed. Measured on {machine(result)}."
    )
    return "\n\n".join([markdown(["table", "rows", "plain Flax", *titles], rows), note])


def ends_table(lines: list[Line]) -> str:
    """Return what winner and ensemble end with on each problem as Markdown."""
    by_method = {(line["problem"], line["method"]): line for line in lines}
    rows = []
    for (problem, method), line in by_method.items():
        if method.endswith(ENSEMBLE):
            continue
        together = by_method.get((problem, method + ENSEMBLE))
        cells = [f"{one[figure]:.4f}" if one else "" for figure in FIGURES for one in (line, together)]
        trials = "" if line["trials"] is None else str(line["trials"])
        rows.append([problem, said(method), trials, f"{line['wall']:.0f}", *cells])
    titles = [f"{figure}, {who}" for figure in ("accuracy", "log loss") for who in ("winner", "ensemble")]
    about = next(iter(by_method.values()))["about"]
    note = (
        f"Test figures of one split. Each method was allowed {SECONDS:g} seconds, compilation included; a first round "
        f"is trained whole. Measured on {machine({'measured_on': about})}."
    )
    return "\n\n".join([markdown(["data", "method", "trials", "seconds", *titles], rows), note])


def said(method: str) -> str:
    """Return a method in words: the network, and the space that was searched where it is not the default one."""
    if method in _NAMES:
        return _NAMES[method]
    _, colon, text = method.partition(":")
    options = options_of(text) if colon else {}
    network = options.get("model", "rnn" if "space" in options else "dan").upper()  # the default ones, then and now
    return f"jaxhpo, {network}" + (f", `{options['space']}`" if "space" in options else "")
