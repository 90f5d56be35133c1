"""A network with several inputs as a function of one of them."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

__all__ = ["NamedInput"]


class NamedInput(nn.Module):
    """A network whose explained input is passed by name: ``(inputs, **others) -> network(name=inputs, **others)``.

    The module path and name of this class are part of the keys of the store.

    Args:
        network: a module that takes all its inputs by name.
        name: of the explained one.
    """

    def __init__(self, network: nn.Module, name: str) -> None:
        super().__init__()
        self.network, self.name = network, name

    def forward(self, inputs: Tensor, **others: Tensor) -> Any:
        """What the network returns."""
        return self.network(**{self.name: inputs}, **others)
