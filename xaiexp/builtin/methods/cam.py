"""Class activation maps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from xaiexp.contract import Method
from xaiexp.errors import ParameterError, Unsupported, nearest
from xaiexp.types import Batch, Cost

if TYPE_CHECKING:
    from torch import Tensor, nn

    from xaiexp.draws import Draws
    from xaiexp.passes import Block, Handle

__all__ = ["GradCam"]


@dataclass(frozen=True)
class GradCam(Method):
    """Activations of a convolutional layer, weighted by their mean gradients and brought to the input's size.

    The map is interpolated bilinearly to the input's height and width and stands in every channel.

    Args:
        layer: name of a submodule whose output is ``[N, K, h, w]``; ``auto`` is the last ``nn.Conv2d`` to run
            whose output is larger than 1 x 1. Of a layer that runs several times, the last run counts.
        relu_attributions: keep only what speaks for the target, as the paper's figures do; off as in Captum,
            so that both signs can be compared.
    """

    summary = "activations of a convolutional layer, weighted by their mean gradients"
    source = "Selvaraju et al. 2017, Grad-CAM, equations 1 and 2 (the ReLU of equation 2 is relu_attributions)"
    needs = frozenset({"gradients", "modules", "convolutions"})
    reads_baseline = False
    complete = False
    multiplied_by_inputs = True
    modalities = ("image",)

    layer: str = "auto"
    relu_attributions: bool = False

    @property
    def signed(self) -> bool:  # type: ignore[override]  # a fact that a parameter decides
        """Whether the sign is kept."""
        return not self.relu_attributions

    def attribute(self, model: Handle, batch: Batch, reference: Tensor | None, rng: Draws) -> Tensor:
        """See :meth:`xaiexp.contract.Method.attribute`.

        Raises:
            ParameterError: no submodule has the name ``layer``.
            Unsupported: the network runs no such layer, or its output is no picture of activations.
        """
        import torch
        import torch.nn.functional as F

        layers = self._layers(model.module)

        def run(block: Block) -> Tensor:
            seen: list[Tensor] = []

            def keep(_module: nn.Module, _inputs: Any, output: Any) -> Any:
                if self.layer == "auto" and (output.ndim != 4 or output.shape[-1] * output.shape[-2] == 1):
                    return output
                if not isinstance(output, torch.Tensor) or output.ndim != 4:
                    what = list(output.shape) if isinstance(output, torch.Tensor) else type(output).__name__
                    raise Unsupported(f"layer {self.layer!r} gives {what}, which is no picture [N, K, h, w]")
                seen[:] = [output]
                return output.clone()  # so that what follows may work in place

            hooks = [layer.register_forward_hook(keep) for layer in layers]
            try:
                # The rows are part of the graph even where the layer's parameters are frozen.
                scores = block.scores(block.rows.requires_grad_() * 1, model.output)
            finally:
                for hook in hooks:
                    hook.remove()
            if not seen:
                raise Unsupported(
                    "no nn.Conv2d of the network runs with an output larger than 1 x 1"
                    if self.layer == "auto"
                    else f"layer {self.layer!r} does not run"
                )
            gradients = block.gradients(scores, seen[0]).to(block.rows.dtype)
            weights = gradients.mean(dim=(2, 3), keepdim=True)
            cam = (weights * seen[0].detach().to(weights.dtype)).sum(dim=1, keepdim=True)
            if self.relu_attributions:
                cam = cam.relu()
            return F.interpolate(cam, batch.shape[-2:], mode="bilinear").expand(-1, *batch.shape)

        return model.apply(run).contiguous()

    def _layers(self, module: nn.Module) -> list[nn.Module]:
        from torch import nn

        if self.layer == "auto":
            return [m for m in module.modules() if isinstance(m, nn.Conv2d)]
        named = dict(module.named_modules())
        if self.layer not in named:
            raise ParameterError(
                "method.grad_cam.layer",
                "the model has no submodule of this name",
                got=self.layer,
                nearest=nearest(self.layer, named),
                hint="auto is its last convolution",
            )
        return [named[self.layer]]

    def passes(self, shape: tuple[int, ...], d: int) -> Cost:
        """One forward, one backward."""
        return Cost(1, 1)
