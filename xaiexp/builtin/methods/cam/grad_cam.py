"""Grad-CAM, Grad-CAM++, LayerCAM and Guided Grad-CAM: class activation maps from gradients."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

from xaiexp.builtin.methods.cam.cam_base import CamMethod, gradient_based_map
from xaiexp.core.batches import Batch
from xaiexp.core.explanations import Cost

if TYPE_CHECKING:
    from torch import Tensor

    from xaiexp.core.draws import Draws
    from xaiexp.inference.passes import Handle

__all__ = ["GradCam", "GradCamPlusPlus", "GuidedGradCam", "LayerCam"]


@dataclass(frozen=True)
class _GradientCam(CamMethod):
    """Base class: maps from the activations and gradients of one pass."""

    relu_attributions: bool = False

    @property
    def signed(self) -> bool:
        """Whether attributions keep their sign."""
        return not self.relu_attributions

    @abstractmethod
    def _map(self, activations: Tensor, gradients: Tensor) -> Tensor:
        """The map ``[B, h, w]`` from activations and gradients ``[B, K, h, w]``."""

    def attribute(self, model: Handle, batch: Batch, reference: Tensor | None, rng: Draws) -> Tensor:
        """See :meth:`xaiexp.contract.kinds.Method.attribute`.

        Raises:
            ParameterError: no submodule has the name ``layer``.
            Unsupported: the layer does not run, its output is not a spatial map, or the score does not depend on its
                spatial positions.
        """
        from xaiexp.builtin.methods.cam.cam_formulas import upsampled

        maps = gradient_based_map(model, self.resolve_layer(model), self._map)
        return upsampled(maps.relu() if self.relu_attributions else maps, batch.shape)

    def passes(self, shape: tuple[int, ...], d: int) -> Cost:
        """One forward and one backward pass."""
        return Cost(1, 1)


@dataclass(frozen=True)
class GradCam(_GradientCam):
    """Activations of a convolutional layer, weighted by their mean gradients.

    The map is upsampled bilinearly to the input's height and width and repeated in every channel.

    Args:
        layer: name of a submodule whose output is a spatial map ``[N, K, h, w]`` or the tokens of image patches,
            ``[N, T, K]`` (class tokens and other leading tokens are dropped). ``auto`` is the last ``nn.Conv2d`` to
            run with an output larger than 1 x 1, or the input of the last self-attention (in a vision transformer,
            the output of the last block's first normalisation), whichever runs later. If a layer runs several times
            in a pass, the last run is used.
        relu_attributions: keep only the positive part of the map, as in the paper; off by default, as in Captum,
            which keeps both signs.
    """

    summary = "activations of a convolutional layer, weighted by their mean gradients"
    source = "Selvaraju et al. 2017, Grad-CAM, equations 1 and 2 (the ReLU of equation 2 is relu_attributions)"

    def _map(self, activations: Tensor, gradients: Tensor) -> Tensor:
        from xaiexp.builtin.methods.cam.cam_formulas import gradient_map

        return gradient_map(activations, gradients)


@dataclass(frozen=True)
class GradCamPlusPlus(_GradientCam):
    """Activations of a convolutional layer, weighted by positive gradients with Grad-CAM++'s pixel-wise coefficients.

    The map is that of exp(score) without the factor exp(score), upsampled as in ``grad_cam``. The paper assumes
    activations after a ReLU; for a layer before its ReLU the denominator of equation 19 may be close to 0.

    Args:
        layer: as in ``grad_cam``.
        relu_attributions: keep only the positive part of the map, as in the paper; off by default, as in ``grad_cam``.
    """

    summary = "Grad-CAM with weights from positive gradients of the first three orders"
    source = "Chattopadhay et al. 2018, Grad-CAM++, equations 5, 10 and 19"

    def _map(self, activations: Tensor, gradients: Tensor) -> Tensor:
        from xaiexp.builtin.methods.cam.cam_formulas import plus_plus_map

        return plus_plus_map(activations, gradients)


@dataclass(frozen=True)
class LayerCam(_GradientCam):
    """Activations of a layer times their positive gradients, elementwise, summed over channels.

    Upsampled as in ``grad_cam``. Weights are per position, so early layers give maps of high resolution.

    Args:
        layer: as in ``grad_cam``.
        relu_attributions: keep only the positive part of the map, as in the paper; off by default, as in ``grad_cam``.
    """

    summary = "activations of a layer times their positive gradients"
    source = "Jiang et al. 2021, LayerCAM, equations 5 to 7"

    def _map(self, activations: Tensor, gradients: Tensor) -> Tensor:
        from xaiexp.builtin.methods.cam.cam_formulas import layer_map

        return layer_map(activations, gradients)


@dataclass(frozen=True)
class GuidedGradCam(CamMethod):
    """Guided backpropagation times the positive part of Grad-CAM's map, upsampled bilinearly.

    Both use the score of the study. Networks that guided backpropagation does not support are not supported.

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
        from xaiexp.builtin.methods.rectifiers import rectified_gradients

        weights = upsampled(gradient_based_map(model, self.resolve_layer(model), gradient_map).relu(), batch.shape)
        return weights * rectified_gradients(model, "guided_backprop", gated=True)

    def passes(self, shape: tuple[int, ...], d: int) -> Cost:
        """Two forward and two backward passes."""
        return Cost(2, 2)
