"""Captum's methods that hook the modules of the network, with attributions of the input."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Protocol

from xaiexp.plugin import Batch, Block, Cost, Draws, Handle, Method, Precision, Range

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = [
    "LRP",
    "Deconvolution",
    "DeepLift",
    "DeepLiftShap",
    "GuidedBackprop",
    "GuidedGradCam",
    "HookedMethod",
    "OfReferences",
    "over_references",
]


@dataclass(frozen=True)
class HookedMethod(Method):
    """Base class: methods that hook the modules of the network."""

    needs = frozenset({"gradients", "modules"})
    precisions: ClassVar[tuple[Precision, ...]] = ("fp32",)  # Captum's hooks know no autocast
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
class _GradientRule(HookedMethod):
    """Base class: other gradients of ReLUs."""

    multiplied_by_inputs = False

    @abstractmethod
    def peer(self, module: nn.Module) -> Any:
        """Captum's object."""

    def attribute(self, model: Handle, batch: Batch, reference: Tensor | None, rng: Draws) -> Tensor:
        """See :meth:`xaiexp.plugin.Method.attribute`."""
        from xaiexp_captum.calls import quiet

        def run(block: Block) -> Tensor:
            with quiet():
                found: Tensor = self.peer(model.score_module(block)).attribute(
                    block.rows, additional_forward_args=block.owners
                )
            return found

        return model.apply(run)

    def passes(self, shape: tuple[int, ...], d: int) -> Cost:
        """One forward and one backward pass."""
        return Cost(1, 1)


@dataclass(frozen=True)
class GuidedBackprop(_GradientRule):
    """The gradient in which ReLUs pass positive gradients of positive inputs only, by Captum's ``GuidedBackprop``.

    Captum changes ``nn.ReLU`` modules; ReLUs that are called as functions keep their gradient.
    """

    name = "captum_guided_backprop"
    summary = "the gradient in which ReLUs pass positive gradients of positive inputs only (Captum)"
    source = "Springenberg et al. 2014, Striving for Simplicity, section 3.4; captum.attr.GuidedBackprop"

    def peer(self, module: nn.Module) -> Any:
        """See the base class."""
        from captum.attr import GuidedBackprop as Peer

        return Peer(module)


@dataclass(frozen=True)
class Deconvolution(_GradientRule):
    """The gradient in which ReLUs pass positive gradients, by Captum's ``Deconvolution``.

    Captum changes ``nn.ReLU`` modules; ReLUs that are called as functions keep their gradient.
    """

    name = "captum_deconvolution"
    summary = "the gradient in which ReLUs pass positive gradients whatever their inputs (Captum)"
    source = "Zeiler and Fergus 2014, Visualizing and Understanding Convolutional Networks; captum.attr.Deconvolution"

    def peer(self, module: nn.Module) -> Any:
        """See the base class."""
        from captum.attr import Deconvolution as Peer

        return Peer(module)


@dataclass(frozen=True)
class GuidedGradCam(HookedMethod):
    """Guided backpropagation times an upsampled Grad-CAM, by Captum's ``GuidedGradCam``.

    Args:
        layer: name of a convolution; ``auto`` is the last ``nn.Conv2d`` in the order of definition.
        interpolate_mode: how the map is upsampled.
        attribute_to_layer_input: whether the input of the layer is used instead of its output.
    """

    name = "captum_guided_grad_cam"
    summary = "guided backpropagation times an upsampled Grad-CAM (Captum)"
    source = "Selvaraju et al. 2017, Grad-CAM, section 3.3; captum.attr.GuidedGradCam"
    needs = frozenset({"gradients", "modules", "convolutions"})
    multiplied_by_inputs = False
    modalities = ("image",)

    layer: str = "auto"
    interpolate_mode: Literal["nearest", "bilinear", "bicubic", "area"] = "nearest"
    attribute_to_layer_input: bool = False

    def attribute(self, model: Handle, batch: Batch, reference: Tensor | None, rng: Draws) -> Tensor:
        """See :meth:`xaiexp.plugin.Method.attribute`."""
        from captum.attr import GuidedGradCam as Peer

        from xaiexp_captum.calls import layer_of, quiet

        where = f"method.{self.name}.layer"
        layer, to_input = layer_of(model, self.layer, self.attribute_to_layer_input, where, images=True)

        def run(block: Block) -> Tensor:
            with quiet():
                found: Tensor = Peer(model.score_module(block), layer).attribute(
                    block.rows,
                    additional_forward_args=block.owners,
                    interpolate_mode=self.interpolate_mode,
                    attribute_to_layer_input=to_input,
                )
            return found

        return model.apply(run)

    def passes(self, shape: tuple[int, ...], d: int) -> Cost:
        """Two forward and two backward passes."""
        return Cost(2, 2)


