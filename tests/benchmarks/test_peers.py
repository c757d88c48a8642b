"""Peers are asked and told as the protocol says, kept seed by seed, and continued. No peer is needed: a fake one is."""

import dataclasses
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.quality import peers, store, tasks
from benchmarks.quality.peers import driver, environments
from benchmarks.quality.peers.driver import Peer
from benchmarks.quality.peers.worker import Worker, WorkerError
from benchmarks.quality.settings import Setting

COMMAND = [sys.executable, str(Path(__file__).with_name("fake_peer.py"))]
SPACE = [{"name": "a", "size": 3, "ordered": True}, {"name": "b", "size": 2, "ordered": False}]


def start(worker, seed=0, method="random", batch=4):
    worker.start(space=SPACE, seed=seed, batch=batch, evals=8, method=method)


@pytest.fixture
def fake(monkeypatch, tmp_path):
    """Make a fake peer the only one; return how often its worker was started."""
    started = []
    limits = {1: (12, 3), 4: (12, 2)}
    table = {who: Peer(who, "fake", who, limits) for who in ("random", "broken", "wrong")}
    monkeypatch.setattr(driver, "PEERS", table)
    monkeypatch.setattr(driver, "_worker", lambda peer, python: started.append(peer.who) or Worker(COMMAND))
    monkeypatch.setattr(environments, "ready", lambda name, root=None: Path(sys.executable))
    monkeypatch.setattr(environments, "version", lambda name: "1.0")
    monkeypatch.setattr(environments, "packages", lambda python: {"fake": "1.0"})
    return started


def test_a_worker_answers_line_by_line():
    with Worker(COMMAND) as worker:
        start(worker)
        first = worker.ask(3)
        assert np.shape(first) == (3, 2)
        assert worker.wall >= worker.cpu >= 0
        worker.tell(first, [0.1, None, 0.3])
        second = worker.ask(1)
        start(worker)  # another study of the same seed, in the same process
        assert worker.ask(3) == first
        start(worker, seed=1)
        assert worker.ask(3) + second != first + second


def test_a_failure_says_why():
    with Worker(COMMAND) as worker, pytest.raises(WorkerError, match="no study was started"):
        worker.ask(1)
    with Worker(COMMAND) as worker:
        start(worker, batch=1)
        with pytest.raises(WorkerError, match="more than a batch"):
            worker.ask(2)
        with pytest.raises(WorkerError, match="the worker ended"):
            worker.ask(1)


def test_runs_are_kept_and_continued(fake, tmp_path):
    def run(seeds, **options):
        settings = [Setting(1, 30, seeds), Setting(4, 10, 1), Setting(32, 30, 2)]
        return list(peers.run(["branin", "mixed7"], settings, chosen=["random"], root=tmp_path, **options))

    made = run(2)
    assert [(r.task, r.lanes, r.evals, r.seeds) for r in made] == [
        ("branin", 1, 12, [0, 1]),
        ("mixed7", 1, 12, [0, 1]),
        ("branin", 4, 10, [0]),
        ("mixed7", 4, 10, [0]),
    ]
    assert {"search", "cpu", "each", "at_10"} <= set(made[0].seconds)
    assert sorted(store.load(tmp_path), key=str) == sorted(made, key=str)
    assert '"fake": "1.0"' in (tmp_path / "peers" / "fake.json").read_text()
    assert run(2) == []  # kept
    more = run(20)
    assert [(r.task, r.seeds) for r in more] == [("branin", [0, 1, 2]), ("mixed7", [0, 1, 2])]
    assert more[0].curves[:2] == made[0].curves
    assert more[0].seconds["cpu"] > made[0].seconds["cpu"]
    assert [r.curves for r in run(3, again=True)][:2] == [r.curves for r in more]
    assert len(store.load(tmp_path)) == 4
    assert len(fake) == 4 + 2 + 4  # none where nothing was missing


def test_another_release_starts_afresh(fake, tmp_path, monkeypatch):
    def run():
        return list(peers.run(["branin"], [Setting(1, 5, 1)], chosen=["random"], root=tmp_path))

    run()
    monkeypatch.setattr(environments, "version", lambda name: "2.0")
    assert [r.version for r in run()] == ["2.0"]
    assert [r.version for r in store.load(tmp_path)] == ["2.0"]


def test_curves_are_of_what_the_worker_proposed(fake):
    task = tasks.load("branin_noisy")
    [made] = peers.run([task.name], [Setting(4, 10, 1)], chosen=["random"], root=None)
    with Worker(COMMAND) as worker:
        worker.start(space=driver.described(task), seed=0, batch=4, evals=10, method="random")
        levels = np.array(worker.ask(4) + worker.ask(4) + worker.ask(2), np.int32)
    seen = task.observe(levels, 0, np.arange(10)).astype(np.float32)
    assert made.curves == [store.changes(task, seen, task.score(levels))]


def test_a_peer_that_fails_stops_no_other(fake, tmp_path, capsys):
    made = list(peers.run(["branin"], [Setting(1, 5, 1)], root=tmp_path))
    assert [r.who for r in made] == ["random"]
    printed = capsys.readouterr().out
    assert "broken on branin failed" in printed
    assert "it broke" in printed
    assert "configurations are not of the space" in printed
    with pytest.raises(ValueError, match="peer 'none' is unknown"):
        list(peers.run(["branin"], [], chosen=["none"]))


def test_losses_are_negated_scores_and_failures_have_none(fake):
    task = dataclasses.replace(
        tasks.load("branin"), score=lambda levels, budget=None: np.where(levels[:, 0] % 2, np.nan, -0.5)
    )

    class Told(Worker):
        def tell(self, levels, losses):
            assert losses == [None if row[0] % 2 else 0.5 for row in levels]
            super().tell(levels, losses)

    with Told(COMMAND) as worker:
        curve, _ = driver.measure(worker, task, Setting(4, 12, 1), 0, "random")
    assert len(curve) == 2


def test_spaces_are_described_by_levels():
    described = driver.described(tasks.load("mixed7"))
    assert described[0] == {"name": "x1", "size": 33, "ordered": True}
    assert described[-1] == {"name": "c3", "size": 6, "ordered": False}


def test_every_peer_has_its_files():
    for peer in peers.PEERS.values():
        assert environments.version(peer.environment)
        assert (environments.HERE / f"worker_{peer.environment}.py").exists()
        assert all(lanes <= evals for lanes, (evals, _) in peer.most.items())
    assert peers.PEERS["hebo"].within(Setting(1, 100, 20)) == Setting(1, 50, 5)
    assert peers.PEERS["hebo"].within(Setting(8, 256, 10)) is None


def test_an_environment_that_cannot_be_made_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(environments, "HERE", tmp_path)
    (tmp_path / "requirements_none.txt").write_text("no such requirement==\n")
    with pytest.raises(RuntimeError, match="the environment of none cannot be made"):
        environments.ready("none", tmp_path / "environments")
