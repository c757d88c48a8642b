"""Models of several networks on disk: they come back bit for bit, and what is broken is refused in one line."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import jaxhpo as jh
from jaxhpo.compilation import CompilationCounter
from jaxhpo.training import Model, load_model
from jaxhpo.training.trained.files import digests
from jaxhpo.training.trained.saving import save_models
from tests.training.small_models import Nnx, assert_same
from tests.training.untrained import CASES, Sloped, networks_of, spec_of, trainer_of

WEIGHTS = (0.1, 0.2, 0.3, 0.4)


def model_of(name, **options):
    """Return a model of all configurations of a case, each with scales of its own."""
    trainer = trainer_of(name)
    networks = networks_of(trainer, CASES[name].configs)
    for i, network in enumerate(networks):
        network.scaling["scale"] = network.scaling["scale"] * np.float32(1 + i / 4)
    return Model(networks, WEIGHTS, spec_of(trainer), trainer.data.words, **options)


@pytest.fixture(scope="module")
def mlp():
    return model_of("mlp", averages="probabilities")


@pytest.fixture
def saved(mlp, tmp_path):
    mlp.save(tmp_path / "m")
    return tmp_path / "m"


def assert_equal(found, model):
    assert (found.weights, found.averages) == (model.weights, model.averages)
    assert (found.data_spec, found.words, repr(found)) == (model.data_spec, model.words, repr(model))
    for one, other in zip(found.networks, model.networks, strict=True):
        for name in ("params", "statistics", "scaling"):
            assert_same(getattr(one, name), getattr(other, name))
        assert (one.config, one.made, one.size) == (other.config, other.made, other.size)


OWN = {"sloped": Sloped, "nnx": Nnx}


@pytest.mark.slow_but_for("mlp", "sloped")
@pytest.mark.parametrize("name", CASES)
def test_several_networks_come_back_bit_for_bit(name, tmp_path):
    model, x = model_of(name), trainer_of(name).data.x_test
    model.save(tmp_path / "m")
    found = load_model(tmp_path / "m", OWN.get(name))
    assert_equal(found, model)
    counter = CompilationCounter()
    again = found.outputs(x)
    programs = counter.requests
    counter = CompilationCounter()
    assert np.array_equal(again, model.outputs(x))
    assert counter.requests == programs == {"sloped": 2, "growing": 2, "nnx": 2}.get(name, 1)
    found.save(tmp_path / "again")
    assert_equal(load_model(tmp_path / "again", OWN.get(name)), model)


@pytest.mark.slow
def test_a_process_of_its_own_predicts_the_same(mlp, saved, tmp_path, as_quickly):
    x = trainer_of("mlp").data.x_test
    np.save(tmp_path / "x.npy", x)
    code = """
