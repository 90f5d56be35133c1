"""Eigen-CAM: the first principal component of a layer's activations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from xaiexp.builtin.methods.cam.cam_base import CamMethod, layer_activations
from xaiexp.core.batches import Batch
from xaiexp.core.explanations import Cost

if TYPE_CHECKING:
    from torch import Tensor

    from xaiexp.core.draws import Draws
    from xaiexp.inference.passes import Handle

__all__ = ["EigenCam"]


@dataclass(frozen=True)
class EigenCam(CamMethod):
    """The first principal component of a layer's activations; the same for every target, needs no gradients.

    The activations of each position are projected on the first right singular vector, without centring, as in the
    paper. The sign is chosen such that the map has a positive sum; remaining negative values are set to 0. The map is
    upsampled as in ``grad_cam``.

    Args:
        layer: as in ``grad_cam``.
    """

    summary = "the first principal component of a layer's activations"
    source = "Muhammad and Yeasin 2020, Eigen-CAM, section III"
    needs = frozenset({"maps", "modules"})
    signed = False
    target_specific = False

    def attribute(self, model: Handle, batch: Batch, reference: Tensor | None, rng: Draws) -> Tensor:
        """See :meth:`xaiexp.contract.kinds.Method.attribute`; errors as in ``grad_cam``."""
        from xaiexp.builtin.methods.cam.cam_formulas import eigen_map, upsampled

        activations = layer_activations(model, self.resolve_layer(model))
        return upsampled(eigen_map(activations).relu(), batch.shape)

    def passes(self, shape: tuple[int, ...], d: int) -> Cost:
        """One forward pass."""
        return Cost(1)
