"""The tabular agent against numbers computed by hand."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxhpo.algorithms import tabular_q
from jaxhpo.algorithms.tabular_q import q_table
from jaxhpo.algorithms.tabular_q.moves import Moves
from jaxhpo.algorithms.tabular_q.q_table import Packing
from jaxhpo.algorithms.tabular_q.tabular_q import _bin, _remember, _rewards
from jaxhpo.space import Choice, Float, Int, Space
from jaxhpo.types import Outcome, Proposal

# Two dimensions, three and two levels. Actions in order:
# set a=1, a=2, a=3, set b=x, b=y, a up, a down, b up, b down
SPACE = Space({"a": Int(1, 3), "b": Choice(("x", "y"))})
A1, A2, A3, BX, BY, UP, DOWN = range(7)
KEY = jax.random.key(0)


@functools.cache
def compiled(lanes, **options):
    """An agent's functions, jitted once for all tests with equal options."""
    made = tabular_q(SPACE, lanes=lanes, **({"gamma": 0.9, "bins": 1} | options))
    return made._replace(init=jax.jit(made.init), ask=jax.jit(made.ask), tell=jax.jit(made.tell))


class Agent:
    """A tabular agent that is told whatever the test says."""

    def __init__(self, lanes=1, **options):
        init, self._ask, self._tell, *_ = compiled(lanes, **options)
        self.lanes, self.trial, self.metrics = lanes, 0, {}
        self.state = init(KEY)

    def ask(self, seed=0):
        return self._ask(jax.random.key(seed), self.state)

    def tell(self, *rows, budget=1, source=-1, active=True):
        """Tell one (a, b, score) for each lane."""
        point = np.stack([SPACE.from_config({"a": a, "b": b}) for a, b, _ in rows])
        score = np.array([score for _, _, score in rows], np.float32)
        trial = np.arange(self.trial, self.trial + self.lanes, dtype=np.int32)

        def whole(value, dtype):
            return np.broadcast_to(np.asarray(value, dtype), self.lanes).copy()

        proposal = Proposal(point, whole(budget, np.int32), whole(source, np.int32), whole(active, bool), trial)
        self.state, metrics = self._tell(KEY, self.state, proposal, Outcome(score, {}))
        self.metrics = {name: float(value) for name, value in metrics.items()}
        self.trial += self.lanes

    def q(self, a, b, rung=0, bin_=0, rungs=1, bins=1):
        """Return the row of one state, or None where it was never visited."""
        digits = jnp.array([[a - 1, "xy".index(b), bin_, rung]], jnp.int32)
        key = Packing((3, 2, bins, rungs)).pack(digits)
        row, there = q_table.find(self.state.table, key)
        return np.asarray(self.state.table.values[row[0]]) if there[0] else None


def test_the_update():
    agent = Agent()
    agent.tell((1, "x", 0.5))  # the lane's first trial: a place to stand, nothing to learn
    assert agent.metrics["states"] == 1
    np.testing.assert_array_equal(agent.q(1, "x"), np.zeros(9))

    agent.tell((2, "x", 0.8))  # "set a to 2" and "a up" both lead there: 0 + 0.5 (0.8 + 0.9 * 0 - 0) = 0.4
    expected = np.zeros(9)
    expected[[A2, UP]] = 0.4
    np.testing.assert_allclose(agent.q(1, "x"), expected, rtol=1e-6)
    np.testing.assert_array_equal(agent.q(2, "x"), np.zeros(9))
    assert agent.metrics["td_error"] == pytest.approx(0.8)

    agent.tell((1, "x", 0.6))  # back: 0.5 (0.6 + 0.9 * 0.4) = 0.48 for "set a to 1" and "a down"
    expected = np.zeros(9)
    expected[[A1, DOWN]] = 0.48
    np.testing.assert_allclose(agent.q(2, "x"), expected, rtol=1e-6)

    agent.tell((2, "x", 0.8))  # 0.4 + 0.5 (0.8 + 0.9 * 0.48 - 0.4) = 0.816
    expected = np.zeros(9)
    expected[[A2, UP]] = 0.816
    np.testing.assert_allclose(agent.q(1, "x"), expected, rtol=1e-6)
    assert agent.metrics["states"] == 2
    assert agent.metrics["q_max"] == pytest.approx(0.816)
    assert agent.metrics["q_mean"] == pytest.approx((2 * 0.816 + 2 * 0.48) / 18)


