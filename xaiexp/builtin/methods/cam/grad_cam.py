"""Class activation maps."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from xaiexp.builtin.methods.backprop.guided_backprop import GuidedBackprop
from xaiexp.contract.kinds import Method
from xaiexp.core.batches import Batch
from xaiexp.core.explanations import Cost
from xaiexp.core.parameters import Effort, Range
from xaiexp.errors import Unsupported

if TYPE_CHECKING:
    from torch import Tensor

    from xaiexp.core.draws import Draws
    from xaiexp.inference.block import Block
    from xaiexp.inference.layers import Layer
    from xaiexp.inference.passes import Handle

__all__ = ["EigenCam", "GradCam", "GradCamPlusPlus", "GuidedGradCam", "LayerCam", "ScoreCam"]


@dataclass(frozen=True)
class _Cam(Method):
    """What all of them are."""

    needs = frozenset({"gradients", "maps", "modules"})
    reads_baseline = False
    complete = False
    multiplied_by_inputs = True
    modalities = ("image",)

    layer: str = "auto"

    def _layer(self, model: Handle) -> Layer:
        from xaiexp.inference.layers import Layer

        return Layer(model, self.layer, f"method.{self.name}.layer", search="picture")


def _activations(model: Handle, layer: Layer) -> Tensor:
    """The layer's picture at the batch's inputs, ``[N, K, h, w]``, by one forward pass."""
    import torch

    def run(block: Block) -> Tensor:
        with torch.no_grad():
            activations, _ = layer.read(block, lambda: block.logits(block.rows))
        return layer.picture(activations.to(block.rows.dtype))

    return model.apply(run)


def _mapped(model: Handle, layer: Layer, formula: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """A formula of activations and gradients, each ``[B, K, h, w]``, at the batch's inputs: ``[N, h, w]``."""

    def run(block: Block) -> Tensor:
        dtype = block.rows.dtype
        # The rows are part of the graph even where the layer's parameters are frozen.
        activations, scores = layer.read(block, lambda: block.scores(block.rows.requires_grad_() * 1, model.output))
        gradients = block.gradients(scores, activations).to(dtype)
        picture = layer.picture(gradients)
        _reaches(layer, gradients, picture)
        return formula(layer.picture(activations.detach().to(dtype)), picture)

    return model.apply(run)


def _reaches(layer: Layer, gradients: Tensor, picture: Tensor) -> None:
    """Refuse tokens of which the classifier reads the class token alone: their map would be 0 everywhere."""
    leading = layer.leading(gradients)
    if leading is None:
        return
    only = (picture == 0).flatten(1).all(dim=1) & (leading != 0).flatten(1).any(dim=1)
    if bool(only.any()):
        raise Unsupported(
            f"behind layer {layer.name!r} the score depends on the class token alone and not on the patches: "
            "name a layer before the last self-attention (auto is its input)"
        )


@dataclass(frozen=True)
class _Gradient(_Cam):
    """Maps from activations and gradients of one pass."""

    relu_attributions: bool = False

    @property
    def signed(self) -> bool:
        """Whether the sign is kept."""
        return not self.relu_attributions

    @abstractmethod
    def _map(self, activations: Tensor, gradients: Tensor) -> Tensor:
        """``[B, K, h, w]`` twice to ``[B, h, w]``."""

    def attribute(self, model: Handle, batch: Batch, reference: Tensor | None, rng: Draws) -> Tensor:
        """See :meth:`xaiexp.contract.kinds.Method.attribute`.

        Raises:
            ParameterError: no submodule has the name ``layer``.
            Unsupported: the network runs no such layer, its output is no picture of activations, or the score does
                not depend on the picture's part of it.
        """
        from xaiexp.builtin.methods.cam.cam_formulas import upsampled

        maps = _mapped(model, self._layer(model), self._map)
        return upsampled(maps.relu() if self.relu_attributions else maps, batch.shape)

    def passes(self, shape: tuple[int, ...], d: int) -> Cost:
        """One forward, one backward."""
        return Cost(1, 1)


@dataclass(frozen=True)
class GradCam(_Gradient):
    """Activations of a convolutional layer, weighted by their mean gradients and brought to the input's size.

    The map is interpolated bilinearly to the input's height and width and stands in every channel.

    Args:
        layer: name of a submodule whose output is a picture ``[N, K, h, w]`` or the tokens of its patches,
            ``[N, T, K]`` (a class token and its like are dropped). ``auto`` is the last ``nn.Conv2d`` to run whose
            output is larger than 1 x 1, or the input of the last self-attention (in a vision transformer, what the
            first normalisation of the last block gives), whichever runs later. Of a layer that runs several times,
            the last run counts.
        relu_attributions: keep only what speaks for the target, as the paper's figures do; off as in Captum,
            so that both signs can be compared.
    """

    summary = "activations of a convolutional layer, weighted by their mean gradients"
    source = "Selvaraju et al. 2017, Grad-CAM, equations 1 and 2 (the ReLU of equation 2 is relu_attributions)"

    def _map(self, activations: Tensor, gradients: Tensor) -> Tensor:
        from xaiexp.builtin.methods.cam.cam_formulas import gradient_map

        return gradient_map(activations, gradients)


@dataclass(frozen=True)
class GradCamPlusPlus(_Gradient):
    """Activations of a convolutional layer, weighted by positive gradients that count more where few places have any.

    The map of exp(score) without that factor, brought to the input's size as in ``grad_cam``. The paper's
    activations come after a ReLU: of a layer before one, the denominator of its equation 19 may come near 0.

    Args:
        layer: as in ``grad_cam``.
        relu_attributions: keep only the positive part of the map, as the paper does; off as in ``grad_cam``.
    """

    summary = "Grad-CAM with weights from positive gradients of the first three orders"
    source = "Chattopadhay et al. 2018, Grad-CAM++, equations 5, 10 and 19"

    def _map(self, activations: Tensor, gradients: Tensor) -> Tensor:
        from xaiexp.builtin.methods.cam.cam_formulas import plus_plus_map

        return plus_plus_map(activations, gradients)


