"""Every method keeps to the steps of a range, to the values of a wide one, and to constants."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxhpo import algorithms
from jaxhpo.algorithms.multi_fidelity.perturbation import Perturbation
from jaxhpo.space import Float, Int, Space
from tests.algorithms.test_contract import LANES, VARIANTS, Compiled

STEPS = {
    "units": Int(16, 128, step=16),
    "rate": Float(0.1, 0.7, step=0.2),
    "many": Float(0.0, 100.0, step=0.05, levels=5),
    "buffer": Int(1000, 10**8, log=True, levels=6),
}
CONSTANTS = {"one": Int(3, 3), "fixed": Float(0.1, 0.1)}
SPACE = Space(STEPS | CONSTANTS)
RULED = Space(
    STEPS | CONSTANTS | {"child": Float(0.0, 1.0, step=0.5, when={"rate": (0.3, 0.5)})},
    constraints=["units * rate <= 60", "child < 1 or units > 32"],
)
STILL = Space(CONSTANTS)
ALLOWED = {
    "units": set(range(16, 129, 16)),
    "rate": {0.1, 0.3, 0.5, 0.7},
    "many": {float(f"{k * 0.05:.12g}") for k in range(2001)},
    "buffer": {m * 10**e for m in range(1000, 10_000) for e in range(5)} | {10**8},
    "one": {3},
    "fixed": {0.1},
    "child": {0.0, 0.5, 1.0},
}


def check(variant, space, rounds):
    method = Compiled(variant, LANES[variant], space)
    _, told = method.run(rounds)
    point = np.concatenate([np.asarray(proposal.point)[np.asarray(proposal.active)] for proposal, _, _ in told])
    assert len(point)
    assert np.asarray(space.feasible(jnp.asarray(point))).all()
    decoded = space.decode(jnp.asarray(point))
    for i, row in enumerate(point):
        config = space.to_config(row)
        for name, value in config.items():
            assert value in ALLOWED[name], name
            assert np.float32(decoded[name][i]) == pytest.approx(value, rel=1e-6), name  # what is trained
        np.testing.assert_array_equal(space.from_config(config), row)
    return point


@pytest.mark.sampled
@pytest.mark.slow_but_for("random_search")
@pytest.mark.parametrize("variant", VARIANTS)
def test_every_method_keeps_to_steps(variant):
    point = check(variant, SPACE, 6)
    constant = [list(SPACE).index(name) for name in CONSTANTS]
    assert (point[:, constant] == 0.5).all()
    if LANES[variant] > 1 and variant != "grid_search":  # whose first trials differ in the last hyperparameters only
        assert all(len(np.unique(point[:, d])) > 1 for d in range(len(STEPS)))


@pytest.mark.slow
@pytest.mark.parametrize("variant", ["random_search", "tpe", "cmaes", "genetic", "pbt"])
def test_methods_keep_to_steps_beside_conditions_and_constraints(variant):
    check(variant, RULED, 4)


@pytest.mark.slow_but_for("random_search", "grid_search")
@pytest.mark.parametrize("variant", ["random_search", "grid_search", "sobol", "tpe", "cmaes", "genetic", "q_learning"])
def test_a_space_of_constants_has_one_configuration(variant):
    assert len(np.unique(check(variant, STILL, 3), axis=0)) == 1


@pytest.mark.parametrize(("name", "message"), [("pbt", "has nothing to explore"), ("tabular_q", "needs a choice")])
def test_methods_that_move_need_something_that_varies(name, message):
    with pytest.raises(ValueError, match=message):
        algorithms.make(name, STILL, lanes=2)


@pytest.mark.slow
def test_population_based_training_moves_along_the_steps():
    space = Space({"rate": Float(0.1, 0.7, step=0.2), "fixed": Float(0.1, 0.1), "x": Int(1, 9)})
    point = np.tile(space.from_config({"rate": 0.3, "fixed": 0.1, "x": 2}), (200, 1))
    child = np.asarray(Perturbation(space, ("rate", "fixed"), 0.25).perturb(jax.random.key(0), jnp.asarray(point)))
    assert {space.to_config(row)["rate"] for row in child} == {0.1, 0.5, 0.7}  # each changes
    assert {tuple(row) for row in child[:, 1:]} == {tuple(point[0, 1:])}
