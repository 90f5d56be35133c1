"""Captures the attention weights of a network during a forward pass.

A torch function mode intercepts the calls of the network. Fused attention (``F.scaled_dot_product_attention``, and
``F.multi_head_attention_forward`` of ``nn.MultiheadAttention``, whose native fast path torch disables while a mode is
active) is computed step by step, so that its weights are part of the graph. Explicit attention (a softmax, then a
product with the values) is recognised. The configuration, hooks and modules of the network are not changed, and the
mode ends with its context, also after exceptions.
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
# Operations between the softmax and the product that do not change a weight (dropout does nothing in eval mode).
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
    """The last convolution before the first attention, which maps positions of the input to tokens.

    Args:
        grid: spatial shape of its output.
        stride: its stride if its windows tile the input from the first element on, else None.
        source: spatial shape of its input.
    """

    grid: tuple[int, ...]
    stride: tuple[int, ...] | None
    source: tuple[int, ...]


class AttentionWeights(TorchFunctionMode):
    """The attention weights of one forward pass: ``with AttentionWeights(rows) as captured: ...``.

    After the pass, :meth:`layers` returns the weights.

    Args:
        rows: number of examples of the pass.

    Attributes:
        patches: see :class:`Patches`; None if no convolution ran before the first attention.
    """

    def __init__(self, rows: int) -> None:
        super().__init__()
        self.rows = rows
        self.patches: Patches | None = None
        self._layers: list[Tensor] = []
        # By tensor id: the softmax output that the tensor stems from, and the tensor itself, which keeps the id in use.
        self._softmaxes: dict[int, tuple[Tensor, Tensor]] = {}

    def layers(self) -> list[Tensor]:
        """The weights of every self-attention in call order, as nodes of the graph; see :meth:`heads`.

        Raises:
            Unsupported: there is no self-attention, or one that is not over all tokens of an example.
        """
        used = {id(weights) for weights in self._layers}
        for weights, _ in self._softmaxes.values():
            if id(weights) not in used and weights.shape[-1] == weights.shape[-2]:
                raise Unsupported(
                    f"a softmax returns {list(weights.shape)}, which may be attention, but it is not multiplied with "
                    "values"
                )
        if not self._layers:
            raise Unsupported("the network runs no visible self-attention (is it compiled or scripted?)")
        tokens = self._layers[0].shape[-1]
        for weights in self._layers:
            *lead, queries, keys = weights.shape
            if queries != keys:
                raise Unsupported(f"the network attends from {queries} to {keys} tokens, which is not self-attention")
            if math.prod(lead) % self.rows or (len(lead) == 2 and lead[0] != self.rows) or len(lead) > 2:
                raise Unsupported(
                    f"the network attends within windows (weights {list(weights.shape)} for {self.rows} examples), "
                    "so there are no weights between all tokens"
                )
            if keys != tokens:
                raise Unsupported(f"the layers have {tokens} and {keys} tokens: the network merges tokens")
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
            raise Unsupported("the attention uses dropout (is the network in training mode?)")
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
        """``F.multi_head_attention_forward`` over ``[T, B, E]``; ``is_causal`` is a hint, ``attn_mask`` decides."""
        if bias_k is not None or bias_v is not None or add_zero_attn or static_k is not None or static_v is not None:
            raise Unsupported("its nn.MultiheadAttention adds keys that are not tokens (bias_k, add_zero_attn)")
        if query.ndim != 3 or len(query) != len(key):
            raise Unsupported(
                f"the network attends from {list(query.shape)} to {list(key.shape)}, which is not self-attention"
            )
        tokens, rows, width = query.shape
        if use_separate_proj_weight:
            projections = [q_proj_weight, k_proj_weight, v_proj_weight]
        else:
            assert in_proj_weight is not None  # noqa: S101 -- guaranteed by torch
            projections = list(in_proj_weight.chunk(3))
        biases = [None] * 3 if in_proj_bias is None else list(in_proj_bias.chunk(3))
        query, key, value = (
            F.linear(tensor, weight, bias).view(tokens, rows, num_heads, -1).permute(1, 2, 0, 3)  # type: ignore[arg-type]  # one of the two forms is given
            for tensor, weight, bias in zip((query, key, value), projections, biases, strict=True)
        )
        masks = []
        if attn_mask is not None:
            masks.append(attn_mask.view(rows, num_heads, tokens, tokens) if attn_mask.ndim == 3 else attn_mask)
        if key_padding_mask is not None:
            masks.append(key_padding_mask.view(rows, 1, 1, tokens))
        merged = sum(_additive(mask, query) for mask in masks) if masks else None
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
        """Record weights that are multiplied with values: the left operand, or any operand of einsum."""
        operands = list(args[1:] if name in ("einsum", "baddbmm") else args[:1])
        if not operands:
            operands = [kwargs.get("input")]
        if len(operands) == 1 and isinstance(operands[0], list | tuple):
            operands = list(operands[0])
        for operand in operands:
            weights, _ = self._softmaxes.get(id(operand), (None, None))
            if weights is not None and all(weights is not layer for layer in self._layers):
                self._layers.append(weights)

    def _convolution(
        self,
        out: Tensor,
        input: Tensor,  # noqa: A002 -- the name in torch
        weight: Tensor,
        bias: Tensor | None = None,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
    ) -> None:
        axes = out.ndim - 2
        steps = (stride,) * axes if isinstance(stride, int) else tuple(stride)
        steps = steps * axes if len(steps) == 1 else steps
        borders = [padding] if isinstance(padding, int | str) else list(padding)
        tiles = steps == tuple(weight.shape[2:]) and all(border in (0, "valid") for border in borders)
        tiles = tiles and all(step == 1 for step in ([dilation] if isinstance(dilation, int) else dilation))
        if len(out) == self.rows:
            self.patches = Patches(tuple(out.shape[2:]), steps if tiles else None, tuple(input.shape[2:]))


def attention(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None, scale: float | None = None
) -> tuple[Tensor, Tensor]:
    """Scaled dot-product attention, computed step by step (Vaswani et al. 2017, equation 1).

    Args:
        query, key, value: ``[..., T, d]``.
        mask: bool, True for the keys to attend to, or a float that is added; broadcasts to ``[..., T, T]``.
        scale: ``1 / sqrt(d)`` by default.

    Returns:
        The output ``[..., T, d]`` and the weights ``[..., T, T]``. The weights of a query without any key are 0.
    """
    logits = (query * (1 / math.sqrt(query.shape[-1]) if scale is None else scale)) @ key.transpose(-2, -1)
    if mask is None:
        weights = logits.softmax(dim=-1)
    else:
        logits = logits + _additive(mask, logits, true_attends=True)
        no_keys = (logits == -math.inf).all(dim=-1, keepdim=True)
        weights = logits.masked_fill(no_keys, 0.0).softmax(dim=-1).masked_fill(no_keys, 0.0)
    return weights @ value, weights


def _additive(mask: Tensor, like: Tensor, true_attends: bool = False) -> Tensor:
    """The mask as a float that is added to logits.

    True in a bool mask allows attention if ``true_attends``, else it prevents it, as in nn.MultiheadAttention.
    """
    if mask.dtype != torch.bool:
        return mask.to(like.dtype)
    return torch.zeros_like(mask, dtype=like.dtype).masked_fill_(~mask if true_attends else mask, -math.inf)
