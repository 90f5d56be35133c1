"""Classifies torch functions for DeepLIFT: affine, elementwise, maximum, softmax, or none of these."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from torch import Tensor

__all__ = ["CONSTRUCTORS", "READS", "VIEWS", "is_affine", "nonlinearity_kind", "tensors_in"]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_ELEMENTWISE = _words("""
    relu relu6 leaky_relu elu selu celu gelu silu mish hardswish hardsigmoid hardtanh hardshrink softshrink
    tanhshrink softplus softsign logsigmoid log_sigmoid sigmoid tanh prelu threshold _threshold exp exp2 expm1 log
    log1p log2 log10 sqrt rsqrt square abs sin cos tan sinh cosh asinh atan arctan erf erfc reciprocal clamp
    clamp_min clamp_max clip pow __pow__ __rpow__ __rdiv__ __rtruediv__ maximum minimum fmax fmin""")
_DIVISIONS = _words("div divide true_divide __div__ __truediv__ __itruediv__")
_MAXIMA = frozenset(
    f"{prefix}max_pool{n}d{suffix}"
    for prefix in ("", "adaptive_")
    for n in (1, 2, 3)
    for suffix in ("", "_with_indices")
) | {"amax"}
_SOFTMAX = frozenset(("softmax", "log_softmax", "logsumexp"))
# Linear in each of several factors if only one of them depends on the input ...
_PRODUCTS = _words("""
    mul multiply __mul__ __rmul__ __imul__ matmul __matmul__ __rmatmul__ mm bmm mv dot inner outer einsum
    tensordot chain_matmul bilinear linear conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d
    convolution _convolution""")
# ... with a term added ...
_ADDED_PRODUCTS = _words("addmm addmv addbmm baddbmm addcmul addr")
# ... and affine jointly in all its tensors.
_AFFINE = _words("""
    add sub subtract rsub __add__ __radd__ __iadd__ __sub__ __rsub__ __isub__ neg negative positive __neg__
    __pos__ sum mean cumsum nansum view view_as reshape reshape_as flatten unflatten ravel squeeze unsqueeze permute
    transpose swapaxes swapdims movedim moveaxis t expand expand_as broadcast_to broadcast_tensors repeat
    repeat_interleave tile cat concat concatenate stack hstack vstack dstack chunk split split_with_sizes tensor_split
    unbind narrow select index_select gather take_along_dim __getitem__ __setitem__ pad constant_pad_nd
    contiguous clone alias to type type_as float double half bfloat16 cpu cuda copy requires_grad roll flip fliplr
    flipud rot90 diagonal diag_embed tril triu unfold fold im2col col2im pixel_shuffle pixel_unshuffle
    channel_shuffle native_channel_shuffle avg_pool1d avg_pool2d avg_pool3d adaptive_avg_pool1d adaptive_avg_pool2d
    adaptive_avg_pool3d masked_fill fill zero zeros_like ones_like empty_like full_like new_zeros new_ones new_empty
    new_full rand_like randn_like atleast_1d atleast_2d atleast_3d identity meshgrid""")
CONSTRUCTORS = _words(
    "zeros_like ones_like empty_like full_like new_zeros new_ones new_empty new_full rand_like randn_like"
)
_EVALUATION_ONLY = _words("dropout dropout1d dropout2d dropout3d alpha_dropout feature_alpha_dropout feature_dropout")
READS = _words("item tolist numpy __array__ __bool__ __int__ __float__ __index__ __complex__ is_nonzero equal allclose")
VIEWS = frozenset(("T", "mT", "H", "mH", "real"))
_LINEAR_INTERPOLATION = frozenset(("nearest", "nearest-exact", "linear", "bilinear", "bicubic", "trilinear", "area"))


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


def is_affine(name: str, args: tuple[Any, ...], kwargs: dict[str, Any], depends: Callable[[Tensor], bool]) -> bool:
    """Whether a call is affine in those arguments that depend on the input."""

    def dependent_count(values: object) -> int:
        return sum(depends(t) for t in tensors_in(values))

    if name in _AFFINE:
        return True
    if name in _PRODUCTS:
        return dependent_count((args, kwargs)) == 1
    if name in _ADDED_PRODUCTS:
        return dependent_count(args[1:]) + dependent_count(kwargs) <= 1
    if name in _DIVISIONS:
        return dependent_count(args[1:]) + dependent_count(kwargs) == 0 and kwargs.get("rounding_mode") is None
    if name == "where":
        return len(args) == 3 and dependent_count(args[:1]) == 0
    if name == "lerp":
        return dependent_count(args[2:]) + dependent_count(kwargs) == 0
    if name in _EVALUATION_ONLY:
        training = kwargs.get("training", args[2] if len(args) > 2 else True)
        return not training
    if name == "batch_norm":
        training = kwargs.get("training", args[5] if len(args) > 5 else False)
        return not training and dependent_count(args[1:]) == 0
    if name == "interpolate":
        return kwargs.get("mode", "nearest") in _LINEAR_INTERPOLATION
    return False


def nonlinearity_kind(
    name: str, args: tuple[Any, ...], kwargs: dict[str, Any], depends: Callable[[Tensor], bool]
) -> str | None:
    """``elementwise``, ``maximum``, ``softmax``, ``log_softmax`` or ``logsumexp``; None if the call has no rule."""
    if name in _ELEMENTWISE:
        return "elementwise"
    if name in _DIVISIONS:
        return "elementwise" if not (isinstance(args[0], Tensor) and depends(args[0])) else None
    if name in _MAXIMA or (name == "max" and isinstance(kwargs.get("dim", args[1] if len(args) > 1 else None), int)):
        return "maximum"
    return name if name in _SOFTMAX else None
