"""Tune PPO (proximal policy optimization), which learns to balance a pole on a cart: whole trainings run side by side.

python examples/traceable_ppo.py
"""

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn
from jax import lax, random

import jaxhpo as jh

CARTS, STEPS, UPDATES, EPOCHS, PARTS = 8, 64, 40, 4, 4
LONGEST = 200  # steps of an episode


def reset(key):
    """Return the start of an episode: position, speed, angle and spin, [4], and the number of its step."""
    return random.uniform(key, (4,), minval=-0.05, maxval=0.05), jnp.int32(0)


def step(key, cart, push):
    """Push a cart to the left (0) or right (1) for 20 ms; return where it is then, and whether the episode ended."""
    (position, speed, angle, spin), time = cart
    pull = (jnp.where(push == 1, 10.0, -10.0) + 0.05 * spin**2 * jnp.sin(angle)) / 1.1
    twist = 9.8 * jnp.sin(angle) - jnp.cos(angle) * pull
    twist = twist / (0.5 * (4 / 3 - 0.1 * jnp.cos(angle) ** 2 / 1.1))
    slope = jnp.stack([speed, pull - 0.05 * twist * jnp.cos(angle) / 1.1, spin, twist])
    moved = jnp.stack([position, speed, angle, spin]) + 0.02 * slope
    ended = (jnp.abs(moved[0]) > 2.4) | (jnp.abs(moved[2]) > 0.21) | (time + 1 >= LONGEST)
    return jax.tree.map(lambda new, old: jnp.where(ended, new, old), reset(key), (moved, time + 1)), ended


class ActorCritic(nn.Module):
    """A policy and a value of a cart's state."""

    activation: str

    @nn.compact
    def __call__(self, state):
        """Return the logarithms of the pushes' probabilities, [..., 2], and the value, [...]."""
        act = {"tanh": nn.tanh, "relu": nn.relu}[self.activation]
        hidden = act(nn.Dense(64)(act(nn.Dense(64)(state))))
        return nn.log_softmax(nn.Dense(2)(hidden)), nn.Dense(1)(hidden)[..., 0]


def of(push, logits):
    """Return the logarithm of the probability of a push: [N], [N, 2] -> [N]."""
    return jnp.take_along_axis(logits, push[:, None], axis=1)[:, 0]


def train(key, hparams):
    """Return how long the pole stays up: the mean number of steps of an episode, over all updates."""
    network, optimizer = ActorCritic(hparams["activation"]), optax.scale_by_adam(eps=1e-5)
    init_key, reset_key, key = random.split(key, 3)

    def act(carts, key, params):
        logits, value = network.apply(params, carts[0])
        push = random.categorical(key, logits)
        after, ended = jax.vmap(step)(random.split(random.fold_in(key, 1), CARTS), carts, push)
        return after, (carts[0], push, of(push, logits), value, ended)

    def look_back(carry, row):  # generalized advantage estimation, from the last step to the first
        advantage, value_after = carry
        value, ended = row
        goes_on = hparams["gamma"] * (1.0 - ended)
        advantage = 1.0 + goes_on * (value_after + hparams["gae_lambda"] * advantage) - value
        return (advantage, value), advantage

    def loss(params, batch):
        state, push, before, advantage, target = batch
        logits, value = network.apply(params, state)
        ratio, advantage = jnp.exp(of(push, logits) - before), nn.standardize(advantage)
        clipped = jnp.clip(ratio, 1 - hparams["clip"], 1 + hparams["clip"])
        entropy = -jnp.sum(jnp.exp(logits) * logits, axis=1)
        gain = jnp.minimum(ratio * advantage, clipped * advantage) + hparams["entropy"] * entropy
        return jnp.mean(0.5 * (value - target) ** 2 - gain)

    def update(carry, row):
        params, moments, carts = carry
        key, progress = row
        rate = hparams["rate"] * jnp.where(hparams["anneal"], 1 - progress, 1.0)
        carts, told = lax.scan(lambda c, k: act(c, k, params), carts, random.split(random.fold_in(key, 0), STEPS))
        state, push, logs, value, ended = told
        last = network.apply(params, carts[0])[1]
        advantage = lax.scan(look_back, (jnp.zeros_like(last), last), (value, ended), reverse=True)[1]
        data = [x.reshape(-1, *x.shape[2:]) for x in (state, push, logs, advantage, advantage + value)]

        def learn(carry, rows):
            params, moments = carry
            change, moments = optimizer.update(jax.grad(loss)(params, [x[rows] for x in data]), moments)
            return (jax.tree.map(lambda p, c: p - rate * c, params, change), moments), None

        keys = random.split(random.fold_in(key, 1), EPOCHS)
        order = jax.vmap(lambda k: random.permutation(k, CARTS * STEPS))(keys).reshape(EPOCHS * PARTS, -1)
        (params, moments), _ = lax.scan(learn, (params, moments), order)
        return (params, moments, carts), 1 / jnp.maximum(ended.mean(), 1 / LONGEST)

    params = network.init(init_key, jnp.zeros(4))
    carry = params, optimizer.init(params), jax.vmap(reset)(random.split(reset_key, CARTS))
    length = lax.scan(update, carry, (random.split(key, UPDATES), jnp.arange(UPDATES) / UPDATES))[1]
    return length.mean(), {"length": length}


def main(trials: int = 24) -> jh.Study:
    """Tune the agent and print what was found."""
    space = {"rate": jh.Float(1e-3, 3e-2, log=True), "anneal": jh.Choice((True, False)), "clip": jh.Float(0.1, 0.4)}
    space |= {"gamma": jh.Choice((0.95, 0.98, 0.99)), "gae_lambda": jh.Float(0.8, 1.0)}
    # The bool and the numbers are traced. The word is a Python value: a program is compiled for each of the two.
    space |= {"entropy": jh.Float(1e-4, 3e-2, log=True), "activation": jh.Choice(("tanh", "relu"))}
    study = jh.tune(jh.traceable(train), space=jh.Space(space), trials=trials, lanes=8)
    print(study.top(5)[["rate", "anneal", "activation", "score"]].to_string(index=False), study.best, sep="\n")
    return study


if __name__ == "__main__":
    main()
