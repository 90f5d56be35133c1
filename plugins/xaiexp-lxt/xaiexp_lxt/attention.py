"""Rules of fused attention: ``F.scaled_dot_product_attention`` and ``F.multi_head_attention_forward``.

The products of an attention are ``S = Q K^T`` and ``A V`` with ``A = softmax(S)``. By the uniform rule (Achtibat et al.
2024, proposition 3.3) half of the relevance goes to V, a quarter to Q and a quarter to K; the gradient of the softmax
is its Taylor decomposition (proposition 3.1). So the modified gradients at Q, K and V are scaled, and the attention
itself stays fused. With attention weights as constants, all goes to V.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from xaiexp_lxt.rules import Rules, epsilon_rule, gamma_rule, scale_gradient

__all__ = ["dot_product_attention", "multi_head_attention"]


def dot_product_attention(query: Tensor, key: Tensor, value: Tensor, through_attention: bool, **options: Any) -> Tensor:
    """``F.scaled_dot_product_attention(query, key, value, **options)`` with its rules.

    A product with a factor that does not depend on the input (requires no gradient) gives all to the other factor.

    Args:
        query, key, value: ``[..., T, d]``.
        through_attention: whether query and key receive relevance.
        options: of the function, without dropout.
    """
    if not through_attention:
        return F.scaled_dot_product_attention(query.detach(), key.detach(), value, **options)
    weights = query.requires_grad or key.requires_grad
    outer = 0.5 if weights and value.requires_grad else 1.0
    inner = 0.5 if query.requires_grad and key.requires_grad else 1.0
    query, key, value = (
        scale_gradient(tensor.clone(), factor)
        for tensor, factor in ((query, outer * inner), (key, outer * inner), (value, outer))
    )
    return F.scaled_dot_product_attention(query, key, value, **options)


def multi_head_attention(given: Mapping[str, Any], rules: Rules) -> tuple[Tensor, Tensor | None]:
    """``F.multi_head_attention_forward`` with its rules.

    Args:
        given: all its arguments by name.
        rules: the rules to apply.

    Returns:
        The output ``[T, B, E]``, and the attention weights without gradients, if they are asked for.

    Raises:
        NotImplementedError: it adds keys that are not tokens, works without a batch, or uses dropout.
    """
    added = [given[key] is not None for key in ("bias_k", "bias_v", "static_k", "static_v")]
    if any(added) or given["add_zero_attn"]:
        raise NotImplementedError("that adds keys which are not tokens")
    if given["query"].ndim != 3:
        raise NotImplementedError("without a batch axis")
    if given["training"] and given["dropout_p"]:
        raise NotImplementedError("with dropout")
    heads = given["num_heads"]
    if given["use_separate_proj_weight"]:
        matrices = [given[f"{key}_proj_weight"] for key in "qkv"]
    else:
        matrices = list(given["in_proj_weight"].chunk(3))
    biases = [None] * 3 if given["in_proj_bias"] is None else list(given["in_proj_bias"].chunk(3))
    query, key, value = (
        _by_head(_linear(given[name], matrix, bias, rules), heads)
        for name, matrix, bias in zip(("query", "key", "value"), matrices, biases, strict=True)
    )
    mask = _mask(given, query, key)
    out = dot_product_attention(query, key, value, rules.through_attention, attn_mask=mask)
    out = _linear(out.permute(2, 0, 1, 3).flatten(2), given["out_proj_weight"], given["out_proj_bias"], rules)
    if not given["need_weights"]:
        return out, None
    with torch.no_grad():
        logits = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])
        weights = (logits if mask is None else logits + mask).softmax(dim=-1)
    return out, weights.mean(dim=1) if given["average_attn_weights"] else weights


def _linear(x: Tensor, weight: Tensor, bias: Tensor | None, rules: Rules) -> Tensor:
    if not x.requires_grad:
        return F.linear(x, weight, bias)
    if rules.gamma:
        return gamma_rule(F.linear, x, weight, bias, rules.epsilon, rules.gamma)
    return epsilon_rule(F.linear(x, weight, bias), rules.epsilon)


def _by_head(x: Tensor, heads: int) -> Tensor:
    """``[T, B, E]`` as ``[B, H, T, E / H]``."""
    return x.view(*x.shape[:2], heads, -1).permute(1, 2, 0, 3)


def _mask(given: Mapping[str, Any], query: Tensor, key: Tensor) -> Tensor | None:
    """What is added to the logits ``[B, H, T, S]`` by the masks of the call; True in a bool mask hides a key.

    ``is_causal`` is a hint: the mask decides, and torch requires one.
    """
    rows, heads, length = query.shape[:3]
    masks = []
    if given["attn_mask"] is not None:
        mask = given["attn_mask"]
        masks.append(mask.view(rows, heads, length, -1) if mask.ndim == 3 else mask)
    if given["key_padding_mask"] is not None:
        masks.append(given["key_padding_mask"].view(rows, 1, 1, key.shape[2]))
    added = [
        torch.zeros_like(mask, dtype=query.dtype).masked_fill_(mask, -math.inf) if mask.dtype == torch.bool else mask
        for mask in masks
    ]
    return sum(added[1:], added[0]) if added else None