import sys, numpy, jaxhpo
model = jaxhpo.load_model(sys.argv[1])
numpy.savez(sys.argv[3], outputs=model.outputs(numpy.load(sys.argv[2])), labels=model.predict(numpy.load(sys.argv[2])))
"""
    command = [sys.executable, "-c", code, str(saved), str(tmp_path / "x.npy"), str(tmp_path / "found.npz")]
    subprocess.run(command, check=True, env={**os.environ, **as_quickly})
    found = np.load(tmp_path / "found.npz")
    assert np.array_equal(found["outputs"], mlp.outputs(x))
    assert found["labels"].tolist() == mlp.predict(x).tolist()


def test_a_network_in_its_buckets_shape_comes_back_alone(mlp, tmp_path):
    one = Model.single(mlp.networks[0], mlp.data_spec)
    assert one.networks[0].size == (1, 4)
    one.save(tmp_path / "m")
    assert_equal(load_model(tmp_path / "m"), one)


# --- what is broken ------------------------------------------------------------------------------------------------


def check_refused(message, directory, *model):
    with pytest.raises(ValueError, match=message) as error:
        load_model(directory, *model)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 500


def with_first(content, **changes):
    return content | {"networks": [content["networks"][0] | changes, *content["networks"][1:]]}


FACTS = {
    "no network": lambda c: c | {"networks": [], "weights": []},
    "no list": lambda c: c | {"networks": None},
    "a list of lists": lambda c: c | {"networks": [[]] * 4},
    "a network less": lambda c: c | {"networks": c["networks"][:3]},
    "a weight less": lambda c: c | {"weights": c["weights"][:3]},
    "weights that are no numbers": lambda c: c | {"weights": ["a"] * 4},
    "weights of another sum": lambda c: c | {"weights": [0.4] * 4},
    "no weights": lambda c: {name: value for name, value in c.items() if name != "weights"},
    "another mean": lambda c: c | {"averages": "medians"},
    "a size too many": lambda c: with_first(c, size=[1, 2, 3]),
    "more layers than there are": lambda c: with_first(c, size=[3, 4]),
    "no unit": lambda c: with_first(c, size=[1, 0]),
    "a part of a unit": lambda c: with_first(c, size=[1, 2.5]),
    "someone's own beside others": lambda c: with_first(c, made={"own": "Net"}),
    "an unknown network": lambda c: with_first(c, made={"builtin": "gan", "layers": 1, "units": 1}),
}


@pytest.mark.parametrize("name", FACTS)
def test_broken_facts_are_refused(saved, name):
    path = saved / "model.json"
    path.write_text(json.dumps(FACTS[name](json.loads(path.read_text()))))
    check_refused(r"m' holds no model \(model.json was altered\); name a directory", saved)
    (saved / "sha256sums.txt").unlink()
    check_refused(r"m' holds no model \(\w+ in model.json or words.txt\); name a directory", saved)


def test_lists_of_networks_and_of_weights_have_to_agree(saved):
    path = saved / "model.json"
    content = json.loads(path.read_text())
    (saved / "sha256sums.txt").unlink()
    fewer = {"networks": content["networks"][:3], "weights": [0.25, 0.25, 0.5]}
    more = {"networks": [*content["networks"], content["networks"][0]], "weights": [0.2] * 5}
    wider = with_first(content, made=content["networks"][0]["made"] | {"units": 32})
    for changed in (content | fewer, content | more, wider):
        path.write_text(json.dumps(changed))
        check_refused("cannot be read, or are not this model's", saved)


def test_broken_weights_are_refused(mlp, saved):
    for file in sorted(p for p in (saved / "weights").rglob("*") if p.is_file()):
        whole = file.read_bytes()
        for damaged in (whole[: len(whole) // 2], whole[:-20] + bytes([whole[-20] ^ 1]) + whole[-19:]):
            file.write_bytes(damaged)
            check_refused(r"cannot be read, or are not this model's \(weights/", saved)
        file.write_bytes(whole)
    assert_equal(load_model(saved), mlp)


def test_whose_model_it_is_has_to_be_said(saved, tmp_path):
    model_of("sloped").save(tmp_path / "own")
    check_refused(r"the model is your own Sloped; give it: load_model\(directory, model=...\)", tmp_path / "own")
    check_refused("model= is not needed: the directory holds jaxhpo's own mlp; leave it out", saved, Sloped)
    check_refused("model cannot be built as it was trained", tmp_path / "own", lambda classes, width: 3)


# --- several models in a directory ---------------------------------------------------------------------------------


def test_the_recommended_model_of_a_directory_is_loaded(mlp, tmp_path):
    winner = Model.single(networks_of(trainer_of("mlp"), CASES["mlp"].configs[:1], alone=True)[0], mlp.data_spec)
    save_models(tmp_path / "new" / "both", {"winner": winner, "ensemble": mlp}, recommended="ensemble")
    directory = tmp_path / "new" / "both"
    assert sorted(p.name for p in directory.iterdir()) == ["ensemble", "models.json", "winner"]
    assert json.loads((directory / "models.json").read_text()) == {"recommended": "ensemble"}
    assert_equal(jh.load_model(directory), mlp)
    assert_equal(jh.load_model(directory / "ensemble"), mlp)
    assert_equal(jh.load_model(directory / "winner"), winner)
    winner.save(tmp_path / "alone")
    same = digests(tmp_path / "alone", below=False).keys()
    assert digests(directory / "winner", below=False).keys() == same
    with pytest.raises(ValueError, match="both' exists already; name a new directory"):
        save_models(directory, {"winner": winner}, recommended="winner")


BAD_NAMES = ["", ".", "..", "a/b", "/a", "models.json", 3]


@pytest.mark.parametrize("name", BAD_NAMES, ids=repr)
def test_names_that_are_no_directorys_are_refused(mlp, tmp_path, name):
    with pytest.raises(ValueError, match=r"models has the name .*, which names no directory"):
        save_models(tmp_path / "both", {name: mlp}, recommended=name)
    assert list(tmp_path.iterdir()) == []


def test_only_a_model_that_is_there_can_be_recommended(mlp, tmp_path):
    with pytest.raises(ValueError, match="recommended='best' is not among the models; use one of winner"):
        save_models(tmp_path / "both", {"winner": mlp}, recommended="best")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("when", ["mkdir", "write_text", "rename"])
def test_a_save_of_several_that_fails_leaves_nothing(mlp, monkeypatch, tmp_path, when):
    original, seen = getattr(Path, when), []

    def full(path, *arguments, **options):
        seen.append(path.name)
        if {"mkdir": "ensemble", "write_text": "models.json", "rename": "new"}[when] == path.name:
            raise OSError(28, "No space left on device")
        return original(path, *arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(Path, when, full)
        with pytest.raises(ValueError, match="both' cannot be written: No space left on device; name another"):
            save_models(tmp_path / "both", {"winner": mlp, "ensemble": mlp}, recommended="ensemble")
    assert seen
    assert list(tmp_path.iterdir()) == []


BAD_LISTS = {
    "empty": ("", "JSONDecodeError in models.json"),
    "a list": ("[]", "TypeError in models.json"),
    "nothing recommended": ("{}", "KeyError in models.json"),
    "another directory": ('{"recommended": "../m"}', "ValueError in models.json"),
    "a number": ('{"recommended": 3}', "ValueError in models.json"),
    "not there": ('{"recommended": "winner"}', r"winner' holds no model \(No such file or directory"),
}


@pytest.mark.parametrize("name", BAD_LISTS)
def test_a_broken_list_of_models_is_refused(tmp_path, name):
    text, message = BAD_LISTS[name]
    (tmp_path / "models.json").write_text(text)
    check_refused(message, tmp_path)