def test_an_unordered_choice_has_no_up_and_down():
    agent = Agent()
    agent.tell((1, "x", 0.5))
    agent.tell((1, "y", 1.0))
    expected = np.zeros(9)
    expected[BY] = 0.5
    np.testing.assert_allclose(agent.q(1, "x"), expected)


def test_two_dimensions_at_once_move_the_lane_and_teach_nothing():
    agent = Agent()
    agent.tell((1, "x", 0.5))
    agent.tell((3, "y", 0.9))  # enqueued by the user: no single action leads there
    np.testing.assert_array_equal(agent.q(1, "x"), np.zeros(9))
    agent.tell((3, "x", 1.0))
    expected = np.zeros(9)
    expected[BX] = 0.5
    np.testing.assert_allclose(agent.q(3, "y"), expected)


@pytest.mark.slow
def test_duplicates_in_a_batch_are_averaged():
    agent = Agent(lanes=4)
    agent.tell(*[(1, "x", 0.5)] * 4)
    assert agent.metrics["states"] == 1
    # Three lanes take the same step with rewards 0.2, 0.4 and 0.9, the fourth another.
    agent.tell((2, "x", 0.2), (2, "x", 0.4), (2, "x", 0.9), (1, "y", 0.6))
    expected = np.zeros(9)
    expected[[A2, UP]] = 0.5 * (0.2 + 0.4 + 0.9) / 3
    expected[BY] = 0.3
    np.testing.assert_allclose(agent.q(1, "x"), expected, rtol=1e-6)
    assert agent.metrics["states"] == 3


@pytest.mark.slow
def test_a_batch_of_duplicates_does_not_diverge():
    agent = Agent(lanes=32, gamma=0.0, alpha=0.9)
    for _ in range(20):
        agent.tell(*[(1, "x", 1.0)] * 32)
        agent.tell(*[(2, "x", 1.0)] * 32)
    assert agent.q(1, "x")[A2] == pytest.approx(1.0, abs=1e-4)


def test_a_failed_trial_earns_the_worst_score_so_far():
    agent = Agent(gamma=0.0)
    agent.tell((1, "x", math.nan))
    agent.tell((2, "x", math.nan))  # none finite yet: 0
    assert agent.q(1, "x")[A2] == 0
    agent.tell((1, "x", 0.3))
    agent.tell((2, "x", 0.7))
    assert agent.q(1, "x")[A2] == pytest.approx(0.35)
    agent.tell((3, "x", math.nan))
    assert agent.q(2, "x")[A3] == pytest.approx(0.5 * 0.3)


def test_rewards_count_the_batch_itself():
    score = jnp.array([0.9, jnp.nan, 0.4, 0.1])
    active = jnp.array([True, True, True, False])
    reward, worst = _rewards(score, active, jnp.float32(jnp.inf))
    np.testing.assert_allclose(reward[:3], [0.9, 0.4, 0.4])
    assert worst == np.float32(0.4)


