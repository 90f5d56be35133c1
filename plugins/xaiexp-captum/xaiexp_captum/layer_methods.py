"""Captum's attributions of the score to the units of a layer."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from xaiexp.plugin import Batch, Block, Cost, Draws, Effort, Handle, Range, Space, Unsupported
from xaiexp_captum.input_methods import Quadrature
from xaiexp_captum.module_methods import HookedMethod

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = [
    "InternalInfluence",
    "LayerActivation",
    "LayerConductance",
    "LayerDeepLift",
    "LayerDeepLiftShap",
    "LayerFeatureAblation",
    "LayerFeaturePermutation",
    "LayerGradCam",
    "LayerGradientShap",
    "LayerGradientXActivation",
    "LayerIntegratedGradients",
    "LayerLRP",
    "LayerMethod",
]


@dataclass(frozen=True)
class LayerMethod(HookedMethod):
    """Base class: methods of a layer.

    Args:
        layer: name of a submodule; ``auto`` is the last convolution in the order of definition, or in a network without
            one the input of the last ``nn.Linear``. Of a layer with several tensors the first counts.
        attribute_to_layer_input: whether the input of the layer is meant instead of its output.
    """

    space: ClassVar[Space] = "layer"
    weight: ClassVar[int] = 1
    """Rows that go through the network at once for each row of a block."""

    layer: str = "auto"
    attribute_to_layer_input: bool = False

    @abstractmethod
    def peer(self, module: nn.Module, layer: nn.Module) -> Any:
        """Captum's object."""

    def arguments(self, block: Block, reference: Tensor | None, budget: int) -> dict[str, Any]:
        """Further arguments of Captum's ``attribute``.

        Args:
            block: the rows.
            reference: ``[N, *shape]``, of the examples of the batch.
            budget: rows that may go through the network at once.
        """
        return {}

    @property
    def rows_at_once(self) -> int:
        """Rows that go through the network at once for each row of a block."""
        return self.weight

    def attribute(self, model: Handle, batch: Batch, reference: Tensor | None, rng: Draws) -> Tensor:
        """See :meth:`xaiexp.plugin.Method.attribute`; ``[N, *layer]``.

        Raises:
            ParameterError: no submodule has the name ``layer``.
            Unsupported: ``auto`` finds no layer.
        """
        from xaiexp_captum.calls import first_tensor, layer_of, quiet

        layer, to_input = layer_of(model, self.layer, self.attribute_to_layer_input, f"method.{self.name}.layer")
        budget = model.passes.budget(batch.shape)

        def run(block: Block) -> Tensor:
            with quiet():
                found = self.peer(model.score_module(block), layer).attribute(
                    block.rows,
                    additional_forward_args=block.owners,
                    attribute_to_layer_input=to_input,
                    **self.arguments(block, reference, max(len(block.rows), budget)),
                )
            return first_tensor(found).detach().to(block.rows.dtype)

        return model.apply(run, weight=self.rows_at_once)


@dataclass(frozen=True)
class _PathMethod(LayerMethod):
    """Base class: sums along the straight line from the reference to the input."""

    reads_baseline = True

    n_steps: Annotated[int, Range(2), Effort(16, 50, 200)] = 50
    method: Quadrature = "gausslegendre"

    @property
    def rows_at_once(self) -> int:
        """Captum repeats every row for each step."""
        return self.n_steps

    def arguments(self, block: Block, reference: Tensor | None, budget: int) -> dict[str, Any]:
        """See the base class."""
        assert reference is not None  # noqa: S101 -- guaranteed by reads_baseline
        return {
            "baselines": reference[block.owners],
            "n_steps": self.n_steps,
            "method": self.method,
            "internal_batch_size": budget,
        }


@dataclass(frozen=True)
class LayerActivation(LayerMethod):
    """The activations of a layer, the same for every target, by Captum's ``LayerActivation``.

    Args:
        layer: name of a submodule; ``auto`` is the last convolution in the order of definition, or in a network without
            one the input of the last ``nn.Linear``. Of a layer with several tensors the first counts.
        attribute_to_layer_input: whether the input of the layer is meant instead of its output.
    """

    name = "captum_layer_activation"
    summary = "the activations of a layer (Captum)"
    source = "Kokhlikyan et al. 2020, Captum; captum.attr.LayerActivation"
    needs = frozenset({"modules"})
    signed = False
    target_specific = False

    def peer(self, module: nn.Module, layer: nn.Module) -> Any:
        """See the base class."""
        from captum.attr import LayerActivation as Peer

        return Peer(module, layer)

    def passes(self, shape: tuple[int, ...], d: int) -> Cost:
        """One forward pass."""
        return Cost(1)


