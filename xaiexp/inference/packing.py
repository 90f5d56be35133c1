"""Pieces of any size, run in full batches of rows, and given back piece by piece."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from xaiexp.errors import CellError

if TYPE_CHECKING:
    from torch import Tensor

    Piece = Tensor | tuple[Tensor, Tensor]

__all__ = ["packed"]


class _Rows:
    """A queue of tensors whose rows are taken in other lengths than they were put in."""

    def __init__(self) -> None:
        self._parts: deque[Tensor] = deque()
        self.size = 0

    def put(self, rows: Tensor) -> None:
        self._parts.append(rows)
        self.size += len(rows)

    def take(self, count: int) -> Tensor:
        import torch

        taken, left = [], count
        while left:
            part = self._parts.popleft()
            if len(part) > left:
                self._parts.appendleft(part[left:])
                part = part[:left]
            taken.append(part)
            left -= len(part)
        self.size -= count
        return taken[0] if len(taken) == 1 else torch.cat(taken)


def packed(
    pieces: Iterable[Piece],
    count: int,
    shape: tuple[int, ...],
    budget: Callable[[], int],
    run: Callable[[Tensor, Tensor], Tensor],
) -> Iterator[Tensor]:
    """Run ``pieces`` in batches of ``budget()`` rows.

    Args:
        pieces: each ``[count, *shape]`` or ``[count, s, *shape]``, or ``(rows [M, *shape], owners [M])`` where
            examples differ in how many rows they need; consumed as needed.
        count: the examples.
        shape: of one row.
        budget: how many rows make a full batch, at least 1; asked before every batch.
        run: rows ``[B, *shape]`` and the examples that they belong to, int64 ``[B]``, to a tensor with B rows.

    Returns:
        What ``run`` gave for the rows of each piece, in the order of the pieces.

    Raises:
        CellError: a piece of another shape.
    """
    waiting, owners, done = _Rows(), _Rows(), _Rows()
    leads: deque[tuple[int, ...]] = deque()

    def flush(everything: bool) -> None:
        while waiting.size and (everything or waiting.size >= budget()):
            size = min(waiting.size, budget())
            done.put(run(waiting.take(size), owners.take(size)))

    def ready() -> Iterator[Tensor]:
        while leads and done.size >= math.prod(leads[0]):
            lead = leads.popleft()
            out = done.take(math.prod(lead)) if math.prod(lead) else None
            if out is not None:
                yield out.view(*lead, *out.shape[1:])

    for piece in pieces:
        lead, rows, belonging = _opened(piece, count, shape)
        leads.append(lead)
        waiting.put(rows)
        owners.put(belonging)
        flush(everything=False)
        yield from ready()
    flush(everything=True)
    yield from ready()


def _opened(piece: Piece, count: int, shape: tuple[int, ...]) -> tuple[tuple[int, ...], Tensor, Tensor]:
    """The leading shape of a piece, its rows, and the example of each."""
    import torch

    if isinstance(piece, tuple):
        return (len(piece[0]),), *piece
    axes = piece.ndim - len(shape)
    if piece.shape[0] != count or tuple(piece.shape[-len(shape) :]) != shape or axes not in (1, 2):
        raise CellError(
            f"asked for passes at inputs of shape {list(piece.shape)}; "
            f"must be [{count}, {', '.join(map(str, shape))}] or with one axis of samples after the first"
        )
    lead, examples = tuple(piece.shape[:axes]), torch.arange(count, device=piece.device)
    return lead, piece.reshape(-1, *shape), examples if axes == 1 else examples.repeat_interleave(lead[1])
