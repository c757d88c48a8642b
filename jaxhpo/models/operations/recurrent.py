"""GRU, LSTM and vanilla cells over a sequence, with custom backward passes.

One matrix product projects the input of all steps. One matrix product after the backward pass gives the gradient of the
recurrent kernel, which the derivative of `scan` would sum step by step. This takes half the time of the differentiated
scan on a CPU. Sequences are [time, batch, features].
"""

import jax
import jax.numpy as jnp

from jaxhpo.types import Array

_HOLD = 1e4  # opens a gate exactly if added, closes it exactly if subtracted, so that padding keeps the state

CELLS = {"gru": 3, "lstm": 4, "vanilla": 1}
"""Cells by name, with the number of blocks of `hidden` columns in their input projection."""


def hold(cell: str, projected: Array, padding: Array) -> Array:
    """Return a cell's projected input [time, batch, blocks * hidden] for which steps with `padding` keep the state."""
    hidden = projected.shape[-1] // CELLS[cell]
    blocks = jnp.arange(CELLS[cell]).repeat(hidden)
    # GRU: r, z, n, where z is the share that is kept. LSTM: i, f, g, o. A vanilla cell has no gate.
    if cell == "vanilla":
        return projected
    keeps, shuts = (blocks == 1, blocks < 0) if cell == "gru" else (blocks == 1, blocks == 0)
    sign = keeps.astype(projected.dtype) - shuts.astype(projected.dtype)
    return projected + _HOLD * padding.astype(projected.dtype)[:, :, None] * sign[None, None]


def _gru_step(kernel: Array, bias: Array, h: Array, projected: Array) -> tuple[Array, ...]:
    n = h.shape[-1]
    recurrent = h @ kernel
    r = jax.nn.sigmoid(projected[:, :n] + recurrent[:, :n])
    z = jax.nn.sigmoid(projected[:, n : 2 * n] + recurrent[:, n : 2 * n])
    q = recurrent[:, 2 * n :] + bias[None]
    new = jnp.tanh(projected[:, 2 * n :] + r * q)
    return (1 - z) * new + z * h, r, z, q, new


@jax.custom_vjp
def gru(projected: Array, kernel: Array, bias: Array) -> Array:
    """Return the states of a GRU (Cho et al. 2014, as `flax.linen.GRUCell`), which starts from zero: [T, B, H].

    Args:
        projected: Input of each step times its kernel plus bias, in blocks r, z, n: [T, B, 3H].
        kernel: Recurrent kernel: [H, 3H].
        bias: Bias of the recurrent part of n, inside the reset gate: [H].
    """
    # Separate arrays for the gates: on a CPU, XLA vectorises a step on columns of one wide array only if it must write
    # the gates out, as for the backward pass. This takes a third of the time.
    kernels, gates = jnp.split(kernel, 3, axis=1), jnp.split(projected, 3, axis=2)

    def step(h: Array, gates: list[Array]) -> tuple[Array, Array]:
        r, z, q = (h @ block for block in kernels)
        r, z = jax.nn.sigmoid(gates[0] + r), jax.nn.sigmoid(gates[1] + z)
        after = (1 - z) * jnp.tanh(gates[2] + r * (q + bias[None])) + z * h
        return after, after

    start = jnp.zeros((projected.shape[1], kernel.shape[0]), projected.dtype)
    return jax.lax.scan(step, start, gates)[1]


def _gru_forward(projected: Array, kernel: Array, bias: Array) -> tuple[Array, tuple[Array, ...]]:
    def step(h: Array, projected: Array) -> tuple[Array, tuple[Array, ...]]:
        after, *gates = _gru_step(kernel, bias, h, projected)
        return after, (after, h, *gates)

    start = jnp.zeros((projected.shape[1], kernel.shape[0]), projected.dtype)
    _, (states, *saved) = jax.lax.scan(step, start, projected)
    return states, (kernel, *saved)


def _gru_backward(saved: tuple[Array, ...], dstates: Array) -> tuple[Array, Array, Array]:
    kernel, *steps = saved
    hidden = kernel.shape[0]
    back = kernel.T

    def step(dh: Array, inputs: tuple[Array, ...]) -> tuple[Array, tuple[Array, Array]]:
        dstate, h, r, z, q, new = inputs
        dh = dh + dstate
        dnew = dh * (1 - z) * (1 - new * new)
        dz = dh * (h - new) * z * (1 - z)
        dr = dnew * q * r * (1 - r)
        drecurrent = jnp.concatenate([dr, dz, dnew * r], axis=-1)
        return dh * z + drecurrent @ back, (drecurrent, dnew)

    _, (drecurrent, dnew) = jax.lax.scan(step, jnp.zeros_like(dstates[0]), (dstates, *steps), reverse=True)
    before = steps[0].reshape(-1, hidden)
    dkernel = before.T @ drecurrent.reshape(-1, 3 * hidden)
    dbias = jnp.sum(drecurrent[:, :, 2 * hidden :], axis=(0, 1))
    return jnp.concatenate([drecurrent[:, :, : 2 * hidden], dnew], axis=-1), dkernel, dbias


gru.defvjp(_gru_forward, _gru_backward)


