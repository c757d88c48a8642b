"""What every registered method must do; a new method is held to it by being registered."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxhpo import algorithms
from jaxhpo.algorithms.common.history import History
from jaxhpo.space import Choice, Float, Int, Space
from jaxhpo.types import Outcome, Proposal

SPACE = Space(
    {
        "learning_rate": Float(1e-4, 1e-1, log=True, levels=7),
        "units": Choice((8, 16, 32, 64)),
        "layers": Int(1, 3),
        "optimizer": Choice(("sgd", "adam", "rmsprop")),
        "fixed": Choice(("only",)),
    }
)
RULED = Space(  # with conditions, one of them on a child, and constraints
    {
        "optimizer": Choice(("sgd", "momentum", "adam")),
        "momentum": Float(0.5, 0.99, levels=6, when={"optimizer": ("sgd", "momentum")}),
        "layers": Int(1, 4),
        "units": Choice((8, 16, 32, 64)),
        "skip": Choice((1, 2, 3), when={"layers": (3, 4)}),
        "gate": Choice(("a", "b"), when={"skip": (2, 3), "units": (8, 32)}),
    },
    constraints=["units * layers <= 128", "optimizer != 'sgd' or momentum > 0.6", "skip < layers - 1"],
)
BUDGET = 9
VARIANTS = {name: (name, {}) for name in algorithms.names()} | {
    "tabular_q-rungs": ("tabular_q", {"rungs": (1, 3, 9), "eps_max": 0.5, "variance_rule": "high_var_faster"}),
    "q_learning-rungs": ("q_learning", {"min_budget": 1, "prior": None, "eps_max": 0.5}),
    "tabular_q-small": ("tabular_q", {"capacity": 16, "gamma": 0.0}),
}


def score_of(point):
    """A smooth score with one optimum; float32 on the host."""
    return (1 - ((np.asarray(point) - 0.6) ** 2).sum(-1)).astype(np.float32)


class Compiled:
    """A method with its functions jitted once, for all tests of it; counts traces, and keeps what plain runs did."""

    def __init__(self, variant, lanes, space=SPACE):
        name, options = VARIANTS[variant]
        self.lanes = lanes
        self.plain = algorithms.make(name, space, lanes=lanes, budget=BUDGET, **options)
        # What a method that varies training hyperparameters may change in a trial that goes on; pbt: every Float.
        self.explored = np.array([name == "pbt" and isinstance(d, Float) for d in space.values()])
        self.traces = {"init": 0, "ask": 0, "tell": 0}
        parts = {part: jax.jit(self._counted(part)) for part in self.traces}
        self.jitted = self.plain._replace(**parts)
        self.kept = {}

    def _counted(self, part):
        function = getattr(self.plain, part)

        @functools.wraps(function)
        def counted(*args):
            self.traces[part] += 1
            return function(*args)

        return counted

    def run(self, rounds, *, seed=0, score=score_of, edit=None):
        """Run rounds; return the states (the first included), proposals, outcomes and metrics."""
        key = jax.random.key(seed)
        if score is score_of and edit is None:  # the first rounds of a longer run are those of a shorter one
            states, told = self.kept.setdefault(seed, ([], []))
        else:
            states, told = [], []
        if not states:
            states.append(self.jitted.init(key))
        for r in range(len(told), rounds):
            proposal = self.jitted.ask(jax.random.fold_in(key, r), states[-1])
            trial = jnp.arange(self.lanes, dtype=jnp.int32) + r * self.lanes
            proposal = proposal._replace(trial=jnp.where(proposal.active, trial, -1))
            outcome = Outcome(jnp.where(proposal.active, score(proposal.point), jnp.nan), {})
            if edit is not None:
                proposal, outcome = edit(r, proposal, outcome)
            state = self.plain.grow(states[-1], (r + 1) * self.lanes)
            state, metrics = self.jitted.tell(jax.random.fold_in(key, r), state, proposal, outcome)
            states.append(state)
            told.append((proposal, outcome, metrics))
        return states[: rounds + 1], told[:rounds]


LANES = dict.fromkeys(VARIANTS, 8) | {"tabular_q-small": 1}

# Of the kinds of methods one each: with one lane nothing is a batch, and little of the code is another.
ONE_LANE = ("random_search", "grid_search", "tpe", "cmaes", "asha", "pbt")
slow = pytest.mark.slow
METHODS = [  # every method with its defaults is in the default tier
    *(pytest.param(case, id=str(case), marks=() if case[0] in algorithms.names() else slow) for case in LANES.items()),
    *(pytest.param((name, 1), id=str((name, 1)), marks=slow) for name in ONE_LANE),
]
# In the default tier a method has the rounds that its first history holds, as a longer one compiles it again.
ROUNDS = (8, pytest.param(24, marks=slow))


@pytest.fixture(scope="module", params=METHODS)
def method(request):
    return Compiled(*request.param)


same = chex.assert_trees_all_equal


@pytest.mark.sampled
@pytest.mark.parametrize("rounds", ROUNDS)
def test_points_are_legal(method, rounds):
    _, told = method.run(rounds)
    for proposal, _, _ in told:
        point = np.asarray(proposal.point)
        assert point.shape == (method.lanes, len(SPACE))
        assert point.dtype == np.float32
        assert ((point >= 0) & (point <= 1)).all()
        np.testing.assert_array_equal(point, SPACE.canonical(proposal.point))
        for row in point:
            np.testing.assert_array_equal(SPACE.from_config(SPACE.to_config(row)), row)
        for name in ("budget", "source", "trial"):
            assert getattr(proposal, name).shape == (method.lanes,)
            assert getattr(proposal, name).dtype == np.int32
        assert proposal.active.dtype == bool
        assert ((np.asarray(proposal.budget) >= 1) & (np.asarray(proposal.budget) <= BUDGET)).all()


@pytest.mark.sampled
@pytest.mark.slow_but_for("random_search", "asha")
@pytest.mark.parametrize("variant", VARIANTS)
def test_points_keep_to_conditions_and_constraints(variant):
    method = Compiled(variant, LANES[variant], RULED)
    _, told = method.run(6)
    point = np.concatenate([np.asarray(proposal.point)[np.asarray(proposal.active)] for proposal, _, _ in told])
    np.testing.assert_array_equal(point, RULED.canonical(jnp.asarray(point)))
    assert np.asarray(RULED.feasible(jnp.asarray(point))).all()
    assert (point[~np.asarray(RULED.active(jnp.asarray(point)))] == 0).all()
    for row in point:
        np.testing.assert_array_equal(RULED.from_config(RULED.to_config(row)), row)
    with jax.enable_x64(True):
        check_shapes(method)


@pytest.mark.parametrize("rounds", ROUNDS)
def test_sources_are_told_trials(method, rounds):
    _, told = method.run(rounds)
    for r, (proposal, _, _) in enumerate(told):
        source = np.asarray(proposal.source)
        assert ((source >= -1) & (source < r * method.lanes)).all()
        for lane in np.flatnonzero(source >= 0):
            earlier, place = told[source[lane] // method.lanes][0], source[lane] % method.lanes
            assert proposal.budget[lane] > earlier.budget[place]
            kept = ~method.explored
            np.testing.assert_array_equal(proposal.point[lane][kept], earlier.point[place][kept])


@pytest.mark.sampled
@pytest.mark.slow_but_for("('random_search', 8)")
def test_jit_equals_eager(method):
    states, told = method.run(3)
    key = jax.random.key(0)
    same(method.plain.init(key), states[0])
    proposal, outcome, metrics = told[2]
    eager = method.plain.ask(jax.random.fold_in(key, 2), states[2])  # three rounds never grow a history
    np.testing.assert_allclose(eager.point, proposal.point, rtol=1e-6, atol=1e-6)  # compiled, sums round otherwise
    state, eager_metrics = method.plain.tell(jax.random.fold_in(key, 2), states[2], proposal, outcome)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), state, states[3])
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), eager_metrics, metrics)


def test_ask_is_read_only_and_deterministic_by_key(method):
    states, _ = method.run(4)
    before = jax.tree.map(lambda leaf: np.array(leaf), states[-1])
    key = jax.random.key(99)
    first = method.jitted.ask(key, states[-1])
    method.jitted.ask(jax.random.key(100), states[-1])
    same(first, method.jitted.ask(key, states[-1]))
    same(before, states[-1])


@pytest.mark.parametrize("rounds", ROUNDS)
def test_replayed_tells_rebuild_the_state_bit_for_bit(method, rounds):
    states, told = method.run(rounds)
    key = jax.random.key(0)
    state = method.jitted.init(key)
    for r, (proposal, outcome, _) in enumerate(told):  # from host arrays, as a journal would give them
        proposal, outcome = jax.tree.map(np.asarray, (proposal, outcome))
        state = method.plain.grow(state, (r + 1) * method.lanes)
        state, _ = method.jitted.tell(jax.random.fold_in(key, r), state, proposal, outcome)
    same(state, states[-1])


@pytest.mark.sampled
@pytest.mark.slow_but_for("('random_search', 8)", "('asha', 8)")
def test_vmappable_over_seeds(method):
    def score(point):
        return 1 - jnp.sum(point, axis=1)

    def rounds(seed):
        key = jax.random.key(seed)

        def one(state, r):  # scanned, so that ask and tell are compiled once and not once a round
            proposal = method.plain.ask(jax.random.fold_in(key, r), state)
            proposal = proposal._replace(trial=jnp.arange(method.lanes, dtype=jnp.int32) + r * method.lanes)
            outcome = Outcome(score(proposal.point), {})
            state, _ = method.plain.tell(jax.random.fold_in(key, r), state, proposal, outcome)
            return state, proposal

        start = method.plain.grow(method.plain.init(key), 4 * method.lanes)
        return jax.lax.scan(one, start, jnp.arange(4, dtype=jnp.int32))[1]

    seeds = range(3)
    batched = jax.jit(jax.vmap(rounds))(np.array(seeds, np.uint32))
    for seed in seeds:
        for r, (proposal, _, _) in enumerate(method.run(4, seed=seed, score=score)[1]):
            same(jax.tree.map(lambda leaf, at=(seed, r): leaf[at], batched), proposal)


@pytest.mark.parametrize("rounds", ROUNDS)
@pytest.mark.parametrize("failing", ["all", "some"])
def test_nan_scores_are_harmless(method, failing, rounds):
    def fail(r, proposal, outcome):
        lost = np.ones(method.lanes, bool) if failing == "all" else np.arange(method.lanes) % 2 == r % 2
        return proposal, outcome._replace(score=jnp.where(lost, jnp.nan, outcome.score))

    states, told = method.run(rounds, edit=fail)

    def is_history(part):
        return isinstance(part, History)

    def without(part):
        """Leave out the parts of a history in which nan has a meaning: a failed trial, and noise that is not known."""
        return part._replace(score=part.count, noise=part.count) if is_history(part) else part

    state = jax.tree.map(without, states[-1], is_leaf=is_history)
    finite = jax.tree.map(lambda leaf: not np.isnan(leaf).any(), (state, told[-1][0], told[-1][2]))
    assert all(jax.tree.leaves(finite)), finite


def test_what_an_inactive_lane_holds_does_not_matter(method):
    ends = []
    for filler in (0.25, 0.75):

        def deactivate(r, proposal, outcome, filler=filler):
            active = proposal.active & (np.arange(method.lanes) != r % (method.lanes + 1))
            junk = int(100 * filler)
            return Proposal(
                jnp.where(active[:, None], proposal.point, filler),
                jnp.where(active, proposal.budget, junk),
                jnp.where(active, proposal.source, junk),
                active,
                jnp.where(active, proposal.trial, junk),
            ), outcome._replace(score=jnp.where(active, outcome.score, 7.0 * filler))

        states, told = method.run(8, edit=deactivate)
        ends.append((states[-1], told[-1][2]))
    same(*ends)


def test_a_batch_of_padding_changes_nothing_that_is_asked(method):
    states, told = method.run(4)
    proposal, outcome, _ = told[-1]
    idle = proposal._replace(active=np.zeros(method.lanes, bool))
    state, _ = method.jitted.tell(jax.random.key(5), states[-1], idle, outcome)
    same(method.jitted.ask(jax.random.key(6), state), method.jitted.ask(jax.random.key(6), states[-1]))


def test_points_of_others_are_legal_tells(method):
    rng = np.random.default_rng(0)

    def replace(r, proposal, outcome):
        point = SPACE.canonical(jnp.asarray(rng.uniform(size=proposal.point.shape).astype(np.float32)))
        fresh = jnp.full(method.lanes, -1, jnp.int32)
        foreign = proposal._replace(point=point, budget=jnp.full(method.lanes, BUDGET, jnp.int32), source=fresh)
        return foreign, Outcome(jnp.asarray(score_of(point)), {})

    _, told = method.run(8, edit=replace)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(told[-1][2]))


@pytest.mark.parametrize("x64", [False, True])
def test_shapes_are_constant_and_32_bits_wide(method, x64):
    with jax.enable_x64(x64):
        check_shapes(method)


def check_shapes(method):
    key = jax.eval_shape(lambda: jax.random.key(0))
    state = jax.eval_shape(method.plain.init, key)
    proposal = jax.eval_shape(method.plain.ask, key, state)
    outcome = Outcome(jax.ShapeDtypeStruct((method.lanes,), jnp.float32), {})
    after, metrics = jax.eval_shape(method.plain.tell, key, state, proposal, outcome)
    assert jax.tree.map(lambda a: (a.shape, a.dtype), after) == jax.tree.map(lambda a: (a.shape, a.dtype), state)
    narrow = {np.dtype(name) for name in ("float32", "int32", "uint32", "bool")}
    assert {leaf.dtype for leaf in jax.tree.leaves((state, proposal, metrics))} <= narrow
    assert all(m.shape == () for m in metrics.values())


def shapes(state):
    return tuple(leaf.shape for leaf in jax.tree.leaves(state))


@pytest.mark.slow_but_for("('random_search', 8)")
def test_rounds_trace_once_for_each_size_of_the_history(method):
    rounds = 17  # 136 trials of 8 lanes: a history of 64 grows twice, and 64 of one lane never
    states, _ = method.run(rounds)
    counted = dict(method.traces)
    method.run(rounds, seed=1)
    assert method.traces == counted
    assert counted["init"] == 1
    sizes = list(dict.fromkeys(map(shapes, states)))
    assert counted["tell"] == len(sizes) - (shapes(states[0]) != shapes(states[1]))
    assert len(sizes) in ({1, 3} if method.lanes == 8 else {1})


def test_sizes_are_a_function_of_the_number_of_trials(method):
    state = jax.eval_shape(method.plain.init, jax.eval_shape(lambda: jax.random.key(0)))

    def grown(state, trials):
        return jax.eval_shape(lambda s: method.plain.grow(s, trials), state)

    if shapes(grown(state, 1024)) == shapes(state):
        return  # one size
    step_by_step, seen = state, []
    for trials in range(8, 1025, 8):
        step_by_step = grown(step_by_step, trials)
        assert shapes(step_by_step) == shapes(grown(state, trials))
        seen.append(shapes(step_by_step))
    assert len(set(seen)) == 5  # 64, 128, 256, 512, 1024


@pytest.mark.parametrize("rounds", ROUNDS)
def test_resumable_trials_are_those_that_are_continued(method, rounds):
    states, told = method.run(rounds)
    if method.plain.resumable is None:
        assert all((np.asarray(proposal.source) == -1).all() for proposal, _, _ in told)
        return
    for state, (proposal, _, _) in zip(states[:-1], told, strict=True):
        kept = np.asarray(method.plain.resumable(state))
        assert kept.dtype == np.int32
        assert kept.ndim == 1
        sources = np.asarray(proposal.source)[np.asarray(proposal.active)]
        assert set(sources[sources >= 0]) <= set(kept.tolist())


@pytest.mark.parametrize("name", algorithms.names())
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"lanes": 0}, "lanes=0 must be an integer of at least 1"),
        ({"lanes": 2.0}, "lanes=2.0 must be an integer"),
        ({"lanes": 2, "budget": 0}, "budget=0 must be an integer of at least 1"),
        ({"lanes": 2, "budget": True}, "budget=True must be an integer"),
    ],
)
def test_common_arguments_are_checked(name, arguments, message):
    with pytest.raises(ValueError) as error:
        algorithms.make(name, SPACE, **arguments)
    assert message in str(error.value)
