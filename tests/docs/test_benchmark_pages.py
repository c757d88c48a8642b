"""The benchmark pages have what was measured: their tables are generated, their sentences agree with the JSON."""

import re

import numpy as np
import pytest

from benchmarks.quality import settings
from benchmarks.record import RESULTS
from benchmarks.tables import pages as generated
from benchmarks.tables.__main__ import main, tables
from benchmarks.tables.committed import load
from benchmarks.tables.machines import _older
from jaxhpo.study import statistics
from tests.docs import pages

PAGES = {path.stem: path.read_text(encoding="utf-8") for path in (pages.ROOT / "docs" / "benchmarks").glob("*.md")}
WORDS = {name: " ".join(text.split()) for name, text in PAGES.items()}
TABLES = tables()
ELSEWHERE = {"algorithms", "meanings"}  # on guides/algorithms.md and how_it_works/agent.md, whose tests look for them
# The page of every other table. None is dropped: what is measured is shown.
PLACES = {
    "index": ["machines"],
    "methods": [
        *("recorded tables", "headline", "recorded tables, families", "prior", "smooth", "smooth headline"),
        *("smooth, q_learning", "smooth, q_learning_no_prior", "smooth, batches", "recorded tables, q_learning"),
        *("recorded tables, gp", "recorded tables, tpe", "workbench", "families", "epochs", "fidelity", "asking"),
    ],
    "agent_parts": [f"agent, {part}" for part in ("variance", "value", "discount", "prior", "rungs", "batch")],
    "speed": [
        *("speed", "speed, compiled", "one step", "folds", "accelerator", "accelerator, one configuration"),
        *("accelerator, lanes", "accelerator, asking"),
    ],
    "accuracy": ["status", "accuracy", "text study", "loading"],
    "training_steps": ["ways", "matrix products"],
    "default_spaces": [
        *("tables, winner", "tables, ensemble", "tables, networks", "images, winner", "images, ensemble"),
        "texts, networks",
    ],
    "training_length": ["lengths", "stopping, cost", "stopping, saving"],
    "releases": ["releases, studies", "releases, kept"],
    "tests": [f"tests, {part}" for part in ("tiers", "lines", "imports", "dearest", "dearest_before")],
}
BY_HAND = {  # tables with figures that are not generated, by the first cell
    ("methods", "family"): "says what the tasks are; below it is compared with them",
    ("index", "page"): "repeats each page's answer; below it is compared with the results",
}


def test_every_page_has_what_was_measured():
    assert [str(path) for path in generated.outdated(TABLES)] == []


def test_every_table_is_on_its_page():
    assert sorted(name for names in PLACES.values() for name in names) == sorted(set(TABLES) - ELSEWHERE)
    assert {page: sorted(generated.blocks(text)) for page, text in PAGES.items()} == {
        page: sorted(names) for page, names in PLACES.items()
    }
    for page, names in PLACES.items():
        assert [name for name in names if TABLES[name] not in PAGES[page]] == []


def test_tables_with_figures_are_generated():
    found = set()
    for page, text in PAGES.items():
        rest = generated._BLOCK.sub("", text)
        for table in re.findall(r"(?:^\|.*\n)+", rest, re.MULTILINE):
            if re.search(r"\d", table):
                found.add((page, table.split("|")[1].strip()))
    assert found == set(BY_HAND)


def test_pictures_are_there():
    for page, text in PAGES.items():
        for picture in re.findall(r"!\[[^]]+\]\(([^)]+)\)", text):
            assert (pages.ROOT / "docs" / "benchmarks" / picture).exists(), (page, picture)
    shown = {name for text in PAGES.values() for name in re.findall(r"results/(\S+\.png)", text)}
    drawn = {str(path.relative_to(RESULTS)) for path in RESULTS.rglob("*.png")}
    assert drawn - shown == {"exploration.png", "quality/smooth_ranks.png"}  # the agent's page has the first


# --- sentences -----------------------------------------------------------------------------------------------------


def the(name):
    (found,) = load(name).values()
    return found


def says(page, *texts):
    assert [text for text in texts if text not in WORDS[page]] == []


def ratio(found, ours, other, at):
    return found["against"][ours][other][str(at)]


def regret(found, who, at):
    return found["overall"][who]["regret"][found["evaluations"].index(at)][0]


def includes(interval, value):
    return interval[1] <= value <= interval[2]


