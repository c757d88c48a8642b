"""A lane of a user's own model equals plain Flax, linen or nnx, with optax on whole batches."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from jaxhpo.space import Choice, Space
from jaxhpo.training import Machine, Trainer
from jaxhpo.training.step.examples import Split, TrainingData, epoch_order, normalise
from tests.training.own_models import Net, NnxNet
from tests.training.plain import optimizer_of

BATCH = 16
UPDATES = 30  # three epochs of ten

WIDTHS = {"float32": (8, 12), "float64": (8, 10)}  # Flax's batch norm, which 12 has, keeps its means in float32
PLAIN_SPACE = Space(
    {
        "lr": Choice((2**-7, 2**-10)),
        "batch": Choice((BATCH,)),
        "l2": Choice((0.0, 2**-10)),
        "weight_decay": Choice((0.0, 2**-4)),
        "optimizer": Choice(("adam", "momentum")),
        "schedule": Choice(("constant", "cosine")),
    }
)
ADAM = {"lr": 2**-10, "batch": BATCH, "l2": 0.0, "weight_decay": 0.0, "optimizer": "adam", "schedule": "constant"}
MOMENTUM = ADAM | {"lr": 2**-7, "optimizer": "momentum", "weight_decay": 2**-4, "schedule": "cosine"}
PLAIN_CONFIGS = [ADAM | {"l2": 2**-10}, MOMENTUM | {"l2": 2**-10}]


def plain_linen(width, starts, dtype):
    """Return the plain network's function of params, statistics and a batch, and every first params and statistics."""
    del dtype
    net = Net(width)

    def forward(params, statistics, x):
        return net.apply({"params": params, **statistics}, x, train=True, mutable=list(statistics))

    return forward, [(start.params, start.statistics) for start in starts]


def plain_nnx(width, starts, dtype):
    graph, params, statistics, rest = nnx.split(
        NnxNet(width, dtype=dtype, rngs=nnx.Rngs(0)), nnx.Param, nnx.BatchStat, ...
    )

    def first(start):
        own = jax.tree.map(jnp.asarray, (params, statistics))
        nnx.replace_by_pure_dict(own[0], start.params)
        nnx.replace_by_pure_dict(own[1], start.statistics)
        return own

    def forward(params, statistics, x):
        # Variables made in this trace, which may be changed in it.
        module = nnx.merge(graph, *(jax.tree.map(jnp.asarray, part) for part in (params, statistics, rest)))
        module.train()
        return module(x), nnx.state(module, nnx.BatchStat)

    return forward, [first(start) for start in starts]


