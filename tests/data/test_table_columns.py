"""Columns of tables: what each is taken for, what becomes of it, and what a user may say of it."""

import json
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from jaxhpo.data import load
from jaxhpo.data.tables.plan import Column, read_features

ROWS = 40
I = np.arange(ROWS)  # noqa: E741
LABEL = np.where(I % 2, "yes", "no")
NUMBERS = np.cos(I).round(3)


def table(**columns):
    """Return a table with a column of numbers and what is given."""
    return pd.DataFrame({"plain": NUMBERS, **columns, "label": LABEL})


def all_rows(data):
    """Return the features of all rows, in the order of the table."""
    x = np.concatenate([data.x_train, data.x_valid, data.x_test])
    order = [int(np.flatnonzero(NUMBERS.astype(np.float32) == first)[0]) for first in x[:, 0]]
    return x[np.argsort(order)], np.array(sorted(order[: len(data.x_train)]))


# --- what a column is taken for -------------------------------------------------------------------------------------


def kinds(values, name="it", **options):
    """Return the names of the features of one column beside `plain`, and what was said of the table."""
    data = load(table(**{name: values}), **options)
    return data.feature_names[1:], data.notes


WORDS = [f"w{i}" for i in range(ROWS)]
SENTENCES = [f"this is sentence number {i} of some" for i in range(ROWS)]
LEFT_OUT = {
    "id": (2 * I, "identifiers, which differ in every row"),
    "userId": (I[::-1] ** 2, "identifiers, which differ in every row"),
    "order_id": (2 * I, "identifiers, which differ in every row"),
    "counter": (I + 1, "identifiers, which differ in every row"),
    "zero": (I, "identifiers, which differ in every row"),
    "digits": ((I + 1).astype(str), "identifiers, which differ in every row"),
    "Unnamed: 0": (I * 1.5, "identifiers, which differ in every row"),
    "Unnamed: 0.1": (I[::-1] * 3, "identifiers, which differ in every row"),
    "names": (WORDS, "identifiers, which differ in every row"),
    "note": (SENTENCES, "texts, which are learned from only where no other column is left"),
    "constant": (3.5, "the same value in every row"),
    "word": ("same", "the same value in every row"),
    "gone": (None, "no cell has a value"),
    "nan": (np.nan, "no cell has a value"),
}


@pytest.mark.parametrize("name", LEFT_OUT)
def test_columns_that_are_left_out(name):
    values, reason = LEFT_OUT[name]
    assert kinds(values, name) == ((), (f"column '{name}' is left out: {reason}",))


@pytest.mark.parametrize(
    "values",
    [
        I * 2,  # whole numbers that differ may measure something
        I + 1950,
        I.astype(float),
        I % 7,
        I % 2 == 0,
        pd.array(I % 3, dtype="Int8"),
        pd.array(I % 3 == 0, dtype="boolean"),
        [Decimal(int(i)) / 4 for i in I],
        [str(i % 7) for i in I],
        [f" {i % 7}.5 " for i in I],
        [i if i % 2 else str(i) + ".5" for i in I],  # numbers and words for numbers
    ],
)
def test_numbers(values):
    assert load(table(**{"Unnamed: 3": values})).feature_names == ("plain", "Unnamed: 3")
    data = load(table(it=values))
    assert (data.feature_names, data.notes) == (("plain", "it"), ())
    x, _ = all_rows(data)
    np.testing.assert_array_equal(x[:, 1], np.array([float(value) for value in values], np.float32))


def test_few_rows_are_not_told_apart():
    frame = table(it=I, word=WORDS)[:19]
    names = [f"word={word}" for word in WORDS[:19]]
    assert load(frame).feature_names[:2] == ("plain", "it")
    assert set(load(frame).feature_names[2:]) < set(names)
    assert load(table(it=I, word=WORDS)[:20]).feature_names == ("plain",)


def test_numbers_that_count_the_rows_are_better_than_nothing():
    frame = pd.DataFrame({"x": I, "label": LABEL})
    data = load(frame)
    assert data.feature_names == ("x",)
    assert data.notes == ("column 'x' counts the rows, and is used because no other column is left",)


