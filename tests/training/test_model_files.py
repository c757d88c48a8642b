"""What a model refuses in one clear line: examples it cannot take, and directories that hold no whole model."""

import errno
import json
import os
import shutil
from dataclasses import replace
from typing import NamedTuple

import flax.linen as nn
import jax
import numpy as np
import pytest

import jaxhpo as jh
from jaxhpo.data import Dataset
from jaxhpo.training import load_model
from jaxhpo.training.trained.model import DataSpec
from tests.training.small_models import CASES, Linen, Nnx, assert_same, train


@pytest.fixture(scope="module")
def models(small_digits):
    """Models of rows, images and texts, trained for one epoch."""

    class Found(dict):
        def __missing__(self, name):
            alone = {key: jh.Choice((value,)) for key, value in CASES[name].config.items()}
            trainer, state = train(name, alone, small_digits, epochs=1)
            self[name] = trainer.model(state.best)
            return self[name]

    return Found()


@pytest.mark.slow
def test_texts_are_read_as_words(models, tmp_path):
    model = models["rnn"]
    model.save(tmp_path / "m")
    again = load_model(tmp_path / "m")
    texts = ["Good, good <br/> FINE!", "bad poor bad", "unheard-of", "", "good " * 9 + "bad poor"]
    tokens = model.words.encode(texts, length=10, keep="last")
    assert tokens[4].tolist() == tokens[4, :1].tolist() * 8 + tokens[1, :2].tolist()  # the last ten of eleven
    for given in (texts, tuple(texts), np.array(texts), np.array(texts, object)):
        assert np.array_equal(again.outputs(given), model.outputs(tokens))
    assert np.array_equal(again.outputs(texts[0]), again.outputs(texts[:1]))
    assert set(again.predict(texts)) <= {"down", "up"}
    assert (tmp_path / "m" / "words.txt").read_text().split("\n") == list(model.words.words)
    assert again.words == model.words


@pytest.mark.slow
def test_strange_words_come_back(models, tmp_path):
    for i, words in enumerate([(), ("naïve", "日本", "x" * 500, "l'été", "don\u2019t", "\u0661")]):
        spec = replace(models["rnn"].data_spec, vocabulary=len(words) + 2)
        params = models["rnn"].params | {"embedding": np.zeros((len(words) + 2, 32), np.float32)}
        network = replace(models["rnn"].networks[0], params=params)
        model = jh.Model.single(network, spec, jh.data.Vocabulary(words, "last"))
        model.save(tmp_path / str(i))
        assert load_model(tmp_path / str(i)).words == model.words


ROWS = np.ones((3, 5))
BAD_EXAMPLES = {
    "too wide": (
        "mlp",
        np.ones((3, 6)),
        r"x has shape \(3, 6\) and dtype float64; give numbers \[N, 5\], at least one",
    ),
    "one row": ("mlp", np.ones(5), r"x has shape \(5,\)"),
    "no row": ("mlp", np.ones((0, 5)), r"x has shape \(0, 5\)"),
    "a number": ("mlp", 3.0, r"x has shape \(\) and dtype float64"),
    "strings": ("mlp", np.full((3, 5), "a"), r"x has shape \(3, 5\) and dtype <U1"),
    "text for rows": ("mlp", ["good"], r"x has shape \(1,\) and dtype <U4"),
    "complex": ("mlp", ROWS * 1j, "dtype complex128"),
    "nan": ("mlp", ROWS * np.nan, "x holds nan or infinite values"),
    "infinite": ("mlp", ROWS * np.inf, "x holds nan or infinite values"),
    "one image": ("cnn", np.ones((8, 8)), r"x has shape \(8, 8\) and dtype float64; give numbers \[N, 8, 8, 1\]"),
    "colours": ("cnn", np.ones((2, 8, 8, 3)), r"x has shape \(2, 8, 8, 3\)"),
    "no text": ("rnn", [], r"x has shape \(0, 10\) and dtype int32; give numbers \[N, 10\], at least one example"),
    "mixed": ("rnn", ["good", 3], "x holds 3, not a text; give a list of strings"),
    "missing": ("rnn", np.array(["good", None], object), "x holds None, not a text"),
    "tokens": ("rnn", np.full((2, 10), 99), r"x holds 99 .. 99; give whole numbers, tokens 0 .. 5"),
    "negative": ("rnn", np.full((2, 10), -1), r"x holds -1 .. -1; give whole numbers, tokens 0 .. 5"),
    "parts": ("rnn", np.full((2, 10), 1.5), r"x holds 1.5 .. 1.5; give whole numbers, tokens 0 .. 5"),
    "too long": ("rnn", np.ones((2, 11), int), r"x has shape \(2, 11\) and dtype int64; give numbers \[N, 10\]"),
}


OF_NUMBERS = [name for name, (model, *_) in BAD_EXAMPLES.items() if model == "mlp"]


