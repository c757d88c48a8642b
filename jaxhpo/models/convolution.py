"""Convolutions of users' own Flax modules as XLA:CPU runs them fast inside `scan` and under `vmap`.

There `lax.conv_general_dilated` takes forty times as long inside `scan`, a depthwise one hundreds of times, and more
under `vmap` over kernels, which makes it a grouped convolution. Flax takes another function instead: a field of linen's
`Conv`, an attribute of nnx's. Measured on a CPU only: an accelerator has fast kernels for one model's convolutions.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial, reduce
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxhpo.types import Array


def conv_general_dilated(
    lhs: Array,
    rhs: Array,
    window_strides: Sequence[int],
    padding: str | Sequence[tuple[int, int]],
    lhs_dilation: Sequence[int] | None = None,
    rhs_dilation: Sequence[int] | None = None,
    dimension_numbers: Any = None,
    feature_group_count: int = 1,
    batch_group_count: int = 1,
    precision: Any = None,
    preferred_element_type: Any = None,
    **options: Any,
) -> Array:
    """Convolve as `jax.lax.conv_general_dilated` does: [n, ..., in], [..., in / groups, out] -> [n, ..., out].

    By matrix products, or sums if depthwise, where the layout is Flax's (channels last, kernel of spatial axes, in,
    out) with one or two spatial axes, floats of one dtype and no dilation of the input; anything else is left to `lax`,
    also what other versions of JAX take besides (`out_sharding`) where it is not None.
    """
    options = {name: value for name, value in options.items() if value is not None}
    plain = (
        lhs.ndim in (3, 4)
        and rhs.ndim == lhs.ndim
        and all(step == 1 for step in lhs_dilation or ())
        and batch_group_count == 1
        and lhs.dtype == rhs.dtype
        and jnp.issubdtype(lhs.dtype, jnp.floating)
        and lhs.shape[-1] == rhs.shape[-2] * feature_group_count
        and rhs.shape[-1] % feature_group_count == 0
        and lhs.size > 0
        and rhs.size > 0
        and _channels_last(lhs, rhs, dimension_numbers)
        and not options
    )
    window = _window(lhs, rhs, window_strides, padding, rhs_dilation) if plain else None
    if window is not None:
        x, kernel = (lhs, rhs) if lhs.ndim == 4 else (lhs[:, :, None], rhs[:, None])
        y = _convolve(x, kernel, window, feature_group_count, precision, preferred_element_type)
        return y if lhs.ndim == 4 else y[:, :, 0]
    return lax.conv_general_dilated(
        lhs,
        rhs,
        window_strides,
        padding,
        lhs_dilation=lhs_dilation,
        rhs_dilation=rhs_dilation,
        dimension_numbers=dimension_numbers,
        feature_group_count=feature_group_count,
        batch_group_count=batch_group_count,
        precision=precision,
        preferred_element_type=preferred_element_type,
        **options,
    )


def _channels_last(lhs: Array, rhs: Array, dimension_numbers: Any) -> bool:
    numbers = lax.conv_dimension_numbers(lhs.shape, rhs.shape, dimension_numbers)
    axes = tuple(range(lhs.ndim - 2))
    last = (0, lhs.ndim - 1, *(axis + 1 for axis in axes))
    return numbers == (last, (lhs.ndim - 1, lhs.ndim - 2, *axes), last)


class _Window(NamedTuple):
    """How a kernel moves over an image: height, width; a second axis of one pixel where there is but one."""

    strides: tuple[int, ...]
    around: tuple[tuple[int, int], ...]  # zeros before and after; fewer pixels where negative
    dilation: tuple[int, ...]
    out: tuple[int, ...]  # pixels of the result


def _window(
    lhs: Array,
    rhs: Array,
    strides: Sequence[int],
    padding: str | Sequence[tuple[int, int]],
    dilation: Sequence[int] | None,
) -> _Window | None:
    """Return the window of a convolution with channels last, None where it is none or its result has no pixels."""
    ones = (1,) * (4 - lhs.ndim)
    sizes, places, strides = (*lhs.shape[1:-1], *ones), (*rhs.shape[:-2], *ones), (*strides, *ones)
    dilation = (*dilation, *ones) if dilation else (1, 1)
    if not len(strides) == len(dilation) == 2:
        return None
    spans = [(k - 1) * step + 1 for k, step in zip(places, dilation, strict=True)]
    named = isinstance(padding, str)
    pads = lax.padtype_to_pads(sizes, spans, strides, padding) if named else (*padding, *((0, 0) for _ in ones))
    around = tuple((int(low), int(high)) for low, high in pads)
    steps = zip(sizes, around, spans, strides, strict=True)
    out = tuple((size + sum(pad) - span) // stride + 1 for size, pad, span, stride in steps)
    return _Window(strides, around, dilation, out) if min(out) > 0 else None


# Rematerialised: the copies of the input, as many as the kernel has places, are no residuals of a user's own `scan`.
@partial(jax.checkpoint, prevent_cse=False, static_argnums=(2, 3, 4, 5))
def _convolve(x: Array, kernel: Array, window: _Window, groups: int, precision: Any, dtype: Any) -> Array:
    """Convolve [n, h, w, in] with [rows, columns, in / groups, out]: [n, *window.out, out]."""
    matmul = partial(jnp.matmul, precision=precision, preferred_element_type=dtype)
    product = partial(_product, window=window, matmul=matmul)
    if groups == 1:
        return product(x, kernel)
    # With more outputs of an input, products are as fast and compile sooner.
    if groups == x.shape[-1] and kernel.shape[-1] <= 4 * groups:
        return _sum(x, kernel, window, x.dtype if dtype is None else dtype)
    x, kernel = (a.reshape(*a.shape[:3], groups, -1) for a in (x, kernel))
    return jax.vmap(product, in_axes=3, out_axes=3)(x, kernel).reshape(len(x), *window.out, -1)


def _product(x: Array, kernel: Array, window: _Window, matmul: Callable[[Array, Array], Array]) -> Array:
    """Convolve in one group, by the way of two that copies fewer numbers.

    Either all neighbours of a pixel lie side by side and the product is the result (im2col); or those of its row do,
    one product gives what they add to each of the rows around, and those are summed. A stride between rows would waste
    most of such sums.
    """
    n, height = x.shape[:2]
    rows, columns, inputs, outputs = kernel.shape
    top, sides = window.around
    if window.strides[0] > 1 or rows * columns * inputs <= columns * inputs + rows * outputs:
        shifts = jnp.concatenate(_shifts(_pad(x, window.around), (rows, columns), window), axis=-1)
        y = matmul(shifts.reshape(-1, rows * columns * inputs), kernel.reshape(-1, outputs))
        return y.reshape(n, *window.out, outputs)
    level = window._replace(out=(height, window.out[1]))
    shifts = jnp.concatenate(_shifts(_pad(x, ((0, 0), sides)), (1, columns), level), axis=-1)
    matrix = kernel.transpose(1, 2, 0, 3).reshape(columns * inputs, rows * outputs)
    y = matmul(shifts.reshape(-1, columns * inputs), matrix).reshape(n, *level.out, rows, outputs)
    lows = [top[0] - row * window.dilation[0] for row in range(rows)]
    parts = [_pad(y[:, :, :, row], ((low, window.out[0] - height - low), (0, 0))) for row, low in enumerate(lows)]
    return reduce(jnp.add, parts)


def _sum(x: Array, kernel: Array, window: _Window, dtype: Any) -> Array:
    """Convolve every channel with its own kernels: the sum over a kernel's places of shifted pixels times its weight.

    Half precision is summed in single, as in a matrix product.
    """
    rows, columns = kernel.shape[:2]
    wide = jnp.float32 if jnp.finfo(dtype).bits < 32 else dtype
    shifts = _shifts(_pad(x.astype(wide), window.around), (rows, columns), window)
    weights = kernel.astype(wide).reshape(rows * columns, 1, 1, 1, x.shape[-1], -1)
    # One sum for each kernel of a channel: as one over [..., in, out / in], XLA:CPU takes up to six times as long.
    sums = [
        reduce(jnp.add, (shift * weight for shift, weight in zip(shifts, weights[..., i], strict=True)))
        for i in range(weights.shape[-1])
    ]
    return jnp.stack(sums, axis=-1).reshape(len(x), *window.out, -1).astype(dtype)


def _pad(x: Array, around: tuple[tuple[int, int], ...]) -> Array:
    """Return [n, h, w, c] with zeros around height and width; fewer pixels where negative."""
    if not any(map(any, around)):
        return x
    return lax.pad(x, jnp.zeros((), x.dtype), [(0, 0, 0), *((low, high, 0) for low, high in around), (0, 0, 0)])


def _shifts(x: Array, places: tuple[int, int], window: _Window) -> list[Array]:
    """Return for each place of a kernel the pixels that meet it: of [n, h, w, c] each [n, *window.out, c]."""
    shifts = []
    for place in np.ndindex(places):
        start = [i * d for i, d in zip(place, window.dilation, strict=True)]
        stop = [low + (size - 1) * step + 1 for low, size, step in zip(start, window.out, window.strides, strict=True)]
        shifts.append(lax.slice(x, (0, *start, 0), (len(x), *stop, x.shape[-1]), (1, *window.strides, 1)))
    return shifts


@contextmanager
def faster_convolutions() -> Iterator[None]:
    """Let every linen `nn.Conv` that is traced meanwhile use `conv_general_dilated` of this module.

    One to which its user gave a function of their own keeps it, and afterwards all modules are as before. What `jit`
    has compiled already is not traced again. An `nn.ConvTranspose` or `nn.ConvLocal` takes no function.
    """
    with nn.intercept_methods(_inject):
        yield


def _inject(call: Any, args: tuple, kwargs: dict, context: Any) -> Any:
    conv = context.module
    own = not isinstance(conv, nn.Conv) or conv.conv_general_dilated or conv.conv_general_dilated_cls
    if own or context.method_name != "__call__":
        return call(*args, **kwargs)
    # Not a clone, which would be a second module of the same name in its parent; and modules are frozen.
    object.__setattr__(conv, "conv_general_dilated", conv_general_dilated)
    try:
        return call(*args, **kwargs)
    finally:
        object.__setattr__(conv, "conv_general_dilated", None)


def use_faster_convolutions(module: Any) -> None:
    """Let every `nnx.Conv` in an nnx module use `conv_general_dilated` of this module, from now on.

    One to which its user gave a function of their own keeps it. The function becomes part of the module's graph
    definition, so call this before `nnx.split`.
    """
    from flax import nnx  # a tenth of a second that a linen user need not wait

    for _, node in list(nnx.iter_graph(module)):
        if isinstance(node, nnx.Conv) and node.conv_general_dilated is lax.conv_general_dilated:
            node.conv_general_dilated = conv_general_dilated
