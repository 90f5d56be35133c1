"""Random masks of RISE, and attributions from the scores under them."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from xaiexp.core.draws import Draws
from xaiexp.core.explanations import Estimate
from xaiexp.inference.passes import Handle

__all__ = ["MaskedScores", "image_masks"]

_QUEUED_ELEMENTS = 1 << 20
"""The largest number of elements of masked inputs that are queued for a pass: 4 MiB."""


def image_masks(rng: Draws, shape: tuple[int, ...], grid: int, p: float, chunk: range) -> Tensor:
    """Masks of images ``[C, H, W]``, float32 ``[N, s, H, W]`` in [0, 1].

    A grid of ``grid x grid`` cells, each 1 with probability p, is upsampled bilinearly to the size of the image plus
    one cell, and cropped to the size of the image at a random offset within the first cell (Petsiuk et al. 2018, 3.2).
    """
    height, width = shape[-2:]
    cells = (rng.uniform("cells", (grid, grid), samples=chunk) < p).float()
    interpolations = []
    for axis, side in (("rows", height), ("columns", width)):
        cell = -(-side // grid)
        shift = rng.integers(f"shift/{axis}", cell, samples=chunk)
        position = torch.arange(side, device=cells.device) + shift.unsqueeze(-1)
        interpolations.append(_interpolation_weights(grid, (grid + 1) * cell, cells.device)[position])
    rows, columns = interpolations
    # Rounding may leave [0, 1].
    return (rows @ cells @ columns.transpose(-1, -2)).clamp_(0.0, 1.0)


def _interpolation_weights(cells: int, length: int, device: torch.device) -> Tensor:
    """Weights ``[length, cells]`` of linear interpolation between cell centres, constant beyond the outer centres."""
    centre = ((torch.arange(length, device=device) + 0.5) * cells / length - 0.5).clamp(0.0, cells - 1.0)
    return (1 - (centre.unsqueeze(1) - torch.arange(cells, device=device)).abs()).clamp(min=0.0)


@dataclass(frozen=True)
class MaskedScores:
    """Attributions from the scores of inputs under random masks.

    Args:
        counts: int64 ``[N]``, the number of masks of each example.
        p: the expected value of a mask.
        centered: whether the mean score is subtracted first.
    """

    counts: Tensor
    p: float
    centered: bool

    def estimate(self, model: Handle, reference: Tensor, random_masks: Callable[[range], Tensor]) -> Estimate:
        """Attributions ``[N, *shape]``, and standard errors of the features.

        Args:
            model: the handle.
            reference: ``[N, *shape]``, replaces the masked parts.
            random_masks: gives the masks of a range of samples, float ``[N, s, H, W]`` of pixels or bool
                ``[N, s, d]`` of features.
        """
        batch = model.batch
        features, n, d = batch.features, len(batch), batch.features.d
        sizes = features.sizes.clamp(min=1).unsqueeze(1)
        pending: deque[tuple[Tensor, Tensor]] = deque()

        def perturbed() -> Iterator[tuple[Tensor, Tensor]]:
            # Chunks of small inputs exceed one pass, to amortise the overhead of drawing and summing.
            largest = int(self.counts.max())
            step = max(1, model.passes.budget(batch.shape) // n, _QUEUED_ELEMENTS // (n * math.prod(batch.shape)))
            for start in range(0, largest, step):
                chunk = range(start, min(largest, start + step))
                number = torch.arange(chunk.start, chunk.stop, device=batch.device)
                wanted = number < self.counts.unsqueeze(1)
                mask = random_masks(chunk)
                owners = torch.arange(n, device=batch.device).unsqueeze(1).expand(wanted.shape)[wanted]
                if mask.dtype == torch.bool:
                    pending.append((mask & features.valid.unsqueeze(1), wanted))
                    rows = features.rows(owners).keep(batch.inputs[owners], reference[owners], mask[wanted])
                else:
                    pixel_mask = mask.to(batch.inputs.dtype).unsqueeze(2).expand(*mask.shape[:2], *batch.shape)
                    pending.append((features.pool(pixel_mask) / sizes, wanted))
                    rows = torch.lerp(reference[owners], batch.inputs[owners], pixel_mask[wanted])
                yield rows, owners

        # Sums over the masks of 1, b and b^2, each times 1, a and a^2, with a the score and b the mask's value at the
        # feature. If centred, a is relative to the first score and b to p, which avoids cancellation.
        sums = torch.zeros(n, 3, 3, d, dtype=torch.float64, device=batch.device)
        first: Tensor | None = None
        for scores in model.scores_of_rows(perturbed()):
            mask, wanted = pending.popleft()
            a = torch.zeros(wanted.shape, dtype=torch.float64, device=batch.device)
            a[wanted] = scores.double()
            b = mask.double()
            if self.centered:
                first = a[:, :1].clone() if first is None else first
                a, b = (a - first) * wanted, b - self.p
            powers = torch.stack((wanted.double(), a, a.square()), dim=1)
            sums[:, :, 0] += powers.sum(dim=2, keepdim=True)
            sums[:, :, 1] += torch.bmm(powers, b)
            sums[:, :, 2] += torch.bmm(powers, b.square_())
        values, errors = self._moments(sums / self.counts.clamp(min=1).view(-1, 1, 1, 1))
        dtype = batch.inputs.dtype
        return Estimate(features.spread(values.to(dtype)), errors.to(dtype).masked_fill(~features.valid, 0.0))

    def _moments(self, means: Tensor) -> tuple[Tensor, Tensor]:
        """Values and standard errors ``[N, d]`` from the means ``[N, 3, 3, d]`` of ``a^i b^j``."""
        (_, b1, b2), (a1, ab, abb), (a2, aab, aabb) = (row.unbind(1) for row in means.unbind(1))
        n = self.counts.unsqueeze(1).double()
        mean = ab
        if self.centered:
            mean = ab - a1 * b1
            # The mean of ((a - a1) (b - b1))^2, expanded.
            aabb = aabb - 2 * b1 * aab + b1**2 * a2 - 2 * a1 * (abb - 2 * b1 * ab + b1**2 * a1) + a1**2 * (b2 - b1**2)
        variance = (aabb - mean**2).clamp(min=0.0) / (n - 1)
        return mean / self.p, variance.sqrt() / self.p