@pytest.mark.slow_but_for(*OF_NUMBERS)
@pytest.mark.parametrize("name", BAD_EXAMPLES)
def test_bad_examples(models, name):
    model, x, message = BAD_EXAMPLES[name]
    with pytest.raises(ValueError, match=message) as error:
        models[model].predict(x)
    assert "\n" not in str(error.value)


@pytest.mark.slow
def test_examples_of_many_types_are_taken(models, small_digits):
    x = small_digits.x_test[:7]
    wanted = models["cnn"].outputs(x)
    for given in (x[..., 0], x.astype(np.uint8), x.astype(np.float64), x.tolist(), jax.numpy.asarray(x)):
        assert np.array_equal(models["cnn"].outputs(given), wanted)


@pytest.mark.slow
def test_regression_has_no_probabilities(models):
    with pytest.raises(ValueError, match="probabilities are of classes, and 'arrays' is regression; use predict"):
        models["one target"].probabilities(ROWS)


@pytest.mark.slow
def test_outputs_of_ones_own_are_no_labels(models):
    learner = models["linen"].learner

    class Twice(NamedTuple):
        def evaluate(self, data, hyper, params, statistics, use):
            return learner.evaluate(
                data, hyper, params, statistics, lambda apply: use(lambda x: {"a": apply(x), "b": apply(x)[:, 0]})
            )

    network = replace(models["linen"].networks[0], learner=Twice())
    model = jh.Model.single(network, models["linen"].data_spec)
    assert set(model.outputs(ROWS)) == {"a", "b"}
    for call in (model.predict, model.probabilities):
        with pytest.raises(ValueError, match=r"the model returns no logits .*; use outputs"):
            call(ROWS)


def check_refused(message, directory, *model):
    with pytest.raises(ValueError, match=message) as error:
        load_model(directory, *model)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 500


def test_a_directory_without_a_model_is_refused(tmp_path):
    check_refused(r"nowhere' holds no model \(No such file or directory\); name a directory", tmp_path / "nowhere")
    (tmp_path / "file").write_text("")
    check_refused(r"file' holds no model \(Not a directory\)", tmp_path / "file")
    check_refused(r"holds no model \(No such file or directory\)", tmp_path)


