"""Score-CAM: activations weighted by the scores of masked inputs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from xaiexp.builtin.methods.cam.cam_base import CamMethod, layer_activations
from xaiexp.core.batches import Batch
from xaiexp.core.parameters import Effort, Range

if TYPE_CHECKING:
    from torch import Tensor

    from xaiexp.core.draws import Draws
    from xaiexp.inference.passes import Handle

__all__ = ["ScoreCam"]


@dataclass(frozen=True)
class ScoreCam(CamMethod):
    """Activations of a layer, weighted by the scores of inputs masked with each channel; needs no gradients.

    Each channel is upsampled to the input's size, scaled to [0, 1] and multiplied with the input in model space,
    where 0 is the mean of the training data for a model with normalised inputs. Elements that belong to no feature
    are not masked. The weights are the softmax of the scores over the channels; the score of the paper's base input
    cancels in it. Constant channels have weight 0.

    Args:
        layer: as in ``grad_cam``.
        max_channels: the number of channels used for each example, those with the largest spatial variance of the
            activations; null uses all, as in the paper, with one forward pass for each (512 in ResNet-18, 1280 in
            MobileNetV2).
        relu_attributions: keep only the positive part of the map, as in the paper; off by default, as in ``grad_cam``.
            For a layer before its ReLU, as most convolutions are, the positive part may be 0 everywhere.
    """

    summary = "activations of a layer, weighted by the scores of the input masked with each channel"
    source = "Wang et al. 2020, Score-CAM, algorithm 1; fewer channels: as in Faster Score-CAM"
    needs = frozenset({"maps", "modules"})

    max_channels: Annotated[int | None, Range(1), Effort(32, None, None)] = None
    relu_attributions: bool = False

    @property
    def signed(self) -> bool:
        """Whether attributions keep their sign."""
        return not self.relu_attributions

    def attribute(self, model: Handle, batch: Batch, reference: Tensor | None, rng: Draws) -> Tensor:
        """See :meth:`xaiexp.contract.kinds.Method.attribute`; errors as in ``grad_cam``."""
        import torch

        from xaiexp.builtin.methods.cam.cam_formulas import channel_masks, score_map, upsampled

        activations = layer_activations(model, self.resolve_layer(model))
        if self.max_channels is not None and self.max_channels < activations.shape[1]:
            variance = activations.flatten(2).var(dim=2, correction=0)
            chosen = variance.argsort(dim=1, descending=True, stable=True)[:, : self.max_channels]
            activations = activations.gather(1, chosen[..., None, None].expand(-1, -1, *activations.shape[2:]))
        varied: list[Tensor] = []
        inside, x = batch.features.inside.unsqueeze(1), batch.inputs.unsqueeze(1)

        def masked_inputs() -> Iterator[Tensor]:
            for chunk in model.blocks(activations.shape[1]):
                mask, is_varied = channel_masks(activations[:, chunk.start : chunk.stop], batch.shape[-2:])
                varied.append(is_varied)
                yield torch.where(inside, x * mask.unsqueeze(2), x)

        scores = model.scores(masked_inputs())
        maps = score_map(activations, scores, torch.cat(varied, dim=1))
        return upsampled(maps.relu() if self.relu_attributions else maps, batch.shape)
