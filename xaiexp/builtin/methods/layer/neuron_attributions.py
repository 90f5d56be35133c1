"""Attributions of one neuron of a layer to the elements of the input."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from xaiexp.builtin.methods.layer.layer_attributions import LayerMethod, StraightPathMethod
from xaiexp.builtin.methods.quadrature import quadrature
from xaiexp.core.batches import Batch
from xaiexp.core.explanations import Cost
from xaiexp.core.vocabulary import Precision
from xaiexp.errors import ParameterError

if TYPE_CHECKING:
    from torch import Tensor

    from xaiexp.core.draws import Draws
    from xaiexp.inference.block import Block
    from xaiexp.inference.layers import Layer
    from xaiexp.inference.passes import Handle

    NeuronValue = Callable[[Block, Tensor], Tensor]

__all__ = ["NeuronConductance", "NeuronGradient", "NeuronIntegratedGradients"]

Neuron = tuple[int, ...] | Literal["max"]


@dataclass(frozen=True)
class _NeuronMethod(LayerMethod):
    """Base class: methods with a parameter ``neuron``."""

    space = "neuron"

    neuron: Neuron = "max"

    @property
    def precisions(self) -> tuple[Precision, ...]:
        """fp32 only for ``max``: rounding to half precision can change which unit is the most active."""
        return ("fp32",) if self.neuron == "max" else super().precisions

    def _unit_index(self, activations: Tensor) -> Tensor:
        """The index of the neuron among the flattened units ``[B, *layer]``, int64 ``[B]``.

        Raises:
            ParameterError: the layer has no such unit.
        """
        import numpy as np

        shape = tuple(activations.shape[1:])
        if self.neuron == "max":
            return activations.detach().flatten(1).argmax(dim=1)
        fits = len(self.neuron) == len(shape) and all(0 <= i < size for i, size in zip(self.neuron, shape, strict=True))
        if not fits:
            raise ParameterError(
                f"method.{self.name}.neuron",
                f"the layer has units of shape {list(shape)}, and none with these indices",
                got=list(self.neuron),
                hint="one index from 0 for each axis, or max for each example's most active unit",
            )
        index = int(np.ravel_multi_index(self.neuron, shape))
        return activations.new_full((len(activations),), index).long()

    def _neuron_value(self, model: Handle, layer: Layer) -> NeuronValue:
        """A function from a block's activations to the value of the neuron, ``[B]``; one neuron for the whole line."""
        from xaiexp.builtin.methods.layer.layer_path_formulas import activations

        most_active = self._unit_index(activations(model, layer)) if self.neuron == "max" else None

        def value(block: Block, values: Tensor) -> Tensor:
            index = self._unit_index(values) if most_active is None else most_active[block.owners]
            return values.flatten(1).gather(1, index.unsqueeze(1)).squeeze(1)

        return value

    def _search_cost(self) -> Cost:
        """The cost of finding the most active unit."""
        return Cost(1 if self.neuron == "max" else 0)


@dataclass(frozen=True)
class _NeuronPathMethod(StraightPathMethod, _NeuronMethod):
    """Base class: ``x - x0`` times the mean of :meth:`_slopes` along the straight line."""

    @abstractmethod
    def _slopes(self, block: Block, value: NeuronValue, leaf: Tensor, values: Tensor, scores: Tensor) -> Tensor:
        """The integrand ``[B, *shape]`` at the rows ``leaf``, from the activations and scores there."""

    def attribute(self, model: Handle, batch: Batch, reference: Tensor | None, rng: Draws) -> Tensor:
        """See :meth:`xaiexp.contract.kinds.Method.attribute`; errors as in ``neuron_gradient``."""
        from xaiexp.builtin.methods.layer.layer_path_formulas import (
            line_points,
            map_points,
            read_layer,
            weighted_sum,
        )

        assert reference is not None  # noqa: S101 -- guaranteed by reads_baseline
        layer = self.resolve_layer(model)
        value = self._neuron_value(model, layer)

        def run(block: Block) -> Tensor:
            return self._slopes(block, value, *read_layer(model, layer, block))

        nodes, weights = quadrature(self.method, self.n_steps)
        chunks, points = line_points(model, reference, nodes)
        return (batch.inputs - reference) * weighted_sum(map_points(model, points, run), chunks, weights)


