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
    computers = {epochs: row["score_within"] for epochs, row in rows["computers"].items()}
    assert max(computers[20], computers[40]) < computers[64] - 0.005
    large = [name for name, table in tables.items() if table["train_examples"] > 1000]
    assert len(large) == 5
    for name in large:
        assert max(row["score_within"] for row in rows[name].values()) < rows[name][100]["score_within"] + 0.005
        assert rows[name][300]["score_within"] < rows[name][100]["score_within"] + 0.0011
    gain = rows["olive_oils"][150]["score_within"] - rows["olive_oils"][100]["score_within"]
    assert round(gain * 86) == 1 == round(gain * 86, 3)
    times = [row[300]["mean_epochs"] / row[20]["mean_epochs"] for row in rows.values()]
    says(f"trains {min(times):.1f} to {max(times):.1f} times as many as with 20")
    usual = {name: training_length(tables[name]["train_examples"], None, checkpoint="best").epochs for name in tables}
    says(f"{usual['computers']} for `computers`, {usual['olive_oils']} for `olive_oils`")
    says(f"the number of epochs that makes {UPDATES:,} updates with batches of 64")


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
