"""Legal points, proposals of them, and uniform draws."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxhpo.space import Choice, Space
from jaxhpo.types import FRESH, Array, Key, Proposal

_ANCHORS = 32  # drawn points that infeasible points can move to, in addition to the space's feasible points
_STEPS = 8  # number of steps on the way there
_TRIES, _ROUNDS = 4, 64  # draws per required point in one attempt, and number of attempts


def fresh(point: Array, budget: int | Array) -> Proposal:
    """Return points ([B, D], canonical and legal) as a proposal of active trials that train from the start."""
    lanes = point.shape[0]
    none = jnp.full((lanes,), FRESH, jnp.int32)
    budgets = jnp.broadcast_to(jnp.asarray(budget, jnp.int32), (lanes,))
    return Proposal(point.astype(jnp.float32), budgets, none, jnp.ones((lanes,), bool), none)


def legal(key: Key, space: Space, point: Array, *, grid: bool = False) -> Array:
    """Return points of the cube as points that may be proposed: [N, D] -> [N, D] canonical float32.

    Inactive hyperparameters become 0. A point that violates the space's constraints is replaced by a feasible point on
    the way to a nearby feasible point, or by that one. With `grid`, the points are on the space's levels; then a
    dimension without levels, or constraints that almost no combination of levels satisfies, raise ValueError.
    """

    def settle(point: Array) -> Array:
        point = space.canonical(jnp.clip(point, 0.0, 1.0).astype(jnp.float32))
        return space.from_levels(space.to_levels(point)) if grid else point

    point = settle(point)
    if not space.constrained:
        return point
    pool = space.feasible_levels if grid else space.feasible_points
    number, known, width = len(point), len(pool), len(space)
    # One draw for everything, because random draws take long to compile.
    sizes = np.cumsum([_ANCHORS * width, number * (_ANCHORS + known)])
    parts = jnp.split(jax.random.uniform(key, (sizes[-1] + number * width,), jnp.float32), sizes)
    drawn = settle(parts[0].reshape(_ANCHORS, width))
    anchors = jnp.concatenate([space.canonical(jnp.asarray(pool)), drawn])
    there = jnp.concatenate([jnp.ones(known, bool), space.feasible(drawn)])
    # Choose at random among anchors at similar distances, so that similar points do not all become the same point.
    distance = _distance(space, point, anchors)
    distance = distance * (1 + parts[1].reshape(distance.shape))
    end = anchors[jnp.argmin(jnp.where(there[None], distance, jnp.inf), axis=1)]
    # There is nothing between unordered options: each changes at a random step of the way.
    coin = parts[2].reshape(number, 1, width)
    part = np.arange(1, _STEPS + 1, dtype=np.float32)[None, :, None] / np.float32(_STEPS)
    between = point[:, None] + part * (end - point)[:, None]
    passed = jnp.where(coin < part, end[:, None], point[:, None])
    way = settle(jnp.where(ordered(space)[None, None], between, passed))  # [N, S, D]
    good = space.feasible(way)
    first = jnp.min(jnp.where(good, np.arange(_STEPS, dtype=np.int32)[None], _STEPS), axis=1)
    chosen = jnp.take_along_axis(way, jnp.minimum(first, _STEPS - 1)[:, None, None], axis=1)[:, 0]
    chosen = jnp.where((first < _STEPS)[:, None], chosen, end)
    return jnp.where(space.feasible(point)[:, None], point, chosen)


def _distance(space: Space, point: Array, other: Array) -> Array:
    """Return squared distances of points: [N, D], [M, D] -> [N, M]; different unordered options are 1/2 apart."""
    total = jnp.zeros((point.shape[0], other.shape[0]), jnp.float32)
    for d, has_order in enumerate(ordered(space)):
        apart = point[:, None, d] - other[None, :, d]
        total = total + (apart**2 if has_order else jnp.where(apart != 0, jnp.float32(0.25), jnp.float32(0)))
    return total


def uniform(key: Key, space: Space, number: int) -> Array:
    """Return points drawn uniformly: [number, D], canonical and legal.

    In a space with constraints they are uniform over the feasible points, if at least one in a few hundred points is
    feasible.
    """
    draw_key, legal_key = jax.random.split(key)
    if space.constrained:
        return _draw_feasible(draw_key, legal_key, space, number)
    return legal(legal_key, space, jax.random.uniform(draw_key, (number, len(space)), jnp.float32))


def _draw_feasible(draw_key: Key, pool_key: Key, space: Space, number: int) -> Array:
    """Return feasible points from as many draws as necessary; after too many draws the space's feasible points."""

    def lacks(carry: tuple[Array, Array, Array]) -> Array:
        return (carry[1] < number) & (carry[2] < _ROUNDS)

    def draw(carry: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        found, count, turn = carry
        key = jax.random.fold_in(draw_key, turn)
        point = space.canonical(jax.random.uniform(key, (_TRIES * number, len(space)), jnp.float32))
        good = space.feasible(point)
        rank = jnp.cumsum(good, dtype=jnp.int32)
        found = found.at[jnp.where(good, count + rank - 1, number)].set(point, mode="drop")
        return found, jnp.minimum(count + rank[-1], number), turn + 1

    start = jnp.zeros((number, len(space)), jnp.float32), jnp.int32(0), jnp.int32(0)
    found, count, _ = jax.lax.while_loop(lacks, draw, start)
    pool = space.canonical(jnp.asarray(space.feasible_points))
    known = pool[jax.random.randint(pool_key, (number,), 0, pool.shape[0], jnp.int32)]
    return jnp.where((jnp.arange(number, dtype=jnp.int32) < count)[:, None], found, known)


def ordered(space: Space) -> np.ndarray:
    """Return which dimensions are ordered: [D] bool; a Choice of words is not, by default."""
    return np.array([not isinstance(d, Choice) or d.ordered for d in space.values()])
