"""Base class of the metrics that remove features in the order of the attributions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from xaiexp.builtin.removals.masking import Masking, RemovalChoice
from xaiexp.core.batches import Batch
from xaiexp.core.explanations import Explanation, Scores

if TYPE_CHECKING:
    from torch import Tensor

    from xaiexp.builtin.metrics.removal_curves import Curves, First
    from xaiexp.core.draws import Draws
    from xaiexp.inference.passes import Asked, Handle

__all__ = ["FIRST", "Order", "OrderedRemoval"]

Order = Literal["morf", "lerf", "difference"]
# Which features each order removes first; the difference needs the curves of both.
FIRST: dict[str, tuple[First, ...]] = {
    "morf": ("highest",),
    "lerf": ("lowest",),
    "difference": ("highest", "lowest"),
}


@dataclass(frozen=True)
class OrderedRemoval(Masking):
    """Base of the metrics of the score while features are removed in the order of the attributions.

    Features are ordered by their signed values. Ties are broken at random, with the same random numbers for all
    explanations. NaN for maps with NaN and for examples without features. The auxiliary value ``shift`` is described in
    :mod:`xaiexp.builtin.removals.data_distance`.

    Args:
        removal: what a removed feature is replaced with.
    """

    bounds: ClassVar[tuple[float | None, float | None]] = (0.0, 1.0)
    needs_sign = False
    unit = "probability"
    reads_probability = True

    removal: RemovalChoice = "auto"

    def _curves(
        self,
        model: Handle,
        batch: Batch,
        explanations: Sequence[Explanation],
        rng: Draws,
        n_removed: Tensor,
        first: Sequence[First] = ("highest",),
        output: Asked = "probability",
        by_mean: bool = False,
    ) -> Curves:
        """The scores at the points ``n_removed [N, K]``, as :func:`xaiexp.builtin.metrics.removal_curves.curves`."""
        from xaiexp.builtin.metrics.removal_curves import curves

        return curves(model, batch, explanations, rng, self.removal, n_removed, first, output, by_mean)

    def _scores(
        self,
        batch: Batch,
        explanations: Sequence[Explanation],
        values: Tensor,
        shift: Tensor,
        curves: Tensor | None = None,
    ) -> Scores:
        """Values ``[M, N]`` and shifts as scores; shifts ``[O * M, N]`` of O curves per explanation are averaged."""
        from xaiexp.builtin.metrics.removal_curves import undefined

        without_value = undefined(batch, explanations)
        shift = shift.view(-1, *values.shape).mean(dim=0)
        values, shift = (x.masked_fill(without_value, float("nan")).to(batch.inputs.dtype) for x in (values, shift))
        if curves is not None:
            curves = curves.masked_fill(without_value.unsqueeze(2), float("nan"))
        return Scores(values, {"shift": shift}, curves)
