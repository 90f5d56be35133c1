"""A graph of ``torch.export`` as a module."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

if TYPE_CHECKING:
    from torch.export import ExportedProgram

__all__ = ["Exported", "takes_any_batch"]


class Exported(nn.Module):
    """A graph as a function of one tensor. It is always as it was exported: in eval mode.

    The module path and name of this class are part of the keys of the store.
    """

    def __init__(self, graph: nn.Module) -> None:
        super().__init__()
        self.graph = graph
        for module in self.modules():
            module.training = False

    def train(self, mode: bool = True) -> Exported:
        """Nothing: a graph has no other mode, and its own method raises."""
        return self

    def forward(self, inputs: Tensor) -> Tensor:
        """What the network returns."""
        output: Any = self.graph(inputs)
        found: Tensor = output
        return found


def takes_any_batch(program: ExportedProgram) -> bool:
    """Whether the first axis of the graph's input is free."""
    names = set(program.graph_signature.user_inputs)
    shapes = [node.meta["val"].shape for node in program.graph.nodes if node.op == "placeholder" and node.name in names]
    return bool(shapes) and all(not isinstance(shape[0], int) for shape in shapes)
