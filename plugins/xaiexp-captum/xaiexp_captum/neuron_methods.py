"""Captum's attributions of one neuron of a layer to the elements of the input."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from xaiexp.plugin import Batch, Block, Draws, Effort, Handle, Range, Space
from xaiexp_captum.input_methods import Quadrature
from xaiexp_captum.module_methods import HookedMethod

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = [
    "NeuronConductance",
    "NeuronDeconvolution",
    "NeuronDeepLift",
    "NeuronDeepLiftShap",
    "NeuronFeatureAblation",
    "NeuronGradient",
    "NeuronGradientShap",
    "NeuronGuidedBackprop",
    "NeuronIntegratedGradients",
]


@dataclass(frozen=True)
class _NeuronMethod(HookedMethod):
    """Base class: methods of a neuron."""

    space: ClassVar[Space] = "neuron"
    target_specific: ClassVar[bool] = False
    weight: ClassVar[int] = 1

    layer: str = "auto"
    neuron_selector: tuple[int, ...] | Literal["max"] = "max"
    attribute_to_neuron_input: bool = False

    @abstractmethod
    def peer(self, module: nn.Module, layer: nn.Module) -> Any:
        """Captum's object."""

    def arguments(self, block: Block, reference: Tensor | None, budget: int) -> dict[str, Any]:
        """Further arguments of Captum's ``attribute``, as for layers."""
        return {}

    @property
    def rows_at_once(self) -> int:
        """Rows that go through the network at once for each row of a block."""
        return self.weight

    def layer_of(self, model: Handle) -> tuple[nn.Module, bool]:
        """The layer, and whether its input is meant.

        Raises:
            ParameterError: no submodule has the name ``layer``.
            Unsupported: ``auto`` finds no layer.
        """
        from xaiexp_captum.calls import layer_of

        return layer_of(model, self.layer, self.attribute_to_neuron_input, f"method.{self.name}.layer")

    def units(self, model: Handle, layer: nn.Module, to_input: bool) -> Tensor:
        """The neuron of each example among the flattened units of the layer, int64 ``[N]``.

        Raises:
            ParameterError: the layer has no such unit.
        """
        from xaiexp_captum.neurons import units

        return units(model, layer, to_input, self.neuron_selector, f"method.{self.name}.neuron_selector")

    def attribute(self, model: Handle, batch: Batch, reference: Tensor | None, rng: Draws) -> Tensor:
        """See :meth:`xaiexp.plugin.Method.attribute`.

        Raises:
            ParameterError: no submodule has the name ``layer``, or the layer has no such unit.
            Unsupported: ``auto`` finds no layer.
        """
        from xaiexp_captum.calls import quiet
        from xaiexp_captum.neurons import selector

        layer, to_input = self.layer_of(model)
        units = self.units(model, layer, to_input)
        budget = model.passes.budget(batch.shape)

        def run(block: Block) -> Tensor:
            module = model.score_module(block)
            with quiet():
                found: Tensor = self.peer(module, layer).attribute(
                    block.rows,
                    selector(module, units),
                    additional_forward_args=block.owners,
                    attribute_to_neuron_input=to_input,
                    **self.arguments(block, reference, max(len(block.rows), budget)),
                )
            return found.detach().to(block.rows.dtype)

        return model.apply(run, weight=self.rows_at_once)


@dataclass(frozen=True)
class _NeuronOfReferences(_NeuronMethod):
    """Base class: methods that take the references of one example at a time."""

    reads_baseline = True
    reads_distribution = True

    multiply_by_inputs: bool = True

    @property
    def multiplied_by_inputs(self) -> bool:
        """As the parameter says."""
        return self.multiply_by_inputs

    def runner(self, model: Handle) -> Callable[[Block, Tensor, Tensor, dict[str, Any]], Tensor]:
        """A function of a block of one row, rows, references and further arguments."""
        from xaiexp_captum.neurons import selector

        layer, to_input = self.layer_of(model)
        units = self.units(model, layer, to_input)

        def run(block: Block, rows: Tensor, references: Tensor, further: dict[str, Any]) -> Tensor:
            number = model.batch.ids.index(block.batch.ids[0])
            module = model.score_module(block)
            found: Tensor = self.peer(module, layer).attribute(
                rows,
                selector(module, units[number : number + 1]),
                baselines=references,
                additional_forward_args=block.owners.to(rows.device),
                attribute_to_neuron_input=to_input,
                **further,
            )
            return found.detach().to(block.rows)

        return run


