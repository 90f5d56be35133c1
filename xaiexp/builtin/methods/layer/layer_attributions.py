"""Methods that say what the units of a layer do for the score."""

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
    "OfLayer",
    "OnLine",
]


@dataclass(frozen=True)
class OfLayer(Method):
    """What all of them are: methods that look into a layer."""

    needs = frozenset({"gradients", "modules"})
    signed = True
    complete = False
    multiplied_by_inputs = True
    space: ClassVar[Space] = "layer"

    layer: str = "auto"

    def _layer(self, model: Handle) -> Layer:
        from xaiexp.inference.layers import Layer

        return Layer(model, self.layer, f"method.{self.name}.layer", search="units")


@dataclass(frozen=True)
class OnLine(Method):
    """What takes a mean along the straight line from the reference to the input.

    Put it before the other base, whose parameters then come first.
    """

    reads_baseline = True

    n_steps: Annotated[int, Range(1), Effort(16, 50, 200)] = 50
    method: Quadrature = "gausslegendre"

    def __post_init__(self) -> None:
        super().__post_init__()
        # Captum's trapezoid of one point has no weight.
        if self.method == "riemann_trapezoid" and self.n_steps < 2:
            raise ParameterError(
                f"method.{self.name}.n_steps", "must be at least 2 for riemann_trapezoid", got=self.n_steps
            )


@dataclass(frozen=True)
class LayerActivation(OfLayer):
    """What a layer gives for the input, the same for every target.

    Args:
        layer: name of a submodule; of what it gives, the first tensor counts, ``[N, ...]``. ``auto`` is the last
            convolution to run with more than one place in its output; in a vision transformer the input of the
            last self-attention, if that runs later; in a network with neither, the input of the last ``nn.Linear``
            to run. Of a layer that runs several times, the last run counts.
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
            Unsupported: the layer does not run, or does not give floats ``[N, ...]``.
        """
        from xaiexp.builtin.methods.layer.layer_path_formulas import activations

        return activations(model, self._layer(model))

    def passes(self, shape: tuple[int, ...], d: int) -> Cost:
        """One forward."""
        return Cost(1)


@dataclass(frozen=True)
class LayerGradientXActivation(OfLayer):
    """What a layer gives for the input, times the gradient of the score with respect to it.

    Args:
        layer: as in ``layer_activation``.
    """

    summary = "the activations of a layer times their gradients"
    source = "Shrikumar et al. 2016, Not Just a Black Box, section 3, for a layer (as in Captum)"
    reads_baseline = False

    def attribute(self, model: Handle, batch: Batch, reference: Tensor | None, rng: Draws) -> Tensor:
        """See :meth:`xaiexp.contract.kinds.Method.attribute`; ``[N, *layer]``, errors as in ``layer_activation``."""
        from xaiexp.builtin.methods.layer.layer_path_formulas import read

        layer = self._layer(model)

        def run(block: Block) -> Tensor:
            _, seen, scores = read(model, layer, block)
            dtype = block.rows.dtype
            return block.gradients(scores, seen).to(dtype) * seen.detach().to(dtype)

        return model.apply(run)

    def passes(self, shape: tuple[int, ...], d: int) -> Cost:
        """One forward, one backward."""
        return Cost(1, 1)


