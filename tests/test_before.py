"""What earlier releases wrote is read: a journal with a portfolio and conditions, and a model that was saved.

They were written, when `Portfolio` was `Prior`, by

    space = jh.Space({
        "learning_rate": jh.Float(1e-2, 1e-1, log=True), "batch_size": jh.Choice((8,)), "units": jh.Choice((4, 8)),
        "activation": jh.Choice(("tanh",)), "optimizer": jh.Choice(("sgd", "momentum")),
        "momentum": jh.Float(0.5, 0.9, when={"optimizer": "momentum"}),
    })
    prior = jh.Prior(space, [PORTFOLIO])
    study = jh.tune((x, y), trials=6, lanes=2, epochs=3, space=space, prior=prior, output="study.jsonl")
    study.best_model().save("model")
"""

import json
from pathlib import Path

import numpy as np

import jaxhpo as jh

BEFORE = Path(__file__).with_name("before")
PORTFOLIO = {"batch_size": 8, "units": 4, "activation": "tanh", "optimizer": "momentum", "momentum": 0.75}


def test_a_journal_is_read():
    past = jh.read_journal(BEFORE / "study.jsonl")
    assert (past.direction, past.header["algorithm"], past.header["model"]) == ("maximize", "q_learning", "mlp")
    assert past.header["prior"] == [{"learning_rate": 0.050000001782354433} | PORTFOLIO]
    assert [trial.trial for trial in past.finished] == list(range(6))
    scores = [0.75, 0.5833333730697632, 0.75, 1.0, 0.3333333432674408, 0.9166666865348816]
    assert [trial.score for trial in past.finished] == scores
    assert "momentum" not in past.finished[3].config
    found = jh.Portfolio.from_studies([past], size=2)
    assert found.configs[0] == past.finished[3].config
    assert jh.Portfolio.from_json(json.loads(json.dumps(found.to_json()))).configs == found.configs


def test_a_saved_model_is_read():
    model = jh.load_model(BEFORE / "model")
    x = np.random.default_rng(0).normal(size=(60, 3)).astype(np.float32)
    assert model.predict(x[:6]).tolist() == ["yes", "yes", "yes", "no", "no", "no"]
    expected = [[0.02402707189321518, 0.31711581349372864], [-0.11926618963479996, -0.07609482109546661]]
    np.testing.assert_allclose(model.outputs(x[:2]), expected, rtol=1e-5)
    assert model.made["activation"] == "tanh"


ENDS = ("default", "ensemble", "few_examples", "level", "recommended", "winner")  # what a study ends with


def test_what_is_written_now_has_the_keys_of_before(tmp_path):
    now = tmp_path / "study.jsonl"
    space = jh.read_journal(BEFORE / "study.jsonl").space
    x = np.random.default_rng(0).normal(size=(60, 3)).astype(np.float32)
    y = np.array(["no", "yes"])[(x[:, 0] > 0).astype(int)]
    study = jh.tune(
        (x, y), trials=2, lanes=2, epochs=1, folds=1, space=space, output=now, algorithm="random_search", verbose=False
    )
    study.best_model().save(tmp_path / "model")
    rows = [[json.loads(line) for line in path.read_text().splitlines()] for path in (BEFORE / "study.jsonl", now)]
    before, after = ((each[0]["header"], each[1], each[-1]["result"]) for each in rows)
    added = [sorted(set(new) - set(old)) for old, new in zip(before, after, strict=True)]
    assert added == [
        ["algorithm_options", "checkpoint", "folds", "patience", "repeats"],
        ["reason", "trained_from"],
        sorted(
            ["algorithm_options", "alone", "checkpoint", "folds", "overview", "patience", "repeats", "restarts", *ENDS]
        ),
    ]
    assert all(set(old) <= set(new) for old, new in zip(before, after, strict=True))
    plans = before[0]["plan"], after[0]["plan"]
    assert [sorted(plan) for plan in plans] == [sorted(plans[0])] * 2
    assert sorted(plans[0]["buckets"][0]) == sorted(plans[1]["buckets"][0])
    models = [json.loads((folder / "model" / "model.json").read_text()) for folder in (BEFORE, tmp_path)]
    assert sorted(models[0]) == sorted(models[1])
    for part in ("data", "made"):
        assert sorted(models[0][part]) == sorted(models[1][part])
