"""What the measures of faithfulness by order have in common: which features go first, and the curves that follow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from xaiexp.builtin.removals.masking import Masking, Removal
from xaiexp.core.batches import Batch
from xaiexp.core.explanations import Explanation, Scores

if TYPE_CHECKING:
    from torch import Tensor

    from xaiexp.builtin.metrics.removal_curves import Curves, First
    from xaiexp.core.draws import Draws
    from xaiexp.core.vocabulary import Output
    from xaiexp.inference.passes import Handle

__all__ = ["FIRST", "Order", "Ordered"]

Order = Literal["morf", "lerf", "difference"]
# Which features go first.
FIRST: dict[str, tuple[First, ...]] = {
    "morf": ("highest",),
    "lerf": ("lowest",),
    "difference": ("highest", "lowest"),
}


@dataclass(frozen=True)
class Ordered(Masking):
    """A measure of the score while features go in the order of the attributions.

    Args:
        removal: what a removed feature becomes.
    """

    bounds: ClassVar[tuple[float | None, float | None]] = (0.0, 1.0)
    needs_sign = False
    unit = "probability"

    removal: Removal = "auto"

    def _drawn(
        self,
        model: Handle,
        batch: Batch,
        explanations: Sequence[Explanation],
        rng: Draws,
        gone: Tensor,
        first: Sequence[First] = ("highest",),
        output: Output | None = "probability",
        by_mean: bool = False,
    ) -> Curves:
        from xaiexp.builtin.metrics.removal_curves import curves

        return curves(model, batch, explanations, rng, self.removal, gone, first, output, by_mean)

    def _scores(self, batch: Batch, explanations: Sequence[Explanation], values: Tensor, shift: Tensor) -> Scores:
        """Values and shifts ``[M, N]``; shifts of several curves an explanation ``[O * M, N]`` are averaged."""
        from xaiexp.builtin.metrics.removal_curves import undefined

        nothing = undefined(batch, explanations)
        shift = shift.view(-1, *values.shape).mean(dim=0)
        values, shift = (x.masked_fill(nothing, float("nan")).to(batch.inputs.dtype) for x in (values, shift))
        return Scores(values, {"shift": shift})