@dataclass(frozen=True)
class LayerGradientXActivation(LayerMethod):
    """The activations of a layer times their gradients, by Captum's ``LayerGradientXActivation``.

    Args:
        layer: name of a submodule; ``auto`` is the last convolution in the order of definition, or in a network without
            one the input of the last ``nn.Linear``. Of a layer with several tensors the first counts.
        attribute_to_layer_input: whether the input of the layer is meant instead of its output.
        multiply_by_inputs: whether gradients are multiplied by the activations.
    """

    name = "captum_layer_gradient_x_activation"
    summary = "the activations of a layer times their gradients (Captum)"
    source = "Shrikumar et al. 2016, Not Just a Black Box, section 3; captum.attr.LayerGradientXActivation"

    multiply_by_inputs: bool = True

    @property
    def multiplied_by_inputs(self) -> bool:
        """As the parameter says."""
        return self.multiply_by_inputs

    def peer(self, module: nn.Module, layer: nn.Module) -> Any:
        """See the base class."""
        from captum.attr import LayerGradientXActivation as Peer

        return Peer(module, layer, multiply_by_inputs=self.multiply_by_inputs)

    def passes(self, shape: tuple[int, ...], d: int) -> Cost:
        """One forward and one backward pass."""
        return Cost(1, 1)


@dataclass(frozen=True)
class LayerGradCam(LayerMethod):
    """The activations of a layer weighted by their mean gradients, by Captum's ``LayerGradCam``.

    Args:
        layer: name of a submodule; ``auto`` is the last convolution in the order of definition, or in a network without
            one the input of the last ``nn.Linear``. Of a layer with several tensors the first counts.
        attribute_to_layer_input: whether the input of the layer is meant instead of its output.
        relu_attributions: whether negative values become 0.
        attr_dim_summation: whether channels are summed up.
    """

    name = "captum_layer_grad_cam"
    summary = "Grad-CAM of a layer (Captum)"
    source = "Selvaraju et al. 2017, Grad-CAM, equations 1 and 2; captum.attr.LayerGradCam"

    relu_attributions: bool = False
    attr_dim_summation: bool = True

    @property
    def signed(self) -> bool:
        """Unless negative values become 0."""
        return not self.relu_attributions

    def peer(self, module: nn.Module, layer: nn.Module) -> Any:
        """See the base class."""
        from captum.attr import LayerGradCam as Peer

        return Peer(module, layer)

    def arguments(self, block: Block, reference: Tensor | None, budget: int) -> dict[str, Any]:
        """See the base class."""
        return {"relu_attributions": self.relu_attributions, "attr_dim_summation": self.attr_dim_summation}

    def passes(self, shape: tuple[int, ...], d: int) -> Cost:
        """One forward and one backward pass."""
        return Cost(1, 1)


@dataclass(frozen=True)
class LayerConductance(_PathMethod):
    """The part of the change of the score that flows through each unit, by Captum's ``LayerConductance``.


    Captum takes the gradient at the start of each step and leaves out the ends of the line for all rules but
    ``riemann_trapezoid``, so that sums are inexact; the error of ``layer_conductance`` with
    ``method=midpoint`` is of second order.

    Args:
        layer: name of a submodule; ``auto`` is the last convolution in the order of definition, or in a network without
            one the input of the last ``nn.Linear``. Of a layer with several tensors the first counts.
        attribute_to_layer_input: whether the input of the layer is meant instead of its output.
        n_steps: number of steps.
        method: the quadrature rule.
    """

    name = "captum_layer_conductance"
    summary = "the part of the change of the score that flows through each unit of a layer (Captum)"
    source = "Dhamdhere et al. 2018, How Important Is a Neuron?; Shrikumar et al. 2018; captum.attr.LayerConductance"

    def peer(self, module: nn.Module, layer: nn.Module) -> Any:
        """See the base class."""
        from captum.attr import LayerConductance as Peer

        return Peer(module, layer)


