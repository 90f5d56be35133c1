"""Methods that say what the elements of the input do for one neuron inside the network."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from xaiexp.builtin.methods.layer.layer_attributions import OfLayer, OnLine
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

    Choice = Callable[[Block, Tensor], Tensor]

__all__ = ["NeuronConductance", "NeuronGradient", "NeuronIntegratedGradients"]

Neuron = tuple[int, ...] | Literal["max"]


@dataclass(frozen=True)
class _Neuron(OfLayer):
    """What all of them are."""

    space = "neuron"

    neuron: Neuron = "max"

    @property
    def precisions(self) -> tuple[Precision, ...]:
        """Rounding to half precision makes another unit the most active one."""
        return ("fp32",) if self.neuron == "max" else super().precisions

    def _place(self, activations: Tensor) -> Tensor:
        """Which of the flattened units ``[B, *layer]`` is meant, int64 ``[B]``.

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
                f"the layer gives units of shape {list(shape)}, and has none of these indices",
                got=list(self.neuron),
                hint="one index from 0 for each axis, or max for each example's most active unit",
            )
        place = int(np.ravel_multi_index(self.neuron, shape))
        return activations.new_full((len(activations),), place).long()

    def _chosen(self, model: Handle, layer: Layer) -> Choice:
        """The neuron's value ``[B]`` of a block's activations: the same neuron all along the line."""
        from xaiexp.builtin.methods.layer.layer_path_formulas import activations

        most = self._place(activations(model, layer)) if self.neuron == "max" else None

        def choose(block: Block, seen: Tensor) -> Tensor:
            place = self._place(seen) if most is None else most[block.owners]
            return seen.flatten(1).gather(1, place.unsqueeze(1)).squeeze(1)

        return choose

    def _looking(self) -> Cost:
        """What it costs to know the neuron."""
        return Cost(1 if self.neuron == "max" else 0)


@dataclass(frozen=True)
class _NeuronOnLine(OnLine, _Neuron):
    """``x - x0`` times the mean of what each says at the points between them."""

    @abstractmethod
    def _slopes(self, block: Block, choose: Choice, leaf: Tensor, seen: Tensor, scores: Tensor) -> Tensor:
        """``[B, *shape]`` at the rows ``leaf``, from the activations and scores there."""

    def attribute(self, model: Handle, batch: Batch, reference: Tensor | None, rng: Draws) -> Tensor:
        """See :meth:`xaiexp.contract.kinds.Method.attribute`; errors as in ``neuron_gradient``."""
        from xaiexp.builtin.methods.layer.layer_path_formulas import along, line, read, weighted

        assert reference is not None  # noqa: S101 -- the contract: it reads a baseline
        layer = self._layer(model)
        choose = self._chosen(model, layer)

        def run(block: Block) -> Tensor:
            return self._slopes(block, choose, *read(model, layer, block))

        nodes, weights = quadrature(self.method, self.n_steps)
        stretches, points = line(model, reference, nodes)
        return (batch.inputs - reference) * weighted(along(model, points, run), stretches, weights)


@dataclass(frozen=True)
class NeuronGradient(_Neuron):
    """The gradient of a neuron's activation with respect to the input, the same for every target.

    Args:
        layer: as in ``layer_activation``.
        neuron: indices of a unit in what the layer gives of one example, or ``max``: each example's most active
            unit (the first, where several are), which half precision cannot tell.
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
            Unsupported: the layer does not run, or does not give floats ``[N, ...]``.
        """
        from xaiexp.builtin.methods.layer.layer_path_formulas import read

        layer = self._layer(model)

        def run(block: Block) -> Tensor:
            leaf, seen, _ = read(model, layer, block)
            value = seen.flatten(1).gather(1, self._place(seen).unsqueeze(1)).squeeze(1)
            return block.gradients(value, leaf)

        return model.apply(run)

    def passes(self, shape: tuple[int, ...], d: int) -> Cost:
        """One forward, one backward."""
        return Cost(1, 1)


@dataclass(frozen=True)
class NeuronIntegratedGradients(_NeuronOnLine):
    """Integrated gradients of a neuron's activation, the same for every target.

    Adds up to the change of the neuron's activation from the reference to the input.

    Args:
        layer: as in ``layer_activation``.
        neuron: as in ``neuron_gradient``; ``max`` is the most active unit at the input, all along the line.
        n_steps: points of the quadrature.
        method: the quadrature, as in ``integrated_gradients``.
    """

    summary = "integrated gradients of a neuron's activation"
    source = "Sundararajan et al. 2017, equation 1, for a neuron (as in Captum)"
    complete = True
    target_specific = False

    def _slopes(self, block: Block, choose: Choice, leaf: Tensor, seen: Tensor, scores: Tensor) -> Tensor:
        return block.gradients(choose(block, seen), leaf)

    def passes(self, shape: tuple[int, ...], d: int) -> Cost:
        """One forward and one backward for each step, and one forward to find the most active unit."""
        return Cost(1, 1) * self.n_steps + self._looking()


@dataclass(frozen=True)
class NeuronConductance(_NeuronOnLine):
    """How much of a neuron's part in the change of the score each element of the input is responsible for.

    ``(x - x0)`` times the mean, along the straight line from the reference x0 to the input x, of the gradient of
    the neuron times the gradient of the score with respect to the neuron. Adds up to the neuron's
    ``layer_conductance``.

    Args:
        layer: as in ``layer_activation``.
        neuron: as in ``neuron_gradient``; ``max`` is the most active unit at the input, all along the line.
        n_steps: points of the quadrature.
        method: the quadrature, as in ``integrated_gradients``.
    """

    summary = "how much of what flows through a neuron comes from each element of the input"
    source = "Dhamdhere et al. 2018, How Important Is a Neuron?, equation 2"

    def _slopes(self, block: Block, choose: Choice, leaf: Tensor, seen: Tensor, scores: Tensor) -> Tensor:
        # The first gradient uses up the graph behind the layer, the second the graph before it.
        behind = choose(block, block.gradients(scores, seen)).to(leaf.dtype)
        before = block.gradients(choose(block, seen), leaf)
        return before * behind.view(-1, *[1] * (leaf.ndim - 1))

    def passes(self, shape: tuple[int, ...], d: int) -> Cost:
        """One forward and two backward for each step, and one forward to find the most active unit."""
        return Cost(1, 2) * self.n_steps + self._looking()