@pytest.mark.slow
@pytest.mark.parametrize("rule", ["high_var_faster", "high_var_slower"])
def test_epsilon_over_ten_steps_without_variance(rule):
    agent = Agent(eps_min=0.1, eps_max=0.9, k_0=0.2, lam=3.0, variance_rule=rule)
    for t in range(10):  # the same trial again: no action leads anywhere, Q stays 0 and so does its variance
        agent.tell((1, "x", 0.5))
        assert agent.metrics["epsilon"] == pytest.approx(0.1 + 0.8 * math.exp(-0.2 * t), rel=1e-5)
        assert agent.metrics["k"] == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("rule", "rate"),
    [("high_var_faster", lambda v: 0.1 + 40 * v), ("high_var_slower", lambda v: 0.1 / (1 + 40 * v))],
)
def test_epsilon_over_ten_steps_with_variance(rule, rate):
    agent = Agent(gamma=0.0, eps_min=0.0, eps_max=1.0, k_0=0.1, lam=40.0, variance_rule=rule)
    total, q = 0.0, {1: [0.0] * 4, 2: [0.0] * 5}  # legal actions: of a=1 A2 A3 BY up; of a=2 A1 A3 BY up down
    here = None
    for t in range(10):
        there = 1 + t % 2
        variance = 0.0 if here is None else float(np.var(q[here]))
        agent.tell((there, "x", 0.5 + 0.04 * t))
        assert agent.metrics["epsilon"] == pytest.approx(math.exp(-total), rel=1e-4), t
        assert agent.metrics["q_variance"] == pytest.approx(variance, rel=1e-4, abs=1e-9), t
        assert agent.metrics["k"] == pytest.approx(rate(variance), rel=1e-4), t
        total += rate(variance)
        if here == 1:  # A2 and up
            q[1][0] = q[1][3] = q[1][0] + 0.5 * (0.5 + 0.04 * t - q[1][0])
        elif here == 2:  # A1 and down
            q[2][0] = q[2][4] = q[2][0] + 0.5 * (0.5 + 0.04 * t - q[2][0])
        here = there
    assert agent.metrics["q_variance"] > 0.01  # otherwise the test would say nothing


@pytest.mark.slow
def test_the_two_rules_pull_apart():
    ends = {}
    for rule in ("high_var_faster", "high_var_slower"):
        agent = Agent(k_0=0.05, lam=10.0, variance_rule=rule)
        for t in range(10):
            agent.tell((1 + t % 2, "x", 0.9))
        ends[rule] = agent.metrics["epsilon"]
    assert ends["high_var_faster"] < ends["high_var_slower"]


@pytest.mark.slow
def test_one_epsilon_a_round_counts_active_trials():
    agent = Agent(lanes=3, eps_min=0.0, k_0=0.1)
    agent.tell(*[(1, "x", 0.5)] * 3, active=[True, True, False])
    agent.tell(*[(1, "x", 0.5)] * 3)
    assert agent.metrics["epsilon"] == pytest.approx(math.exp(-0.2))
    agent.tell(*[(1, "x", 0.5)] * 3)
    assert agent.metrics["epsilon"] == pytest.approx(math.exp(-0.5))


@pytest.mark.slow
def test_only_legal_actions_are_chosen_and_greed_follows_q():
    agent = Agent(lanes=64, eps_min=0.0, eps_max=0.0)
    agent.tell(*[(1, "x", 0.1)] * 64)
    agent.tell(*[(2, "x", 0.9)] * 32, *[(1, "y", 0.2)] * 32)
    agent.tell(*[(1, "x", 0.1)] * 64, source=-1)
    for seed in range(3):  # at a=1, b=x the best known step is to a=2
        proposal = agent.ask(seed)
        assert {tuple(SPACE.to_config(p).values()) for p in np.asarray(proposal.point)} == {(2, "x")}


@pytest.mark.slow
def test_exploring_takes_every_legal_step_and_no_other():
    agent = Agent(lanes=64, eps_min=1.0)
    agent.tell(*[(1, "x", 0.1)] * 64)
    proposal = agent.ask()
    seen = {tuple(SPACE.to_config(p).values()) for p in np.asarray(proposal.point)}
    assert seen == {(2, "x"), (3, "x"), (1, "y")}  # never (1, "x") itself


@pytest.mark.slow
def test_ties_are_broken_at_random():
    agent = Agent(lanes=64, eps_min=0.0, eps_max=0.0)
    agent.tell(*[(1, "x", 0.1)] * 64)
    proposal = agent.ask()
    assert len({tuple(p) for p in np.asarray(proposal.point)}) == 3


@pytest.mark.slow
def test_a_lane_begins_anywhere():
    proposal = Agent(lanes=64, eps_min=0.0, eps_max=0.0).ask()
    assert len({tuple(p) for p in np.asarray(proposal.point)}) == 6


