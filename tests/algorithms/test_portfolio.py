"""Priors: portfolios of past studies, and methods that try them first."""

import json
import math
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxhpo as jh
from jaxhpo.algorithms import Portfolio, asha, random_search, warm_started
from jaxhpo.types import Outcome

SPACE = jh.Space({"a": jh.Int(0, 4), "b": jh.Choice(("x", "y"))})


def past(scores, direction="maximize", space=SPACE):
    """Return a past study: {(a, b): score}."""
    trials = [SimpleNamespace(point=SPACE.from_config({"a": a, "b": b}), score=s) for (a, b), s in scores.items()]
    return SimpleNamespace(space=space, direction=direction, finished=trials)


def test_the_portfolio_covers_every_task_and_starts_with_the_best_on_average():
    everywhere = {(2, "x"): 0.8, (3, "x"): 0.5, (3, "y"): 0.4}
    first = past({(0, "x"): 1.0, (4, "y"): 0.0} | everywhere)
    second = past({(0, "x"): 0.0, (4, "y"): 1.0} | everywhere)
    prior = Portfolio.from_studies([first, second], size=3)
    assert prior.configs[0] == {"a": 2, "b": "x"}
    assert {tuple(c.values()) for c in prior.configs[1:]} == {(0, "x"), (4, "y")}


def test_lower_is_better_where_the_study_says_so():
    assert Portfolio.from_studies([past({(0, "x"): 1.0, (1, "y"): 3.0}, "minimize")], size=1).configs == [
        {"a": 0, "b": "x"}
    ]
    assert Portfolio.from_studies([past({(0, "x"): 1.0, (1, "y"): 3.0})], size=1).configs == [{"a": 1, "b": "y"}]


def test_failed_trials_and_scales_do_not_matter():
    study = past({(0, "x"): 1.0, (1, "y"): 3e9, (2, "y"): math.nan})
    same = past({(0, "x"): 1.0, (1, "y"): 1.1, (2, "y"): math.nan})
    assert Portfolio.from_studies([study]).configs == Portfolio.from_studies([same]).configs
    assert {"a": 2, "b": "y"} not in Portfolio.from_studies([study]).configs


def test_json_and_back():
    prior = Portfolio(SPACE, [{"a": 1, "b": "y"}, {"a": 3, "b": "x"}])
    again = Portfolio.from_json(json.loads(json.dumps(prior.to_json())))
    assert again.configs == prior.configs
    assert again.space == SPACE


def rounds(algorithm, count, lanes, cut=None):
    """Return the configurations told, round by round; `cut` is the most lanes of the first round."""
    state, told = algorithm.init(jax.random.key(0)), []
    for r in range(count):
        proposal = jax.jit(algorithm.ask)(jax.random.key(r), state)
        number = lanes if cut is None or r > 0 else cut
        active = proposal.active & (np.arange(lanes) < number)
        trial = jnp.where(active, sum(map(len, told)) + jnp.arange(lanes, dtype=jnp.int32), -1)
        proposal = proposal._replace(active=active, trial=trial)
        told.append(
            [
                (SPACE.to_config(p), int(b), int(s))
                for p, b, s in zip(np.asarray(proposal.point)[:number], proposal.budget, proposal.source, strict=False)
            ]
        )
        score = jnp.where(active, proposal.point[:, 0], jnp.nan)
        state = algorithm.grow(state, sum(map(len, told)))
        state, _ = jax.jit(algorithm.tell)(jax.random.key(r), state, proposal, Outcome(score, {}))
    return told


CONFIGS = [{"a": 4, "b": "y"}, {"a": 0, "b": "x"}, {"a": 2, "b": "x"}]


@pytest.mark.parametrize("cut", [None, 1])
def test_the_prior_comes_first_and_the_method_after_it(cut):
    plain = random_search(SPACE, lanes=2)
    told = rounds(warm_started(plain, SPACE, Portfolio(SPACE, CONFIGS)), 3, 2, cut)
    flat = [config for batch in told for config, _, _ in batch]
    assert flat[:3] == CONFIGS
    own = [config for batch in rounds(plain, 3, 2) for config, _, _ in batch]
    assert flat[-1:] == own[-1:]