def test_what_methods_says_of_recorded_tables():
    verdict = the("quality_verdict")
    optuna, hebo = (ratio(verdict, "q_learning", peer, 50)[0] for peer in ("optuna_gp", "hebo"))
    says(
        "methods",
        f"has {optuna:.2f} times the regret of Optuna's Gaussian process after 50 evaluations, and {hebo:.2f}",
    )
    after_ten = {who: regret(verdict, who, 10) for who in ("hebo", "q_learning", "gp", "ucb")}
    assert min(after_ten, key=after_ten.get) == "hebo"
    assert all(includes(ratio(verdict, ours, "hebo", 10), 1) for ours in ("q_learning", "gp", "ucb"))
    peers = verdict["against"]["q_learning"]
    assert [peer for peer, row in peers.items() if row["50"][2] >= 1] == []
    assert [peer for peer, row in peers.items() if includes(row["10"], 1)] == ["hebo", "optuna_cmaes", "random_search"]
    says(
        "methods",
        "random search on the recorded tables: {:.2f} ({:.2f} to {:.2f})".format(*peers["random_search"]["10"]),
    )
    assert [peer for peer, row in peers.items() if includes(row["20"], 1)] == ["hebo", "optuna_gp"]
    ranks, critical = verdict["friedman"]["ranks"], verdict["friedman"]["critical_difference"]
    says(
        "methods",
        f"critical difference of the ranks is {critical:.2f}",
        f"worse than {ranks['q_learning'] + critical:.1f}",
    )
    assert ranks["optuna_gp"] - ranks["q_learning"] < critical
    assert ranks["hebo"] - ranks["q_learning"] < critical
    assert regret(verdict, "tabular_q", 50) > regret(verdict, "random_search", 50)
    tpe = verdict["against"]["tpe"]
    assert [count for count in ("10", "20", "30", "50") if tpe["hebo"][count][0] > 1] == ["10", "20", "30"]
    assert [count for count in ("10", "20", "30", "50", "100") if not includes(tpe["optuna_gp"][count], 1)] == ["100"]
    assert list(verdict["skipped"]) == ["pbt"]


def test_what_methods_says_of_the_prior():
    verdict = the("quality_verdict")
    differences = dict(zip(verdict["evaluations"], verdict["prior"]["hpobench"]["difference"], strict=True))
    assert differences.pop(10)[1] > 0  # it costs
    assert all(includes(each, 0) for each in differences.values())


def test_what_methods_says_of_smooth_functions():
    smooth = the("quality_smooth")
    assert all(includes(ratio(smooth, ours, "optuna_gp", 50), 1) for ours in ("q_learning", "q_learning_no_prior"))
    says("methods", f"about half of its regret ({ratio(smooth, 'q_learning', 'optuna_gp', 10)[0]:.2f})")
    assert regret(smooth, "tabular_q", 50) > regret(smooth, "random_search", 50)
    says("methods", f"Optuna's Gaussian process has {smooth['overall']['optuna_gp']['seeds']} seeds")


def test_what_methods_says_of_the_workbench():
    quality = the("quality")
    assert [next(iter(quality["batches"][lanes])) for lanes in ("8", "32")] == ["gp", "q_learning"]
    epochs = quality["epochs"]["1"]
    stopping = [epochs[who]["regret"][0] for who in ("asha", "successive_halving", "hyperband")]
    assert max(stopping) < epochs["random_search"]["regret"][0] / 2
    assert max(epochs[who]["regret"][0] for who in ("gp", "q_learning")) < min(stopping)


def test_what_methods_says_of_stopping_early():
    fidelity = the("fidelity")
    digits, few = fidelity["data"]["digits"], fidelity["data"]["few_digits"]
    assert round(digits["asha"]["epochs_share"], 1) == 0.1
    assert round(digits["asha"]["seconds_share"], 1) == 0.2
    assert digits["random_search"]["epochs_share"] == 0.5
    late = {
        row["reached"]
        for data in (digits, few)
        for who, row in data.items()
        if who not in ("random_search", "hyperband")
    }
    assert late == {7}
    assert few["hyperband"]["epochs_share"] is None
    assert few["hyperband"]["reached"] == fidelity["seeds"] / 2


def test_what_methods_says_of_choosing():
    growth = the("algorithms")["growth"]
    dearest = sorted(growth, key=lambda name: growth[name]["316"])[-2:]
    assert set(dearest) == {"q_learning", "gp"}
    assert min(growth[name]["316"] for name in dearest) > 10


