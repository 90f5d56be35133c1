"""Captum's noise tunnel around its methods."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from xaiexp.plugin import Batch, Cost, Draws, Effort, Estimate, Handle, Method, Precision, Range
from xaiexp_captum.input_methods import InputXGradient, IntegratedGradients, Saliency
from xaiexp_captum.module_methods import LRP, Deconvolution, DeepLift, GuidedBackprop

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["NoiseTunnel"]

_INNER: dict[str, type[Method]] = {
    "saliency": Saliency,
    "input_x_gradient": InputXGradient,
    "integrated_gradients": IntegratedGradients,
    "deep_lift": DeepLift,
    "guided_backprop": GuidedBackprop,
    "deconvolution": Deconvolution,
    "lrp": LRP,
}


@dataclass(frozen=True)
class NoiseTunnel(Method):
    """Mean, mean square or variance of a method of Captum over noisy versions of the input, by its ``NoiseTunnel``.

    Args:
        method: the method, with its default parameters.
        nt_type: ``smoothgrad`` (mean), ``smoothgrad_sq`` (mean square) or ``vargrad`` (variance).
        nt_samples: number of noisy versions.
        stdevs: standard deviation of the noise in model space. Captum's default of 1 is large for normalised images.
    """

    name = "captum_noise_tunnel"
    summary = "a method of Captum over noisy versions of the input (Captum)"
    source = "Smilkov et al. 2017, SmoothGrad; Adebayo et al. 2018, Local Explanation Methods; captum.attr.NoiseTunnel"
    complete = False

    method: Literal[
        "saliency", "input_x_gradient", "integrated_gradients", "deep_lift", "guided_backprop", "deconvolution", "lrp"
    ] = "saliency"
    nt_type: Literal["smoothgrad", "smoothgrad_sq", "vargrad"] = "smoothgrad"
    nt_samples: Annotated[int, Range(2), Effort(5, 5, 50)] = 5
    stdevs: Annotated[float, Range(0)] = 1.0

    @property
    def inner(self) -> Method:
        """The method that is applied to noisy inputs."""
        return _INNER[self.method]()

    @property
    def needs(self) -> frozenset[str]:
        """Those of the method."""
        return self.inner.needs

    @property
    def precisions(self) -> tuple[Precision, ...]:
        """Those of the method."""
        return self.inner.precisions

    @property
    def reads_baseline(self) -> bool:
        """As the method."""
        return self.inner.reads_baseline

    @property
    def signed(self) -> bool:
        """As the method, for the mean."""
        return self.inner.signed and self.nt_type == "smoothgrad"

    @property
    def multiplied_by_inputs(self) -> bool:
        """As the method."""
        return self.inner.multiplied_by_inputs

    def attribute(self, model: Handle, batch: Batch, reference: Tensor | None, rng: Draws) -> Tensor:
        """See :meth:`xaiexp.plugin.Method.attribute`; errors are those of the method."""
        import torch
        from captum.attr import NoiseTunnel as Peer

        from xaiexp_captum.calls import by_example, quiet
        from xaiexp_captum.component_attribution import ComponentAttribution

        def one(number: int) -> Tensor:
            example = model.example(number)
            if not len(example.positions):
                return example.spread(example.inputs)

            def explained(vectors: Tensor) -> Tensor:
                many = batch.rows(torch.tensor([number], device=batch.device)).repeated(
                    example.rows(vectors).detach().unsqueeze(0)
                )
                start = None if reference is None else reference[number].expand(len(vectors), *batch.shape)
                found = self.inner.attribute(model.with_batch(many), many, start, rng)
                return example.vectors(found.values if isinstance(found, Estimate) else found)

            tunnel: Any = Peer(ComponentAttribution(explained, self.multiplied_by_inputs))
            with quiet(), rng.legacy("captum", number):
                found = tunnel.attribute(
                    example.inputs, nt_type=self.nt_type, nt_samples=self.nt_samples, stdevs=self.stdevs
                )
            return example.spread(found)

        return by_example(batch, one)

    def passes(self, shape: tuple[int, ...], d: int) -> Cost | None:
        """Those of the method for every noisy version."""
        cost = self.inner.passes(shape, d)
        return None if cost is None else cost * self.nt_samples
