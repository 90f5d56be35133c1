"""What the class activation maps share: the layer, its activations, and formulas of activations and gradients."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from xaiexp.contract.kinds import Method
from xaiexp.errors import Unsupported

if TYPE_CHECKING:
    from torch import Tensor

    from xaiexp.inference.block import Block
    from xaiexp.inference.layers import Layer
    from xaiexp.inference.passes import Handle

__all__ = ["CamMethod", "gradient_based_map", "layer_activations"]


@dataclass(frozen=True)
class CamMethod(Method):
    """Base class of the class activation maps: image methods with a parameter ``layer``."""

    needs = frozenset({"gradients", "maps", "modules"})
    reads_baseline = False
    complete = False
    multiplied_by_inputs = True
    modalities = ("image",)

    layer: str = "auto"

    def resolve_layer(self, model: Handle) -> Layer:
        """The layer named by the parameter.

        Raises:
            ParameterError: the network has no submodule of this name.
        """
        from xaiexp.inference.layers import Layer

        return Layer(model, self.layer, f"method.{self.name}.layer", search="image")


def layer_activations(model: Handle, layer: Layer) -> Tensor:
    """The activations of the layer at the batch's inputs as ``[N, K, h, w]``, by one forward pass."""
    import torch

    def run(block: Block) -> Tensor:
        with torch.no_grad():
            activations, _ = layer.read(block, lambda: block.logits(block.rows))
        return layer.spatial_map(activations.to(block.rows.dtype))

    return model.apply(run)


def gradient_based_map(model: Handle, layer: Layer, formula: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """A formula of activations and gradients, each ``[B, K, h, w]``, evaluated at the batch's inputs: ``[N, h, w]``.

    Raises:
        Unsupported: the score does not depend on the spatial positions of the layer.
    """

    def run(block: Block) -> Tensor:
        dtype = block.rows.dtype
        # The graph starts at the layer: where its activations are in none, they become a leaf.
        activations, scores = layer.read(block, lambda: block.scores(block.rows * 1, model.output))
        gradients = block.gradients(scores, activations).to(dtype)
        spatial_gradients = layer.spatial_map(gradients)
        _check_spatial_gradients(layer, gradients, spatial_gradients)
        return formula(layer.spatial_map(activations.detach().to(dtype)), spatial_gradients)

    return model.apply(run)


def _check_spatial_gradients(layer: Layer, gradients: Tensor, spatial_gradients: Tensor) -> None:
    """Raise where the score depends on the class token alone, since the map would be 0 everywhere."""
    leading = layer.leading_tokens(gradients)
    if leading is None:
        return
    class_token_only = (spatial_gradients == 0).flatten(1).all(dim=1) & (leading != 0).flatten(1).any(dim=1)
    if bool(class_token_only.any()):
        raise Unsupported(
            f"after layer {layer.name!r} the score depends on the class token alone, not on the patches: "
            "choose a layer before the last self-attention (auto is its input)"
        )