@pytest.mark.parametrize(
    ("values", "wanted", "said"),
    [
        ([f"${i * 100:,}" for i in I], I * 100, "column 'it' is taken as numbers: '$0' is 0"),
        ([f"{i * 2.5} %" for i in I], I * 2.5, "column 'it' is taken as numbers: '0.0 %' is 0"),
        ([f"{i},5" for i in I], I + 0.5, "column 'it' is taken as numbers: '0,5' is 0.5"),
        ([f"{i + 1},500" for i in I], 1000 * I + 1500, "column 'it' is taken as numbers: '1,500' is 1500"),
    ],
)
def test_numbers_in_dress(values, wanted, said):
    data = load(table(it=values))
    assert (data.feature_names, data.notes) == (("plain", "it"), (said,))
    np.testing.assert_array_equal(all_rows(data)[0][:, 1], wanted.astype(np.float32))
    (plan,) = (column for column in data.columns if column.name == "it")
    np.testing.assert_array_equal(read_features(pd.DataFrame({"it": values}), [plan])[:, 0], wanted.astype(np.float32))


DAYS = pd.date_range("2019-07-01", periods=ROWS, freq="9D")


@pytest.mark.parametrize(
    "values",
    [
        DAYS,
        DAYS.tz_localize("Asia/Tokyo"),
        list(DAYS.date),
        DAYS.strftime("%Y-%m-%d"),
        DAYS.strftime("%d/%m/%Y"),
        DAYS.strftime("%m/%d/%y"),
        DAYS.strftime("%d.%m.%Y"),
        DAYS.strftime("%B %d, %Y"),
        DAYS.strftime("%Y-%m-%dT00:00:00"),
    ],
)
def test_dates(values):
    data = load(table(it=values))
    assert data.feature_names == ("plain", "it year", "it month", "it weekday", "it days")
    (note,) = data.notes
    assert note.replace(", day first", "").replace(", month first", "") == (
        "column 'it' is taken as dates: year, month, weekday, and days since the first"
    )
    x, train = all_rows(data)
    wanted = [DAYS.year, DAYS.month, [day.weekday() for day in DAYS], 9 * (I - train.min())]
    np.testing.assert_array_equal(x[:, 1:], np.stack(wanted, 1).astype(np.float32))


def test_times_of_day():
    times = pd.date_range("2020-01-01 06:30", periods=ROWS, freq="7h")
    for values in (times, times.strftime("%Y-%m-%d %H:%M")):
        data = load(table(it=values))
        assert (
            data.feature_names[1:] == ("it month", "it weekday", "it hour", "it days")[-len(data.feature_names) + 1 :]
        )
        hours = all_rows(data)[0][:, data.feature_names.index("it hour")]
        np.testing.assert_array_equal(hours, (times.hour + 0.5).astype(np.float32))


def test_dates_of_small_months_and_days_are_asked_for():
    dates = [f"{i % 9 + 1}/{i % 7 + 1}/2020" for i in I]
    day, month = (load(table(it=dates), columns={"it": f"{which} first"}) for which in ("day", "month"))
    assert day.notes[0].startswith("column 'it' is taken as dates, day first: year, ")
    assert day.feature_names == month.feature_names == ("plain", "it month", "it weekday", "it days")
    np.testing.assert_array_equal(all_rows(day)[0][:, 1], I % 7 + 1)
    np.testing.assert_array_equal(all_rows(month)[0][:, 1], I % 9 + 1)


def test_codes_are_no_numbers():
    codes = np.array(["01234", "98765", "00001"])[I % 3]
    names, notes = kinds(codes)
    assert names == ("it=00001", "it=01234", "it=98765")
    assert notes == ("column 'it' is taken as categories: digits begin with 0",)


# --- missing cells, rare and new words ------------------------------------------------------------------------------


def test_missing_numbers_get_the_training_median_and_a_feature():
    values = np.where(I % 5 == 0, np.nan, I * 1.5)
    for cells in (
        values,
        [None if np.isnan(v) else str(v) for v in values],
        ["?" if np.isnan(v) else v for v in values],
    ):
        data = load(table(it=cells))
        assert data.feature_names == ("plain", "it", "it is missing")
        x, train = all_rows(data)
        median = np.nanmedian(values[train])
        np.testing.assert_array_equal(x[:, 1], np.where(np.isnan(values), median, values).astype(np.float32))
        np.testing.assert_array_equal(x[:, 2], I % 5 == 0)
        assert data.notes[-1].startswith("column 'it' is filled by the training median where cells are missing, which")


