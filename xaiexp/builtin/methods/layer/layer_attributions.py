"""Attributions of the score to the units of a layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from xaiexp.builtin.methods.quadrature import Quadrature, quadrature
from xaiexp.contract.kinds import Method
from xaiexp.core.batches import Batch
from xaiexp.core.explanations import Cost
from xaiexp.core.parameters import Effort, Range
from xaiexp.core.vocabulary import Space
from xaiexp.errors import ParameterError

if TYPE_CHECKING:
    from torch import Tensor

    from xaiexp.core.draws import Draws
    from xaiexp.inference.block import Block
    from xaiexp.inference.layers import Layer
    from xaiexp.inference.passes import Handle

__all__ = [
    "InternalInfluence",
    "LayerActivation",
    "LayerConductance",
    "LayerGradientXActivation",
    "LayerIntegratedGradients",
    "LayerMethod",
    "StraightPathMethod",
]


@dataclass(frozen=True)
class LayerMethod(Method):
    """Base class: methods with a parameter ``layer`` and attributions of its units."""

    needs = frozenset({"gradients", "modules"})
    signed = True
    complete = False
    multiplied_by_inputs = True
    space: ClassVar[Space] = "layer"

    layer: str = "auto"

    def resolve_layer(self, model: Handle) -> Layer:
        """The layer named by the parameter.

        Raises:
            ParameterError: the network has no submodule of this name.
        """
        from xaiexp.inference.layers import Layer

        return Layer(model, self.layer, f"method.{self.name}.layer", search="units")


@dataclass(frozen=True)
class StraightPathMethod(Method):
    """Base class: means along the straight line from the reference to the input.

    List it before the other base class, so that the parameters of the latter come first.
    """

    reads_baseline = True

    n_steps: Annotated[int, Range(1), Effort(16, 50, 200)] = 50
    method: Quadrature = "gausslegendre"

    def __post_init__(self) -> None:
        super().__post_init__()
        # Captum's trapezoidal rule with one node has weight 0.
        if self.method == "riemann_trapezoid" and self.n_steps < 2:
            raise ParameterError(
                f"method.{self.name}.n_steps", "must be at least 2 for riemann_trapezoid", got=self.n_steps
            )


@dataclass(frozen=True)
class LayerActivation(LayerMethod):
    """The activations of a layer, the same for every target.

    Args:
        layer: name of a submodule; the first tensor ``[N, ...]`` of its output is used. ``auto`` is the last
            convolution to run with more than one spatial position in its output; in a vision transformer the input
            of the last self-attention, if that runs later; in a network with neither, the input of the last
            ``nn.Linear`` to run. If a layer runs several times in a pass, the last run is used.
    """

    summary = "the activations of a layer"
    source = "as in Captum's LayerActivation (Kokhlikyan et al. 2020)"
    needs = frozenset({"modules"})
    reads_baseline = False
    signed = False
    target_specific = False

    def attribute(self, model: Handle, batch: Batch, reference: Tensor | None, rng: Draws) -> Tensor:
        """See :meth:`xaiexp.contract.kinds.Method.attribute`; ``[N, *layer]``.

        Raises:
            ParameterError: no submodule has the name ``layer``.
            Unsupported: the layer does not run, or its output is not a float tensor ``[N, ...]``.
        """
        from xaiexp.builtin.methods.layer.layer_path_formulas import activations

        return activations(model, self.resolve_layer(model))

    def passes(self, shape: tuple[int, ...], d: int) -> Cost:
        """One forward pass."""
        return Cost(1)


@dataclass(frozen=True)
class LayerGradientXActivation(LayerMethod):
    """The activations of a layer times the gradient of the score with respect to them.

    Args:
        layer: as in ``layer_activation``.
    """

    summary = "the activations of a layer times their gradients"
    source = "Shrikumar et al. 2016, Not Just a Black Box, section 3, for a layer (as in Captum)"
    reads_baseline = False

    def attribute(self, model: Handle, batch: Batch, reference: Tensor | None, rng: Draws) -> Tensor:
        """See :meth:`xaiexp.contract.kinds.Method.attribute`; ``[N, *layer]``, errors as in ``layer_activation``."""
        from xaiexp.builtin.methods.layer.layer_path_formulas import read_layer

        layer = self.resolve_layer(model)

        def run(block: Block) -> Tensor:
            _, values, scores = read_layer(model, layer, block)
            dtype = block.rows.dtype
            return block.gradients(scores, values).to(dtype) * values.detach().to(dtype)

        return model.apply(run)

    def passes(self, shape: tuple[int, ...], d: int) -> Cost:
        """One forward and one backward pass."""
        return Cost(1, 1)


@dataclass(frozen=True)
class LayerConductance(LayerMethod):
    """The part of the change of the score from the reference x0 to the input x that flows through each unit of a layer.

    The integral of ``df/dh * dh/dalpha`` along the straight line from x0 to x, with h the activations of the layer.
    Over the units it sums to ``f(x) - f(x0)`` if every path from the input to the score passes through the layer. With
    a shortcut around the layer, as for a convolution in a residual block, it sums to the contribution of the layer.

    Args:
        layer: as in ``layer_activation``.
        n_steps: number of steps of the sum.
        method: ``midpoint`` has equal steps from x0 to x and uses the gradient at the midpoint of each; its error is
            of second order. The other rules are identical to Captum's: they use the gradient at the start of a step,
            and all but ``riemann_trapezoid`` omit one or both ends of the line, so the sum is inexact.
    """

    summary = "the part of the change of the score that flows through each unit of a layer"
    source = "Dhamdhere et al. 2018, How Important Is a Neuron?, equation 3; Shrikumar et al. 2018"
    reads_baseline = True

    n_steps: Annotated[int, Range(1), Effort(16, 50, 200)] = 50
    method: Literal[
        "midpoint", "gausslegendre", "riemann_left", "riemann_right", "riemann_middle", "riemann_trapezoid"
    ] = "midpoint"

    def attribute(self, model: Handle, batch: Batch, reference: Tensor | None, rng: Draws) -> Tensor:
        """See :meth:`xaiexp.contract.kinds.Method.attribute`; ``[N, *layer]``, errors as in ``layer_activation``."""
        from xaiexp.builtin.methods.layer.layer_path_formulas import captum_conductance, conductance

        assert reference is not None  # noqa: S101 -- guaranteed by reads_baseline
        layer = self.resolve_layer(model)
        if self.method == "midpoint":
            return conductance(model, layer, reference, self.n_steps)
        return captum_conductance(model, layer, reference, quadrature(self.method, self.n_steps + 1)[0])

    def passes(self, shape: tuple[int, ...], d: int) -> Cost:
        """One forward and one backward pass for each node, and for ``midpoint`` a forward pass for each end."""
        if self.method == "midpoint":
            return Cost(2) + Cost(1, 1) * self.n_steps
        return Cost(1, 1) * (self.n_steps + 1)


@dataclass(frozen=True)
class LayerIntegratedGradients(StraightPathMethod, LayerMethod):
    """``h - h0`` times the gradient averaged along the straight line between these activations of a layer.

    h and h0 are the activations of the layer for the input and the reference. The rest of the network runs on the
    interpolated activations, while shortcuts around the layer keep the values of the input, as in Captum. Sums to
    ``f(x) - f(x0)`` if there is no shortcut around the layer.

    Args:
        layer: as in ``layer_activation``.
        n_steps: number of quadrature nodes.
        method: the quadrature rule, as in ``integrated_gradients``.
    """

    summary = "integrated gradients between the activations of a layer"
    source = "Sundararajan et al. 2017, equation 1, on the network after a layer (as in Captum)"

    def attribute(self, model: Handle, batch: Batch, reference: Tensor | None, rng: Draws) -> Tensor:
        """See :meth:`xaiexp.contract.kinds.Method.attribute`; ``[N, *layer]``, errors as in ``layer_activation``."""
        from xaiexp.builtin.methods.layer.layer_path_formulas import layer_path

        assert reference is not None  # noqa: S101 -- guaranteed by reads_baseline
        return layer_path(model, self.resolve_layer(model), reference, *quadrature(self.method, self.n_steps))

    def passes(self, shape: tuple[int, ...], d: int) -> Cost:
        """A forward pass of the input and the reference, then one forward and one backward pass for each step."""
        return Cost(2) + Cost(1, 1) * self.n_steps


@dataclass(frozen=True)
class InternalInfluence(StraightPathMethod, LayerMethod):
    """The gradient with respect to a layer, averaged along the straight line from the reference to the input.

    Args:
        layer: as in ``layer_activation``.
        n_steps: number of quadrature nodes.
        method: the quadrature rule, as in ``integrated_gradients``.
    """

    summary = "gradients with respect to a layer, averaged along the line from the reference to the input"
    source = "Leino et al. 2018, Influence-Directed Explanations, definition 1 (the uniform distribution on a line)"
    multiplied_by_inputs = False

    def attribute(self, model: Handle, batch: Batch, reference: Tensor | None, rng: Draws) -> Tensor:
        """See :meth:`xaiexp.contract.kinds.Method.attribute`; ``[N, *layer]``, errors as in ``layer_activation``."""
        from xaiexp.builtin.methods.layer.layer_path_formulas import influence

        assert reference is not None  # noqa: S101 -- guaranteed by reads_baseline
        return influence(model, self.resolve_layer(model), reference, *quadrature(self.method, self.n_steps))

    def passes(self, shape: tuple[int, ...], d: int) -> Cost:
        """One forward and one backward pass for each step."""
        return Cost(1, 1) * self.n_steps
