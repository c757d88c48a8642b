"""The values of hyperparameters as studies show them: as they were told, and inactive ones apart from None."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import jaxhpo as jh
from jaxhpo.report.console import best_table, shorten
from jaxhpo.study import Journal, Study, read_journal

ON = {"when": {"on": True}}
SPACE = jh.Space(
    {
        "on": jh.Choice((True, False)),
        "clip": jh.Choice((None, 0.1234, 0.1235), **ON),
        "name": jh.Choice(("None", "adam"), **ON),
        "flag": jh.Choice((True, False), **ON),
        "mixed": jh.Choice((1, "1", True, None), **ON),
        "number": jh.Choice((1, 2.5), **ON),
        "layers": jh.Int(1, 3, **ON),
        "rate": jh.Float(0.0, 1.0, **ON),
        "always": jh.Choice((None, "x")),
        "word": jh.Choice(("a", "b")),
        "size": jh.Int(1, 2000, log=True),
        "real": jh.Float(1e-5, 1.0, log=True),
    }
)
LAST = {"word": "b", "size": 1234, "real": 0.0123}
ALL = {
    "on": True,
    "clip": None,
    "name": "None",
    "flag": False,
    "mixed": 1,
    "number": 2.5,
    "layers": 2,
    "rate": 0.3,
    "always": None,
    **LAST,
}
OTHER = ALL | {"clip": 0.1235, "name": "adam", "mixed": None, "number": 1}
FEW = {"on": False, "always": None, **LAST}


def told(configs, **options):
    study = Study(SPACE, jh.algorithms.random_search(SPACE, lanes=len(configs)), **options)
    for config in configs:
        study.enqueue(config)
    assert [s.config for s in study.ask()] == configs
    study.tell(list(range(len(configs))))
    return study


def test_trials_tell_none_from_what_is_inactive():
    table = told([ALL, OTHER, FEW]).trials
    assert [value is pd.NA for value in table["clip"]] == [False, False, True]
    assert table["clip"].tolist()[:2] == [None, 0.1235]
    assert table["clip"].iloc[0] is None
    assert [type(value) for value in table["mixed"]] == [int, type(None), type(pd.NA)]
    assert table["name"].tolist() == ["None", "adam", pd.NA]
    assert table["flag"].tolist() == [False, False, pd.NA]
    assert table["number"].tolist() == [2.5, 1.0, pd.NA]
    assert table["layers"].tolist() == [2, 2, pd.NA]
    assert table["rate"].tolist() == [0.3, 0.3, pd.NA]
    assert table["always"].tolist() == [None] * 3
    assert not any(value is pd.NA for value in table["always"])


@pytest.mark.parametrize("configs", [[ALL], [FEW], [ALL, FEW]])
def test_the_space_alone_decides_the_dtypes(configs):
    dtypes = told(configs).trials.dtypes
    nullable = {"name": "string", "flag": "boolean", "number": "Float64", "layers": "Int64", "rate": "Float64"}
    objects = dict.fromkeys(("clip", "mixed", "always"), "object")
    plain = {"on": "bool", "size": "int64", "real": "float64", "trial": "int64", "score": "float64"}
    for name, dtype in (nullable | objects | plain).items():
        assert dtypes[name] == dtype, name
    assert dtypes["word"] == pd.Series(["a"]).dtype


def test_a_table_of_no_trials_has_its_columns():
    table = Study(SPACE, jh.algorithms.random_search(SPACE, lanes=2)).trials
    assert len(table) == 0
    assert table["layers"].dtype == "Int64"


def test_a_table_selects_and_groups_by_values():
    table = told([ALL, OTHER, FEW]).trials
    assert table[table["name"] == "adam"]["trial"].tolist() == [1]
    assert table[table["flag"]]["trial"].tolist() == []
    assert table.groupby("layers")["score"].max().to_dict() == {2: 1.0}


def test_the_best_trial_and_the_terminal_show_what_was_told():
    study = told([ALL, FEW, OTHER], direction="minimize")
    assert study.best.config == ALL
    assert study.best.config["clip"] is None
    assert "clip=None, name='None', flag=False, mixed=1," in repr(study.best)
    study.summary["metric"] = "accuracy"
    table = best_table(study)
    rows = dict(zip(table.columns[0].cells, zip(*(c.cells for c in table.columns[1:]), strict=True), strict=True))
    assert rows["clip"] == ("None", "-", "0.1235")
    assert rows["name"] == ("'None'", "-", "adam")
    assert rows["rate"] == ("0.3", "-", "0.3")


def test_strings_that_look_like_other_values_have_quotes():
    assert [shorten(v) for v in ("1e-3", "-", "", "True", "-x", "adam", "3x3")] == [
        "'1e-3'",
        "'-'",
        "''",
        "'True'",
        "-x",
        "adam",
        "'3x3'",
    ]
    assert shorten(0.12345) == "0.123"
    assert shorten(0.12345, jh.Choice((0.12345, 0.12346))) == "0.12345"


def test_the_journal_tells_none_from_what_is_inactive(tmp_path):
    path = tmp_path / "study.jsonl"
    journal = Journal(path, {"space": SPACE.to_json(), "direction": "maximize"})
    study = told([ALL, FEW, OTHER])
    for trial in study.finished:
        journal.append(trial)
    journal.close()
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()[1:]]
    assert [row["config"] for row in rows] == [ALL, FEW, OTHER]
    past = read_journal(path).finished
    assert [trial.config for trial in past] == [ALL, FEW, OTHER]
    for trial, again in zip(study.finished, past, strict=True):
        np.testing.assert_array_equal(again.point, trial.point)


# --- decimals ------------------------------------------------------------------------------------------------------

RANGES = [jh.Float(0.0, 1.0), jh.Float(-3.0, 7.5), jh.Float(1e-5, 1.0, log=True), jh.Float(100.0, 101.0)]
RANGES += [jh.Float(0.0, 0.5, levels=6), jh.Float(1e-4, 1e-1, log=True, levels=13), jh.Float(1e-30, 1e30, log=True)]


@pytest.mark.parametrize("dimension", RANGES)
@given(unit=st.integers(0, 2**23).map(lambda n: np.float32(n / 2**23)))
def test_a_value_told_again_is_the_same_float32_point(dimension, unit):
    value = dimension.to_value(unit)
    assert np.float32(dimension.to_unit(value)) == unit
    assert dimension.low <= value <= dimension.high
    assert abs(value - dimension.exact_value(unit)) <= 1e-5 * max(abs(dimension.low), abs(dimension.high))


@pytest.mark.parametrize("value", [0.3, 0.1, 0.7, 0.123456, 1.0, 0.0])
def test_a_decimal_comes_back_as_it_was_told(value):
    dimension = jh.Float(0.0, 1.0)
    assert dimension.exact_value(dimension.to_unit(0.3)) != 0.3  # float32 has no 0.3
    assert dimension.to_value(dimension.to_unit(value)) == value


def test_decimals_of_log_ranges_come_back():
    dimension = jh.Float(1e-5, 1.0, log=True)
    assert [dimension.to_value(dimension.to_unit(v)) for v in (1e-5, 3e-4, 0.0123, 1.0)] == [1e-5, 3e-4, 0.0123, 1.0]


def test_a_decimal_trains_with_the_same_float32_value():
    space = jh.Space({"rate": jh.Float(1e-5, 1.0, log=True), "share": jh.Float(-1.0, 2.0)})
    points = np.random.default_rng(0).random((50, 2)).astype(np.float32)
    again = np.stack([space.from_config(space.to_config(point)) for point in points])
    first, second = (jax.jit(space.decode)(jnp.asarray(p)) for p in (points, again))
    for name in space:
        np.testing.assert_array_equal(first[name], second[name])