@dataclass(frozen=True)
class NeuronGradient(_NeuronMethod):
    """The gradient of a neuron's activation with respect to the input, the same for every target.

    Args:
        layer: as in ``layer_activation``.
        neuron: indices of a unit in the layer's output for one example, or ``max``, the most active unit of each
            example (the first of several), which is not supported in half precision.
    """

    summary = "the gradient of a neuron's activation with respect to the input"
    source = "Simonyan et al. 2013, section 3.1, for a neuron (as in Captum)"
    reads_baseline = False
    multiplied_by_inputs = False
    target_specific = False

    def attribute(self, model: Handle, batch: Batch, reference: Tensor | None, rng: Draws) -> Tensor:
        """See :meth:`xaiexp.contract.kinds.Method.attribute`.

        Raises:
            ParameterError: no submodule has the name ``layer``, or its output has no such unit.
            Unsupported: the layer does not run, or its output is not a float tensor ``[N, ...]``.
        """
        from xaiexp.builtin.methods.layer.layer_path_formulas import read_layer

        layer = self.resolve_layer(model)

        def run(block: Block) -> Tensor:
            leaf, values, _ = read_layer(model, layer, block)
            value = values.flatten(1).gather(1, self._unit_index(values).unsqueeze(1)).squeeze(1)
            return block.gradients(value, leaf)

        return model.apply(run)

    def passes(self, shape: tuple[int, ...], d: int) -> Cost:
        """One forward and one backward pass."""
        return Cost(1, 1)


@dataclass(frozen=True)
class NeuronIntegratedGradients(_NeuronPathMethod):
    """Integrated gradients of a neuron's activation, the same for every target.

    Attributions sum to the change of the neuron's activation from the reference to the input.

    Args:
        layer: as in ``layer_activation``.
        neuron: as in ``neuron_gradient``; ``max`` is the most active unit at the input, for the whole line.
        n_steps: number of quadrature nodes.
        method: the quadrature rule, as in ``integrated_gradients``.
    """

    summary = "integrated gradients of a neuron's activation"
    source = "Sundararajan et al. 2017, equation 1, for a neuron (as in Captum)"
    complete = True
    target_specific = False

    def _slopes(self, block: Block, value: NeuronValue, leaf: Tensor, values: Tensor, scores: Tensor) -> Tensor:
        return block.gradients(value(block, values), leaf)

    def passes(self, shape: tuple[int, ...], d: int) -> Cost:
        """One forward and one backward pass for each step, and one forward pass to find the most active unit."""
        return Cost(1, 1) * self.n_steps + self._search_cost()


@dataclass(frozen=True)
class NeuronConductance(_NeuronPathMethod):
    """The attribution of a neuron's conductance to the elements of the input.

    ``(x - x0)`` times the mean, along the straight line from the reference x0 to the input x, of the gradient of
    the neuron times the gradient of the score with respect to the neuron. Attributions sum to the neuron's
    ``layer_conductance``.

    Args:
        layer: as in ``layer_activation``.
        neuron: as in ``neuron_gradient``; ``max`` is the most active unit at the input, for the whole line.
        n_steps: number of quadrature nodes.
        method: the quadrature rule, as in ``integrated_gradients``.
    """

    summary = "the part of the conductance of a neuron that comes from each element of the input"
    source = "Dhamdhere et al. 2018, How Important Is a Neuron?, equation 2"

    def _slopes(self, block: Block, value: NeuronValue, leaf: Tensor, values: Tensor, scores: Tensor) -> Tensor:
        # The first gradient frees the graph after the layer, the second the graph before it.
        score_slope = value(block, block.gradients(scores, values)).to(leaf.dtype)
        neuron_slope = block.gradients(value(block, values), leaf)
        return neuron_slope * score_slope.view(-1, *[1] * (leaf.ndim - 1))

    def passes(self, shape: tuple[int, ...], d: int) -> Cost:
        """One forward and two backward passes for each step, and one forward pass to find the most active unit."""
        return Cost(1, 2) * self.n_steps + self._search_cost()
