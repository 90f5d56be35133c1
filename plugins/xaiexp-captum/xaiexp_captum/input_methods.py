"""Captum's methods that need gradients at the inputs only: the model is a function for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from xaiexp.plugin import Batch, Cost, Draws, Effort, Handle, Method, Range

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["GradientMethod", "GradientShap", "InputXGradient", "IntegratedGradients", "Quadrature", "Saliency"]

Quadrature = Literal["gausslegendre", "riemann_left", "riemann_right", "riemann_middle", "riemann_trapezoid"]


@dataclass(frozen=True)
class GradientMethod(Method):
    """Base class: methods that need gradients."""

    needs = frozenset({"gradients"})
    reads_baseline = False

    @property
    def signed(self) -> bool:
        """Unless stated otherwise."""
        return True

    @property
    def complete(self) -> bool:
        """Not, unless stated otherwise."""
        return False

    @property
    def multiplied_by_inputs(self) -> bool:
        """Unless stated otherwise."""
        return True


@dataclass(frozen=True)
class Saliency(GradientMethod):
    """The gradient of the score, by Captum's ``Saliency``.

    Args:
        abs: whether absolute values are returned.
    """

    name = "captum_saliency"
    summary = "the gradient of the score (Captum)"
    source = "Simonyan et al. 2014, Deep Inside Convolutional Networks, section 3; captum.attr.Saliency"
    multiplied_by_inputs = False

    abs: bool = True

    @property
    def signed(self) -> bool:
        """Not for absolute values."""
        return not self.abs

    def attribute(self, model: Handle, batch: Batch, reference: Tensor | None, rng: Draws) -> Tensor:
        """See :meth:`xaiexp.plugin.Method.attribute`."""
        import torch
        from captum.attr import Saliency as Peer

        from xaiexp_captum.calls import quiet

        owners = torch.arange(len(batch), device=batch.device)
        with quiet():
            found: Tensor = Peer(model.function).attribute(
                batch.inputs.clone(), abs=self.abs, additional_forward_args=owners
            )
        return found.detach()

    def passes(self, shape: tuple[int, ...], d: int) -> Cost:
        """One forward and one backward pass."""
        return Cost(1, 1)


@dataclass(frozen=True)
class InputXGradient(GradientMethod):
    """The input times the gradient of the score, by Captum's ``InputXGradient``."""

    name = "captum_input_x_gradient"
    summary = "the input times the gradient of the score (Captum)"
    source = "Shrikumar et al. 2016, Not Just a Black Box, section 3; captum.attr.InputXGradient"

    def attribute(self, model: Handle, batch: Batch, reference: Tensor | None, rng: Draws) -> Tensor:
        """See :meth:`xaiexp.plugin.Method.attribute`."""
        import torch
        from captum.attr import InputXGradient as Peer

        from xaiexp_captum.calls import quiet

        owners = torch.arange(len(batch), device=batch.device)
        with quiet():
            found: Tensor = Peer(model.function).attribute(batch.inputs.clone(), additional_forward_args=owners)
        return found.detach()

    def passes(self, shape: tuple[int, ...], d: int) -> Cost:
        """One forward and one backward pass."""
        return Cost(1, 1)


@dataclass(frozen=True)
class IntegratedGradients(GradientMethod):
    """Integrated gradients, by Captum's ``IntegratedGradients``.

    Args:
        n_steps: number of quadrature nodes.
        method: the quadrature rule.
        multiply_by_inputs: whether the averaged gradient is multiplied by ``x - reference``.
    """

    name = "captum_integrated_gradients"
    summary = "x - reference times the gradient averaged along the straight line (Captum)"
    source = "Sundararajan et al. 2017, Axiomatic Attribution for Deep Networks; captum.attr.IntegratedGradients"
    reads_baseline = True

    n_steps: Annotated[int, Range(2), Effort(16, 50, 200)] = 50
    method: Quadrature = "gausslegendre"
    multiply_by_inputs: bool = True

    @property
    def complete(self) -> bool:
        """With multiplication only."""
        return self.multiply_by_inputs

    @property
    def multiplied_by_inputs(self) -> bool:
        """As the parameter says."""
        return self.multiply_by_inputs

    def attribute(self, model: Handle, batch: Batch, reference: Tensor | None, rng: Draws) -> Tensor:
        """See :meth:`xaiexp.plugin.Method.attribute`."""
        import torch
        from captum.attr import IntegratedGradients as Peer

        from xaiexp_captum.calls import quiet

        owners = torch.arange(len(batch), device=batch.device)
        with quiet():
            found: Tensor = Peer(model.function, multiply_by_inputs=self.multiply_by_inputs).attribute(
                batch.inputs.clone(),
                baselines=reference,
                n_steps=self.n_steps,
                method=self.method,
                internal_batch_size=max(len(batch), model.passes.budget(batch.shape)),
                additional_forward_args=owners,
            )
        # Captum keeps the weights of the nodes in float32 or float64 whatever the inputs are.
        return found.detach().to(batch.inputs.dtype)

    def passes(self, shape: tuple[int, ...], d: int) -> Cost:
        """One forward and one backward pass for each node."""
        return Cost(self.n_steps, self.n_steps)


@dataclass(frozen=True)
class GradientShap(GradientMethod):
    """Expected gradients between random references and noisy versions of the input, by Captum's ``GradientShap``.

    Args:
        n_samples: number of samples.
        stdevs: standard deviation of the noise that is added to the input, in model space.
        multiply_by_inputs: whether gradients are multiplied by ``x - reference``.
    """

    name = "captum_gradient_shap"
    summary = "gradients at random points between the references and the input (Captum)"
    source = "Lundberg and Lee 2017; Erion et al. 2021, equation 3; captum.attr.GradientShap"
    reads_baseline = True
    reads_distribution = True

    n_samples: Annotated[int, Range(1), Effort(5, 5, 200)] = 5
    stdevs: Annotated[float, Range(0)] = 0.0
    multiply_by_inputs: bool = True

    @property
    def multiplied_by_inputs(self) -> bool:
        """As the parameter says."""
        return self.multiply_by_inputs

    def attribute(self, model: Handle, batch: Batch, reference: Tensor | None, rng: Draws) -> Tensor:
        """See :meth:`xaiexp.plugin.Method.attribute`."""
        from captum.attr import GradientShap as Peer

        from xaiexp_captum.calls import by_example, quiet

        assert reference is not None  # noqa: S101 -- guaranteed by reads_baseline

        def one(number: int) -> Tensor:
            example = model.example(number)
            if not len(example.positions):
                return example.spread(example.inputs)
            with quiet(), rng.legacy("captum", number):
                found = Peer(example, multiply_by_inputs=self.multiply_by_inputs).attribute(
                    example.inputs,
                    baselines=example.vectors(reference[number]),
                    n_samples=self.n_samples,
                    stdevs=self.stdevs,
                )
            return example.spread(found)

        return by_example(batch, one)

    def passes(self, shape: tuple[int, ...], d: int) -> Cost:
        """One forward and one backward pass for each sample."""
        return Cost(self.n_samples, self.n_samples)
