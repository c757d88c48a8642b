"""How often programs are compiled, counted as JAX itself reports it."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxhpo import compilation
from jaxhpo.compilation import CompilationCounter, Program

# A process of its own: the in-memory caches of this one would hide compilations.
SCRIPT = """
import json, sys
requests, hits, asked = 0, 0, 0
import jax
def event(name, **_):
    global hits, asked
    hits += name == "/jax/compilation_cache/cache_hits"
    asked += name == "/jax/compilation_cache/compile_requests_use_cache"
jax.monitoring.register_event_listener(event)
import jaxhpo
options = json.loads(sys.argv[1])
study = jaxhpo.tune("digits", model="mlp", train_examples=64, epochs=1, verbose=False, **options)
summary = study.summary
print(json.dumps({"compilations": summary["compilations"], "hits": summary["cache_hits"],
                  "planned": summary["plan"]["programs"], "counted": asked - hits, "trials": len(study.trials),
                  "scores": study.trials["score"].tolist(), "test": study.best.test_score}))
"""


def tune(directory, **options):
    # Which programs are compiled does not depend on how well they are.
    environment = os.environ | {"JAXHPO_CACHE_DIR": str(directory), "JAX_DISABLE_MOST_OPTIMIZATIONS": "1"}
    environment.pop("JAX_COMPILATION_CACHE_DIR", None)
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT, json.dumps(options)], capture_output=True, text=True, env=environment
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


USED = (11, 12)  # of twelve programs: a bucket that neither winner nor ensemble is of computes no outputs


@pytest.mark.slow
def test_compilations_do_not_grow_with_trials_and_a_second_process_has_none(tmp_path):
    options = {"lanes": 8, "algorithm": "tabular_q"}  # whose tables are of one size
    first = tune(tmp_path, trials=64, **options)
    assert first["planned"] == 12  # two buckets: up to 128 units, and 256
    assert first["compilations"] == first["counted"] in USED
    assert first["hits"] == 0
    again = tune(tmp_path, trials=64, **options)
    assert (again["compilations"], again["counted"], again["hits"]) == (0, 0, first["compilations"])
    assert (again["scores"], again["test"]) == (first["scores"], first["test"])
    for trials in (256, 1024):
        more = tune(tmp_path, trials=trials, **options)
        assert more["trials"] == trials
        assert more["compilations"] == more["counted"] <= 2  # one may hold the number of trials, one is of a bucket
        assert more["planned"] == 12
        assert more["compilations"] + more["hits"] in USED


@pytest.mark.slow
def test_opting_out_of_the_cache(tmp_path):
    run = tune(tmp_path / "cache", trials=8, cache=False, algorithm="random_search")
    assert run["planned"] == 12
    assert run["compilations"] in USED
    assert run["hits"] == 0
    assert not (tmp_path / "cache").exists()


def test_the_counter_sees_eager_programs():
    counter = CompilationCounter()
    jnp.sin(np.ones(977, np.float32))  # a shape nothing else uses
    first = counter.requests
    assert first >= 1
    jnp.sin(np.ones(977, np.float32))
    assert counter.requests == first
    assert counter.compiled + counter.hits == counter.requests


def test_a_program_compiles_once_and_refuses_other_shapes():
    program = Program(lambda x: x + 1)
    assert program.seconds == 0
    assert program(np.float32(1)) == 2
    took = program.seconds
    assert took > 0
    assert program(np.float32(5)) == 6
    assert program.seconds == took
    with pytest.raises(TypeError):
        program(np.zeros(3, np.float32))


def test_the_users_own_cache_is_left_alone(tmp_path):
    script = """
import jax, sys
jax.config.update("jax_compilation_cache_dir", sys.argv[1])
before = jax.config.jax_persistent_cache_min_compile_time_secs
from jaxhpo.compilation import enable_persistent_cache
assert str(enable_persistent_cache()) == sys.argv[1]
assert jax.config.jax_persistent_cache_min_compile_time_secs == before
"""
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=True)


def test_a_cache_directory_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    script = "from jaxhpo.compilation import enable_persistent_cache; assert enable_persistent_cache() is None"
    environment = os.environ | {"JAXHPO_CACHE_DIR": str(tmp_path / "file")}
    environment.pop("JAX_COMPILATION_CACHE_DIR", None)
    subprocess.run([sys.executable, "-c", script], check=True, env=environment)


# What does not call `jaxhpo.compilation.jit`, by file, and why not.
WITHOUT_OPTIONS = {
    "compilation.py": "it is `jit`",
    "study/traced.py": "within a program of the caller's",
    "training/run/executor.py": "has them where it compiles",
    "models/dropout.py": "within another program",
    "algorithms/gp/gp.py": "within another program",
    "algorithms/q_learning/q_learning.py": "within another program",
    "prior_fitting.py": "has no axis of size 1; compared with and without the fusion",
    "objectives/function.py": "draws bits, and sums nothing",
}


def test_every_program_has_the_options_with_which_the_release_computes_right():
    package = Path(compilation.__file__).parent
    bare = {str(path.relative_to(package)) for path in package.rglob("*.py") if "jax.jit" in code_of(path)}
    assert bare == set(WITHOUT_OPTIONS)
    assert "xla_options()" in code_of(package / "training" / "run" / "executor.py")


def code_of(path):
    """Return a file's code without comments and docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            node.value = ast.Constant("")
    return ast.unparse(tree)


def test_jax_is_the_tested_one():
    assert jax.config.jax_threefry_partitionable  # per-lane draws rest on it
