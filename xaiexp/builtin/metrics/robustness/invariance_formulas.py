"""Input invariance (Kindermans et al. 2019): attributions under an input shift that the network compensates."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from xaiexp.builtin.data_range import data_range
from xaiexp.core.batches import Batch
from xaiexp.core.explanations import Explanation
from xaiexp.inference.passes import Handle

__all__ = ["compensated_network", "shift_changes"]


def compensated_network(module: nn.Module, shift: Tensor) -> nn.Module:
    """A copy of a network that subtracts ``shift`` from its input; its layers keep their names.

    For a linear first layer this equals the corrected bias ``b - W shift``. Subtracting in front of the layer is also
    correct for padded convolutions, whose correction differs at the border.
    """
    network = copy.deepcopy(module)
    network.register_forward_pre_hook(lambda _, arguments: (arguments[0] - shift, *arguments[1:]))
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
        network = compensated_network(model.module, constant)
        points = (batch.inputs - constant).unsqueeze(1)
        for i, explanation, explain_network, explain_perturbed in available:
            shifted = explanation.features.pool(explain_perturbed(points)[:, 0]).double()
            compensated = explanation.features.pool(explain_network(network)).double()
            norm = shifted.norm(dim=1)
            out[i] = torch.where(norm > 0, (compensated - shifted).norm(dim=1) / norm, float("nan"))
    return out.to(batch.inputs.dtype)