@jax.custom_vjp
def lstm(projected: Array, kernel: Array, padding: Array) -> Array:
    """Return the states of an LSTM (Hochreiter & Schmidhuber 1997, as `flax.linen.LSTMCell`) from zero: [T, B, H].

    Args:
        projected: Input of each step times its kernel plus bias, in blocks i, f, g, o: [T, B, 4H].
        kernel: Recurrent kernel: [H, 4H].
        padding: 1 at steps that keep the output of the step before, else 0, in the dtype of `projected`: [T, B]. `hold`
            keeps the cell's memory at these steps.
    """
    kernels, gates = jnp.split(kernel, 4, axis=1), jnp.split(projected, 4, axis=2)

    def step(carry: tuple[Array, Array], inputs: tuple[list[Array], Array]) -> tuple[tuple[Array, Array], Array]:
        (h, c), (gates, held) = carry, inputs
        i, f, g, o = (gate + h @ block for gate, block in zip(gates, kernels, strict=True))
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        h = held * h + (1 - held) * (jax.nn.sigmoid(o) * jnp.tanh(c))
        return (h, c), h

    start = jnp.zeros((projected.shape[1], kernel.shape[0]), projected.dtype)
    return jax.lax.scan(step, (start, start), (gates, padding[:, :, None]))[1]


def _lstm_forward(projected: Array, kernel: Array, padding: Array) -> tuple[Array, tuple[Array, ...]]:
    n = kernel.shape[0]

    def step(carry: tuple[Array, Array], inputs: tuple[Array, Array]) -> tuple[tuple[Array, Array], tuple[Array, ...]]:
        (h, c), (projected, held) = carry, inputs
        gates = projected + h @ kernel
        i, f, o = (jax.nn.sigmoid(gates[:, k * n : (k + 1) * n]) for k in (0, 1, 3))
        g = jnp.tanh(gates[:, 2 * n : 3 * n])
        after = f * c + i * g
        squashed = jnp.tanh(after)
        state = held * h + (1 - held) * (o * squashed)
        return (state, after), (state, h, c, i, f, g, o, squashed, held)

    start = jnp.zeros((projected.shape[1], n), projected.dtype)
    _, (states, *saved) = jax.lax.scan(step, (start, start), (projected, padding[:, :, None]))
    return states, (kernel, *saved)


def _lstm_backward(saved: tuple[Array, ...], dstates: Array) -> tuple[Array, Array, Array]:
    kernel, *steps = saved
    hidden = kernel.shape[0]
    back = kernel.T

    def step(carry: tuple[Array, Array], inputs: tuple[Array, ...]) -> tuple[tuple[Array, Array], Array]:
        (dh, dc), (dstate, _, c, i, f, g, o, squashed, held) = carry, inputs
        dheld = held * (dh + dstate)
        dh = dh + dstate - dheld
        dc = dc + dh * o * (1 - squashed * squashed)
        di, df, dg = dc * g * i * (1 - i), dc * c * f * (1 - f), dc * i * (1 - g * g)
        dgates = jnp.concatenate([di, df, dg, dh * squashed * o * (1 - o)], axis=-1)
        return (dgates @ back + dheld, dc * f), dgates

    zero = jnp.zeros_like(dstates[0])
    _, dgates = jax.lax.scan(step, (zero, zero), (dstates, *steps), reverse=True)
    dkernel = steps[0].reshape(-1, hidden).T @ dgates.reshape(-1, 4 * hidden)
    return dgates, dkernel, jnp.zeros(dstates.shape[:2], dstates.dtype)


lstm.defvjp(_lstm_forward, _lstm_backward)


@jax.custom_vjp
def vanilla(projected: Array, kernel: Array, padding: Array) -> Array:
    """Return the states of ``h <- tanh(projected + h kernel)`` (Elman 1990, `flax.linen.SimpleCell`) from 0: [T, B, H].

    Args:
        projected: Input of each step times its kernel plus bias: [T, B, H].
        kernel: Recurrent kernel: [H, H].
        padding: 1 at steps that keep the state, else 0, in the dtype of `projected`: [T, B].
    """
    return _vanilla_forward(projected, kernel, padding)[0]


def _vanilla_forward(projected: Array, kernel: Array, padding: Array) -> tuple[Array, tuple[Array, ...]]:
    def step(h: Array, inputs: tuple[Array, Array]) -> tuple[Array, tuple[Array, Array, Array]]:
        projected, held = inputs
        new = jnp.tanh(projected + h @ kernel)
        after = held * h + (1 - held) * new
        return after, (after, h, new)

    start = jnp.zeros((projected.shape[1], kernel.shape[0]), projected.dtype)
    held = padding[:, :, None]
    _, (states, before, new) = jax.lax.scan(step, start, (projected, held))
    return states, (kernel, before, new, held)


def _vanilla_backward(saved: tuple[Array, ...], dstates: Array) -> tuple[Array, Array, Array]:
    kernel, before, new, held = saved
    hidden, back = kernel.shape[0], kernel.T

    def step(dh: Array, inputs: tuple[Array, ...]) -> tuple[Array, Array]:
        dstate, new, held = inputs
        dh = dh + dstate
        dprojected = dh * (1 - held) * (1 - new * new)
        return held * dh + dprojected @ back, dprojected

    _, dprojected = jax.lax.scan(step, jnp.zeros_like(dstates[0]), (dstates, new, held), reverse=True)
    dkernel = before.reshape(-1, hidden).T @ dprojected.reshape(-1, hidden)
    return dprojected, dkernel, jnp.zeros(dstates.shape[:2], dstates.dtype)


vanilla.defvjp(_vanilla_forward, _vanilla_backward)