@pytest.mark.slow
def test_rungs_add_the_action_to_train_on():
    agent = Agent(budget=9, rungs=(1, 3, 9), eps_min=0.0, eps_max=0.0)
    agent.tell((1, "x", 0.5), budget=1)
    agent.tell((1, "x", 0.8), budget=3, source=0)  # trained on: only "continue" learns
    expected = np.zeros(10)
    expected[9] = 0.4
    np.testing.assert_allclose(agent.q(1, "x", rung=0, rungs=3), expected, rtol=1e-6)
    agent.tell((2, "x", 0.2), budget=1)  # a changed configuration starts at the first rung
    assert agent.q(2, "x", rung=0, rungs=3) is not None
    assert agent.q(1, "x", rung=1, rungs=3)[A2] == pytest.approx(0.1)
    agent.tell((1, "x", 0.5), budget=1)
    proposal = agent.ask()  # greedy: go on
    assert (int(proposal.budget[0]), int(proposal.source[0])) == (3, 3)
    np.testing.assert_array_equal(proposal.point[0], SPACE.from_config({"a": 1, "b": "x"}))


@pytest.mark.slow
def test_training_on_keeps_a_configuration_between_the_levels():
    space = Space({"a": Int(1, 3), "c": Float(0.0, 1.0, levels=3)})
    algorithm = tabular_q(space, lanes=1, budget=9, rungs=(1, 9), gamma=0.0, eps_min=0.0, eps_max=0.0)
    ask, tell = jax.jit(algorithm.ask), jax.jit(algorithm.tell)
    point = space.from_config({"a": 2, "c": 0.3})[None]  # enqueued; the nearest level is 0.5
    state = algorithm.init(KEY)
    for trial, (budget, source, score) in enumerate([(1, -1, 0.5), (9, 0, 0.9), (1, -1, 0.5)]):
        row = [np.array([v], np.int32) for v in (budget, source, trial)]
        proposal = Proposal(point, row[0], row[1], np.array([True]), row[2])
        state, _ = tell(KEY, state, proposal, Outcome(np.array([score], np.float32), {}))
    proposal = ask(KEY, state)
    assert (int(proposal.source[0]), int(proposal.budget[0])) == (2, 9)
    np.testing.assert_array_equal(proposal.point, point)


@pytest.mark.slow
def test_the_top_rung_cannot_go_on():
    moves = Moves(SPACE, (3, 2), 3)
    legal = moves.legal(jnp.zeros((3, 2), jnp.int32), jnp.arange(3, dtype=jnp.int32))
    assert legal[:, -1].tolist() == [True, True, False]


@pytest.mark.slow
def test_performance_bins_are_quintiles_of_the_history():
    rewards, told = jnp.zeros(1024), jnp.int32(0)
    history = jnp.arange(1, 11, dtype=jnp.float32)  # quintile edges 2.8, 4.6, 6.4, 8.2
    rewards, told = _remember(rewards, told, history, jnp.ones(10, bool))
    bins = _bin(jnp.array([1.0, 2.7, 2.9, 5.0, 8.0, 9.0, 99.0]), rewards, told, 5)
    assert bins.tolist() == [0, 0, 1, 2, 3, 4, 4]
    assert _bin(jnp.array([0.5]), jnp.zeros(1024), jnp.int32(1), 5).tolist() == [4]
    assert _bin(jnp.array([0.0]), jnp.zeros(1024), jnp.int32(1), 5).tolist() == [0]


def test_the_history_is_a_ring_of_active_rewards():
    rewards, told = jnp.zeros(4), jnp.int32(0)
    active = jnp.array([True, False, True])
    rewards, told = _remember(rewards, told, jnp.array([1.0, 2.0, 3.0]), active)
    rewards, told = _remember(rewards, told, jnp.array([4.0, 5.0, 6.0]), jnp.array([True, True, True]))
    assert rewards.tolist() == [6.0, 3.0, 4.0, 5.0]
    assert told == 5
    rewards, _ = _remember(rewards, told, jnp.arange(7, dtype=jnp.float32), jnp.ones(7, bool))
    assert sorted(rewards.tolist()) == [3.0, 4.0, 5.0, 6.0]


