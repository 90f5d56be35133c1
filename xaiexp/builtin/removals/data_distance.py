"""Distance of changed inputs from the data, the auxiliary value ``shift`` of the metrics that remove features.

Removing features creates inputs unlike the training data, and the model's score there may be an artefact. ``shift`` is
the distance of a changed input to the nearest example of the data, between the representations that the model's last
layer reads, normalised to length 1 (Sun, Ming, Zhu, Li 2022, Out-of-Distribution Detection with Deep Nearest
Neighbors, section 3). The unit is the mean distance between examples of the data and their nearest neighbours, so 1
means as far from the data as examples are from each other. Metrics report the mean over the inputs that they evaluated;
NaN where the model has no penultimate layer or there are no data to compare with. One neighbour is used because a pool
holds at most 64 examples.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from xaiexp.core.batches import Batch
from xaiexp.errors import Unsupported
from xaiexp.inference.passes import Asked, Handle

__all__ = ["Neighbourhood", "distances", "neighbourhood", "scores_and_shifts"]


def distances(points: Tensor, pool: Tensor) -> Tensor:
    """Euclidean distances ``[B, P]`` between ``points [B, H]`` and ``pool [P, H]``, all normalised to length 1.

    A vector of zeros stays zero.
    """
    unit_points, unit_pool = (torch.nn.functional.normalize(x.double(), dim=1) for x in (points, pool))
    return torch.cdist(unit_points, unit_pool, compute_mode="donot_use_mm_for_euclid_dist")


@dataclass(frozen=True)
class Neighbourhood:
    """The model's representations of the background's pool.

    Args:
        pool: the representations ``[P, H]``.
        copies: bool ``[N, P]``, which examples of the pool are copies of each example of the batch. An example does not
            count as its own neighbour, so examples inside and outside the pool are treated alike.
        unit: the mean distance of the pool's examples to their nearest neighbours in it.
    """

    pool: Tensor
    copies: Tensor
    unit: Tensor

    def shift(self, hidden: Tensor, owners: Tensor) -> Tensor:
        """The distances of ``hidden [B, H]``, of versions of the examples ``owners``, to their nearest neighbours.

        float64 ``[B]``, in units of :attr:`unit`.
        """
        if hidden.shape[1] != self.pool.shape[1]:
            return hidden.new_full((len(hidden),), float("nan"), dtype=torch.float64)
        nearest = distances(hidden, self.pool).masked_fill(self.copies[owners], torch.inf).amin(dim=1)
        return torch.where(nearest.isfinite(), nearest, torch.nan) / self.unit


def neighbourhood(model: Handle, batch: Batch) -> Neighbourhood | None:
    """The data to compare with; None if there are fewer than two distinct examples or no penultimate layer."""
    pool = batch.background.pool
    try:
        hidden = model.hidden_of_pool()
    except Unsupported:
        return None
    if pool is None or len(pool) < 2:
        return None
    pairwise = distances(hidden, hidden)
    unit = pairwise.fill_diagonal_(torch.inf).amin(dim=1).mean()
    if not bool(unit > 0):
        return None
    return Neighbourhood(hidden, _copies(batch, pool), unit)


def _copies(batch: Batch, pool: Tensor) -> Tensor:
    """Which examples of the pool equal those of the batch, bool ``[N, P]``, by content.

    Texts are padded to the longest of their batch, so they are compared over the length that both have.
    """
    inputs, inside = batch.inputs, batch.features.inside.expand(batch.inputs.shape)
    if inputs.ndim != pool.ndim:
        return torch.zeros(len(inputs), len(pool), dtype=torch.bool, device=inputs.device)
    common = tuple(slice(0, min(a, b)) for a, b in zip(inputs.shape[1:], pool.shape[1:], strict=True))
    rows, candidates = (x.to(inputs)[(slice(None), *common)].flatten(1) for x in (inputs, pool))
    complete = inside.flatten(1).sum(dim=1) == inside[(slice(None), *common)].flatten(1).sum(dim=1)
    # A few elements distinguish most examples; only the remaining candidates are compared in full.
    few = slice(0, None, max(1, rows.shape[1] // 64))
    copies = (rows[:, few].unsqueeze(1) == candidates[:, few]).all(dim=2) & complete.unsqueeze(1)
    first, second = copies.nonzero().unbind(1)
    copies[first, second] = torch.tensor(
        [bool(torch.equal(rows[i], candidates[j])) for i, j in zip(first.tolist(), second.tolist(), strict=True)],
        dtype=torch.bool,
        device=copies.device,
    )
    return copies


def scores_and_shifts(
    model: Handle, batch: Batch, pieces: Iterable[tuple[Tensor, Tensor]], output: Asked = None
) -> Iterator[tuple[Tensor, Tensor]]:
    """Scores and shifts of changed inputs, from the same passes.

    Args:
        pieces: ``(rows [B, *shape], owners [B])``, consumed as needed.
        output: what to read instead of the explained scalar; see :meth:`xaiexp.plugin.Handle.scores`.

    Returns:
        An iterator of scores and shifts, float64 ``[B]``, one pair for each piece; shifts are NaN where there is no
        :func:`neighbourhood`.
    """
    neighbours = neighbourhood(model, batch)
    if neighbours is None:
        for scores in model.with_batch(batch, output).scores_of_rows(pieces):
            yield scores.double(), torch.full_like(scores, float("nan"), dtype=torch.float64)
        return
    pending: deque[Tensor] = deque()

    def recording_owners() -> Iterator[tuple[Tensor, Tensor]]:
        for rows, owners in pieces:
            pending.append(owners)
            yield rows, owners

    for scores, hidden in model.scores_and_hidden_of_rows(recording_owners(), output):
        yield scores.double(), neighbours.shift(hidden, pending.popleft())
