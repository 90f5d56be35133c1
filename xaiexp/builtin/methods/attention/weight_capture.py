"""Sees the attention weights of a network while it runs, whichever way it computes them.

A torch function mode stands between the network and torch. Fused attention (``F.scaled_dot_product_attention``,
and ``F.multi_head_attention_forward`` of ``nn.MultiheadAttention``, whose native fast path torch itself leaves while a
mode is active) is computed step by step instead, so that its weights exist and stand in the graph. Attention that
is written out (a softmax, then a product with the values) is recognised. Nothing of the network is touched: no
configuration, no hook, no module; outside of the mode everything is as before, after exceptions too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from xaiexp.errors import Unsupported

__all__ = ["AttentionWeights", "Patches", "attention"]

_SOFTMAX = frozenset(("softmax", "_safe_softmax"))
_CONVOLUTIONS = frozenset(("conv1d", "conv2d", "conv3d"))
_PRODUCTS = frozenset(("matmul", "__matmul__", "bmm", "baddbmm", "einsum"))
# What may stand between the softmax and the product without changing a weight (dropout: nothing in eval mode).
_UNCHANGED = frozenset(
    (
        "dropout",
        "to",
        "type",
        "type_as",
        "float",
        "half",
        "bfloat16",
        "contiguous",
        "view",
        "reshape",
        "flatten",
        "clone",
    )
)


@dataclass(frozen=True)
class Patches:
    """The last convolution before the first attention: how places of the input became tokens.

    Args:
        grid: its output's spatial shape.
        stride: of its windows where they tile its input from the first element on; None where they do not.
        source: its input's spatial shape.
    """

    grid: tuple[int, ...]
    stride: tuple[int, ...] | None
    source: tuple[int, ...]


class AttentionWeights(TorchFunctionMode):
    """Use as ``with AttentionWeights(rows) as seen: ...`` around a forward pass, then read ``seen.layers()``.

    Args:
        rows: how many examples the pass has.

    Attributes:
        patches: see :class:`Patches`; None where no convolution ran before the first attention.
    """

    def __init__(self, rows: int) -> None:
        super().__init__()
        self.rows = rows
        self.patches: Patches | None = None
        self._layers: list[Tensor] = []
        # By id: weights that come from a softmax, under every name they have; kept alive, so that no id is reused.
        self._softmaxes: dict[int, tuple[Tensor, Tensor]] = {}

    def layers(self) -> list[Tensor]:
        """The weights of every self-attention in the order they ran, as they stand in the graph; see :meth:`heads`.

        Raises:
            Unsupported: there is none, or one that is not over all tokens of an example.
        """
        used = {id(weights) for weights in self._layers}
        for weights, _ in self._softmaxes.values():
            if id(weights) not in used and weights.shape[-1] == weights.shape[-2]:
                raise Unsupported(
                    f"a softmax gives {list(weights.shape)}, which may be attention, and what the network does with it "
                    "is no product with values"
                )
        if not self._layers:
            raise Unsupported("the network runs no self-attention that can be seen (is it compiled or scripted?)")
        tokens = self._layers[0].shape[-1]
        for weights in self._layers:
            *lead, queries, keys = weights.shape
            if queries != keys:
                raise Unsupported(f"it attends from {queries} to {keys} tokens: that is no self-attention")
            if math.prod(lead) % self.rows or (len(lead) == 2 and lead[0] != self.rows) or len(lead) > 2:
                raise Unsupported(
                    f"it attends within windows (weights {list(weights.shape)} for {self.rows} examples), "
                    "so there are no weights between all tokens"
                )
            if keys != tokens:
                raise Unsupported(f"its layers have {tokens} and {keys} tokens: they merge on the way")
        return list(self._layers)

    def heads(self, weights: Tensor) -> Tensor:
        """Weights of one layer, or their gradient, as ``[rows, heads, T, T]``."""
        return weights.reshape(self.rows, -1, *weights.shape[-2:])

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func is F.scaled_dot_product_attention:
            return self._dot_product(*args, **kwargs)
        if func is F.multi_head_attention_forward:
            return self._multi_head(*args, **kwargs)
        name = getattr(func, "__name__", "")
        if name in _PRODUCTS:
            self._product(name, args, kwargs)
        out = func(*args, **kwargs)
        if name in _CONVOLUTIONS and not self._layers:
            self._convolution(out, *args, **kwargs)
        elif name in _SOFTMAX:
            self._softmax(out, args, kwargs)
        elif name in _UNCHANGED and args and id(args[0]) in self._softmaxes:
            self._softmaxes[id(out)] = (self._softmaxes[id(args[0])][0], out)
        return out

    def _dot_product(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attn_mask: Tensor | None = None,
        dropout_p: float = 0.0,
        is_causal: bool = False,
        scale: float | None = None,
        enable_gqa: bool = False,
    ) -> Tensor:
        if dropout_p:
            raise Unsupported("its attention drops weights at random (is the network in training mode?)")
        if enable_gqa:
            groups = query.shape[-3] // key.shape[-3]
            key, value = key.repeat_interleave(groups, dim=-3), value.repeat_interleave(groups, dim=-3)
        if is_causal:
            attn_mask = query.new_ones(query.shape[-2], key.shape[-2], dtype=torch.bool).tril()
        out, weights = attention(query, key, value, attn_mask, scale)
        self._layers.append(weights)
        return out

    def _multi_head(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        embed_dim_to_check: int,
        num_heads: int,
        in_proj_weight: Tensor | None,
        in_proj_bias: Tensor | None,
        bias_k: Tensor | None,
        bias_v: Tensor | None,
        add_zero_attn: bool,
        dropout_p: float,
        out_proj_weight: Tensor,
        out_proj_bias: Tensor | None,
        training: bool = True,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        use_separate_proj_weight: bool = False,
        q_proj_weight: Tensor | None = None,
        k_proj_weight: Tensor | None = None,
        v_proj_weight: Tensor | None = None,
        static_k: Tensor | None = None,
        static_v: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """``F.multi_head_attention_forward`` over ``[T, B, E]``; its ``is_causal`` is a hint beside ``attn_mask``."""
        if bias_k is not None or bias_v is not None or add_zero_attn or static_k is not None or static_v is not None:
            raise Unsupported("its nn.MultiheadAttention adds keys that are no tokens (bias_k, add_zero_attn)")
        if query.ndim != 3 or len(query) != len(key):
            raise Unsupported(f"it attends from {list(query.shape)} to {list(key.shape)}: that is no self-attention")
        tokens, rows, width = query.shape
        if use_separate_proj_weight:
            projections = [q_proj_weight, k_proj_weight, v_proj_weight]
        else:
            assert in_proj_weight is not None  # noqa: S101 -- so says torch
            projections = list(in_proj_weight.chunk(3))
        biases = [None] * 3 if in_proj_bias is None else list(in_proj_bias.chunk(3))
        query, key, value = (
            F.linear(each, weight, bias).view(tokens, rows, num_heads, -1).permute(1, 2, 0, 3)  # type: ignore[arg-type]  # given, one way or the other
            for each, weight, bias in zip((query, key, value), projections, biases, strict=True)
        )
        masks = []
        if attn_mask is not None:
            masks.append(attn_mask.view(rows, num_heads, tokens, tokens) if attn_mask.ndim == 3 else attn_mask)
        if key_padding_mask is not None:
            masks.append(key_padding_mask.view(rows, 1, 1, tokens))
        merged = sum(_added(mask, query) for mask in masks) if masks else None
        out = self._dot_product(query, key, value, merged, dropout_p if training else 0.0)  # type: ignore[arg-type]  # a sum of tensors
        weights = self._layers[-1]
        out = F.linear(out.permute(2, 0, 1, 3).reshape(tokens, rows, width), out_proj_weight, out_proj_bias)
        if not need_weights:
            return out, None
        return out, weights.mean(dim=1) if average_attn_weights else weights

    def _softmax(self, out: Tensor, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        dim = kwargs.get("dim", args[1] if len(args) > 1 else None)
        if out.ndim >= 3 and dim in (-1, out.ndim - 1):
            self._softmaxes[id(out)] = (out, out)

    def _product(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Weights that meet their values: on the left, where an equation does not say otherwise."""
        operands = list(args[1:] if name in ("einsum", "baddbmm") else args[:1])
        if not operands:
            operands = [kwargs.get("input")]
        if len(operands) == 1 and isinstance(operands[0], list | tuple):
            operands = list(operands[0])
        for operand in operands:
            weights, _ = self._softmaxes.get(id(operand), (None, None))
            if weights is not None and all(weights is not each for each in self._layers):
                self._layers.append(weights)

    def _convolution(
        self,
        out: Tensor,
        input: Tensor,  # noqa: A002 -- torch calls it that
        weight: Tensor,
        bias: Tensor | None = None,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
    ) -> None:
        places = out.ndim - 2
        steps = (stride,) * places if isinstance(stride, int) else tuple(stride)
        steps = steps * places if len(steps) == 1 else steps
        borders = [padding] if isinstance(padding, int | str) else list(padding)
        tiles = steps == tuple(weight.shape[2:]) and all(border in (0, "valid") for border in borders)
        tiles = tiles and all(step == 1 for step in ([dilation] if isinstance(dilation, int) else dilation))
        if len(out) == self.rows:
            self.patches = Patches(tuple(out.shape[2:]), steps if tiles else None, tuple(input.shape[2:]))