def test_what_methods_says_of_its_tasks():
    counts = {}
    for name in ("quality", "quality_verdict", "quality_smooth"):
        counts |= {family: len(tasks) for family, tasks in the(name)["tasks"].items()}
    (table,) = (part for part in PAGES["methods"].split("\n\n") if part.startswith("| family |"))
    rows = dict(re.findall(r"^\| ([^|]+) \| (\d+)", table, re.MULTILINE))
    families = ("hpolib", "nasbench201", "analytic", "curves", "surrogates", "hpobench")
    assert dict(zip(families, map(int, rows.values()), strict=True)) == counts
    for kind, count in (("mlp", 2592), ("cnn", 432)):
        with np.load(pages.ROOT / "benchmarks" / "data" / f"curves_digits_{kind}.npz") as file:
            assert len(file["correct"]) == count
        assert f"{count:,} {kind.upper()}s" in PAGES["methods"]
    one, (eight, many) = settings.SEQUENTIAL, settings.BATCHES
    says("methods", f"has {one.evals} evaluations one at a time, and {eight.evals} in batches of {eight.lanes} and of")
    says("methods", f"of {many.lanes}, with {one.seeds} seeds", f"percentiles of {statistics.DRAWS:,} bootstrap draws")
    lessons = len(list((pages.ROOT / "benchmarks" / "data").glob("lessons_*.npz")))
    says("methods", f"from those of {lessons} more problems")
    drawn = len(list((pages.ROOT / "benchmarks" / "data").glob("lessons_drawn_*.npz")))
    says("methods", f"other {drawn}", "Of these, 21 were", f"{lessons - 21 - drawn} were added")


def test_what_agent_parts_says():
    parts = the("ablation")["parts"]
    rows = {part: {row["variant"]: row for row in found["rows"]} for part, found in parts.items()}
    for part in ("variance", "discount"):
        assert all(includes(each, 0) for row in parts[part]["rows"][1:] for each in row["difference"])
    have, without = (row["regret"] for row in parts["prior"]["rows"])
    assert 0.5 < have[0][0] / without[0][0] < 0.6  # nearly halved
    after_20, after_50 = parts["prior"]["rows"][1]["difference"]
    assert after_20[1] > 0
    assert includes(after_50, 0)
    rungs = rows["rungs"]
    whole, third, one, ahead, asha, hyperband = (row["regret"] for row in rungs.values())
    for least in (third, one):
        assert 0.4 < least[0][0] / whole[0][0] < 0.6
        assert 0.55 < least[1][0] / whole[1][0] < 0.75
        assert all(2 * least[at][0] < other[at][0] for at in (0, 1) for other in (asha, hyperband))
    assert one[2][0] > max(whole[2][0], asha[2][0])
    assert third[2][0] < whole[2][0]
    assert all(a[0] > b[0] for a, b in zip(ahead, one, strict=True))
    batch = [row["regret"][0][0] for row in parts["batch"]["rows"]]
    assert abs(rows["batch"]["8 lanes"]["difference"][0][1]) < 1e-3
    assert 3.5 < batch[5] / batch[0] < 4
    assert 5.5 < batch[6] / batch[0] < 6
    says("agent_parts", f"What do {parts['batch']['at'][0]} evaluations reach")


def test_what_speed_says():
    cpu = list(load("speed_mlp", "speed_cnn", "speed_gru").values())
    torch, flax = (
        [f"{each['seconds'][side] / each['seconds']['jaxhpo']:.1f}" for each in cpu]
        for side in ("pytorch", "flax_usual")
    )
    says("speed", "{}, {} and {} times as fast as PyTorch".format(*torch), "factors are {}, {} and {}".format(*flax))
    says("speed", f"The CNN gains least on the CPU: {torch[1]} times beside PyTorch")
    mlp = cpu[0]["seconds"]
    warm = mlp["flax_best_without_compilation"] / mlp["jaxhpo_without_compilation"]
    says("speed", f"needs {warm:.1f} times as long as jaxhpo for the MLP")
    says("speed", f"not {mlp['flax_best'] / mlp['jaxhpo']:.1f} times")
    growth = [{row["lanes"]: row["seconds_per_lane"] for row in each["growth"]["lanes"]} for each in cpu]
    assert max(each[256] / each[16] for each in growth) < 1.005
    assert all(each["second_process"]["compilations"] == 0 for each in cpu)
    gpu = the("gpu/accelerator")
    study, seconds = gpu["studies"]["mlp"]["seconds"], cpu[0]["seconds"]["jaxhpo"]
    assert study > seconds
    says("speed", f"than on the CPU: {study:.2f} seconds, not {seconds:.2f}")
    first, warm = gpu["one_configuration"]["flax_seconds"]
    one = float(np.median(warm))
    says("speed", f"trains one CNN in {one:.2f} seconds", f"64 times that is {64 * one:.0f} seconds, less than the")
    cnn = gpu["studies"]["cnn"]["seconds"]
    says("speed", f"the {cnn:.1f} of jaxhpo's cold study", f"costs Flax {first[0] - first[1]:.1f} seconds of compiling")
    assert 64 * one < cnn
    assert all(0.7 < 1 - each["useful_share"] < 0.8 for each in gpu["studies"].values())  # three quarters are masked
    says("speed", f"{cpu[0]['peer_trials']} of the same configurations")


