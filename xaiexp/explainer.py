"""One explanation: references drawn, the method called, its answer checked. The study and the functions share it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from xaiexp.contract import Baseline, Method
from xaiexp.draws import Draws
from xaiexp.errors import CellError
from xaiexp.passes import Handle, Passes
from xaiexp.study import NO_BASELINE, Cell, Study
from xaiexp.types import Batch, Explanation

__all__ = ["Explainer", "attributed", "referenced"]

# Below this a difference of scores is rounding, and no relative error can be told of it.
_NOTICEABLE = 1e-3


def referenced(baseline: Baseline, batch: Batch, draws: Draws) -> Tensor:
    """The references of a batch, ``[N, R, *shape]``; elements of no feature keep the input's own values.

    Raises:
        CellError: the baseline gave another shape, or values that are not finite.
    """
    got = baseline.references(batch, draws.within(f"baseline/{baseline.name}"))
    shape = batch.inputs.shape
    if tuple(got.shape) == tuple(shape):
        got = got.unsqueeze(1)
    if got.ndim != len(shape) + 1 or got.shape[0] != shape[0] or got.shape[2:] != shape[1:] or not got.shape[1]:
        raise CellError(f"baseline {baseline.name!r} gave shape {list(got.shape)}; must be {list(shape)}")
    if not bool(got.isfinite().all()):
        raise CellError(f"baseline {baseline.name!r} gave NaN or infinite values")
    got = got.to(batch.inputs.dtype)
    return torch.where(batch.features.inside.unsqueeze(1), got, batch.inputs.unsqueeze(1))


def attributed(method: Method, handle: Handle, reference: Tensor | None, draws: Draws) -> Tensor:
    """Attributions ``[N, *shape]``, checked; ``reference [N, R, *shape]`` is averaged over unless the method does.

    Raises:
        CellError: wrong shape, or values that are not finite.
    """
    rng = draws.within(f"method/{method.name}")
    batch = handle.batch
    if reference is None or method.reads_distribution:
        got = method.attribute(handle, batch, reference, rng)
    else:
        got = method.attribute(handle, batch, reference[:, 0], rng)
        for r in range(1, reference.shape[1]):
            got = got + method.attribute(handle, batch, reference[:, r], rng)
        got = got / reference.shape[1]
    if not isinstance(got, Tensor) or got.shape != batch.inputs.shape:
        shape = list(got.shape) if isinstance(got, Tensor) else type(got).__name__
        raise CellError(f"gave attributions of shape {shape}; must be {list(batch.inputs.shape)}")
    finite = got.isfinite().flatten(1).all(dim=1)
    if not bool(finite.all()):
        bad = [i for i, fine in zip(batch.ids, finite.tolist(), strict=True) if not fine]
        raise CellError(f"gave NaN or infinite attributions for {len(bad)} of {len(batch)} examples (first: {bad[0]})")
    return got.detach().to(batch.inputs.dtype)


class Explainer:
    """Explains one batch for the cells of a study; references and f(reference) are computed once for all."""

    def __init__(self, study: Study, passes: Passes, handle: Handle, draws: Draws) -> None:
        self.study, self.passes, self.handle, self.draws = study, passes, handle, draws
        self._references: dict[str, Tensor] = {}
        self._absent: dict[str, Tensor] = {}

    def reference(self, label: str) -> Tensor | None:
        """References ``[N, R, *shape]`` of the baseline with this label; None for cells without one."""
        if label == NO_BASELINE:
            return None
        if label not in self._references:
            self._references[label] = referenced(self.study.baselines[label], self.handle.batch, self.draws)
        return self._references[label]

    def attribute(self, cell: Cell) -> tuple[Tensor, Tensor | None]:
        """Attributions ``[N, *shape]`` and references of a cell."""
        reference = self.reference(cell.baseline)
        return attributed(self.study.methods[cell.method], self.handle, reference, self.draws), reference

    def incompleteness(self, cell: Cell, elements: Tensor, reference: Tensor | None) -> Tensor | None:
        """How far a method that claims completeness misses it: ``[N]``, as a part of f(x) - f(reference)."""
        if not self.study.methods[cell.method].complete or reference is None:
            return None
        if cell.baseline not in self._absent:
            self._absent[cell.baseline] = self.handle.scores(reference).mean(dim=1)
        change = self.handle.scores() - self._absent[cell.baseline]
        missed = (elements.flatten(1).sum(dim=1) - change).abs()
        return (missed - _NOTICEABLE).clamp(min=0) / change.abs().clamp(min=_NOTICEABLE)

    def explanation(self, cell: Cell, elements: Tensor) -> Explanation:
        """What metrics see of a cell."""
        method = self.study.methods[cell.method]
        return Explanation(
            method=cell.method,
            baseline=cell.baseline,
            elements=elements,
            features=self.handle.batch.features,
            signed=method.signed,
            complete=method.complete,
            multiplied_by_inputs=method.multiplied_by_inputs,
            reference=self.reference(cell.baseline),
            again=again(method, self.study.baselines.get(cell.baseline), self.handle, self.draws),
        )


def again(
    method: Method, baseline: Baseline | None, handle: Handle, draws: Draws, fixed: Tensor | None = None
) -> Callable[[Tensor], Tensor]:
    """Explains perturbed versions of a handle's batch: ``[N, S, *shape]`` to the same shape.

    Args:
        fixed: references ``[N, R, *shape]`` to use instead of drawing them for the perturbed inputs.
    """

    def explain(perturbed: Tensor) -> Tensor:
        n, s = perturbed.shape[:2]
        batch = handle.batch.repeated(perturbed)
        repeated = replace(draws, ids=batch.ids)
        reference = None
        if baseline is not None:
            reference = referenced(baseline, batch, repeated)
        elif fixed is not None:
            reference = fixed.repeat_interleave(s, dim=0)
        bound = handle.passes.bind(batch, handle.output)
        return attributed(method, bound, reference, repeated).view(n, s, *batch.shape)

    return explain
