"""Input invariance (Kindermans et al. 2019): attributions under an input shift that the network compensates."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any

import torch
from torch import Tensor, nn

from xaiexp.builtin.data_range import data_range
from xaiexp.core.batches import Batch
from xaiexp.core.explanations import Explanation
from xaiexp.inference.passes import Handle

__all__ = ["compensated_network", "shift_changes"]


def compensated_network(
    module: nn.Module, positional: Sequence[Tensor | None], named: Mapping[str, Tensor] | None = None
) -> nn.Module:
    """A copy of a network that subtracts a shift from its inputs; its layers keep their names.

    The shifts of the positional and of the named arguments broadcast over them; None for one that is not shifted. For a
    linear first layer this equals the corrected bias ``b - W shift``. Subtracting in front of the layer is also
    correct for padded convolutions, whose correction differs at the border.
    """
    network, shifts = copy.deepcopy(module), dict(named or {})

    def shifted(_: nn.Module, given: tuple[Any, ...], more: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        changed = [value if by is None else value - by for value, by in zip_longest(given, positional)]
        return tuple(changed), more | {name: more[name] - by for name, by in shifts.items()}

    network.register_forward_pre_hook(shifted, with_kwargs=True)
    return network


def shift_changes(model: Handle, batch: Batch, explanations: Sequence[Explanation], shift: float) -> Tensor:
    """``||phi_g(x) - phi_f(x - c)|| / ||phi_f(x - c)||`` of M explanations of N examples, ``[M, N]``.

    ``g(x) = f(x - c)``: both explanations explain the same number, and the attributions of an input-invariant method
    are equal. ``c`` is ``shift`` times the range of the data, added to every element. NaN for maps of zeros and where
    an explanation's method is not available.
    """
    out = batch.inputs.new_full((len(explanations), len(batch)), float("nan"), dtype=torch.float64)
    available = [
        (i, e, e.explain_network, e.explain_perturbed)
        for i, e in enumerate(explanations)
        if e.explain_network is not None and e.explain_perturbed is not None
    ]
    if available:
        constant = (shift * data_range(batch)).to(batch.inputs)
        rows = constant.expand(1, *batch.shape)
        network = compensated_network(model.module, *model.passes.arguments(rows, {}))
        points = (batch.inputs - constant).unsqueeze(1)
        for i, explanation, explain_network, explain_perturbed in available:
            shifted = explanation.features.pool(explain_perturbed(points)[:, 0]).double()
            compensated = explanation.features.pool(explain_network(network)).double()
            norm = shifted.norm(dim=1)
            out[i] = torch.where(norm > 0, (compensated - shifted).norm(dim=1) / norm, float("nan"))
    return out.to(batch.inputs.dtype)
