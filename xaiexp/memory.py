"""Scores that one target needed serve the others: rows that went through the model are known again by content.

Perturbed inputs of most methods and metrics do not depend on the class that is explained. Where a study explains
several classes, the logits of all of them are kept for every row of a chunk, a few numbers each.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from xaiexp.passes import Block
    from xaiexp.types import Output

__all__ = ["Memory", "remembering", "row_keys", "target_scores"]

Run = Callable[["Block"], tuple[Tensor, Tensor]]


def row_keys(rows: Tensor, owners: Tensor) -> Tensor:
    """A 64-bit key of the content of each row and of the example that it belongs to: int64 ``[B]``.

    A sum of the bits of all elements under random weights modulo 2**64. The high half of every element is first
    folded onto the low half: numbers that differ in few high bits would otherwise lose those to the modulus.
    """
    wide = rows.dtype == torch.float64
    bits = rows.contiguous().flatten(1).view(torch.int64 if wide else torch.int32)
    bits = bits.bitwise_xor(bits >> (32 if wide else 16)).to(torch.int64)
    generator = torch.Generator().manual_seed(bits.shape[1])
    weights = torch.randint(-(2**63), 2**63 - 1, (bits.shape[1] + 1,), generator=generator).to(bits.device) | 1
    return (bits * weights[1:]).sum(dim=1) + (owners + 1) * weights[0]


@dataclass
class _Kept:
    """What one cell or metric has seen: sorted keys ``[R]`` and ``[R, T + 1 + H]``.

    Logits of the T classes, the log-sum-exp of all logits, and further numbers.
    """

    keys: Tensor | None = None
    values: Tensor | None = None
    fresh: list[tuple[Tensor, Tensor]] = field(default_factory=list)

    def find(self, keys: Tensor) -> tuple[Tensor, Tensor]:
        """Which keys are known, bool ``[B]``, and where."""
        if self.keys is None or not len(self.keys):
            return torch.zeros_like(keys, dtype=torch.bool), torch.zeros_like(keys)
        place = torch.searchsorted(self.keys, keys).clamp(max=len(self.keys) - 1)
        return self.keys[place] == keys, place

    def merge(self) -> None:
        """Take in what is new."""
        if self.fresh:
            old = [] if self.keys is None or self.values is None else [(self.keys, self.values)]
            keys, values = (torch.cat(parts) for parts in zip(*old, *self.fresh, strict=True))
            order = keys.argsort()
            self.keys, self.values = keys[order], values[order]
            self.fresh.clear()


class Memory:
    """The scores of one chunk of examples, by cell and metric.

    Args:
        ids: the examples, one id each; ids that repeat are not remembered.
        table: int64 ``[N, T]``, the classes that each example is explained for.

    Attributes:
        scope: the cell or metric under way; None where nothing is remembered.
    """

    def __init__(self, ids: Sequence[str], table: Tensor) -> None:
        self._place = {name: i for i, name in enumerate(ids)} if len(set(ids)) == len(ids) else {}
        self._table = table
        self._kept: dict[tuple[object, str], _Kept] = {}
        self.scope: object | None = None

    @contextlib.contextmanager
    def within(self, scope: object) -> Iterator[None]:
        """What happens inside belongs to this cell or metric; afterwards it is known to the next target."""
        self.scope = scope
        try:
            yield
        finally:
            self.scope = None
            for (of, _), kept in self._kept.items():
                if of == scope:
                    kept.merge()

    def recall(self, block: Block, ids: Sequence[str], output: Output, run: Run, kind: str = "") -> Tensor:
        """Scores and whatever else was seen of a block whose rows belong to the examples ``ids``: ``[B, 1 + H]``.

        Args:
            run: logits ``[B, classes]`` of a block and further numbers ``[B, H]``.
            kind: what further numbers these are; those of another kind are kept apart.
        """
        wanted = block.batch.targets[block.owners]
        if any(name not in self._place for name in ids):
            return _scored(*run(block), wanted, output)
        examples = torch.tensor([self._place[name] for name in ids], device=block.rows.device)
        classes = self._table[examples]
        if not bool((classes == wanted.unsqueeze(1)).any(dim=1).all()):
            return _scored(*run(block), wanted, output)  # another target than the study's own
        kept = self._kept.setdefault((self.scope, kind), _Kept())
        keys = row_keys(block.rows, examples)
        known, place = kept.find(keys)
        if bool(known.all()) and kept.values is not None:
            values = kept.values[place]
        else:
            logits, further = run(replace(block, rows=block.rows[~known], owners=block.owners[~known]))
            told = [logits.gather(1, classes[~known]), logits.logsumexp(dim=1, keepdim=True), further]
            fresh = torch.cat([part.to(logits.dtype) for part in told], dim=1)
            kept.fresh.append((keys[~known], fresh))
            values = fresh.new_empty(len(keys), fresh.shape[1])
            values[~known] = fresh
            if kept.values is not None:
                values[known] = kept.values[place[known]]
        column = (classes == wanted.unsqueeze(1)).int().argmax(dim=1, keepdim=True)
        score, total = values.gather(1, column), values[:, self._table.shape[1]].unsqueeze(1)
        score = (score - total).exp() if output == "probability" else score
        return torch.cat([score, values[:, self._table.shape[1] + 1 :]], dim=1)


def remembering(memory: Memory | None, scope: object) -> contextlib.AbstractContextManager[None]:
    """:meth:`Memory.within`, where there is a memory."""
    return contextlib.nullcontext() if memory is None else memory.within(scope)


def _scored(logits: Tensor, further: Tensor, targets: Tensor, output: Output) -> Tensor:
    return torch.cat([target_scores(logits, targets, output).unsqueeze(1), further.to(logits.dtype)], dim=1)


def target_scores(logits: Tensor, targets: Tensor, output: Output) -> Tensor:
    """The explained number of each row: ``logits [B, K]``, ``targets [B]`` to ``[B]``.

    ``probability`` is the softmax, or the logistic function of a single logit.
    """
    if output == "probability":
        logits = logits.sigmoid() if logits.shape[1] == 1 else logits.softmax(dim=1)
    return logits.gather(1, targets.unsqueeze(1)).squeeze(1)
