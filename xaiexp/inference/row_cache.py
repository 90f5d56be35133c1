"""Reuses scores between the targets of a study: rows that went through the model are recognised by their content.

Perturbed inputs of most methods and metrics do not depend on the explained class. Where a study explains several
classes, the scores of all of them are kept for every row of a chunk, a few numbers each.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from xaiexp.inference.block import Block
from xaiexp.inference.outputs import Readout, target_scores

__all__ = ["RowCache", "RowScope", "row_keys", "scope_of"]

Run = Callable[[Block], tuple[Tensor, Tensor]]


def row_keys(rows: Tensor, owners: Tensor) -> Tensor:
    """A 64-bit key of the content of each row and of the example that it belongs to.

    A sum of the bits of all elements with random weights modulo 2**64. The high half of every element is first
    combined with the low half: numbers that differ in few high bits would otherwise lose those to the modulus.

    Args:
        rows: float ``[B, *shape]``.
        owners: int64 ``[B]``.

    Returns:
        int64 ``[B]``.
    """
    wide = rows.dtype == torch.float64
    bits = rows.contiguous().flatten(1).view(torch.int64 if wide else torch.int32)
    bits = bits.bitwise_xor(bits >> (32 if wide else 16)).to(torch.int64)
    generator = torch.Generator().manual_seed(bits.shape[1])
    weights = torch.randint(-(2**63), 2**63 - 1, (bits.shape[1] + 1,), generator=generator).to(bits.device) | 1
    return (bits * weights[1:]).sum(dim=1) + (owners + 1) * weights[0]


@dataclass
class _Entries:
    """Rows seen by one cell or metric: sorted keys ``[R]`` and values ``[R, T + H]``.

    The values are the scores of the T classes and H further numbers.
    """

    keys: Tensor | None = None
    values: Tensor | None = None
    fresh: list[tuple[Tensor, Tensor]] = field(default_factory=list)

    def find(self, keys: Tensor) -> tuple[Tensor, Tensor]:
        """Which keys are known, bool ``[B]``, and their positions, int64 ``[B]``."""
        if self.keys is None or not len(self.keys):
            return torch.zeros_like(keys, dtype=torch.bool), torch.zeros_like(keys)
        place = torch.searchsorted(self.keys, keys).clamp(max=len(self.keys) - 1)
        return self.keys[place] == keys, place

    def merge(self) -> None:
        """Make the fresh rows findable."""
        if self.fresh:
            old = [] if self.keys is None or self.values is None else [(self.keys, self.values)]
            keys, values = (torch.cat(parts) for parts in zip(*old, *self.fresh, strict=True))
            order = keys.argsort()
            self.keys, self.values = keys[order], values[order]
            self.fresh.clear()


class RowCache:
    """The scores of one chunk of examples, by cell and metric.

    Args:
        ids: the examples, one id each; nothing is cached if ids repeat.
        table: int64 ``[N, T]``, the classes that each example is explained for.
    """

    def __init__(self, ids: Sequence[str], table: Tensor) -> None:
        self.place = {name: i for i, name in enumerate(ids)} if len(set(ids)) == len(ids) else {}
        self.table = table
        self._entries: dict[object, dict[tuple[str, Readout], _Entries]] = {}

    @contextlib.contextmanager
    def scope(self, owner: object) -> Iterator[RowScope]:
        """The rows of one cell or metric; on leaving, what is new becomes known to the next target."""
        entries = self._entries.setdefault(owner, {})
        try:
            yield RowScope(self, entries)
        finally:
            for each in entries.values():
                each.merge()


def scope_of(cache: RowCache | None, owner: object) -> contextlib.AbstractContextManager[RowScope | None]:
    """The scope of an owner, or None where a study has one target and nothing is cached."""
    return contextlib.nullcontext() if cache is None else cache.scope(owner)


class RowScope:
    """The rows of one cell or metric in a :class:`RowCache`."""

    def __init__(self, cache: RowCache, entries: dict[tuple[str, Readout], _Entries]) -> None:
        self._cache, self._entries = cache, entries

    def get_or_compute(self, block: Block, ids: Sequence[str], output: Readout, run: Run, kind: str = "") -> Tensor:
        """Scores and further numbers of a block, without a pass for rows that are known.

        Args:
            block: B rows.
            ids: the example that each row belongs to.
            output: see :func:`xaiexp.inference.outputs.target_scores`.
            run: a block to its logits ``[B, classes]`` and further numbers ``[B, H]``.
            kind: which further numbers these are; different kinds are kept apart.

        Returns:
            ``[B, 1 + H]``.
        """
        wanted = block.batch.targets[block.owners]
        place, table = self._cache.place, self._cache.table
        if any(name not in place for name in ids):
            return _scored(*run(block), wanted, output)
        examples = torch.tensor([place[name] for name in ids], device=block.rows.device)
        classes = table[examples]
        if not bool((classes == wanted.unsqueeze(1)).any(dim=1).all()):
            return _scored(*run(block), wanted, output)  # a target that is none of the study's
        entries = self._entries.setdefault((kind, output), _Entries())
        keys = row_keys(block.rows, examples)
        known, where = entries.find(keys)
        if bool(known.all()) and entries.values is not None:
            values = entries.values[where]
        else:
            logits, further = run(block.part(~known))
            scores = output.scalars(logits).gather(1, classes[~known])
            fresh = torch.cat([part.to(logits.dtype) for part in (scores, further)], dim=1)
            entries.fresh.append((keys[~known], fresh))
            values = fresh.new_empty(len(keys), fresh.shape[1])
            values[~known] = fresh
            if entries.values is not None:
                values[known] = entries.values[where[known]]
        column = (classes == wanted.unsqueeze(1)).int().argmax(dim=1, keepdim=True)
        return torch.cat([values.gather(1, column), values[:, table.shape[1] :]], dim=1)


def _scored(logits: Tensor, further: Tensor, targets: Tensor, output: Readout) -> Tensor:
    return torch.cat([target_scores(logits, targets, output).unsqueeze(1), further.to(logits.dtype)], dim=1)
