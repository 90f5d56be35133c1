"""One explanation: references drawn, the method called, its answer checked. The study and the functions share it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor, nn

from xaiexp.contract import Baseline, Method
from xaiexp.draws import Draws
from xaiexp.errors import CellError
from xaiexp.feature_map import FeatureMap
from xaiexp.passes import Handle, Passes
from xaiexp.study import NO_BASELINE, Cell, Study
from xaiexp.types import Batch, Estimate, Explanation, Spent

__all__ = ["Explainer", "again", "attributed", "estimated", "explained", "features_of", "referenced"]

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


def estimated(method: Method, handle: Handle, reference: Tensor | None, draws: Draws) -> tuple[Tensor, Tensor | None]:
    """Attributions ``[N, *shape]`` and the standard errors ``[N, d]`` of the features where the method sampled.

    ``reference [N, R, *shape]`` is averaged over unless the method does; the errors are averaged likewise, which
    is what they are where the references share their random numbers, and more than that elsewhere.

    Raises:
        CellError: wrong shape, or values that are not finite.
    """
    rng, batch = draws.within(f"method/{method.name}"), handle.batch
    if reference is None or method.reads_distribution:
        each = [method.attribute(handle, batch, reference, rng)]
    else:
        each = [method.attribute(handle, batch, reference[:, r], rng) for r in range(reference.shape[1])]
    values = [_checked(method, got.values if isinstance(got, Estimate) else got, batch) for got in each]
    errors = [got.standard_error for got in each if isinstance(got, Estimate)]
    error = None
    if errors:
        error = torch.stack([e.detach() for e in errors]).mean(dim=0)
        want = [len(batch), batch.features.d]
        if method.space != "layer" and list(error.shape) != want:
            raise CellError(f"gave standard errors of shape {list(error.shape)}; must be {want}")
    return torch.stack(values).mean(dim=0) if len(values) > 1 else values[0], error


def attributed(method: Method, handle: Handle, reference: Tensor | None, draws: Draws) -> Tensor:
    """The attributions alone; see :func:`estimated`."""
    return estimated(method, handle, reference, draws)[0]


def _checked(method: Method, got: object, batch: Batch) -> Tensor:
    shape = list(got.shape) if isinstance(got, Tensor) else type(got).__name__
    if method.space == "layer":
        if not isinstance(got, Tensor) or got.ndim < 2 or len(got) != len(batch) or not got[0].numel():
            raise CellError(f"gave attributions of shape {shape}; must be [{len(batch)}, *layer]")
    elif not isinstance(got, Tensor) or got.shape != batch.inputs.shape:
        raise CellError(f"gave attributions of shape {shape}; must be {list(batch.inputs.shape)}")
    finite = got.isfinite().flatten(1).all(dim=1)
    if not bool(finite.all()):
        bad = [i for i, fine in zip(batch.ids, finite.tolist(), strict=True) if not fine]
        raise CellError(f"gave NaN or infinite attributions for {len(bad)} of {len(batch)} examples (first: {bad[0]})")
    return got.detach().to(batch.inputs.dtype)


def features_of(method: Method, elements: Tensor, batch: Batch) -> FeatureMap:
    """What the attributions of a method speak about: the batch's features, or each unit of a layer by itself."""
    if method.space != "layer":
        return batch.features
    shape = elements.shape[1:]
    index = torch.arange(math.prod(shape), device=elements.device).view(1, *shape)
    return FeatureMap.from_index(index, tuple(shape))


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
        """Attributions ``[N, *shape]`` and standard errors of a cell; see :func:`estimated`."""
        return estimated(self.study.methods[cell.method], self.handle, self.reference(cell.baseline), self.draws)

    def incompleteness(self, cell: Cell, elements: Tensor) -> Tensor | None:
        """How far a method that claims completeness misses it: ``[N]``, as a part of f(x) - f(reference)."""
        method, reference = self.study.methods[cell.method], self.reference(cell.baseline)
        if not method.complete or method.space == "neuron" or reference is None:
            return None
        if cell.baseline not in self._absent:
            self._absent[cell.baseline] = self.handle.scores(reference).mean(dim=1)
        change = self.handle.scores() - self._absent[cell.baseline]
        missed = (elements.flatten(1).sum(dim=1) - change).abs()
        return (missed - _NOTICEABLE).clamp(min=0) / change.abs().clamp(min=_NOTICEABLE)

    def explanation(
        self, cell: Cell, elements: Tensor, standard_error: Tensor | None = None, spent: Spent | None = None
    ) -> Explanation:
        """What metrics see of a cell."""
        method, reference = self.study.methods[cell.method], self.reference(cell.baseline)
        return explained(
            Explanation(
                method=cell.method,
                baseline=cell.baseline,
                elements=elements,
                features=features_of(method, elements, self.handle.batch),
                signed=method.signed,
                complete=method.complete,
                multiplied_by_inputs=method.multiplied_by_inputs,
                reference=reference,
                again=again(method, self.study.baselines.get(cell.baseline), self.handle, self.draws),
                space=method.space,
                standard_error=standard_error,
                spent=spent,
            ),
            method,
            self.handle,
            reference if method.reads_baseline else None,
            self.draws,
        )


def explained(
    explanation: Explanation, method: Method, handle: Handle, reference: Tensor | None, draws: Draws
) -> Explanation:
    """The explanation with what it takes to explain the same batch of another network, or for other targets."""

    def under(module: nn.Module) -> Tensor:
        return attributed(method, handle.elsewhere(module), reference, draws)

    def aimed(targets: Tensor) -> Tensor:
        batch = replace(handle.batch, targets=targets)
        return attributed(method, handle.passes.bind(batch, handle.output), reference, draws)

    return replace(explanation, under=under, aimed=aimed)


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
        got = attributed(method, bound, reference, repeated)
        return got.view(n, s, *got.shape[1:])

    return explain
