"""The operations of torch by the kind of rule that they have."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import Tensor

__all__ = [
    "ACTIVATIONS",
    "CONSTRUCTORS",
    "DIVISIONS",
    "LAYERS",
    "LINEAR",
    "PRODUCTS",
    "READS",
    "SHAPED_LIKE",
    "SUMS",
    "VIEWS",
    "name_of",
    "tensors_in",
]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Linear in all tensors among their arguments, so that the gradient is the epsilon rule with epsilon 0.
LINEAR = _words("""
    add sub subtract rsub __add__ __radd__ __iadd__ __sub__ __rsub__ __isub__ neg negative positive __neg__ __pos__
    sum mean view view_as reshape reshape_as flatten unflatten ravel squeeze unsqueeze permute transpose swapaxes
    swapdims movedim moveaxis t adjoint expand expand_as broadcast_to repeat repeat_interleave tile cat concat
    concatenate stack hstack vstack dstack chunk split split_with_sizes tensor_split unbind narrow select index_select
    gather take_along_dim __getitem__ __setitem__ pad constant_pad_nd contiguous clone alias to type type_as float
    double cpu cuda roll flip unfold fold pixel_shuffle pixel_unshuffle avg_pool1d avg_pool2d avg_pool3d
    adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d masked_fill""")
# Functions of a tensor that have the shape or type of another one, whose values they do not read.
SHAPED_LIKE = _words("expand_as view_as reshape_as type_as to")
LAYERS = _words("linear conv1d conv2d conv3d addmm")
# Linear in each of several factors.
PRODUCTS = _words("mul multiply __mul__ __rmul__ __imul__ matmul __matmul__ __rmatmul__ mm bmm baddbmm einsum")
SUMS = _words("add __add__ __radd__ __iadd__")
DIVISIONS = _words("div divide true_divide __div__ __truediv__ __itruediv__")
# Elementwise, 0 at 0.
ACTIVATIONS = _words("""
    relu relu6 leaky_relu elu selu celu gelu silu mish hardswish hardtanh hardshrink softshrink tanhshrink softsign
    tanh""")
CONSTRUCTORS = _words(
    "zeros_like ones_like empty_like full_like new_zeros new_ones new_empty new_full new_tensor rand_like randn_like"
)
# They return no tensor, but read values.
READS = _words("item tolist __bool__ __int__ __float__ __index__ __complex__ __contains__ is_nonzero equal allclose")
VIEWS = frozenset(("T", "mT", "H", "mH", "real"))


def name_of(func: Any) -> str:
    """The name of a torch function; of the access to an attribute ``__get__ NAME``."""
    name = str(getattr(func, "__name__", func))
    owner = getattr(func, "__self__", None)
    return f"{name} {getattr(owner, '__name__', '')}" if name in ("__get__", "__set__") else name


def tensors_in(value: object) -> Iterator[Tensor]:
    """All tensors in nested arguments."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, list | tuple):
        for item in value:
            yield from tensors_in(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from tensors_in(item)
