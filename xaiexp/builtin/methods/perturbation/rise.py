"""RISE: mean scores under random masks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from xaiexp.contract.kinds import Method
from xaiexp.core.batches import Batch
from xaiexp.core.explanations import Cost, Estimate
from xaiexp.core.parameters import Effort, Range

if TYPE_CHECKING:
    from torch import Tensor

    from xaiexp.core.draws import Draws
    from xaiexp.inference.passes import Handle

__all__ = ["Rise"]


@dataclass(frozen=True)
class Rise(Method):
    """The mean score under random masks, weighted by the mask's value at the feature.

    ``1 / (n p) sum_i f(x0 + M_i (x - x0)) M_i(j)`` over n masks that keep a feature with probability p. Masks of images
    are coarse random grids, upsampled bilinearly and shifted at random; for other inputs every feature is kept or
    masked independently. Masked parts are replaced by the reference (black in the paper). The mask's value at a
    feature of several elements is their mean, so the size of a feature does not change its weight.

    Args:
        n_masks: number of masks; null is ``2 c + 2048`` with c the number of grid cells for images, and of features
            otherwise.
        grid: cells along each side of the masks of images (h = w in the paper).
        p: probability that a cell, or a feature, is kept.
        centered: subtract the mean score before weighting. This shifts the map by about a constant, removes most of its
            noise and makes its sign meaningful: positive where the score is above average when the feature is kept.
            false is the exact formula of the paper, whose map has no meaningful sign.
        sample_factor: multiplies the number of masks that null stands for.
    """

    summary = "the mean score under random masks, weighted by the mask's value at the feature"
    source = "Petsiuk et al. 2018, RISE, equation 6 and section 3.2 (masks)"
    needs = frozenset[str]()
    precisions = ("fp32", "bf16", "fp16")  # no gradient that could underflow
    reads_baseline = True
    complete = False
    multiplied_by_inputs = True

    n_masks: Annotated[int, Range(2)] | None = None
    grid: Annotated[int, Range(1)] = 7
    p: Annotated[float, Range(0.0, 1.0, exclusive=True)] = 0.5
    centered: bool = True
    sample_factor: Annotated[float, Range(0.01), Effort(0.32, 1.0, 4.0)] = 1.0

    @property
    def signed(self) -> bool:
        """Whether the sign is meaningful."""
        return self.centered

    def attribute(self, model: Handle, batch: Batch, reference: Tensor | None, rng: Draws) -> Estimate:
        """See :meth:`xaiexp.contract.kinds.Method.attribute`."""
        import torch

        from xaiexp.builtin.methods.perturbation.random_masks import MaskedScores, image_masks

        assert reference is not None  # noqa: S101 -- guaranteed by reads_baseline
        counts, shape = batch.features.counts.expand(len(batch)), batch.shape
        mask_counts = torch.tensor([self.mask_count(shape, d) for d in counts.tolist()], device=batch.device)

        def random_masks(chunk: range) -> Tensor:
            if len(shape) == 3:
                return image_masks(rng, shape, self.grid, self.p, chunk)
            return rng.uniform("shown", (batch.features.d,), samples=chunk) < self.p

        return MaskedScores(mask_counts, self.p, self.centered).estimate(model, reference, random_masks)

    def mask_count(self, shape: tuple[int, ...], d: int) -> int:
        """The number of masks for an example of this shape with d features."""
        cells = self.grid**2 if len(shape) == 3 else d
        if d < 1:
            return 0
        return max(2, round(self.sample_factor * (2 * cells + 2048))) if self.n_masks is None else self.n_masks

    def passes(self, shape: tuple[int, ...], d: int) -> Cost:
        """One for each mask."""
        return Cost(self.mask_count(shape, d))