@dataclass(frozen=True)
class LayerCam(_Gradient):
    """Activations of a layer times their own positive gradients, place by place, added up over channels.

    Brought to the input's size as in ``grad_cam``. The weights are of single places, so that early layers give
    fine maps.

    Args:
        layer: as in ``grad_cam``.
        relu_attributions: keep only the positive part of the map, as the paper does; off as in ``grad_cam``.
    """

    summary = "activations of a layer times their own positive gradients"
    source = "Jiang et al. 2021, LayerCAM, equations 5 to 7"

    def _map(self, activations: Tensor, gradients: Tensor) -> Tensor:
        from xaiexp.builtin.methods.cam.cam_formulas import layer_map

        return layer_map(activations, gradients)


@dataclass(frozen=True)
class ScoreCam(_Cam):
    """Activations of a layer, weighted by the scores of inputs of which each channel shows a part; no gradients.

    Each channel is brought to the input's size and to the range 0 to 1, and multiplies the input (in model space,
    so that what is hidden becomes the mean of the training data); elements of no feature are never hidden. The
    weights are the softmax of the scores over the channels, in which the score of the paper's base input cancels
    out. A constant channel hides nothing and has no weight.

    Args:
        layer: as in ``grad_cam``.
        max_channels: use only so many channels of each example, those whose activations vary most over the places;
            null uses all, as the paper does, at one forward pass for each (512 in ResNet-18, 1280 in MobileNetV2).
        relu_attributions: keep only the positive part of the map, as the paper does; off as in ``grad_cam``. Of a
            layer before its ReLU (such as most convolutions are) nothing may remain.
    """

    summary = "activations of a layer, weighted by the scores of what each channel shows of the input"
    source = "Wang et al. 2020, Score-CAM, algorithm 1; fewer channels: as in Faster Score-CAM"
    needs = frozenset({"maps", "modules"})

    max_channels: Annotated[int | None, Range(1), Effort(32, None, None)] = None
    relu_attributions: bool = False

    @property
    def signed(self) -> bool:
        """Whether the sign is kept."""
        return not self.relu_attributions

    def attribute(self, model: Handle, batch: Batch, reference: Tensor | None, rng: Draws) -> Tensor:
        """See :meth:`xaiexp.contract.kinds.Method.attribute`; errors as in ``grad_cam``."""
        import torch

        from xaiexp.builtin.methods.cam import cam_formulas as cam_maps

        activations = _activations(model, self._layer(model))
        if self.max_channels is not None and self.max_channels < activations.shape[1]:
            spread = activations.flatten(2).var(dim=2, correction=0)
            most = spread.argsort(dim=1, descending=True, stable=True)[:, : self.max_channels]
            activations = activations.gather(1, most[..., None, None].expand(-1, -1, *activations.shape[2:]))
        varied: list[Tensor] = []
        inside, x = batch.features.inside.unsqueeze(1), batch.inputs.unsqueeze(1)

        def shown() -> Iterator[Tensor]:
            for stretch in model.blocks(activations.shape[1]):
                mask, has = cam_maps.masks(activations[:, stretch.start : stretch.stop], batch.shape[-2:])
                varied.append(has)
                yield torch.where(inside, x * mask.unsqueeze(2), x)

        scores = model.scores(shown())
        maps = cam_maps.score_map(activations, scores, torch.cat(varied, dim=1))
        return cam_maps.upsampled(maps.relu() if self.relu_attributions else maps, batch.shape)


@dataclass(frozen=True)
class EigenCam(_Cam):
    """The first principal component of a layer's activations, the same for every target; no gradients, no classes.

    The activations of each place are projected on their first right singular vector (nothing is subtracted before,
    as in the paper), with the sign whose map has a positive sum; what remains negative is cut at 0. Brought to
    the input's size as in ``grad_cam``.

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
        from xaiexp.builtin.methods.cam import cam_formulas as cam_maps

        activations = _activations(model, self._layer(model))
        return cam_maps.upsampled(cam_maps.eigen_map(activations).relu(), batch.shape)

    def passes(self, shape: tuple[int, ...], d: int) -> Cost:
        """One forward."""
        return Cost(1)


@dataclass(frozen=True)
class GuidedGradCam(_Cam):
    """Guided backpropagation times the positive part of Grad-CAM's map, brought to the input's size bilinearly.

    Both are of the study's score. A network that guided backpropagation refuses is refused here, too.

    Args:
        layer: as in ``grad_cam``.
    """

    summary = "guided backpropagation times the positive part of Grad-CAM's map"
    source = "Selvaraju et al. 2017, Grad-CAM, section 3.2"
    signed = True
    multiplied_by_inputs = False

    def attribute(self, model: Handle, batch: Batch, reference: Tensor | None, rng: Draws) -> Tensor:
        """See :meth:`xaiexp.contract.kinds.Method.attribute`; errors as in ``grad_cam`` and ``guided_backprop``."""
        from xaiexp.builtin.methods.cam.cam_formulas import gradient_map, upsampled

        where = upsampled(_mapped(model, self._layer(model), gradient_map).relu(), batch.shape)
        return where * GuidedBackprop().attribute(model, batch, None, rng)

    def passes(self, shape: tuple[int, ...], d: int) -> Cost:
        """Two forward, two backward."""
        return Cost(2, 2)