def test_a_cell_that_is_missing_only_outside_of_training_has_no_feature():
    train = all_rows(load(table()))[1]
    values = I * 1.5
    values[np.setdiff1d(I, train)[0]] = np.inf  # infinite ones are missing, too
    data = load(table(it=values))
    assert data.feature_names == ("plain", "it")
    assert data.notes == ("column 'it' holds 1 number beyond float32, taken as missing",)
    assert np.median(values[train]).astype(np.float32) == all_rows(data)[0][np.isinf(values), 1]


def test_missing_words_are_a_category():
    values = np.array(["red", "blue", None, " "], object)[I % 4]
    names, notes = kinds(values)
    assert names == ("it=blue", "it=red", "it is missing")
    assert notes == ("column 'it' has a feature for missing cells",)
    x, _ = all_rows(load(table(it=values)))
    np.testing.assert_array_equal(x[:, 1:], np.stack([I % 4 == 1, I % 4 == 0, I % 4 > 1], 1))


def test_rare_words_share_a_feature():
    # 240 words have 10 rows each, 6 of them in training on average, and 60 words have 4.
    words = [f"often {i % 240}" for i in range(2400)] + [f"seldom {i % 60}" for i in range(240)]
    data = load(pd.DataFrame({"word": words, "y": np.arange(2640) % 2}))
    names = data.feature_names
    assert len(names) <= 201
    assert names[-1] == "word is another"
    assert not any("seldom" in name for name in names)
    (note,) = data.notes
    assert note == (
        f"column 'word': of its 297 words in training the {len(names) - 1} most frequent have a feature each, the "
        "others share one"
    )
    np.testing.assert_array_equal(data.x_train.sum(1), 1)
    assert (data.x_train[:, :-1].sum(0) >= 5).all()
    new = read_features(pd.DataFrame({"word": ["never seen", names[0].removeprefix("word=")]}), data.columns)
    assert new[0, -1] == new[1, 0] == 1
    fifty = pd.DataFrame({"word": [f"w{i % 50}" for i in range(100)], "y": np.arange(100) % 2})
    assert "word is another" not in load(fifty).feature_names


def test_words_of_less_than_a_thousandth_share_a_feature():
    words = np.where(np.arange(4000) < 3, "rare", np.where(np.arange(4000) % 3, "red", "blue"))
    data = load(pd.DataFrame({"word": words, "y": np.arange(4000) % 2}), seed=1)
    assert data.feature_names == ("word=blue", "word=red", "word is another")


def test_what_is_constant_in_training_is_left_out():
    train = all_rows(load(table()))[1]
    rest = np.setdiff1d(I, train)
    data = load(table(a=np.isin(I, rest).astype(int), b=np.where(rest[0] == I, "odd", "usual")))
    assert data.feature_names == ("plain",)
    assert data.notes == ("columns 'a', 'b' are left out: the same value in every training row",)


def test_too_many_words_are_left_out():
    frame = pd.DataFrame({"ticket": [f"t{i // 2 if i < 120 else i}" for i in range(200)], "a": np.arange(200) * 2})
    frame["label"] = np.arange(200) % 2
    data = load(frame)
    assert data.feature_names == ("a",)
    assert data.notes == ("column 'ticket' is left out: 140 different words in 200 rows",)
    kept = load(frame, columns={"ticket": "category"})
    assert kept.feature_names == ("a",)  # no ticket has five rows
    frame.loc[:40, "ticket"] = "day"
    assert load(frame, columns={"ticket": "category"}).feature_names == ("ticket=day", "ticket is another", "a")


# --- what a user says -----------------------------------------------------------------------------------------------


def test_a_user_overrules():
    frame = table(id=2 * I, code=I % 3, amount=[*map(str, NUMBERS[1:]), "much"], when=20200101 + I % 28, note=SENTENCES)
    said = {"id": "number", "code": "category", "amount": "number", "when": "date", "note": "drop"}
    data = load(frame, columns=said)
    dates = ("when weekday", "when days")
    names = ("plain", "id", "code=0", "code=1", "code=2", "amount")
    assert tuple(n for n in data.feature_names if n != "amount is missing") == (*names, *dates)
    assert "column 'amount' holds 'much', taken as missing" in data.notes
    x, _ = all_rows(data)
    np.testing.assert_array_equal(x[:, 1], 2 * I)
    np.testing.assert_array_equal(x[:, 2:5], np.eye(3)[I % 3])
    only_note = load(table(note=SENTENCES), columns={"plain": "drop", "note": "text"})
    assert only_note.kind == "text"