@dataclass(frozen=True)
class LayerIntegratedGradients(_PathMethod):
    """Integrated gradients between the activations of a layer, by Captum's ``LayerIntegratedGradients``.

    Args:
        layer: name of a submodule; ``auto`` is the last convolution in the order of definition, or in a network without
            one the input of the last ``nn.Linear``. Of a layer with several tensors the first counts.
        attribute_to_layer_input: whether the input of the layer is meant instead of its output.
        n_steps: number of steps.
        method: the quadrature rule.
        multiply_by_inputs: whether the result is multiplied by the difference of the activations.
    """

    name = "captum_layer_integrated_gradients"
    summary = "integrated gradients between the activations of a layer (Captum)"
    source = "Sundararajan et al. 2017, Axiomatic Attribution for Deep Networks; captum.attr.LayerIntegratedGradients"

    multiply_by_inputs: bool = True

    @property
    def multiplied_by_inputs(self) -> bool:
        """As the parameter says."""
        return self.multiply_by_inputs

    def peer(self, module: nn.Module, layer: nn.Module) -> Any:
        """See the base class."""
        from captum.attr import LayerIntegratedGradients as Peer

        return Peer(module, layer, multiply_by_inputs=self.multiply_by_inputs)


@dataclass(frozen=True)
class InternalInfluence(_PathMethod):
    """The gradient of a layer averaged along the straight line, by Captum's ``InternalInfluence``.

    Args:
        layer: name of a submodule; ``auto`` is the last convolution in the order of definition, or in a network without
            one the input of the last ``nn.Linear``. Of a layer with several tensors the first counts.
        attribute_to_layer_input: whether the input of the layer is meant instead of its output.
        n_steps: number of steps.
        method: the quadrature rule.
    """

    name = "captum_internal_influence"
    summary = "gradients of a layer, averaged along the line from the reference to the input (Captum)"
    source = "Leino et al. 2018, Influence-Directed Explanations; captum.attr.InternalInfluence"
    multiplied_by_inputs = False

    def peer(self, module: nn.Module, layer: nn.Module) -> Any:
        """See the base class."""
        from captum.attr import InternalInfluence as Peer

        return Peer(module, layer)


@dataclass(frozen=True)
class LayerDeepLift(LayerMethod):
    """DeepLIFT of the units of a layer, by Captum's ``LayerDeepLift``; limits as for ``captum_deep_lift``.

    Args:
        layer: name of a submodule; ``auto`` is the last convolution in the order of definition, or in a network without
            one the input of the last ``nn.Linear``. Of a layer with several tensors the first counts.
        attribute_to_layer_input: whether the input of the layer is meant instead of its output.
        multiply_by_inputs: whether the result is multiplied by the difference of the activations.
    """

    name = "captum_layer_deep_lift"
    summary = "DeepLIFT of a layer (Captum)"
    source = "Shrikumar et al. 2017, section 3.5.1; captum.attr.LayerDeepLift"
    reads_baseline = True
    weight = 2

    multiply_by_inputs: bool = True

    @property
    def multiplied_by_inputs(self) -> bool:
        """As the parameter says."""
        return self.multiply_by_inputs

    def attribute(self, model: Handle, batch: Batch, reference: Tensor | None, rng: Draws) -> Tensor:
        """See the base class; errors as in ``captum_deep_lift`` too."""
        from xaiexp_captum.calls import require_plain_output

        require_plain_output(model, "DeepLIFT")
        return super().attribute(model, batch, reference, rng)

    def peer(self, module: nn.Module, layer: nn.Module) -> Any:
        """See the base class."""
        from captum.attr import LayerDeepLift as Peer

        return Peer(module, layer, multiply_by_inputs=self.multiply_by_inputs)

    def arguments(self, block: Block, reference: Tensor | None, budget: int) -> dict[str, Any]:
        """See the base class."""
        assert reference is not None  # noqa: S101 -- guaranteed by reads_baseline
        return {"baselines": reference[block.owners]}

    def passes(self, shape: tuple[int, ...], d: int) -> Cost:
        """One forward and one backward pass of the input and of the reference."""
        return Cost(2, 2)


