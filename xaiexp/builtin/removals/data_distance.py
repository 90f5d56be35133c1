"""How far inputs leave the data, in the layer that the model decides by.

Removing features makes inputs that the model has never seen, and a score there may be an artefact of that. The
distance of a changed input to the nearest example of the data, between the representations that the model's last layer
reads, scaled to length 1 (Sun, Ming, Zhu, Li 2022, Out-of-Distribution Detection with Deep Nearest Neighbors, section
3), makes it visible. One neighbour, because a pool holds at most 64 examples.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from xaiexp.core.batches import Batch
from xaiexp.core.vocabulary import Output
from xaiexp.errors import Unsupported
from xaiexp.inference.passes import Handle

__all__ = ["Neighbourhood", "distances", "neighbourhood", "scored"]


def distances(points: Tensor, pool: Tensor) -> Tensor:
    """Euclidean distances ``[B, P]`` between ``points [B, H]`` and ``pool [P, H]``, all scaled to length 1.

    A vector of zeros stays one.
    """
    unit_points, unit_pool = (torch.nn.functional.normalize(x.double(), dim=1) for x in (points, pool))
    return torch.cdist(unit_points, unit_pool, compute_mode="donot_use_mm_for_euclid_dist")


@dataclass(frozen=True)
class Neighbourhood:
    """The background's pool as the model sees it.

    Args:
        pool: its representations ``[P, H]``.
        own: bool ``[N, P]``, the copies of each example of the batch in the pool: an example is no neighbour of
            itself, so that those inside and outside the pool are held against alike.
        unit: the mean distance of the pool's examples to their nearest neighbours in it.
    """

    pool: Tensor
    own: Tensor
    unit: Tensor

    def shift(self, hidden: Tensor, owners: Tensor) -> Tensor:
        """The distance of ``hidden [B, H]`` of versions of the examples ``owners`` to the nearest of the pool, float64.

        In units of the pool's own: 1 is as far from the data as examples are from each other. ``[B]``.
        """
        if hidden.shape[1] != self.pool.shape[1]:
            return hidden.new_full((len(hidden),), float("nan"), dtype=torch.float64)
        far = distances(hidden, self.pool).masked_fill(self.own[owners], torch.inf).amin(dim=1)
        return torch.where(far.isfinite(), far, torch.nan) / self.unit


def neighbourhood(model: Handle, batch: Batch) -> Neighbourhood | None:
    """The data around the batch; None where there are fewer than two different ones, or no penultimate layer."""
    pool = batch.background.pool
    try:
        seen = model.hidden_of_pool()
    except Unsupported:
        return None
    if pool is None or len(pool) < 2:
        return None
    apart = distances(seen, seen)
    unit = apart.fill_diagonal_(torch.inf).amin(dim=1).mean()
    if not bool(unit > 0):
        return None
    return Neighbourhood(seen, _copies(batch, pool), unit)


def _copies(batch: Batch, pool: Tensor) -> Tensor:
    """Which examples of the pool are those of the batch, bool ``[N, P]``, by content.

    Texts are padded to the longest of their batch: they are compared over the length that both have.
    """
    inputs, inside = batch.inputs, batch.features.inside.expand(batch.inputs.shape)
    if inputs.ndim != pool.ndim:
        return torch.zeros(len(inputs), len(pool), dtype=torch.bool, device=inputs.device)
    common = tuple(slice(0, min(a, b)) for a, b in zip(inputs.shape[1:], pool.shape[1:], strict=True))
    rows, known = (x.to(inputs)[(slice(None), *common)].flatten(1) for x in (inputs, pool))
    whole = inside.flatten(1).sum(dim=1) == inside[(slice(None), *common)].flatten(1).sum(dim=1)
    # A few elements tell most apart; only what they do not is compared in full.
    few = slice(0, None, max(1, rows.shape[1] // 64))
    own = (rows[:, few].unsqueeze(1) == known[:, few]).all(dim=2) & whole.unsqueeze(1)
    alike, other = own.nonzero().unbind(1)
    own[alike, other] = torch.tensor(
        [bool(torch.equal(rows[i], known[j])) for i, j in zip(alike.tolist(), other.tolist(), strict=True)],
        dtype=torch.bool,
        device=own.device,
    )
    return own


def scored(
    model: Handle, batch: Batch, pieces: Iterable[tuple[Tensor, Tensor]], output: Output | None = None
) -> Iterator[tuple[Tensor, Tensor]]:
    """Scores and shifts of changed inputs, from the same passes.

    Args:
        pieces: ``(rows [B, *shape], owners [B])``, consumed as needed.
        output: instead of the study's.

    Returns:
        An iterator of scores and shifts, float64 ``[B]``, one pair for each piece; shifts are NaN where there is no
        :func:`neighbourhood`.
    """
    near = neighbourhood(model, batch)
    if near is None:
        for scores in model.with_batch(batch, output).scores_of_rows(pieces):
            yield scores.double(), torch.full_like(scores, float("nan"), dtype=torch.float64)
        return
    waiting: deque[Tensor] = deque()

    def watched() -> Iterator[tuple[Tensor, Tensor]]:
        for rows, owners in pieces:
            waiting.append(owners)
            yield rows, owners

    for scores, hidden in model.scores_and_hidden_of_rows(watched(), output):
        yield scores.double(), near.shift(hidden, waiting.popleft())