FACTS = {
    "empty": lambda text: "",
    "cut": lambda text: text[: len(text) // 2],
    "a list": lambda text: "[]",
    "null": lambda text: "null",
    "other JSON": lambda text: '{"config": {}, "data": {}, "made": {}}',
    "no network": lambda text: json.dumps(json.loads(text) | {"made": {}}),
    "unknown network": lambda text: text.replace('"mlp"', '"gan"'),
    "nothing made": lambda text: json.dumps(json.loads(text) | {"made": None}),
    "no shape": lambda text: text.replace('"shape"', '"form"'),
    "unknown kind": lambda text: text.replace('"vector"', '"cloud"'),
    "kind of another shape": lambda text: text.replace('"vector"', '"sequence"'),
    "no dtype": lambda text: text.replace('"keep"', '"label_dtype": "word", "keep"'),
}


@pytest.mark.parametrize("name", FACTS)
def test_broken_facts_are_refused(models, name, tmp_path):
    models["mlp"].save(tmp_path / "m")
    path = tmp_path / "m" / "model.json"
    path.write_text(FACTS[name](path.read_text()))
    check_refused(r"m' holds no model \(model.json was altered\); name a directory", tmp_path / "m")
    (tmp_path / "m" / "sha256sums.txt").unlink()  # as before there were any
    check_refused(r"m' holds no model \(\w+ in model.json or words.txt\); name a directory", tmp_path / "m")


@pytest.mark.slow
def test_broken_words_are_refused(models, tmp_path):
    models["rnn"].save(tmp_path / "m")
    path = tmp_path / "m" / "words.txt"
    whole, sums = path.read_bytes(), (tmp_path / "m" / "sha256sums.txt").read_bytes()
    for content in (whole[:-6], whole + b"\nmore", b"", b"\xff\xfe" + whole):
        path.write_bytes(content)
        (tmp_path / "m" / "sha256sums.txt").write_bytes(sums)
        check_refused(r"holds no model \(words.txt was altered\)", tmp_path / "m")
        (tmp_path / "m" / "sha256sums.txt").unlink()
        check_refused(r"holds no model \(\w+ in model.json or words.txt\)", tmp_path / "m")
    path.unlink()
    check_refused(r"holds no model \(No such file or directory\)", tmp_path / "m")


def test_broken_weights_are_refused(models, tmp_path):
    models["mlp"].save(tmp_path / "m")
    files = sorted(p for p in (tmp_path / "m" / "weights").rglob("*") if p.is_file())
    messages = []
    for file in files:
        whole = file.read_bytes()
        for damaged in (whole[: len(whole) // 2], whole[:-20] + bytes([whole[-20] ^ 1]) + whole[-19:]):
            file.write_bytes(damaged)
            with pytest.raises(ValueError) as refused:
                load_model(tmp_path / "m")
            messages.append(str(refused.value))
        file.write_bytes(whole)
    assert all("cannot be read, or are not this model's (weights/" in m and "\n" not in m for m in messages)
    assert_same(load_model(tmp_path / "m").params, models["mlp"].params)
    shutil.rmtree(tmp_path / "m" / "weights")
    check_refused("cannot be read, or are not this model's", tmp_path / "m")


def test_another_networks_weights_are_refused(models, tmp_path):
    models["mlp"].save(tmp_path / "m")
    path = tmp_path / "m" / "model.json"
    (tmp_path / "m" / "sha256sums.txt").unlink()
    for old, new in (('"units": 4', '"units": 8'), ('"units": 4', '"units": 2'), ('"layers": 1', '"layers": 2')):
        text = path.read_text()
        made = text.index('"made"')
        path.write_text(text[:made] + text[made:].replace(old, new))
        check_refused("cannot be read, or are not this model's", tmp_path / "m")
        path.write_text(text)


@pytest.mark.slow
def test_whose_model_it_is_has_to_be_said(models, tmp_path):
    models["linen"].save(tmp_path / "own")
    models["mlp"].save(tmp_path / "mlp")
    check_refused(r"the model is your own Linen; give it: load_model\(directory, model=...\)", tmp_path / "own")
    check_refused("model= is not needed: the directory holds jaxhpo's own mlp; leave it out", tmp_path / "mlp", Linen)
    check_refused("must be .* a function that returns a Flax module", tmp_path / "own", 3)
    check_refused("model cannot be built as it was trained: RuntimeError: not today", tmp_path / "own", fails)
    for other in (Another, lambda classes, width, activation, dropout: Linen(classes, width + 1, activation, dropout)):
        check_refused("cannot be read, or are not this model's", tmp_path / "own", other)
    check_refused("depth", tmp_path / "own", Nnx)


def fails(width):
    raise RuntimeError("not today\nbut tomorrow")


class Another(nn.Module):
    classes: int

    @nn.compact
    def __call__(self, x):
        return nn.Dense(self.classes)(x)


@pytest.mark.parametrize("when", ["description", "weights", "wait", "rename"])
def test_a_full_disk_leaves_nothing(models, monkeypatch, tmp_path, when):
    import orbax.checkpoint as ocp

    def full(*arguments, **options):
        if when in ("weights", "wait"):  # as Orbax passes tensorstore's on
            raise ValueError("RESOURCE_EXHAUSTED: Failed to write 186 bytes: No space left on device\nmore\n" * 9)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    owner, name = {
        "description": ("pathlib.Path", "write_text"),
        "weights": (ocp.StandardCheckpointer, "save"),
        "wait": (ocp.StandardCheckpointer, "wait_until_finished"),
        "rename": ("pathlib.Path", "rename"),
    }[when]
    with monkeypatch.context() as patch:
        patch.setattr(f"{owner}.{name}", full) if isinstance(owner, str) else patch.setattr(owner, name, full)
        with pytest.raises(ValueError) as error:
            models["mlp"].save(tmp_path / "m")
    assert str(error.value).endswith("cannot be written: No space left on device; name another directory")
    assert list(tmp_path.iterdir()) == []
    models["mlp"].save(tmp_path / "m")  # and once there is room, it is there
    assert_same(load_model(tmp_path / "m").params, models["mlp"].params)


def test_a_data_sets_numpy_numbers_are_written():
    x, y = np.ones((4, 2), np.float32), np.array([0, 1, 0, 1], np.int32)
    spec = DataSpec.of(Dataset("mine", x, y, x, y, x, y, classes=np.int64(2)))
    assert json.loads(json.dumps(vars(spec)))["classes"] == 2


def test_what_is_saved_can_be_checked(models, tmp_path):
    import hashlib

    models["mlp"].save(tmp_path / "m")
    lines = (tmp_path / "m" / "sha256sums.txt").read_text().splitlines()
    assert [line.split("  ")[1] for line in lines] == ["model.json"]  # weights have theirs in it
    content = (tmp_path / "m" / "model.json").read_bytes()
    assert lines[0].split("  ")[0] == hashlib.sha256(content).hexdigest()
    (tmp_path / "m" / "model.json").write_bytes(content.replace(b'"layers": 1', b'"layers": 1 '))
    check_refused(r"m' holds no model \(model.json was altered\); name a directory", tmp_path / "m")
    (tmp_path / "m" / "sha256sums.txt").unlink()
    assert_same(load_model(tmp_path / "m").params, models["mlp"].params)
    (tmp_path / "m" / "model.json").write_bytes(content.replace(b'"config"', b'"made": {}, "config"'))
    check_refused(r"holds no model \(ValueError in model.json or words.txt\)", tmp_path / "m")