@dataclass(frozen=True)
class LayerDeepLiftShap(LayerMethod):
    """The mean of DeepLIFT over all references for a layer, by Captum's ``LayerDeepLiftShap``.

    Args:
        layer: name of a submodule; ``auto`` is the last convolution in the order of definition, or in a network without
            one the input of the last ``nn.Linear``. Of a layer with several tensors the first counts.
        attribute_to_layer_input: whether the input of the layer is meant instead of its output.
        multiply_by_inputs: whether the result is multiplied by the difference of the activations.
    """

    name = "captum_layer_deep_lift_shap"
    summary = "the mean of DeepLIFT of a layer over all references (Captum)"
    source = "Lundberg and Lee 2017, section 4.2; captum.attr.LayerDeepLiftShap"
    reads_baseline = True
    reads_distribution = True

    multiply_by_inputs: bool = True

    @property
    def multiplied_by_inputs(self) -> bool:
        """As the parameter says."""
        return self.multiply_by_inputs

    def peer(self, module: nn.Module, layer: nn.Module) -> Any:
        """See the base class."""
        from captum.attr import LayerDeepLiftShap as Peer

        return Peer(module, layer, multiply_by_inputs=self.multiply_by_inputs)

    def attribute(self, model: Handle, batch: Batch, reference: Tensor | None, rng: Draws) -> Tensor:
        """See the base class; errors as in ``captum_deep_lift`` too."""
        from xaiexp_captum.calls import first_tensor, layer_of, require_plain_output
        from xaiexp_captum.module_methods import over_references

        assert reference is not None  # noqa: S101 -- guaranteed by reads_baseline
        require_plain_output(model, "DeepLIFT")
        layer, to_input = layer_of(model, self.layer, self.attribute_to_layer_input, f"method.{self.name}.layer")

        def run(block: Block, references: Tensor) -> Tensor:
            found = self.peer(model.score_module(block), layer).attribute(
                block.rows,
                baselines=references,
                additional_forward_args=block.owners,
                attribute_to_layer_input=to_input,
            )
            return first_tensor(found)

        return over_references(model, batch, reference, run)


@dataclass(frozen=True)
class LayerGradientShap(LayerMethod):
    """Expected gradients of a layer, by Captum's ``LayerGradientShap``.


    The samples of an example go through the network together, whatever ``batch_budget`` is.

    Args:
        layer: name of a submodule; ``auto`` is the last convolution in the order of definition, or in a network without
            one the input of the last ``nn.Linear``. Of a layer with several tensors the first counts.
        attribute_to_layer_input: whether the input of the layer is meant instead of its output.
        n_samples: number of samples.
        stdevs: standard deviation of the noise that is added to the input, in model space.
        multiply_by_inputs: whether the result is multiplied by the difference of the activations.
    """

    name = "captum_layer_gradient_shap"
    summary = "expected gradients of a layer at random points between references and input (Captum)"
    source = "Lundberg and Lee 2017; Erion et al. 2021, equation 3; captum.attr.LayerGradientShap"
    reads_baseline = True
    reads_distribution = True

    n_samples: Annotated[int, Range(1), Effort(5, 5, 50)] = 5
    stdevs: Annotated[float, Range(0)] = 0.0
    multiply_by_inputs: bool = True

    @property
    def multiplied_by_inputs(self) -> bool:
        """As the parameter says."""
        return self.multiply_by_inputs

    def peer(self, module: nn.Module, layer: nn.Module) -> Any:
        """See the base class."""
        from captum.attr import LayerGradientShap as Peer

        return Peer(module, layer, multiply_by_inputs=self.multiply_by_inputs)

    def attribute(self, model: Handle, batch: Batch, reference: Tensor | None, rng: Draws) -> Tensor:
        """See the base class."""
        from xaiexp_captum.calls import first_tensor, layer_of
        from xaiexp_captum.random_batches import drawn_by_example

        assert reference is not None  # noqa: S101 -- guaranteed by reads_baseline
        layer, to_input = layer_of(model, self.layer, self.attribute_to_layer_input, f"method.{self.name}.layer")

        def run(block: Block, rows: Tensor, references: Tensor) -> Tensor:
            found = self.peer(model.score_module(block), layer).attribute(
                rows,
                baselines=references,
                n_samples=self.n_samples,
                stdevs=self.stdevs,
                additional_forward_args=block.owners.cpu(),
                attribute_to_layer_input=to_input,
            )
            return first_tensor(found).to(block.rows)

        return drawn_by_example(model, batch, reference, rng, run)


