"""The attribution method mine for xaiexp."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

from xaiexp.plugin import Batch, Component, Cost, Draws, Handle, Method, Range, hookimpl

if TYPE_CHECKING:
    from torch import Tensor

XAIEXP_API = 1  # the version of the plugin contract that this plugin requires


@dataclass(frozen=True)
class Mine(Method):
    """Gradient times input, with magnitudes raised to a power.

    Args:
        power: the exponent of the magnitudes; 1 is gradient times input.
    """

    summary = "gradient times input, with magnitudes raised to a power"
    source = "after Shrikumar et al. 2016, arXiv:1605.01713"
    needs: ClassVar[frozenset[str]] = frozenset({"gradients"})
    reads_baseline, signed, complete, multiplied_by_inputs = False, True, False, True
    power: Annotated[float, Range(0)] = 1.0

    def attribute(self, model: Handle, batch: Batch, reference: Tensor | None, rng: Draws) -> Tensor:
        """Attributions ``[N, *shape]`` of ``batch.inputs``."""
        product = batch.inputs * model.gradients(batch.inputs)
        return product.sign() * product.abs() ** self.power

    def passes(self, shape: tuple[int, ...], d: int) -> Cost:
        """One forward and one backward pass."""
        return Cost(1, 1)


@hookimpl
def xaiexp_components() -> Sequence[type[Component]]:
    """The components of this plugin."""
    return [Mine]