def train_as_plain(make, width, configs, starts, data, order_key):
    """Return the last params and statistics of configurations of one width, which one compiled step advances."""
    forward, firsts = make(width, starts, data.offset.dtype)
    optimizers = [optimizer_of({"learning_rate": config["lr"], **config}, UPDATES) for config in configs]
    l2 = np.array([config["l2"] for config in configs], data.offset.dtype)

    def loss(params, statistics, l2, x, y):
        logits, statistics = forward(params, statistics, x)
        kernels = [w for path, w in jax.tree_util.tree_leaves_with_path(params) if "kernel" in str(path)]
        cross = optax.softmax_cross_entropy_with_integer_labels(logits, y).mean()
        return cross + l2 * sum((w**2).sum() for w in kernels), statistics

    @jax.jit
    def step(networks, states, rows):
        x, y = normalise(data, jnp.asarray(data.train.x)[rows]), jnp.asarray(data.train.y)[rows]
        gradients = jax.vmap(jax.grad(loss, has_aux=True), in_axes=(0, 0, 0, None, None))
        stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *networks)
        found = gradients(*stacked, l2, x, y)
        after = []
        for i, optimizer in enumerate(optimizers):
            grads, statistics = jax.tree.map(lambda leaf, i=i: leaf[i], found)
            change, state = optimizer.update(grads, states[i], networks[i][0])
            after.append(((optax.apply_updates(networks[i][0], change), statistics), state))
        return [list(part) for part in zip(*after, strict=True)]

    networks, states = firsts, [optimizer.init(first[0]) for optimizer, first in zip(optimizers, firsts, strict=True)]
    for epoch in range(UPDATES * BATCH // 160):
        for rows in np.asarray(epoch_order(order_key, jnp.int32(epoch), 160)).reshape(-1, BATCH):
            networks, states = step(networks, states, rows)
    if make is plain_nnx:
        return [tuple(map(nnx.to_pure_dict, network)) for network in networks]
    return networks


def train_here(trainer, configs, data, budgets):
    """Return results by budget; not by the trainer's own threads, which do not know that numbers are doubles."""
    results: dict = {budget: [] for budget in budgets}
    programs: dict = {}
    for lane, config in enumerate(configs):
        structure = trainer.family.structure(config)
        bucket = trainer.plan.bucket_of(structure.units, structure.layers, structure.variant)
        size = trainer.plan.buckets[bucket].size
        program = programs.setdefault(bucket, jax.jit(partial(trainer.programs.train, bucket)))
        point = np.tile(trainer.space.from_config(config), (size, 1))
        number, trial = np.arange(size), np.full(size, lane, np.int32)
        for budget in budgets:
            result = program(jax.random.key(7), data, point, np.full(size, budget, np.int32), number == 0, trial)
            results[budget].append(jax.tree.map(lambda leaf: np.asarray(leaf[0]), result))
    return [results[budget] for budget in budgets]


def in_dtype(dtype):
    return lambda width, rngs: NnxNet(width, dtype=dtype, rngs=rngs)


@pytest.mark.sampled
@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "engine", "dtype"),
    [
        ("linen", "threads", "float32"),
        ("linen", "vmap", "float64"),
        ("nnx", "threads", "float64"),
        ("nnx", "vmap", "float32"),
    ],
)
def test_a_lane_equals_the_plain_training(kind, engine, dtype, small_digits):
    d = small_digits
    make, model = (plain_linen, Net) if kind == "linen" else (plain_nnx, in_dtype(dtype))
    space = Space({"width": Choice(WIDTHS[dtype])} | dict(PLAIN_SPACE))
    configs = [{"width": width} | config for width in WIDTHS[dtype] for config in PLAIN_CONFIGS]
    with jax.enable_x64(dtype == "float64"):
        # What a Trainer rehearses is in single precision.
        with jax.numpy_dtype_promotion("standard"):
            trainer = Trainer(d, model, space, epochs=3, lanes=3, machine=Machine(engine=engine), checkpoint="last")
        train_split, valid = Split(d.x_train, d.y_train), Split(d.x_valid, d.y_valid)
        data = TrainingData(train_split, valid, d.offset.astype(dtype), d.scale.astype(dtype))
        starts, results = train_here(trainer, configs, data, (0, 3))
        order_key = jax.random.fold_in(jax.random.key(7), 1)
        tolerances = {"float32": (1e-5, 1e-5), "float64": (1e-12, 1e-6)}[dtype]  # a schedule is in float32
        wanted_of_all = []
        with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
            for i, width in enumerate(WIDTHS[dtype]):
                own = starts[i * len(PLAIN_CONFIGS) : (i + 1) * len(PLAIN_CONFIGS)]
                wanted_of_all += train_as_plain(make, width, PLAIN_CONFIGS, own, data, order_key)
        for config, start, result, wanted in zip(configs, starts, results, wanted_of_all, strict=True):
            assert result.updates == UPDATES
            found = (result.params, result.statistics)
            assert len(jax.tree.leaves(wanted)) == (7 if config["width"] == 12 else 4)
            for (path, plain), own in zip(
                jax.tree_util.tree_leaves_with_path(wanted), jax.tree.leaves(found), strict=True
            ):
                assert own.dtype == np.dtype(dtype)
                difference = np.linalg.norm(own - plain) / np.linalg.norm(plain)
                tolerance = tolerances[config["schedule"] == "cosine"]
                assert difference < tolerance, (config, jax.tree_util.keystr(path), difference)
            moved = jax.tree.map(lambda a, b: np.abs(a - b).max(), start.params, result.params)
            assert min(jax.tree.leaves(moved)) > 1e-3