def test_what_accuracy_says():
    runs = load("accuracy_mnist", "accuracy_cifar10", "accuracy_imdb").values()
    mnist, cifar, imdb = (f"{run['test_accuracy']:.4f}" for run in runs)
    says("accuracy", f"a test accuracy of {mnist} on MNIST, {cifar} on CIFAR-10 and {imdb} on IMDB")
    jobs = the("status")["runs"]
    tests = {
        command: np.median([row["test_accuracy"] for row in rows])
        for command, rows in jobs.items()
        if "digits" in command
    }
    says("accuracy", f"test accuracy of about {tests['jaxhpo tune digits']:.3f} in half a minute")
    assert 25 < np.median([row["process_seconds"] for row in jobs["jaxhpo tune digits"]]) < 35
    assert max(tests, key=tests.get).endswith("random_search")
    highest = {command: max(row["test_accuracy"] for row in jobs[command]) for command in tests}
    assert highest["jaxhpo tune digits"] > tests["jaxhpo tune digits --algorithm random_search"]
    digits, few = (
        {rows[0]["trials"] for command, rows in jobs.items() if name in command} for name in ("digits", "mnist")
    )
    assert (digits, few) == ({64}, {32})
    says("accuracy", "A study of the digits has 64 trials of 20 epochs, that of MNIST 32 trials of 5 epochs.")


def test_what_training_steps_says():
    steps = the("ways")["steps"]
    took = {network: {way: row["milliseconds"] for way, row in found.items()} for network, found in steps.items()}
    for network in ("cnn", "gru"):
        assert min(took[network], key=took[network].get) == "jaxhpo's, in scan"
    assert took["mlp"]["jaxhpo's, in scan"] == pytest.approx(took["mlp"]["the same in scan"], rel=0.02)
    assert min(took["mlp"], key=took["mlp"].get) == "jaxhpo's, vmap over 8 lanes"
    assert 19 < took["cnn"]["the same in scan"] / took["cnn"]["jaxhpo's, in scan"] < 20
    naive = the("speed_cnn")["naive_vmap"]
    says("training_steps", f"{1e3 * naive['step_seconds_per_lane']:.0f} ms a lane and step, of eight lanes")
    gpu = the("gpu/accelerator")
    whole = {row["lanes"]: row["lanes"] * row["seconds_per_lane"] for row in gpu["lanes"]}
    says("training_steps", f"64 MLPs take {whole[64] / whole[1]:.1f} times the seconds of one")
    assert round(whole[1024] / whole[1]) == 8
    says("training_steps", f"do {gpu['studies']['cnn']['gflop_per_second'] / 1e3:.0f} TFLOP/s")


def test_what_releases_says():
    studies = the("releases/studies")["studies"].values()
    costs = []
    for part in ("compile", "train"):
        rates = [rows["jax 0.10.2, with options"][part] / rows["jax 0.10.2"][part] - 1 for rows in studies]
        costs += [-min(rates), max(rates)]
    told = "from {:.0%} fewer to {:.0%} more seconds to compile, and from {:.0%} fewer to {:.0%} more to train"
    says("releases", told.format(*costs))
    for name, rows in the("releases/kept")["kept"].items():
        for row in rows.values():
            parted = row["studies"] - row["same to four digits"]
            assert parted <= {"random_search": 0, "ucb": 0, "cmaes": 1, "tpe": 2}.get(name, row["studies"])
            away = abs(row["mean regret now"] - row["mean regret kept"])
            assert away <= 2 * row["standard error of the difference"] + 1e-9