def attention(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None, scale: float | None = None
) -> tuple[Tensor, Tensor]:
    """Scaled dot-product attention, step by step (Vaswani et al. 2017, equation 1).

    Args:
        query, key, value: ``[..., T, d]``.
        mask: bool, True where a key takes part, or a float that is added; broadcasts to ``[..., T, T]``.
        scale: ``1 / sqrt(d)`` by default.

    Returns:
        The output ``[..., T, d]`` and the weights ``[..., T, T]``. A query that may attend to nothing gets zeros.
    """
    logits = (query * (1 / math.sqrt(query.shape[-1]) if scale is None else scale)) @ key.transpose(-2, -1)
    if mask is None:
        weights = logits.softmax(dim=-1)
    else:
        logits = logits + _added(mask, logits, taking_part=True)
        nothing = (logits == -math.inf).all(dim=-1, keepdim=True)
        weights = logits.masked_fill(nothing, 0.0).softmax(dim=-1).masked_fill(nothing, 0.0)
    return weights @ value, weights


def _added(mask: Tensor, like: Tensor, taking_part: bool = False) -> Tensor:
    """A mask as what is added to logits; bool ones say who takes part, or, in nn.MultiheadAttention, who does not."""
    if mask.dtype != torch.bool:
        return mask.to(like.dtype)
    return torch.zeros_like(mask, dtype=like.dtype).masked_fill_(~mask if taking_part else mask, -math.inf)
