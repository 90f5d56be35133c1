"""A factory function for `model=factory`, and the model with a context that trusts this module."""

from __future__ import annotations

from dataclasses import dataclass, replace

from xaiexp.builtin.models.factory import Factory


def small():
    """A linear network with 8 inputs and 3 outputs."""
    import torch
    from torch import nn

    module = nn.utils.skip_init(nn.Linear, 8, 3)
    with torch.no_grad():
        module.weight.copy_(torch.arange(24.0).view(3, 8).sin())
        module.bias.zero_()
    return module


@dataclass(frozen=True, kw_only=True)
class Trusting(Factory):
    """The model `factory`, loaded with a context that trusts this module."""

    def load(self, context):
        return super().load(replace(context, trust=("testing_networks",)))
