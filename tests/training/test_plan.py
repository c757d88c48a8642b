"""The plan holds every configuration, keeps to its limits, and follows from its arguments alone."""

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxhpo.models import CNN, DAN, MLP, RNN, Variant
from jaxhpo.space import Choice, Int, Space
from jaxhpo.training import Machine, Trainer
from jaxhpo.training.planning.planner import Task, make_plan
from jaxhpo.training.planning.resources import default_lanes, read_resources

SHAPES = {"mlp": (8, 8, 1), "cnn": (28, 28, 1), "rnn": (100,), "dan": (100,)}
NETWORKS = {
    "mlp": lambda layers, units, variant: MLP(layers, units, 10),
    "cnn": lambda layers, units, variant: CNN(layers, units, 10, growth=dict(variant.built_with).get("growth", 1)),
    "rnn": lambda layers, units, variant: RNN(layers, units, 2, 5000, dict(variant.built_with).get("cell", "gru")),
    "dan": lambda layers, units, variant: DAN(layers, units, 2, 5000),
}
GRU, LSTM, GROWING = Variant(), Variant((("cell", "lstm"),)), Variant((("growth", 2),), exact_depth=True)
EXAMPLES = {"mlp": 1077, "cnn": 10_000, "rnn": 5000, "dan": 5000}


def task(model, *, units=(8, 16, 32, 64), layers=(1, 2, 3), variants=(GRU,), epochs=2):
    return Task(
        model=NETWORKS[model],
        shape=SHAPES[model],
        train=EXAMPLES[model],
        valid=360,
        bytes=10**6,
        epochs=epochs,
        micro_batch=32,
        units=units,
        layers=layers,
        variants=variants,
        tiled=model == "cnn",
        outputs=10,
    )


def plan_of(task, *, lanes=None, **machine):
    return make_plan(task, read_resources(lanes, Machine(**machine)))


@pytest.mark.parametrize("model", NETWORKS)
@pytest.mark.parametrize("engine", ["threads", "vmap"])
def test_a_plan_follows_from_its_arguments(model, engine):
    plans = [plan_of(task(model), lanes=16, engine=engine) for _ in range(2)]
    assert plans[0] == plans[1]
    assert plans[0].engine == engine
    long = plan_of(task(model), lanes=16, engine=engine, horizon="long")
    assert len(long.buckets) >= len(plans[0].buckets)  # more trials pay for more compilations


@settings(deadline=None, max_examples=40)
@given(
    units=st.lists(st.integers(1, 80), min_size=1, max_size=9),
    layers=st.lists(st.integers(1, 5), min_size=1, max_size=4),
    variants=st.sampled_from([(GRU,), (LSTM,), (GRU, LSTM), (GROWING,), (GRU, GROWING)]),
    lanes=st.integers(1, 300),
    engine=st.sampled_from(["threads", "vmap"]),
    model=st.sampled_from(["mlp", "rnn"]),
)
def test_every_configuration_has_a_bucket_that_holds_it(units, layers, variants, lanes, engine, model):
    plan = plan_of(task(model, units=tuple(units), layers=tuple(layers), variants=variants), lanes=lanes, engine=engine)
    for u in units:
        for k in layers:
            for variant in variants:
                bucket = plan.buckets[plan.bucket_of(u, k, variant)]
                assert bucket.units >= u
                assert bucket.layers == k if variant.exact_depth else bucket.layers >= k
                assert bucket.variant == variant
                assert bucket.widths[-1] == bucket.units
                assert bucket.size & (bucket.size - 1) == 0
                assert bucket.size < 2 * lanes


@pytest.mark.parametrize("model", NETWORKS)
def test_most_arithmetic_of_a_lane_alone_is_its_own(model):
    plan = plan_of(task(model), lanes=16, engine="threads")
    own = done = 0
    for u in (8, 16, 32, 64):
        for k in (1, 2, 3):
            widths = plan.buckets[plan.bucket_of(u, k, GRU)].widths
            width = next(w for w in widths if w >= u)
            own += NETWORKS[model](k, u, GRU).cost(SHAPES[model]).forward
            done += NETWORKS[model](k, width, GRU).cost(SHAPES[model]).forward
    assert own / done >= 0.6


@pytest.mark.parametrize("memory", [0.05, 0.2, 1.0])
def test_more_lanes_than_fit_take_chunks_within_the_budget(memory):
    plan = plan_of(task("cnn", units=(8, 16)), lanes=4096, engine="vmap", memory=memory)
    assert max(bucket.bytes for bucket in plan.buckets) <= memory * 2**30
    assert all(1 <= bucket.size < 4096 for bucket in plan.buckets)
    more = plan_of(task("cnn", units=(8, 16)), lanes=4096, engine="vmap", memory=4 * memory)
    assert max(bucket.size for bucket in more.buckets) > max(bucket.size for bucket in plan.buckets)


def test_as_many_launches_as_memory_holds():
    whole = plan_of(task("cnn"), lanes=16, engine="threads")
    largest = max(bucket.bytes for bucket in whole.buckets)
    assert plan_of(task("cnn"), lanes=16, engine="threads", memory=1.5 * largest / 2**30).launches == 1
    assert plan_of(task("cnn"), lanes=1, engine="threads").launches == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"memory": 1e-4}, r"memory=0.0001 GiB is too little: one lane of 64 units and 3 layers needs about .* GiB"),
        ({"memory": 0}, "memory=0 must be a number of GiB above 0"),
        ({"memory": "much"}, "memory='much' must be a number of GiB above 0"),
        ({"memory": float("nan")}, "memory=nan must be"),
        ({"lanes": 0}, "lanes=0 must be an integer of at least 1"),
        ({"engine": "map"}, "engine='map' is unknown; use one of threads, vmap, sharded, probe"),
        ({"engine": "sharded"}, "engine='sharded' needs several devices, and JAX sees 1; use 'vmap'"),
        ({"devices": 0}, "devices=0 must be an integer of at least 1"),
        ({"devices": 9}, "devices=9 exceeds the 1 that JAX sees; use at most 1"),
        ({"horizon": "endless"}, "horizon='endless' is unknown; use one of short, long"),
    ],
)
def test_what_cannot_be_is_one_clear_line(options, message):
    with pytest.raises(ValueError, match=message) as caught:
        plan_of(task("mlp"), **options)
    assert "\n" not in str(caught.value)


def test_the_plan_as_plain_data():
    plan = plan_of(task("mlp")).to_json()
    assert plan["lanes"] == default_lanes()
    assert plan["buckets"][-1]["units"] == 64
    assert plan["backend"] == jax.default_backend()


@pytest.mark.sampled
@pytest.mark.optimized
@pytest.mark.slow
@pytest.mark.parametrize("model", NETWORKS)
@pytest.mark.parametrize("engine", ["threads", "vmap"])
def test_what_a_launch_needs_is_about_what_xla_counts(model, engine, small_digits, small_text):
    dataset = small_text if model in ("rnn", "dan") else small_digits
    axes = {"batch_size": Choice((16, 32)), "layers": Int(1, 3), "units": Choice((32, 64))}
    trainer = Trainer(dataset, model, Space(axes), epochs=2, lanes=8, machine=Machine(engine=engine))
    trainer.objective.init(jax.random.key(0))
    for i, bucket in enumerate(trainer.plan.buckets):
        counted = trainer.executor._programs[i].result().memory_analysis()
        needed = counted.temp_size_in_bytes + counted.output_size_in_bytes
        assert needed <= bucket.bytes <= 6 * needed, (bucket, np.round(bucket.bytes / needed, 2))