@dataclass(frozen=True)
class LayerFeatureAblation(LayerMethod):
    """The change of the score when a unit of a layer becomes 0, by Captum's ``LayerFeatureAblation``.


    One pass for each unit: choose a small layer.

    Args:
        layer: name of a submodule; ``auto`` is the last convolution in the order of definition, or in a network without
            one the input of the last ``nn.Linear``. Of a layer with several tensors the first counts.
        attribute_to_layer_input: whether the input of the layer is meant instead of its output.
    """

    name = "captum_layer_feature_ablation"
    summary = "the change of the score when a unit of a layer becomes 0 (Captum)"
    source = "Zeiler and Fergus 2014, section 4.2, for the units of a layer; captum.attr.LayerFeatureAblation"
    needs = frozenset({"modules"})

    def peer(self, module: nn.Module, layer: nn.Module) -> Any:
        """See the base class."""
        from captum.attr import LayerFeatureAblation as Peer

        return Peer(module, layer)

    def arguments(self, block: Block, reference: Tensor | None, budget: int) -> dict[str, Any]:
        """See the base class."""
        return {"perturbations_per_eval": max(1, budget // len(block.rows))}


@dataclass(frozen=True)
class LayerFeaturePermutation(LayerMethod):
    """The change of the score with the activation of another example, by Captum's ``LayerFeaturePermutation``.


    Captum permutes a unit within the batch. Here the batch is the example and the pool of the study, so that results do
    not depend on which examples share a batch; all of it goes through the network for each unit: choose a small layer.

    Args:
        layer: name of a submodule; ``auto`` is the last convolution in the order of definition, or in a network without
            one the input of the last ``nn.Linear``. Of a layer with several tensors the first counts.
        attribute_to_layer_input: whether the input of the layer is meant instead of its output.
    """

    name = "captum_layer_feature_permutation"
    summary = "the change of the score when a unit of a layer has the value of another example (Captum)"
    source = (
        "Molnar, Interpretable Machine Learning, Permutation Feature Importance; captum.attr.LayerFeaturePermutation"
    )
    needs = frozenset({"modules"})
    modalities = ("image", "table", "series")  # texts of the pool have other lengths

    def peer(self, module: nn.Module, layer: nn.Module) -> Any:
        """See the base class."""
        from captum.attr import LayerFeaturePermutation as Peer

        return Peer(module, layer)

    def attribute(self, model: Handle, batch: Batch, reference: Tensor | None, rng: Draws) -> Tensor:
        """See the base class.

        Raises:
            Unsupported: there is no pool, or the input of the layer is meant, which Captum does not permute.
        """
        from xaiexp_captum.calls import first_tensor, layer_of
        from xaiexp_captum.random_batches import drawn_with_pool

        layer, to_input = layer_of(model, self.layer, self.attribute_to_layer_input, f"method.{self.name}.layer")
        if to_input:
            raise Unsupported("Captum permutes the output of a layer only, and there is no convolution: name a layer")

        def run(block: Block) -> Tensor:
            found = self.peer(model.score_module(block), layer).attribute(
                block.rows, additional_forward_args=block.owners
            )
            return first_tensor(found)

        return drawn_with_pool(model, batch, rng, run)


@dataclass(frozen=True)
class LayerLRP(LayerMethod):
    """The relevance of the units of a layer, by Captum's ``LayerLRP``; limits as for ``captum_lrp``.

    Args:
        layer: name of a submodule; ``auto`` is the last convolution in the order of definition, or in a network without
            one the input of the last ``nn.Linear``. Of a layer with several tensors the first counts.
        attribute_to_layer_input: whether the input of the layer is meant instead of its output.
    """

    name = "captum_layer_lrp"
    summary = "layer-wise relevance propagation to a layer with the epsilon rule (Captum)"
    source = "Bach et al. 2015, On Pixel-Wise Explanations, equation 58; captum.attr.LayerLRP"

    def attribute(self, model: Handle, batch: Batch, reference: Tensor | None, rng: Draws) -> Tensor:
        """See the base class; errors as in ``captum_lrp`` too."""
        from captum.attr import LayerLRP as Peer

        from xaiexp_captum.calls import first_tensor, layer_of, quiet, require_plain_output
        from xaiexp_captum.relevance import with_rules

        require_plain_output(model, "LRP")
        layer, to_input = layer_of(model, self.layer, self.attribute_to_layer_input, f"method.{self.name}.layer")

        def run(block: Block) -> Tensor:
            module = model.score_module(block)
            with quiet(), with_rules(module):
                found = Peer(module, layer).attribute(
                    block.rows, additional_forward_args=block.owners, attribute_to_layer_input=to_input
                )
            return first_tensor(found)

        return model.apply(run)

    def peer(self, module: nn.Module, layer: nn.Module) -> Any:
        """See the base class."""
        from captum.attr import LayerLRP as Peer

        return Peer(module, layer)
