"""Tune a policy gradient (REINFORCE) that learns to balance a pole: whole trainings run side by side, compiled.

python examples/traceable_function.py
"""

import jax.numpy as jnp
from jax import lax, nn, random

import jaxhpo as jh


def train(key, hparams):
    """Return for how many of 200 steps the pole stays up: the mean over 960 episodes of learning."""

    def update(policy, noise):
        def step(pole, noise):  # angle and spin, [2, batch]
            push = jnp.where(noise < policy @ pole, 1.0, -1.0)
            slope = pole * push * nn.sigmoid(-push * (policy @ pole))  # of the push's log-likelihood
            return pole + 0.02 * jnp.stack([pole[1], 16 * pole[0] + 15 * push]), (slope, jnp.abs(pole[0]) < 0.2)

        slope, up = lax.scan(step, jnp.zeros_like(noise[:2]), noise)[1]
        left = jnp.cumsum(jnp.cumprod(up, axis=0, dtype=jnp.float32)[::-1], axis=0)[::-1]  # steps until it falls
        gain = jnp.where(left > 0, left - hparams["baseline"] * jnp.mean(left, axis=1, keepdims=True), 0.0)
        return policy + hparams["rate"] * jnp.mean(slope * gain[:, None], axis=(0, 2)), jnp.mean(left[0])

    return lax.scan(update, jnp.zeros(2), random.logistic(key, (960, 200)).reshape(-1, 200, hparams["batch"]))[1].mean()


def main(trials: int = 32) -> jh.Study:
    """Tune the agent and print what was found."""
    rate = jh.Float(0.01, 100, log=True, levels=9)
    space = jh.Space({"rate": rate, "baseline": jh.Float(0.0, 1.0, levels=5), "batch": jh.Choice((4, 16, 64))})
    study = jh.tune(jh.traceable(train, static=("batch",)), space=space, trials=trials, lanes=8)
    print(study.trials.groupby("batch")["score"].agg(["count", "median", "max"]), study.best, sep="\n")
    return study


if __name__ == "__main__":
    main()
