"""Arguments of public functions that were once taken as they came: each is refused in one line with a remedy."""

import jax
import numpy as np
import pytest

import jaxhpo as jh

SPACE = jh.Space({"x": jh.Float(0.0, 1.0), "n": jh.Int(1, 3)})
GRID = jh.Space({"n": jh.Int(1, 3), "m": jh.Int(1, 2)})
WORDS = jh.data.Vocabulary(("film", "good"))
SEARCH = jh.algorithms.random_search(SPACE, lanes=2)
PORTFOLIO = jh.Portfolio(SPACE, [{"x": 0.5, "n": 1}])
DATA = jh.Dataset(
    "x",
    *(np.zeros((6, 2), np.float32), np.int32([0, 1] * 3)) * 3,
    classes=2,
)
TABLE = (np.zeros((40, 2), np.float32), [0, 1] * 20)
WIDE = np.zeros((4, 3), np.float32)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: WORDS.encode(["a"], length=4, keep="middle"), "keep='middle' is unknown; use one of first, last"),
        (lambda: WORDS.encode(["a"], length=0), "length=0 must be an integer of at least 1"),
        (lambda: WORDS.encode(["a"], length=True), "length=True must be an integer of at least 1"),
        (lambda: WORDS.encode("a film", length=4), "texts='a film' must be a list of strings"),
        (lambda: WORDS.encode(["a", 3], length=4), "texts[1]=3 must be a string"),
        (lambda: jh.data.Vocabulary(["film"]), "words=['film'] must be a tuple of strings"),
        (lambda: jh.data.Vocabulary(("film",), keep="middle"), "keep='middle' is unknown"),
        (lambda: jh.TextOptions(keep=[]), "keep=[] is unknown; use one of first, last"),
        (lambda: jh.read_journal(3), "path=3 must be a path: a string"),
        (lambda: jh.read_journal("a\0b"), "path='a\\x00b' must be a path"),
        (lambda: jh.LearnedPrior.load(None), "path=None must be a path"),
        (lambda: jh.load_model(3.5), "directory=3.5 must be a path"),
        (
            lambda: jh.tune(jh.function(len, workers=0), space=SPACE, trials=2, lanes=2, output=3),
            "output=3 must be a path",
        ),
        (
            lambda: jh.tune(jh.function(len, workers=0), space=SPACE, trials=2, lanes=2, profile=[]),
            "profile=[] must be a path",
        ),
        (lambda: jh.Study(SPACE, SEARCH, direction=[]), "direction=[] must be 'maximize' or 'minimize'"),
        (lambda: jh.algorithms.gp(SPACE, lanes=2, acquisition=[]), "acquisition=[] is unknown; use one of log_ei"),
        (lambda: jh.data.load((WIDE, [0, 1] * 2), seed=-1), "seed=-1 must be an integer in [0, 2**32)"),
        (lambda: jh.tune("digits", enqueue=3), "enqueue=3 must be a list of configurations, each a dict, or a jaxhpo"),
        (
            lambda: jh.tune("digits", algorithm=lambda space: None),
            "algorithm=<lambda> is called as <lambda>(space, lanes=..., budget=...), and got an unexpected keyword arg",
        ),
        (
            lambda: jh.tune("digits", callbacks=range(10**12)),
            "callbacks hold 0, which cannot be called; give functions",
        ),
        (lambda: jh.traceable(lambda key, hparams: 0.0, static=range(10**12)), "static names 0, which is no string"),
        (lambda: jh.tune("digits", cache="no"), "cache='no' must be True or False"),
        (lambda: jh.tune("digits", verbose=1), "verbose=1 must be True or False"),
        (
            lambda: jh.Int(1, 4, step=10**9),
            "Int step=1000000000 does not lead from low=1 to high=4; use",
        ),
        (
            lambda: jh.Float(1.0, 4.0, step=1e9),
            "Float step=1000000000.0 does not lead from low=1.0 to high=4.0; use",
        ),
        (lambda: jh.dropout(jax.random.key(0), np.ones(3), 1.5), "rate=1.5 must be a number in [0, 1), or a traced"),
        (lambda: jh.dropout(jax.random.key(0), np.ones(3), np.ones(3)), "rate=array([1., 1., 1.]) must be a number"),
        (lambda: jh.function(len, workers=10**9), "workers=1000000000 must be an integer of at most 65,536"),
        (lambda: jh.tune(TABLE, machine=jh.Machine(engine=[])), "engine=[] is unknown; use one of"),
        (lambda: jh.tune(TABLE, machine=jh.Machine(horizon=[])), "horizon=[] is unknown; use one of"),
        (lambda: jh.fit_prior("past"), "studies='past' is no list; give a list of finished studies"),
        (lambda: jh.fit_prior(["past"]), "studies hold 'past'; give a list of finished studies"),
        (lambda: jh.Portfolio.from_studies("past"), "studies='past' is no list; give a list of finished studies"),
        (lambda: jh.Portfolio.from_studies([3]), "studies hold 3; give a list of finished studies"),
        (lambda: jh.algorithms.warm_started(None, SPACE, PORTFOLIO), "algorithm=None must be an Algorithm"),
        (lambda: jh.algorithms.warm_started(SEARCH, None, PORTFOLIO), "space=None must be a jaxhpo.Space"),
        (lambda: jh.Study(SPACE, SEARCH).planned_programs(2.5), "trials=2.5 must be an integer of at least 1"),
        (lambda: DATA.take(4, seed=-1), "seed=-1 must be an integer in [0, 2**32)"),
        (lambda: jh.default_space("mlp", examples=-1), "examples=-1 must be an integer above 0"),
        (lambda: jh.default_space("cnn", shape="28"), "shape='28' must be a tuple of integers above 0"),
        (lambda: jh.default_space(["mlp"]), "model=['mlp'] is unknown"),
        (lambda: jh.default_space("mlp", (4,), numbers=-1), "numbers=-1 must be an integer of at least 0"),
        (lambda: jh.default_space("mlp", (4,), numbers=1.5), "numbers=1.5 must be an integer of at least 0"),
        (lambda: SPACE.decode(WIDE), "point has shape (4, 3); give [..., 2], a column for each hyperparameter"),
        (lambda: SPACE.canonical(WIDE), "point has shape (4, 3); give [..., 2]"),
        (lambda: SPACE.active(None), "point=None must be an array [..., 2]"),
        (lambda: SPACE.feasible(WIDE), "point has shape (4, 3); give [..., 2]"),
        (lambda: SPACE.decode(np.array(["a", "b"])), "point has dtype <U1; give numbers"),
        (lambda: GRID.to_levels({}), "point={} must be an array [..., 2]"),
        (lambda: GRID.from_levels(np.zeros(2, np.float32)), "levels has dtype float32; give integers"),
        (lambda: GRID.from_levels(np.zeros(3, np.int32)), "levels has shape (3,); give [..., 2]"),
    ],
)
def test_bad_arguments(call, message):
    with pytest.raises(ValueError) as error:
        call()
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_texts_are_encoded_as_asked():
    texts = ["good film", "a good good film"]
    assert WORDS.encode(texts, length=2).tolist() == [[3, 2], [1, 3]]
    assert WORDS.encode(texts, length=2, keep="last").tolist() == [[3, 2], [3, 2]]
    assert WORDS.encode(np.array(texts), length=np.int64(1)).tolist() == [[3], [1]]
    assert WORDS.encode(tuple(texts)[:0], length=3).shape == (0, 3)