@dataclass(frozen=True)
class DeepLift(HookedMethod):
    """DeepLIFT with the rescale rule, by Captum's ``DeepLift``.

    Captum has rules for modules. Activations that are called as functions keep their gradient, so that maps of such
    networks do not add up; the study measures and tells it.

    Args:
        eps: differences of a module's inputs below it use the gradient.
        multiply_by_inputs: whether multipliers are multiplied by ``x - reference``.
    """

    name = "captum_deep_lift"
    summary = "DeepLIFT with the rescale rule (Captum)"
    source = "Shrikumar et al. 2017, section 3.5.1; Ancona et al. 2018; captum.attr.DeepLift"
    reads_baseline = True

    eps: Annotated[float, Range(0, exclusive=True)] = 1e-10
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
        """See :meth:`xaiexp.plugin.Method.attribute`.

        Raises:
            Unsupported: what is explained is no number that the network returns.
        """
        from captum.attr import DeepLift as Peer

        from xaiexp_captum.calls import quiet, require_plain_output

        assert reference is not None  # noqa: S101 -- guaranteed by reads_baseline
        require_plain_output(model, "DeepLIFT")

        def run(block: Block) -> Tensor:
            peer = Peer(model.score_module(block), multiply_by_inputs=self.multiply_by_inputs, eps=self.eps)
            with quiet():
                found: Tensor = peer.attribute(
                    block.rows, baselines=reference[block.owners], additional_forward_args=block.owners
                )
            return found

        return model.apply(run, weight=2)

    def passes(self, shape: tuple[int, ...], d: int) -> Cost:
        """One forward and one backward pass of the input and of the reference."""
        return Cost(2, 2)


@dataclass(frozen=True)
class DeepLiftShap(HookedMethod):
    """The mean of DeepLIFT over all references, by Captum's ``DeepLiftShap``.

    Args:
        multiply_by_inputs: whether multipliers are multiplied by ``x - reference``.
    """

    name = "captum_deep_lift_shap"
    summary = "the mean of DeepLIFT over all references (Captum)"
    source = "Lundberg and Lee 2017, section 4.2; captum.attr.DeepLiftShap"
    reads_baseline = True
    reads_distribution = True

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
        """See :meth:`xaiexp.plugin.Method.attribute`; errors as in ``captum_deep_lift``."""
        from captum.attr import DeepLiftShap as Peer

        from xaiexp_captum.calls import require_plain_output

        assert reference is not None  # noqa: S101 -- guaranteed by reads_baseline
        require_plain_output(model, "DeepLIFT")

        def run(block: Block, references: Tensor) -> Tensor:
            peer = Peer(model.score_module(block), multiply_by_inputs=self.multiply_by_inputs)
            found: Tensor = peer.attribute(block.rows, baselines=references, additional_forward_args=block.owners)
            return found

        return over_references(model, batch, reference, run)


class OfReferences(Protocol):
    """A method that averages over the references of one example."""

    def __call__(self, block: Block, references: Tensor) -> Tensor:
        """The mean ``[1, ...]`` for a block of one row and at least 2 references ``[r, *shape]``."""


def over_references(model: Handle, batch: Batch, reference: Tensor, run: OfReferences) -> Tensor:
    """The mean over all references of a method that averages over those of one example.

    Args:
        model: the handle.
        batch: the examples.
        reference: ``[N, R, *shape]``.
        run: the method.
    """
    import torch

    from xaiexp_captum.calls import by_example, quiet

    size = max(1, model.passes.budget(batch.shape) // 2)

    def one(number: int) -> Tensor:
        alone = model.with_batch(batch.rows(torch.tensor([number], device=batch.device)))
        total: Tensor | float = 0.0
        for start in range(0, reference.shape[1], size):
            part = reference[number, start : start + size]
            # A single reference is given twice: the mean is the same.
            given = part if len(part) > 1 else torch.cat([part, part])
            with quiet():
                found = alone.apply(partial(run, references=given))[0]
            total = total + found * (len(part) / reference.shape[1])
        assert isinstance(total, torch.Tensor)  # noqa: S101 -- there is at least one reference
        return total

    return by_example(batch, one)


@dataclass(frozen=True)
class LRP(HookedMethod):
    """Layer-wise relevance propagation with the epsilon rule, by Captum's ``LRP``.

    Modules without parameters that rearrange elements or pass them on (``nn.Identity``, ``nn.Flatten``) get the
    epsilon rule too. Operations between modules keep their gradient, which doubles relevance at a sum of two
    branches: use xaiexp-zennit for residual networks.
    """

    name = "captum_lrp"
    summary = "layer-wise relevance propagation with the epsilon rule (Captum)"
    source = "Bach et al. 2015, On Pixel-Wise Explanations, equation 58; captum.attr.LRP"

    def attribute(self, model: Handle, batch: Batch, reference: Tensor | None, rng: Draws) -> Tensor:
        """See :meth:`xaiexp.plugin.Method.attribute`.

        Raises:
            Unsupported: a module has no rule, or what is explained is no number that the network returns.
        """
        import captum.attr

        from xaiexp_captum.calls import quiet, require_plain_output
        from xaiexp_captum.relevance import with_rules

        require_plain_output(model, "LRP")

        def run(block: Block) -> Tensor:
            module = model.score_module(block)
            with quiet(), with_rules(module):
                found: Tensor = captum.attr.LRP(module).attribute(block.rows, additional_forward_args=block.owners)
            return found

        return model.apply(run)

    def passes(self, shape: tuple[int, ...], d: int) -> Cost:
        """Two forward passes, one of them to change weights, and one backward pass."""
        return Cost(2, 1)
