"""Random masks over an input, and what the scores under them say of each feature."""

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

__all__ = ["Masks", "picture_masks"]

_WAITING = 1 << 20
"""Elements of masked inputs that may wait for a pass: 4 MiB."""


def picture_masks(rng: Draws, shape: tuple[int, ...], grid: int, p: float, stretch: range) -> Tensor:
    """Masks of pictures ``[C, H, W]``, float32 ``[N, s, H, W]`` in [0, 1].

    A grid of ``grid x grid`` cells, each 1 with probability p, is enlarged bilinearly by one cell more than the
    picture, and the picture is cut out of it at a random place within the first cell (Petsiuk et al. 2018, 3.2).
    """
    height, width = shape[-2:]
    cells = (rng.uniform("cells", (grid, grid), samples=stretch) < p).float()
    along = []
    for axis, side in (("rows", height), ("columns", width)):
        cell = -(-side // grid)
        shift = rng.integers(f"shift/{axis}", cell, samples=stretch)
        place = torch.arange(side, device=cells.device) + shift.unsqueeze(-1)
        along.append(_enlarging(grid, (grid + 1) * cell, cells.device)[place])
    rows, columns = along
    # Rounding must not lead out of [0, 1].
    return (rows @ cells @ columns.transpose(-1, -2)).clamp_(0.0, 1.0)


def _enlarging(cells: int, length: int, device: torch.device) -> Tensor:
    """Weights ``[length, cells]`` of linear interpolation between the centres of cells, constant beyond the ends."""
    centre = ((torch.arange(length, device=device) + 0.5) * cells / length - 0.5).clamp(0.0, cells - 1.0)
    return (1 - (centre.unsqueeze(1) - torch.arange(cells, device=device)).abs()).clamp(min=0.0)


@dataclass(frozen=True)
class Masks:
    """Scores under masks.

    Args:
        counts: int64 ``[N]``, masks of each example.
        p: how far a mask shows a feature on average.
        centered: whether the mean score is taken away first.
    """

    counts: Tensor
    p: float
    centered: bool

    def estimate(self, model: Handle, reference: Tensor, shown: Callable[[range], Tensor]) -> Estimate:
        """Attributions ``[N, *shape]``, and standard errors of the features.

        ``shown``: masks of a stretch of samples, float ``[N, s, H, W]`` of pixels, or bool ``[N, s, d]`` of features.
        """
        batch = model.batch
        features, n, d = batch.features, len(batch), batch.features.d
        sizes = features.sizes.clamp(min=1).unsqueeze(1)
        under_way: deque[tuple[Tensor, Tensor]] = deque()

        def perturbed() -> Iterator[tuple[Tensor, Tensor]]:
            # Small inputs in stretches beyond a pass, whose rows wait: drawing and adding up have costs of their own.
            most = int(self.counts.max())
            step = max(1, model.passes.budget(batch.shape) // n, _WAITING // (n * math.prod(batch.shape)))
            for start in range(0, most, step):
                stretch = range(start, min(most, start + step))
                number = torch.arange(stretch.start, stretch.stop, device=batch.device)
                wanted = number < self.counts.unsqueeze(1)
                mask = shown(stretch)
                owners = torch.arange(n, device=batch.device).unsqueeze(1).expand(wanted.shape)[wanted]
                if mask.dtype == torch.bool:
                    under_way.append((mask & features.valid.unsqueeze(1), wanted))
                    rows = features.rows(owners).keep(batch.inputs[owners], reference[owners], mask[wanted])
                else:
                    everywhere = mask.to(batch.inputs.dtype).unsqueeze(2).expand(*mask.shape[:2], *batch.shape)
                    under_way.append((features.pool(everywhere) / sizes, wanted))
                    rows = torch.lerp(reference[owners], batch.inputs[owners], everywhere[wanted])
                yield rows, owners

        # Sums over the masks of 1, b and b^2, each times 1, a and a^2: a is the score and b how far the feature
        # shows. Centred, they are taken from the first score and from p on, so that no digits are lost.
        sums = torch.zeros(n, 3, 3, d, dtype=torch.float64, device=batch.device)
        first: Tensor | None = None
        for scores in model.scores_of_rows(perturbed()):
            mask, wanted = under_way.popleft()
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
            # The mean of ((a - a1) (b - b1))^2, multiplied out.
            aabb = aabb - 2 * b1 * aab + b1**2 * a2 - 2 * a1 * (abb - 2 * b1 * ab + b1**2 * a1) + a1**2 * (b2 - b1**2)
        variance = (aabb - mean**2).clamp(min=0.0) / (n - 1)
        return mean / self.p, variance.sqrt() / self.p