@dataclass(frozen=True)
class NeuronGradient(_NeuronMethod):
    """The gradient of a neuron, by Captum's ``NeuronGradient``.

    Args:
        layer: name of a submodule; ``auto`` is the last convolution in the order of definition, or in a network without
            one the input of the last ``nn.Linear``. Of a layer with several tensors the first counts.
        neuron_selector: index of the neuron along each axis of the layer, or ``max``: each example's most active unit.
        attribute_to_neuron_input: whether the input of the layer is meant instead of its output.
    """

    name = "captum_neuron_gradient"
    summary = "the gradient of a neuron (Captum)"
    source = "Simonyan et al. 2014, Deep Inside Convolutional Networks, section 3; captum.attr.NeuronGradient"
    multiplied_by_inputs = False

    def peer(self, module: nn.Module, layer: nn.Module) -> Any:
        """See the base class."""
        from captum.attr import NeuronGradient as Peer

        return Peer(module, layer)


@dataclass(frozen=True)
class NeuronIntegratedGradients(_NeuronMethod):
    """Integrated gradients of a neuron, by Captum's ``NeuronIntegratedGradients``.

    Args:
        layer: name of a submodule; ``auto`` is the last convolution in the order of definition, or in a network without
            one the input of the last ``nn.Linear``. Of a layer with several tensors the first counts.
        neuron_selector: index of the neuron along each axis of the layer, or ``max``: each example's most active unit.
        attribute_to_neuron_input: whether the input of the layer is meant instead of its output.
        n_steps: number of steps.
        method: the quadrature rule.
        multiply_by_inputs: whether the result is multiplied by ``x - reference``.
    """

    name = "captum_neuron_integrated_gradients"
    summary = "integrated gradients of a neuron (Captum)"
    source = "Sundararajan et al. 2017, Axiomatic Attribution for Deep Networks; captum.attr.NeuronIntegratedGradients"
    reads_baseline = True

    n_steps: Annotated[int, Range(2), Effort(16, 50, 200)] = 50
    method: Quadrature = "gausslegendre"
    multiply_by_inputs: bool = True

    @property
    def multiplied_by_inputs(self) -> bool:
        """As the parameter says."""
        return self.multiply_by_inputs

    @property
    def complete(self) -> bool:
        """With multiplication only."""
        return self.multiply_by_inputs

    @property
    def rows_at_once(self) -> int:
        """Captum repeats every row for each step."""
        return self.n_steps

    def peer(self, module: nn.Module, layer: nn.Module) -> Any:
        """See the base class."""
        from captum.attr import NeuronIntegratedGradients as Peer

        return Peer(module, layer, multiply_by_inputs=self.multiply_by_inputs)

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
class NeuronConductance(_NeuronMethod):
    """The part of the change of the score that flows through a neuron, by Captum's ``NeuronConductance``.

    Args:
        layer: name of a submodule; ``auto`` is the last convolution in the order of definition, or in a network without
            one the input of the last ``nn.Linear``. Of a layer with several tensors the first counts.
        neuron_selector: index of the neuron along each axis of the layer, or ``max``: each example's most active unit.
        attribute_to_neuron_input: whether the input of the layer is meant instead of its output.
        n_steps: number of steps.
        method: the quadrature rule.
        multiply_by_inputs: whether the result is multiplied by the input's difference from the reference.
    """

    name = "captum_neuron_conductance"
    summary = "the part of the change of the score that flows from each element through a neuron (Captum)"
    source = "Dhamdhere et al. 2018, How Important Is a Neuron?; captum.attr.NeuronConductance"
    reads_baseline = True
    target_specific = True

    n_steps: Annotated[int, Range(2), Effort(16, 50, 200)] = 50
    method: Quadrature = "riemann_trapezoid"
    multiply_by_inputs: bool = True

    @property
    def multiplied_by_inputs(self) -> bool:
        """As the parameter says."""
        return self.multiply_by_inputs

    @property
    def rows_at_once(self) -> int:
        """Captum repeats every row for each step."""
        return self.n_steps

    def peer(self, module: nn.Module, layer: nn.Module) -> Any:
        """See the base class."""
        from captum.attr import NeuronConductance as Peer

        return Peer(module, layer, multiply_by_inputs=self.multiply_by_inputs)

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
class NeuronDeepLift(_NeuronMethod):
    """DeepLIFT of a neuron, by Captum's ``NeuronDeepLift``; limits as for ``captum_deep_lift``.

    Args:
        layer: name of a submodule; ``auto`` is the last convolution in the order of definition, or in a network without
            one the input of the last ``nn.Linear``. Of a layer with several tensors the first counts.
        neuron_selector: index of the neuron along each axis of the layer, or ``max``: each example's most active unit.
        attribute_to_neuron_input: whether the input of the layer is meant instead of its output.
        multiply_by_inputs: whether the result is multiplied by ``x - reference``.
    """

    name = "captum_neuron_deep_lift"
    summary = "DeepLIFT of a neuron (Captum)"
    source = "Shrikumar et al. 2017, section 3.5.1; captum.attr.NeuronDeepLift"
    reads_baseline = True
    weight = 2

    multiply_by_inputs: bool = True

    @property
    def multiplied_by_inputs(self) -> bool:
        """As the parameter says."""
        return self.multiply_by_inputs

    @property
    def complete(self) -> bool:
        """With multiplication only."""
        return self.multiply_by_inputs

    def peer(self, module: nn.Module, layer: nn.Module) -> Any:
        """See the base class."""
        from captum.attr import NeuronDeepLift as Peer

        return Peer(module, layer, multiply_by_inputs=self.multiply_by_inputs)

    def arguments(self, block: Block, reference: Tensor | None, budget: int) -> dict[str, Any]:
        """See the base class."""
        assert reference is not None  # noqa: S101 -- guaranteed by reads_baseline
        return {"baselines": reference[block.owners]}


