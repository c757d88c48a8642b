"""What the benchmark page on the length of trials says agrees with the JSON."""

from benchmarks.tables import lengths
from benchmarks.tables.committed import load
from jaxhpo.tuning.training_length import UPDATES, training_length
from tests.docs import pages

WORDS = " ".join(pages.read("docs/benchmarks/training_length.md").split())


def says(text):
    assert text in WORDS


def test_what_is_said_of_the_length_of_trials():
    tables = load("lengths")["lengths"]["tables"]
    rows = {name: lengths._usual(table) for name, table in tables.items()}
    means = {name: row[300]["mean_epochs"] for name, row in rows.items()}
    largest = means.pop("rodents")
    assert max(tables, key=lambda name: tables[name]["train_examples"]) == "rodents"
    says(f"a mean trial has {min(means.values()):.0f} to {max(means.values()):.0f}, and on `rodents` {largest:.0f}")
    says(f"On six of seven tables patience ends a mean trial before {max(means.values()) + 1:.0f} epochs")
    assert len(tables) == 7
    scores = {name: {epochs: each["score_within"] for epochs, each in row.items()} for name, row in rows.items()}
    for name in ("rodents", "computers"):
        assert scores[name][150] == max(scores[name].values()) > scores[name][100]
    says(f"`rodents` gains up to 150 epochs: {scores['rodents'][150] - scores['rodents'][20]:.4f} over 20 epochs")
    says(f"`computers` gains up to 150 too: {scores['computers'][150] - scores['computers'][20]:.4f}.")
    says("The other five gain nothing from more than 40")
    for name in set(scores) - {"rodents", "computers"}:
        assert max(score for epochs, score in scores[name].items() if epochs > 40) <= max(
            scores[name][20], scores[name][40]
        )
    usual = {name: training_length(tables[name]["train_examples"], None, checkpoint="best").epochs for name in tables}
    says(f"{usual['rodents']} for `rodents`, 300 for tables below 10,304 examples")
    assert [training_length(n, None, checkpoint="best").epochs for n in (10_303, 10_304)] == [300, 298]
    assert usual["computers"] == 300
    says(f"the number of epochs that makes {UPDATES:,} updates with batches of 64")
    less = {
        name: next(row for row in tables[name]["compared"] if (row["patience"], row["epochs"]) == (10, 300))
        for name in ("rodents", "computers")
    }
    costs = {name: scores[name][300] - row["score_within"] for name, row in less.items()}
    says(f"10 instead of 20 costs `rodents` {costs['rodents']:.4f} and `computers` {costs['computers']:.4f}")


def test_what_is_said_of_early_stopping():
    stopping = load("stopping")["stopping"]
    most = max(stopping["cost"].values(), key=lambda row: row["ratio"])
    assert most["smallest"] < 1 < most["ratio"] < 1.05
    says("Keeping the best epoch costs no more than the noise of the measurement")
    reach = f"its ratios reach from {most['smallest']:.2f} to {most['largest']:.2f}"
    says(f"The largest median is {most['ratio']:.2f}, and {reach}")
    vmap, threads = stopping["saving"]["vmap"], stopping["saving"]["threads"]
    assert vmap["executed_share"] == 1 > threads["executed_share"] == threads["needed_share"]
    says("Here one lane had all epochs, so nothing was saved")
