"""Tune a policy gradient (REINFORCE) that learns to balance a pole: whole trainings run side by side, compiled.

python examples/traceable_function.py
"""

import jax
import jax.numpy as jnp

import jaxhpo as jh


def train(key, hparams):
    """Return how many steps, of at most 200, the pole stays up: the mean over 960 episodes of learning."""
    rate, discount, episodes = hparams["learning_rate"], hparams["discount"], hparams["episodes"]

    def step(policy, state, key):
        angle, spin, up = state
        logit = policy[0] * angle + policy[1] * spin
        right = jax.random.bernoulli(key, jax.nn.sigmoid(logit))
        spin += 0.02 * (16 * jnp.sin(angle) + jnp.where(right, 15.0, -15.0) * jnp.cos(angle))
        angle += 0.02 * spin
        after = angle, spin, jnp.where(jnp.abs(angle) < 0.2, up, 0.0)
        return after, (jax.nn.log_sigmoid(jnp.where(right, logit, -logit)), up)

    def loss(policy, key):
        start = *jax.random.uniform(key, (2, episodes), minval=-0.05, maxval=0.05), jnp.ones(episodes)
        log_p, up = jax.lax.scan(lambda s, k: step(policy, s, k), start, jax.random.split(key, 200))[1]
        gain = (1 - discount ** jnp.cumsum(up[::-1], axis=0)[::-1]) / (1 - discount)
        advantage = up * (gain - jnp.sum(up * gain) / jnp.sum(up))
        return -jnp.sum(log_p * advantage) / jnp.sum(up), jnp.sum(up) / episodes

    def update(policy, key):
        gradient, steps = jax.grad(loss, has_aux=True)(policy, key)
        return policy - rate * gradient, steps

    return jnp.mean(jax.lax.scan(update, jnp.zeros(2), jax.random.split(key, 960 // episodes))[1])


def main(trials: int = 32) -> jh.Study:
    """Tune the agent and print what was found."""
    rate = jh.Float(0.01, 100, log=True, levels=9)
    discount, episodes = jh.Float(0.5, 0.99, levels=6), jh.Choice((4, 16, 64))
    space = jh.Space({"learning_rate": rate, "discount": discount, "episodes": episodes})
    # `episodes` decides shapes, so it arrives as a Python value: a program is compiled for each of the three.
    study = jh.tune(jh.traceable(train, static=("episodes",)), space=space, trials=trials, lanes=8)
    print(study.best)
    return study


if __name__ == "__main__":
    main()
