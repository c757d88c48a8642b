"""What the page on a first study says is so."""

import re

import numpy as np

from jaxhpo.study import check_timeout
from jaxhpo.study.trials import RESERVED
from jaxhpo.training.config.hyperparameters import HYPERPARAMETERS
from jaxhpo.training.run.batch import BatchResult
from jaxhpo.training.run.layout import Layout
from jaxhpo.training.run.state import TrainerState
from tests.docs import pages

PAGE = pages.read("docs/tutorials/first_study.md")
WORDS = " ".join(PAGE.split())


def names_of_rows(heading):
    section = PAGE.split(f"## {heading}\n")[1].split("\n## ")[0]
    firsts = re.findall(r"^\| (.*?) \|", section, re.MULTILINE)
    return [name for first in firsts for name in re.findall(r"`(\w+)`", first)]


def test_the_table_has_every_column_of_trials():
    assert sorted(names_of_rows("All trials")) == sorted(RESERVED)


def test_the_table_has_all_that_training_saw():
    class Proposal:
        active = np.ones(2, bool)

    alone = Layout(1, None, "probabilities")
    empty = BatchResult(Proposal(), Proposal.active, 3, None, alone, None, np.zeros(2), TrainerState(None, None))
    names = set(empty.outcome.aux)
    assert set(names_of_rows("Learning curves")) - {"aux"} == names


def test_timeouts_may_be_so_written():
    texts = re.findall(r'`"(\d+[smh])"`', PAGE)
    assert [check_timeout(text) for text in texts] == [90, 300, 7200]


def test_a_space_without_a_batch_size_has_this_one():
    assert f"here a batch size of {HYPERPARAMETERS['batch_size'].default}" in WORDS


def test_an_image_is_as_much_accuracy_as_is_said():
    assert f"One image is {1 / 360:.4f}" in WORDS  # test_get_started.py counts the images