def test_performance_is_part_of_the_state():
    agent = Agent(bins=2)
    agent.tell((1, "x", 0.1))  # history 0.1: not above the median, bin 0
    agent.tell((2, "x", 0.9))
    agent.tell((1, "x", 0.8))  # above the median 0.8? history 0.1, 0.8, 0.9: no, bin 0 again
    agent.tell((2, "x", 0.95))
    agent.tell((1, "x", 0.9))  # history .1 .8 .9 .9 .95: median 0.9, bin 0
    agent.tell((2, "x", 0.0))
    agent.tell((1, "x", 0.92))  # history 0 .1 .8 .9 .9 .92 .95: median 0.9, bin 1
    assert agent.q(1, "x", bin_=0, bins=2) is not None
    assert agent.q(1, "x", bin_=1, bins=2) is not None


@pytest.mark.slow
def test_a_full_table_forgets_its_oldest_row():
    agent = Agent(capacity=2, q_init=0.25)
    agent.tell((1, "x", 0.5))
    agent.tell((2, "x", 0.8))
    assert agent.q(1, "x") is not None
    agent.tell((3, "x", 0.9))  # a third state: the first makes room
    assert agent.q(1, "x") is None
    assert agent.q(2, "x")[A3] == pytest.approx(0.25 + 0.5 * (0.9 + 0.9 * 0.25 - 0.25))
    assert agent.metrics["states"] == 2
    agent.tell((1, "x", 0.7))  # it comes back with the initial value
    np.testing.assert_array_equal(agent.q(1, "x"), np.full(9, 0.25, np.float32))


def test_keys_are_exact_in_huge_spaces():
    sizes = (1000,) * 12  # 1e36 states: four digits... three to a word
    packing = Packing(sizes)
    assert packing.words == 4
    rng = np.random.default_rng(0)
    digits = rng.integers(0, 1000, (200, 12)).astype(np.int32)
    digits[1:100] = digits[0]
    digits[np.arange(1, 13), np.arange(12)] = (digits[0] + 1) % 1000  # one digit apart
    keys = np.asarray(packing.pack(jnp.asarray(digits)))
    assert len(np.unique(keys, axis=0)) == len(np.unique(digits, axis=0))


@pytest.mark.parametrize("last", [(), (1,), (1, 1, 3), (2,)])
def test_keys_are_exact_where_a_word_is_just_full(last):
    sizes = (16,) * 8 + last  # 2^32: the largest digits fill a word to its last bit
    packing = Packing(sizes)
    digits = np.array([[s - 1 for s in sizes], [s - 1 for s in sizes], [0] * len(sizes)], np.int32)
    digits[1, 0] = 14
    keys = np.asarray(packing.pack(jnp.asarray(digits)))
    assert keys.shape == (3, packing.words)
    assert keys[0, 0] == 2**32 - 1
    assert len(np.unique(keys, axis=0)) == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"alpha": 1.5}, "alpha=1.5 must be a number in [0, 1]"),
        ({"gamma": "high"}, "gamma='high' must be a number"),
        ({"eps_min": 0.9, "eps_max": 0.1}, "eps_min=0.9 must not exceed eps_max=0.1"),
        ({"k_0": -1.0}, "k_0=-1.0 must be"),
        ({"lam": math.nan}, "lam=nan must be"),
        ({"variance_rule": "sideways"}, "use one of high_var_faster, high_var_slower"),
        ({"bins": 0}, "bins=0 must be an integer"),
        ({"capacity": 7}, "capacity=7 must be an integer of at least 8"),
        ({"rungs": (3, 1)}, "rungs=(3, 1) must be increasing"),
        ({"rungs": (1, 5)}, "must be increasing budgets that end with budget=1"),
        ({"rungs": ()}, "rungs=() must be"),
        ({"rungs": 5}, "rungs=5 must be increasing budgets that end with budget=1, such as (1,)"),
        ({"rungs": "19"}, "rungs='19' must be increasing"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError) as error:
        tabular_q(SPACE, lanes=4, **options)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_space_without_a_choice_is_refused():
    with pytest.raises(ValueError, match="every hyperparameter of the space has one level"):
        tabular_q(Space({"a": Choice(("only",))}), lanes=1)