def test_what_tests_says():
    seconds, lines = the("testing/tiers")["medians"], the("testing/lines")
    says("tests", f"takes {seconds['first']:.0f} seconds the first time and {seconds['again']:.0f} after")
    says("tests", f"executes {lines['share_of_whole']:.1%} of the lines")


def test_the_list_of_pages_repeats_their_answers():
    rows = dict(re.findall(r"^\| \[[^]]+\]\((\w+)\.md\) \| [^|]+ \| ([^|]+) \|$", PAGES["index"], re.MULTILINE))
    assert set(rows) == set(PAGES) - {"index"}
    faster = [
        value
        for each in load("speed_mlp", "speed_cnn", "speed_gru").values()
        for key, value in each["times_faster"].items()
        if not key.endswith("compilation")
    ]
    assert f"{min(faster):.1f} to {max(faster):.1f} times less" in rows["speed"]
    runs = load("accuracy_mnist", "accuracy_cifar10", "accuracy_imdb").values()
    assert (
        "{} on MNIST, {} on CIFAR-10, {} on IMDB".format(*(f"{run['test_accuracy']:.4f}" for run in runs))
        in rows["accuracy"]
    )
    tiers = the("testing/tiers")["medians"]
    assert rows["tests"] == f"{tiers['first']:.0f} seconds, then {tiers['again']:.0f}"


def test_results_of_another_version_are_named():
    row = ("2 cores", "3.11", "0.10", "0.12", "0.1")
    assert _older({row: ["`a`", "`b`"]}, "0.1").endswith("is 0.1: no result is of an older one.")
    assert _older({row: ["`a`", "`b`"]}, "0.2") == "The present version of jaxhpo is 0.2. Of another one: `a`, `b`."


# --- how tables get onto pages -------------------------------------------------------------------------------------

PAGE = "# A\n\n<!-- table: a -->\n<!-- end -->\n\nText.\n\n<!-- table: b, c -->\n\nold\n\n<!-- end -->\n"
WRITTEN = (
    "# A\n\n<!-- table: a -->\n\n| 1 |\n\n<!-- end -->\n\nText.\n\n<!-- table: b, c -->\n\nnew \\1\n\n<!-- end -->\n"
)
MADE = {"a": "| 1 |", "b, c": r"new \1"}


def test_tables_are_written_between_their_markers():
    assert generated.written(PAGE, MADE) == WRITTEN
    assert generated.written(WRITTEN, MADE) == WRITTEN
    assert generated.blocks(WRITTEN) == MADE


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<!-- table: d -->\n<!-- end -->\n", "table 'd' is unknown; known are a, b, c"),
        ("<!-- table: a -->\n", "<!-- table: a --> has no other half"),
        ("text\n<!-- end -->\n", "<!-- end --> has no other half"),
        ("<!-- table: a -->\n<!-- table: b, c -->\n<!-- end -->\n", "<!-- table: b, c --> has no other half"),
    ],
)
def test_wrong_markers_are_refused(text, message, tmp_path):
    (tmp_path / "README.md").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=re.escape(message)) as raised:
        generated.outdated(MADE, tmp_path)
    assert str(raised.value).startswith("README.md: ")


def test_the_command_lists_and_writes(tmp_path, monkeypatch, capsys):
    page = tmp_path / "docs" / "deep" / "page.md"
    page.parent.mkdir(parents=True)
    page.write_text("<!-- table: algorithms -->\n<!-- end -->\n", encoding="utf-8")
    monkeypatch.setattr("benchmarks.tables.pages.ROOT", tmp_path)
    monkeypatch.setattr("benchmarks.tables.__main__.tables", lambda: TABLES)
    monkeypatch.setattr("sys.argv", ["tables", "--check"])
    with pytest.raises(SystemExit) as raised:
        main()
    assert (raised.value.code, capsys.readouterr().out) == (1, "docs/deep/page.md\n")
    assert TABLES["algorithms"] not in page.read_text(encoding="utf-8")
    monkeypatch.setattr("sys.argv", ["tables"])
    main()
    assert capsys.readouterr().out == "docs/deep/page.md\n"
    assert TABLES["algorithms"] in page.read_text(encoding="utf-8")
    monkeypatch.setattr("sys.argv", ["tables", "--check"])
    main()
    assert capsys.readouterr().out == ""
