"""Fast convolutions on CPUs for users' own Flax modules, inside `scan` and under `vmap`.

On a CPU, XLA takes forty times as long for `lax.conv_general_dilated` inside `scan`, hundreds of times for a depthwise
convolution, and more under `vmap` over kernels, which makes it a grouped convolution. Flax modules can use another
function instead: linen's `Conv` has a field for it, nnx's an attribute. Measured on a CPU only; an accelerator has fast
kernels for the convolutions of one model.
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
    """Convolve like `jax.lax.conv_general_dilated`: [n, ..., in], [..., in / groups, out] -> [n, ..., out].

    It uses matrix products, or sums for a depthwise convolution, if the layout is that of Flax (channels last; kernel
    of spatial axes, in, out), with one or two spatial axes, floats of one dtype and no dilation of the input.
    Everything else is passed on to `lax`, also options of other versions of JAX (`out_sharding`) that are not None.
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
    """The movement of a kernel over an image, in height and width; a sequence is an image of width 1.

    Attributes:
        strides: Strides.
        around: Zeros added before and after; negative numbers remove pixels.
        dilation: Dilation of the kernel.
        out: Shape of the result in pixels.
    """

    strides: tuple[int, ...]
    around: tuple[tuple[int, int], ...]
    dilation: tuple[int, ...]
    out: tuple[int, ...]


def _window(
    lhs: Array,
    rhs: Array,
    strides: Sequence[int],
    padding: str | Sequence[tuple[int, int]],
    dilation: Sequence[int] | None,
) -> _Window | None:
    """Return the window of a convolution with channels last; None if it is not supported or its result is empty."""
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


# Rematerialised, so that the copies of the input, one per place of the kernel, are not residuals of a user's `scan`.
@partial(jax.checkpoint, prevent_cse=False, static_argnums=(2, 3, 4, 5))
def _convolve(x: Array, kernel: Array, window: _Window, groups: int, precision: Any, dtype: Any) -> Array:
    """Convolve [n, h, w, in] with [rows, columns, in / groups, out]: [n, *window.out, out]."""
    matmul = partial(jnp.matmul, precision=precision, preferred_element_type=dtype)
    product = partial(_product, window=window, matmul=matmul)
    if groups == 1:
        return product(x, kernel)
    # With more outputs per input, products are as fast and compile faster.
    if groups == x.shape[-1] and kernel.shape[-1] <= 4 * groups:
        return _sum(x, kernel, window, x.dtype if dtype is None else dtype)
    x, kernel = (a.reshape(*a.shape[:3], groups, -1) for a in (x, kernel))
    return jax.vmap(product, in_axes=3, out_axes=3)(x, kernel).reshape(len(x), *window.out, -1)


def _product(x: Array, kernel: Array, window: _Window, matmul: Callable[[Array, Array], Array]) -> Array:
    """Convolve in one group, by whichever of two methods copies fewer numbers.

    Either all neighbours of a pixel are placed side by side, and one product is the result (im2col). Or the neighbours
    in its row are; one product then gives the contributions to each of the rows around, and these are summed. A stride
    between rows would waste most of these contributions.
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
    """Convolve every channel with its own kernels: the sum over a kernel's places of shifted pixels times weights.

    Half precision is summed in single precision, as in a matrix product.
    """
    rows, columns = kernel.shape[:2]
    wide = jnp.float32 if jnp.finfo(dtype).bits < 32 else dtype
    shifts = _shifts(_pad(x.astype(wide), window.around), (rows, columns), window)
    weights = kernel.astype(wide).reshape(rows * columns, 1, 1, 1, x.shape[-1], -1)
    # One sum for each kernel of a channel: a sum over [..., in, out / in] takes up to six times as long on a CPU.
    sums = [
        reduce(jnp.add, (shift * weight for shift, weight in zip(shifts, weights[..., i], strict=True)))
        for i in range(weights.shape[-1])
    ]
    return jnp.stack(sums, axis=-1).reshape(len(x), *window.out, -1).astype(dtype)


def _pad(x: Array, around: tuple[tuple[int, int], ...]) -> Array:
    """Return [n, h, w, c] with zeros added around height and width; negative numbers remove pixels."""
    if not any(map(any, around)):
        return x
    return lax.pad(x, jnp.zeros((), x.dtype), [(0, 0, 0), *((low, high, 0) for low, high in around), (0, 0, 0)])


def _shifts(x: Array, places: tuple[int, int], window: _Window) -> list[Array]:
    """Return the pixels under each place of a kernel: of [n, h, w, c] one [n, *window.out, c] per place."""
    shifts = []
    for place in np.ndindex(places):
        start = [i * d for i, d in zip(place, window.dilation, strict=True)]
        stop = [low + (size - 1) * step + 1 for low, size, step in zip(start, window.out, window.strides, strict=True)]
        shifts.append(lax.slice(x, (0, *start, 0), (len(x), *stop, x.shape[-1]), (1, *window.strides, 1)))
    return shifts


@contextmanager
def faster_convolutions() -> Iterator[None]:
    """Let every linen `nn.Conv` that is traced in this context use `conv_general_dilated` of this module.

    A module with a function of its own keeps it, and afterwards all modules are unchanged. Functions that `jit` has
    already compiled are not traced again. `nn.ConvTranspose` and `nn.ConvLocal` cannot use another function.
    """
    with nn.intercept_methods(_inject):
        yield


def _inject(call: Any, args: tuple, kwargs: dict, context: Any) -> Any:
    conv = context.module
    own = not isinstance(conv, nn.Conv) or conv.conv_general_dilated or conv.conv_general_dilated_cls
    if own or context.method_name != "__call__":
        return call(*args, **kwargs)
    # A clone would be a second module of the same name in its parent, and modules are frozen.
    object.__setattr__(conv, "conv_general_dilated", conv_general_dilated)
    try:
        return call(*args, **kwargs)
    finally:
        object.__setattr__(conv, "conv_general_dilated", None)


def use_faster_convolutions(module: Any) -> None:
    """Let every `nnx.Conv` in an nnx module use `conv_general_dilated` of this module, permanently.

    A module with a function of its own keeps it. The function becomes part of the module's graph definition, so call
    this before `nnx.split`.
    """
    from flax import nnx  # imported here, because linen users do not need it

    for _, node in list(nnx.iter_graph(module)):
        if isinstance(node, nnx.Conv) and node.conv_general_dilated is lax.conv_general_dilated:
            node.conv_general_dilated = conv_general_dilated
