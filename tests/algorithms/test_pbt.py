"""Population based training against populations scored by hand."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxhpo import algorithms
from jaxhpo.algorithms.multi_fidelity.perturbation import Perturbation
from jaxhpo.space import Choice, Float, Int, Space

from .multi_fidelity import SPACE, Rounds, pairs

RATE = 0  # the place of `rate`, the only hyperparameter of SPACE that is explored


def population(**options):
    return Rounds("pbt", once=False, **({"lanes": 5, "budget": 6, "interval": 2} | options))


def test_the_worst_copy_the_best_and_vary_what_is_explored():
    rounds = population(resample=0.0)
    first = rounds.play(lambda row: [0.3, 0.9, 0.1, 0.5, 0.4][row.trial])
    assert pairs(first) == [(-1, 2)] * 5
    assert rounds.kept == [0, 1, 3, 4]  # member 2 will copy
    second = rounds.play(lambda row: [0.3, 0.9, 0.95, 0.2, 0.4][row.trial - 5])
    assert pairs(second) == [(0, 4), (1, 4), (1, 4), (3, 4), (4, 4)]
    assert rounds.metrics["copied"] == 1.0
    for member in (0, 1, 3, 4):
        assert second[member].point == first[member].point
    copy, parent = second[2].point, first[1].point
    assert copy[1:] == parent[1:]
    step = (copy[RATE] - parent[RATE]) * math.log(1000)
    assert min(abs(step - math.log(0.8)), abs(step - math.log(1.2))) < 1e-5
    third = rounds.play(lambda row: 0.5)
    assert pairs(third) == [(5, 6), (6, 6), (7, 6), (7, 6), (9, 6)]  # member 2 is the best now, 3 the worst
    assert rounds.epochs == 5 * 6
    assert rounds.kept == []  # at the full budget nothing goes on
    assert rounds.metrics == {"generation": 1.0, "step": 0.0, "copied": 1.0}
    assert pairs(rounds.play(lambda row: 0.5)) == [(-1, 2)] * 5


def test_a_generation_starts_from_what_the_best_began_with():
    rounds = population(resample=0.0, truncation=0.2)
    rounds.play(lambda row: row.trial)  # member 4 is the best, 0 copies it
    rounds.play(lambda row: 10 - row.trial)  # the copy is the best
    rounds.play(lambda row: 10 - row.trial)
    begun, copied = rounds.rows[4].point, rounds.rows[5].point
    assert begun[RATE] != copied[RATE]
    fresh = rounds.play(lambda row: 0.0)
    # Of equal children, which one hyperparameter and two factors soon give, the second is a uniform draw instead.
    assert fresh[1].point[1:] == begun[1:]
    step = (fresh[1].point[RATE] - begun[RATE]) * math.log(1000)
    assert min(abs(step - math.log(0.8)), abs(step - math.log(1.2))) < 1e-5
    assert len({row.point for row in fresh}) == 5


@pytest.mark.slow
def test_failed_members_copy_and_a_population_of_them_starts_afresh():
    rounds = population()
    rounds.play(lambda row: [0.3, np.nan, np.nan, np.nan, 0.4][row.trial])
    assert rounds.kept == [0, 4]  # the failed ones copy, which are more than the worst fifth
    assert pairs(rounds.play(lambda row: 0.0)) == [(0, 4), (4, 4), (4, 4), (4, 4), (4, 4)]
    rounds = population()
    rounds.play(lambda row: [0.3, np.nan, 0.2, 0.25, 0.4][row.trial])
    assert rounds.kept == [0, 2, 3, 4]
    assert pairs(rounds.play(lambda row: np.nan)) == [(0, 4), (4, 4), (2, 4), (3, 4), (4, 4)]
    assert rounds.kept == []
    assert rounds.metrics["generation"] == 1.0
    assert pairs(rounds.play(lambda row: 0.0)) == [(-1, 2)] * 5


@pytest.mark.slow
def test_equal_members_go_on_as_they_are():
    rounds = population()
    first = rounds.play(lambda row: 0.5)
    second = rounds.play(lambda row: 0.5)
    assert pairs(second) == [(trial, 4) for trial in range(5)]
    assert [row.point for row in second] == [row.point for row in first]


@pytest.mark.slow
def test_batches_cut_short_lose_and_double_nothing():
    rounds = population(truncation=0.4)
    rounds.play(lambda row: row.trial, limit=2)
    assert rounds.kept == [0, 1]
    rounds.play(lambda row: row.trial, limit=2)
    assert pairs(rounds.play(lambda row: row.trial)) == [(-1, 2)]  # the others wait for the last member
    assert rounds.kept == [2, 3, 4]
    copies = rounds.play(lambda row: row.trial, limit=1)
    assert copies[0].source in (3, 4)
    assert rounds.kept == [2, 3, 4, 5]  # both of the best may be copied by member 1
    more = rounds.play(lambda row: row.trial, limit=2)
    assert more[0].source in (3, 4)
    assert more[1].source == 2
    assert rounds.kept == [3, 4, 5, 6, 7]
    assert pairs(rounds.play(lambda row: row.trial)) == [(3, 4), (4, 4)]
    assert rounds.metrics["step"] == 2.0


@pytest.mark.slow
@pytest.mark.parametrize("lanes", [1, 2, 6])
def test_every_member_trains_once_a_step(lanes):
    rng = np.random.default_rng(lanes)
    rounds = population(lanes=lanes, population=6, budget=5)
    step, told = 0, 0
    for r in range(50):
        limit = int(rng.integers(0, lanes + 1)) if r % 3 == 0 else None
        before = [row.trial for row in rounds.rows][-told:] if told else []
        rows = rounds.play(lambda row: np.nan if rng.uniform() < 0.1 else rng.integers(10) / 10, limit=limit)
        assert all(row.budget == (2, 4, 5)[step] for row in rows)
        told += len(rows)
        assert told <= 6
        if told == 6:
            members = rounds.rows[-6:]
            assert set(rounds.kept) <= {row.trial for row in members if not math.isnan(row.score)}
            failed = all(math.isnan(row.score) for row in members)
            step, told = 0 if failed or step == 2 else step + 1, 0
            assert rounds.metrics["step"] == step
        assert set(before) <= {row.trial for row in rounds.rows}


@pytest.mark.slow
def test_a_larger_population_takes_turns():
    rounds = population(lanes=2, population=6)
    for _ in range(3):
        assert pairs(rounds.play(lambda row: row.trial)) == [(-1, 2)] * 2
    # Two of six copy, decided when all are told.
    assert rounds.kept == [2, 3, 4, 5]
    copies = rounds.play(lambda row: row.trial)
    assert {row.source for row in copies} <= {4, 5}
    assert pairs(rounds.play(lambda row: row.trial)) == [(2, 4), (3, 4)]
    assert rounds.kept == [4, 5, 6, 7, 8, 9]


@pytest.mark.slow
def test_trials_of_others_join_where_a_population_starts():
    rounds = population()
    rounds.tell_others((2, 0.9), (3, 1.0), (2, 0.1))
    assert rounds.kept == [0, 2]
    assert pairs(rounds.play(lambda row: 0.5)) == [(-1, 2)] * 3
    rounds.tell_others((4, 1.0))
    assert pairs(rounds.play(lambda row: 0.5)) == [(0, 4), (0, 4), (3, 4), (4, 4), (5, 4)]


@pytest.mark.slow
def test_exploring_by_hand():
    space = Space(
        {
            "rate": Float(0.01, 1.0, log=True),
            "dropout": Float(0.0, 0.8),
            "batch_size": Choice((16, 32, 64, 128)),
            "activation": Choice(("relu", "tanh", "gelu")),
            "layers": Int(1, 3),
        }
    )
    point = jnp.tile(
        space.from_config({"rate": 0.1, "dropout": 0.5, "batch_size": 32, "activation": "tanh", "layers": 2})[None],
        (200, 1),
    )
    explore = Perturbation(space, ("rate", "dropout", "batch_size", "activation"), 0.0)
    configs = [space.to_config(row) for row in np.asarray(explore.perturb(jax.random.key(0), point))]
    assert {round(config["rate"], 5) for config in configs} == {0.08, 0.12}
    assert {round(config["dropout"], 5) for config in configs} == {0.4, 0.6}
    assert {config["batch_size"] for config in configs} == {16, 64}
    assert {config["activation"] for config in configs} == {"relu", "gelu"}
    assert {config["layers"] for config in configs} == {2}
    anew = Perturbation(space, ("rate",), 1.0).perturb(jax.random.key(0), point)
    assert len(np.unique(np.asarray(anew)[:, 0])) > 190


@pytest.mark.slow
def test_exploring_keeps_to_conditions_and_constraints():
    space = Space(
        {
            "optimizer": Choice(("sgd", "adam")),
            "momentum": Float(0.5, 0.9, when={"optimizer": ("sgd",)}),
            "rate": Float(0.1, 1.0),
        },
        constraints=["rate <= 0.55"],
    )
    explore = Perturbation(space, ("momentum", "rate"), 0.0)
    point = np.stack(
        [
            space.from_config({"optimizer": "adam", "rate": 0.4}),
            space.from_config({"optimizer": "sgd", "momentum": 0.6, "rate": 0.5}),
        ]
    )
    rates = []
    for seed in range(20):
        child = explore.perturb(jax.random.key(seed), jnp.asarray(point))
        assert np.asarray(space.feasible(child)).all()
        assert child[0, 1] == 0
        rates += [[round(space.to_config(row)["rate"], 4) for row in np.asarray(child)]]
    # 1.2 times 0.5 is too much: the point stays.
    assert [set(column) for column in zip(*rates, strict=True)] == [{0.32, 0.48}, {0.4, 0.5}]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"population": 3}, "population=3 must be a multiple of lanes=2, so that no lane idles"),
        ({"population": 0}, "population=0 must be an integer of at least 1"),
        ({"interval": 10}, "interval=10 must not be above budget=9; lower it"),
        ({"interval": 0.5}, "interval=0.5 must be an integer of at least 1"),
        ({"truncation": 0.6}, "truncation=0.6 must be a number in [0, 0.5]"),
        ({"resample": 2}, "resample=2 must be a number in [0, 1]"),
        ({"explore": "rate"}, "explore='rate' must be names of hyperparameters, such as ('rate',)"),
        ({"explore": ()}, "explore=() must be names of hyperparameters, such as ('rate',)"),
        ({"explore": ("lr",)}, "explore names 'lr'; the space has rate, layers, kind"),
    ],
)
def test_arguments_are_checked(options, message):
    with pytest.raises(ValueError) as error:
        algorithms.pbt(SPACE, lanes=2, budget=9, **options)
    assert str(error.value) == message


def test_a_space_without_floats_needs_names():
    space = Space({"layers": Int(1, 3), "batch_size": Choice((16, 32))})
    with pytest.raises(ValueError, match=r"^pbt has nothing to explore: the space has no Float that varies; name"):
        algorithms.pbt(space, lanes=2)
    assert algorithms.pbt(space, lanes=2, explore=["batch_size"]).resumable is None