@dataclass(frozen=True)
class NeuronDeepLiftShap(_NeuronOfReferences):
    """The mean of DeepLIFT of a neuron over all references, by Captum's ``NeuronDeepLiftShap``.

    Args:
        layer: name of a submodule; ``auto`` is the last convolution in the order of definition, or in a network without
            one the input of the last ``nn.Linear``. Of a layer with several tensors the first counts.
        neuron_selector: index of the neuron along each axis of the layer, or ``max``: each example's most active unit.
        attribute_to_neuron_input: whether the input of the layer is meant instead of its output.
        multiply_by_inputs: whether the result is multiplied by ``x - reference``.
    """

    name = "captum_neuron_deep_lift_shap"
    summary = "the mean of DeepLIFT of a neuron over all references (Captum)"
    source = "Lundberg and Lee 2017, section 4.2; captum.attr.NeuronDeepLiftShap"

    @property
    def complete(self) -> bool:
        """With multiplication only."""
        return self.multiply_by_inputs

    def peer(self, module: nn.Module, layer: nn.Module) -> Any:
        """See the base class."""
        from captum.attr import NeuronDeepLiftShap as Peer

        return Peer(module, layer, multiply_by_inputs=self.multiply_by_inputs)

    def attribute(self, model: Handle, batch: Batch, reference: Tensor | None, rng: Draws) -> Tensor:
        """See the base class."""
        from xaiexp_captum.module_methods import over_references

        assert reference is not None  # noqa: S101 -- guaranteed by reads_baseline
        run = self.runner(model)

        def one(block: Block, references: Tensor) -> Tensor:
            return run(block, block.rows, references, {})

        return over_references(model, batch, reference, one)


@dataclass(frozen=True)
class NeuronGradientShap(_NeuronOfReferences):
    """Expected gradients of a neuron, by Captum's ``NeuronGradientShap``.


    The samples of an example go through the network together, whatever ``batch_budget`` is.

    Args:
        layer: name of a submodule; ``auto`` is the last convolution in the order of definition, or in a network without
            one the input of the last ``nn.Linear``. Of a layer with several tensors the first counts.
        neuron_selector: index of the neuron along each axis of the layer, or ``max``: each example's most active unit.
        attribute_to_neuron_input: whether the input of the layer is meant instead of its output.
        multiply_by_inputs: whether the result is multiplied by ``x - reference``.
        n_samples: number of samples.
        stdevs: standard deviation of the noise that is added to the input, in model space.
    """

    name = "captum_neuron_gradient_shap"
    summary = "expected gradients of a neuron at random points between references and input (Captum)"
    source = "Lundberg and Lee 2017; Erion et al. 2021, equation 3; captum.attr.NeuronGradientShap"

    n_samples: Annotated[int, Range(1), Effort(5, 5, 50)] = 5
    stdevs: Annotated[float, Range(0)] = 0.0

    def peer(self, module: nn.Module, layer: nn.Module) -> Any:
        """See the base class."""
        from captum.attr import NeuronGradientShap as Peer

        return Peer(module, layer, multiply_by_inputs=self.multiply_by_inputs)

    def attribute(self, model: Handle, batch: Batch, reference: Tensor | None, rng: Draws) -> Tensor:
        """See the base class."""
        from xaiexp_captum.random_batches import drawn_by_example

        assert reference is not None  # noqa: S101 -- guaranteed by reads_baseline
        run = self.runner(model)
        further = {"n_samples": self.n_samples, "stdevs": self.stdevs}

        def one(block: Block, rows: Tensor, references: Tensor) -> Tensor:
            return run(block, rows, references, further)

        return drawn_by_example(model, batch, reference, rng, one)