def test_words_among_numbers_and_dates_are_missing_where_a_user_says_what_a_column_is():
    values = [str(i) if i % 3 == 0 else f"word {i}" for i in I]
    dates = [f"2020-01-{i % 28 + 1:02}" if i % 4 == 0 else f"day {i}" for i in I]
    data = load(table(it=values, when=dates), columns={"it": "number", "when": "date"})
    x, train = all_rows(data)
    assert data.feature_names[1:4] == ("it", "it is missing", "when weekday")
    np.testing.assert_array_equal(x[:, 1], np.where(I % 3 == 0, I, np.median(train[train % 3 == 0])))
    np.testing.assert_array_equal(x[:, 2], I % 3 != 0)
    new = read_features(pd.DataFrame({"plain": [0.5], "it": ["word"], "when": ["never"]}), data.columns)
    np.testing.assert_array_equal(new[0, 1:3], [np.median(train[train % 3 == 0]), 1])


def test_names_of_columns_need_not_be_strings():
    frame = pd.DataFrame(np.stack([NUMBERS, I % 3, I % 2], 1))
    data = load(frame, target=2, columns={1: "category"})
    assert data.feature_names == ("0", "1=0", "1=1", "1=2")
    np.testing.assert_array_equal(load(frame, target=-1, columns={1: "category"}).x_train, data.x_train)
    assert read_features(frame, data.columns).shape == (ROWS, 4)


def test_times_are_no_identifiers():
    for name in ("year", "Month", "time", "age", "study day"):
        assert load(table(**{name: I + 1})).feature_names == ("plain", name)


def test_few_numbers_with_a_word_among_them_are_categories():
    names, notes = kinds(["4", "6", "8", "6"] * 9 + ["4", "6", "8", "rotary"])
    assert names == ("it=4", "it=6", "it=8", "it=rotary")
    assert notes == ("column 'it' is taken as categories: it holds 'rotary' among numbers",)


def test_an_index_with_a_name_is_said():
    frame = table().set_index(pd.Index(DAYS, name="day"))
    assert load(frame).notes == ("the index 'day' of the table is not used; reset_index() makes a column of it",)


# --- targets --------------------------------------------------------------------------------------------------------


def test_rows_without_a_target_are_left_out():
    frame = table(id=I)
    frame.loc[[3, 8], "label"] = [None, " "]
    data = load(frame)
    assert data.notes[0] == "2 rows without a value of 'label' are left out"
    x = np.concatenate([data.x_train, data.x_valid, data.x_test])
    np.testing.assert_array_equal(np.sort(x[:, 0]), np.sort(np.delete(NUMBERS, [3, 8])).astype(np.float32))
    y = np.concatenate([data.y_train, data.y_valid, data.y_test])
    kept = {number: label == "yes" for number, label in zip(NUMBERS.astype(np.float32), LABEL, strict=True)}
    assert [kept[number] for number in x[:, 0]] == y.tolist()


def test_targets_in_dress():
    frame = table().assign(label=[f"${1000 * i:,}" for i in range(1, ROWS + 1)])
    data = load(frame, task="regression")
    x = np.concatenate([data.x_train, data.x_valid, data.x_test])[:, 0]
    y = np.concatenate([data.y_train, data.y_valid, data.y_test])
    np.testing.assert_array_equal(y[np.argsort(x)], 1000 * (np.argsort(NUMBERS.astype(np.float32)) + 1))
    assert data.notes == ("column 'label' is predicted in numbers: '$1,000' is 1000",)


# --- the plan -------------------------------------------------------------------------------------------------------


def test_a_plan_is_plain_data():
    times = pd.Series(pd.date_range("2020-01-01 06:30", periods=ROWS, freq="50h")).where(I % 4 > 0)
    frame = table(when=times, city=np.where(I % 3, "Rome", None), price=[f"$ {i:,}" for i in I * 99])
    data = load(frame)
    again = [Column.from_json(json.loads(json.dumps(column.to_json()))) for column in data.columns]
    assert tuple(again) == data.columns
    x, _ = all_rows(data)
    np.testing.assert_array_equal(read_features(frame.sample(frac=1, random_state=0).sort_index(), again), x)
    with pytest.raises(KeyError, match="a column of a table has width"):
        Column.from_json(again[0].to_json() | {"width": 3})