@dataclass(frozen=True)
class LayerConductance(OfLayer):
    """How much of the change of the score from the reference x0 to the input x flows through each unit of a layer.

    The integral of ``df/dh * dh/dalpha`` along the straight line from x0 to x, h being what the layer gives. Over
    the units it adds up to ``f(x) - f(x0)`` where every way from the input to the score leads through the layer;
    beside a shortcut (a convolution inside a residual block) it adds up to the layer's own part.

    Args:
        layer: as in ``layer_activation``.
        n_steps: steps of the sum.
        method: ``midpoint`` has equal steps from x0 to x and takes the gradient in the middle of each; its error
            falls with the square of the steps. The others are Captum's, number for number: they take the gradient
            at the start of a step, and all but ``riemann_trapezoid`` leave out an end of the line or both, so that
            they do not quite add up.
    """

    summary = "how much of the change of the score flows through each unit of a layer"
    source = "Dhamdhere et al. 2018, How Important Is a Neuron?, equation 3; Shrikumar et al. 2018"
    reads_baseline = True

    n_steps: Annotated[int, Range(1), Effort(16, 50, 200)] = 50
    method: Literal[
        "midpoint", "gausslegendre", "riemann_left", "riemann_right", "riemann_middle", "riemann_trapezoid"
    ] = "midpoint"

    def attribute(self, model: Handle, batch: Batch, reference: Tensor | None, rng: Draws) -> Tensor:
        """See :meth:`xaiexp.contract.kinds.Method.attribute`; ``[N, *layer]``, errors as in ``layer_activation``."""
        from xaiexp.builtin.methods.layer.layer_path_formulas import conductance, conductance_of_starts

        assert reference is not None  # noqa: S101 -- the contract: it reads a baseline
        layer = self._layer(model)
        if self.method == "midpoint":
            return conductance(model, layer, reference, self.n_steps)
        return conductance_of_starts(model, layer, reference, quadrature(self.method, self.n_steps + 1)[0])

    def passes(self, shape: tuple[int, ...], d: int) -> Cost:
        """One forward and one backward for each step, and both ends forward; Captum's have one point more."""
        if self.method == "midpoint":
            return Cost(2) + Cost(1, 1) * self.n_steps
        return Cost(1, 1) * (self.n_steps + 1)


@dataclass(frozen=True)
class LayerIntegratedGradients(OnLine, OfLayer):
    """``h - h0`` times the gradient averaged along the straight line between them, as values of a layer.

    h and h0 are what the layer gives for the input and the reference. The rest of the network runs on values
    between them, while whatever goes round the layer stays that of the input, as in Captum. Adds up to
    ``f(x) - f(x0)`` where nothing goes round the layer.

    Args:
        layer: as in ``layer_activation``.
        n_steps: points of the quadrature.
        method: the quadrature, as in ``integrated_gradients``.
    """

    summary = "integrated gradients between the values of a layer"
    source = "Sundararajan et al. 2017, equation 1, on the network behind a layer (as in Captum)"

    def attribute(self, model: Handle, batch: Batch, reference: Tensor | None, rng: Draws) -> Tensor:
        """See :meth:`xaiexp.contract.kinds.Method.attribute`; ``[N, *layer]``, errors as in ``layer_activation``."""
        from xaiexp.builtin.methods.layer.layer_path_formulas import layer_path

        assert reference is not None  # noqa: S101 -- the contract: it reads a baseline
        return layer_path(model, self._layer(model), reference, *quadrature(self.method, self.n_steps))

    def passes(self, shape: tuple[int, ...], d: int) -> Cost:
        """The input and the reference forward, then one forward and one backward for each step."""
        return Cost(2) + Cost(1, 1) * self.n_steps


@dataclass(frozen=True)
class InternalInfluence(OnLine, OfLayer):
    """The gradient with respect to a layer, averaged along the straight line from the reference to the input.

    Args:
        layer: as in ``layer_activation``.
        n_steps: points of the quadrature.
        method: the quadrature, as in ``integrated_gradients``.
    """

    summary = "gradients with respect to a layer, averaged along the line from the reference to the input"
    source = "Leino et al. 2018, Influence-Directed Explanations, definition 1 (the uniform distribution on a line)"
    multiplied_by_inputs = False

    def attribute(self, model: Handle, batch: Batch, reference: Tensor | None, rng: Draws) -> Tensor:
        """See :meth:`xaiexp.contract.kinds.Method.attribute`; ``[N, *layer]``, errors as in ``layer_activation``."""
        from xaiexp.builtin.methods.layer.layer_path_formulas import influence

        assert reference is not None  # noqa: S101 -- the contract: it reads a baseline
        return influence(model, self._layer(model), reference, *quadrature(self.method, self.n_steps))

    def passes(self, shape: tuple[int, ...], d: int) -> Cost:
        """One forward and one backward for each step."""
        return Cost(1, 1) * self.n_steps