@pytest.mark.slow
def test_what_was_told_already_is_not_tried_again():
    algorithm = warm_started(random_search(SPACE, lanes=1), SPACE, Portfolio(SPACE, CONFIGS))
    state = algorithm.init(jax.random.key(0))
    enqueued = algorithm.ask(jax.random.key(0), state)._replace(point=SPACE.from_config(CONFIGS[1])[None])
    state, _ = algorithm.tell(jax.random.key(0), state, enqueued, Outcome(jnp.zeros(1), {}))
    first = algorithm.ask(jax.random.key(1), state)
    state, _ = algorithm.tell(jax.random.key(1), state, first, Outcome(jnp.zeros(1), {}))
    second = algorithm.ask(jax.random.key(2), state)
    assert [SPACE.to_config(p.point[0]) for p in (first, second)] == [CONFIGS[0], CONFIGS[2]]


@pytest.mark.slow
def test_rungs_promote_what_the_prior_brought():
    algorithm = warm_started(asha(SPACE, lanes=3, budget=9), SPACE, Portfolio(SPACE, CONFIGS))
    told = rounds(algorithm, 4, 3)
    assert [config for config, _, _ in told[0]] == CONFIGS
    assert all(budget == 1 for _, budget, _ in told[0])
    promoted = [(config, source) for batch in told[1:] for config, _, source in batch if source >= 0]
    assert ({"a": 4, "b": "y"}, 0) in promoted
    assert algorithm.resumable is not None


@pytest.mark.slow
def test_tune_takes_one_from_a_journal(tmp_path):
    def score(config):
        return -abs(config["a"] - 3)

    journal = tmp_path / "past.jsonl"
    jh.tune(jh.function(score, workers=0), space=SPACE, trials=12, lanes=4, output=journal, verbose=False)
    with journal.open("a") as file:
        file.write('{"trial": 99, "conf')  # a killed process
    portfolio = Portfolio.from_studies([jh.read_journal(journal)], size=2)
    assert portfolio.configs[0]["a"] == 3
    study = jh.tune(jh.function(score, workers=0), space=SPACE, trials=2, lanes=2, enqueue=portfolio, verbose=False)
    assert study.finished[0].config == portfolio.configs[0]
    assert study.summary["prior"] == portfolio.configs


OTHER = jh.Space({"a": jh.Int(0, 5), "b": jh.Choice(("x", "y"))})


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Portfolio.from_studies([]), "studies are empty"),
        (lambda: Portfolio.from_studies([past({(0, "x"): math.nan})]), "studies have no trial with a score"),
        (
            lambda: Portfolio.from_studies([past({}), past({}, space=OTHER)]),
            "studies are of different spaces: fingerprints",
        ),
        (lambda: Portfolio.from_studies([past({(0, "x"): 1.0})], size=0), "size=0 must be an integer of at least 1"),
        (lambda: Portfolio(SPACE, []), "configs are empty"),
        (lambda: Portfolio(SPACE, [{"a": 9, "b": "x"}]), "config a: value 9 is outside"),
        (lambda: Portfolio.from_json([1]), "portfolio must be a JSON object"),
        (
            lambda: warm_started(random_search(OTHER, lanes=1), OTHER, Portfolio(SPACE, CONFIGS)),
            "portfolio is of another space than the one searched: fingerprints",
        ),
        (
            lambda: warm_started(random_search(SPACE, lanes=1), SPACE, "one"),
            "portfolio='one' must be a jaxhpo.Portfolio",
        ),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError) as error:
        call()
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            '{"header": {"space": {"a": {"type": "int", "low": 1, "high": 3}}}}\n{"trial": 0}\n',
            "is not a journal of its space: 'config'",
        ),
        ("", "first line has no header"),
        ("{}\n", "first line has no header"),
        ("x\n{}\n", "line 1 is no JSON object"),
    ],
)
def test_files_that_are_no_journals(tmp_path, text, message):
    (tmp_path / "file").write_text(text)
    with pytest.raises(ValueError, match=message):
        jh.read_journal(tmp_path / "file")
    with pytest.raises(ValueError, match="cannot be read"):
        jh.read_journal(tmp_path / "none")