@dataclass(frozen=True)
class NeuronFeatureAblation(_NeuronMethod):
    """The change of a neuron when a feature is replaced, by Captum's ``NeuronFeatureAblation``.

    Args:
        layer: name of a submodule; ``auto`` is the last convolution in the order of definition, or in a network without
            one the input of the last ``nn.Linear``. Of a layer with several tensors the first counts.
        neuron_selector: index of the neuron along each axis of the layer, or ``max``: each example's most active unit.
        attribute_to_neuron_input: whether the input of the layer is meant instead of its output.
    """

    name = "captum_neuron_feature_ablation"
    summary = "the change of a neuron when a feature is replaced by the reference (Captum)"
    source = "Zeiler and Fergus 2014, section 4.2; captum.attr.NeuronFeatureAblation"
    needs = frozenset({"modules"})
    reads_baseline = True

    def peer(self, module: nn.Module, layer: nn.Module) -> Any:
        """See the base class."""
        from captum.attr import NeuronFeatureAblation as Peer

        return Peer(module, layer)

    def attribute(self, model: Handle, batch: Batch, reference: Tensor | None, rng: Draws) -> Tensor:
        """See the base class."""
        from xaiexp_captum.neurons import ablated

        assert reference is not None  # noqa: S101 -- guaranteed by reads_baseline
        layer, to_input = self.layer_of(model)
        units = self.units(model, layer, to_input)
        return ablated(lambda module: self.peer(module, layer), model, reference, units, to_input)


@dataclass(frozen=True)
class NeuronGuidedBackprop(_NeuronMethod):
    """Guided backpropagation from a neuron, by Captum's ``NeuronGuidedBackprop``.

    Args:
        layer: name of a submodule; ``auto`` is the last convolution in the order of definition, or in a network without
            one the input of the last ``nn.Linear``. Of a layer with several tensors the first counts.
        neuron_selector: index of the neuron along each axis of the layer, or ``max``: each example's most active unit.
        attribute_to_neuron_input: whether the input of the layer is meant instead of its output.
    """

    name = "captum_neuron_guided_backprop"
    summary = "guided backpropagation from a neuron (Captum)"
    source = "Springenberg et al. 2014, Striving for Simplicity, section 3.4; captum.attr.NeuronGuidedBackprop"
    multiplied_by_inputs = False

    def peer(self, module: nn.Module, layer: nn.Module) -> Any:
        """See the base class."""
        from captum.attr import NeuronGuidedBackprop as Peer

        return Peer(module, layer)


@dataclass(frozen=True)
class NeuronDeconvolution(_NeuronMethod):
    """Deconvolution from a neuron, by Captum's ``NeuronDeconvolution``.

    Args:
        layer: name of a submodule; ``auto`` is the last convolution in the order of definition, or in a network without
            one the input of the last ``nn.Linear``. Of a layer with several tensors the first counts.
        neuron_selector: index of the neuron along each axis of the layer, or ``max``: each example's most active unit.
        attribute_to_neuron_input: whether the input of the layer is meant instead of its output.
    """

    name = "captum_neuron_deconvolution"
    summary = "deconvolution from a neuron (Captum)"
    source = (
        "Zeiler and Fergus 2014, Visualizing and Understanding Convolutional Networks; captum.attr.NeuronDeconvolution"
    )
    multiplied_by_inputs = False

    def peer(self, module: nn.Module, layer: nn.Module) -> Any:
        """See the base class."""
        from captum.attr import NeuronDeconvolution as Peer

        return Peer(module, layer)
