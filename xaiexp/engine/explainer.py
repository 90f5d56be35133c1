"""One explanation of a batch: references are drawn, the method is called, its result is checked.

Studies and the functions of :mod:`xaiexp.api` share this module.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from xaiexp.contract.kinds import Baseline, Method
from xaiexp.core.batches import Batch
from xaiexp.core.draws import Draws
from xaiexp.core.explanations import Estimate, Explanation, Spent
from xaiexp.core.feature_map import FeatureMap
from xaiexp.core.ids import NO_BASELINE, CellId
from xaiexp.engine.failure import Failure
from xaiexp.errors import CellError, Unsupported, UserError
from xaiexp.inference.passes import Handle
from xaiexp.inference.row_cache import RowCache, scope_of
from xaiexp.plan.study import Study

__all__ = [
    "NOT_FINITE",
    "Explainer",
    "UndefinedValues",
    "attributed",
    "completeness_error",
    "estimated",
    "features_of",
    "rebound",
    "referenced",
    "undefined_rows",
]

# A difference of scores below this is rounding error, and no relative error can be computed from it.
_NOTICEABLE = 1e-3

NOT_FINITE = "returned NaN or infinite attributions"
"""Why a map is undefined that a method returned."""


class UndefinedValues(CellError):
    """A baseline or method returned values that are not finite for some examples."""


def referenced(baseline: Baseline, batch: Batch, draws: Draws) -> Tensor:
    """The references of a batch.

    Returns:
        ``[N, R, *shape]``; elements that belong to no feature keep the input's own values.

    Raises:
        CellError: the baseline returned another shape.
        UndefinedValues: it returned values that are not finite for some example.
    """
    got = baseline.references(batch, draws.within(f"baseline/{baseline.name}"))
    shape = batch.inputs.shape
    if tuple(got.shape) == tuple(shape):
        got = got.unsqueeze(1)
    if got.ndim != len(shape) + 1 or got.shape[0] != shape[0] or got.shape[2:] != shape[1:] or not got.shape[1]:
        raise CellError(f"baseline {baseline.name!r} returned shape {list(got.shape)}; must be {list(shape)}")
    if not bool(got.isfinite().all()):
        raise UndefinedValues(f"baseline {baseline.name!r} returned NaN or infinite values")
    got = got.to(batch.inputs.dtype)
    return torch.where(batch.features.inside.unsqueeze(1), got, batch.inputs.unsqueeze(1))


def estimated(method: Method, handle: Handle, reference: Tensor | None, draws: Draws) -> tuple[Tensor, Tensor | None]:
    """Attributions, and the standard errors of the features where the method samples.

    Args:
        method: what explains.
        handle: the batch.
        reference: ``[N, R, *shape]``, averaged over unless the method reads distributions; None where none is read.
            Standard errors are averaged likewise: exact where the references share their random numbers, an upper
            bound elsewhere.
        draws: random numbers of the study.

    Returns:
        ``[N, *shape]`` and ``[N, d]`` or None. The whole map of an example is NaN where some of its values are not
        finite.

    Raises:
        CellError: the method returned another shape.
        Unsupported: the network is singular at the reference of a method that follows its gradients from there.
    """
    rng, batch = draws.within(f"method/{method.name}"), handle.batch
    _refuse_singular(method, handle, reference)
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
            raise CellError(f"returned standard errors of shape {list(error.shape)}; must be {want}")
    return torch.stack(values).mean(dim=0) if len(values) > 1 else values[0], error


def _refuse_singular(method: Method, handle: Handle, reference: Tensor | None) -> None:
    """Refuse references ``[N, R, *shape]`` from which a path of gradients tells nothing."""
    judge, follows = handle.passes.judge_reference, method.complete and "gradients" in method.needs
    if judge is not None and reference is not None and follows:
        why = judge(handle.batch, reference[:, 0])
        if why:
            raise Unsupported(why)


def attributed(method: Method, handle: Handle, reference: Tensor | None, draws: Draws) -> Tensor:
    """The attributions alone; see :func:`estimated`.

    Raises:
        CellError: as there.
        UndefinedValues: values of some example are not finite.
    """
    elements = estimated(method, handle, reference, draws)[0]
    undefined = undefined_rows(elements)
    if undefined:
        first = handle.batch.ids[undefined[0]]
        raise UndefinedValues(f"{NOT_FINITE} for {len(undefined)} of {len(elements)} examples (first: {first})")
    return elements


def completeness_error(elements: Tensor, change: Tensor) -> Tensor:
    """By how much attributions ``[N, *shape]`` miss the change ``[N]`` of the score, relative to it: ``[N]``."""
    missed = (elements.flatten(1).sum(dim=1) - change).abs()
    return (missed - _NOTICEABLE).clamp(min=0) / change.abs().clamp(min=_NOTICEABLE)


def undefined_rows(elements: Tensor) -> list[int]:
    """The examples whose maps ``[N, *shape]`` are not finite."""
    return (~elements.isfinite().flatten(1).all(dim=1)).nonzero().squeeze(1).tolist()


def _checked(method: Method, got: object, batch: Batch) -> Tensor:
    shape = list(got.shape) if isinstance(got, Tensor) else type(got).__name__
    if method.space == "layer":
        if not isinstance(got, Tensor) or got.ndim < 2 or len(got) != len(batch) or not got[0].numel():
            raise CellError(f"returned attributions of shape {shape}; must be [{len(batch)}, *layer]")
    elif not isinstance(got, Tensor) or got.shape != batch.inputs.shape:
        raise CellError(f"returned attributions of shape {shape}; must be {list(batch.inputs.shape)}")
    got = got.detach().to(batch.inputs.dtype)
    undefined = undefined_rows(got)
    if undefined:
        got = got.clone()
        got[undefined] = math.nan
    return got


def features_of(method: Method, elements: Tensor, batch: Batch) -> FeatureMap:
    """The features that a method attributes to: the batch's, or in the space ``layer`` each unit by itself."""
    if method.space != "layer":
        return batch.features
    shape = elements.shape[1:]
    index = torch.arange(math.prod(shape), device=elements.device).view(1, *shape)
    return FeatureMap.from_index(index, tuple(shape))


class Explainer:
    """Explains one batch for the cells of a study; references and their scores are computed once for all cells.

    Args:
        study: methods and baselines by label.
        handle: the batch; its counter counts the passes at references that :meth:`incompleteness` makes.
        draws: random numbers of the study.
        cache: rows that other targets of the study share.

    Attributes:
        without_reference: baseline to the examples, by row, for which it has no reference, with the reason.
    """

    def __init__(self, study: Study, handle: Handle, draws: Draws, cache: RowCache | None = None) -> None:
        self.study, self.handle, self.draws, self._cache = study, handle, draws, cache
        self.without_reference: dict[str, dict[int, str]] = {}
        self._references: dict[str, Tensor] = {}
        self._reference_scores: dict[str, Tensor] = {}

    def reference(self, label: str) -> Tensor | None:
        """References ``[N, R, *shape]`` of the baseline with this label; None for cells without one."""
        if label == NO_BASELINE:
            return None
        if label not in self._references:
            self._references[label] = self._referenced(label)
        return self._references[label]

    def _referenced(self, label: str) -> Tensor:
        """The references of all examples; NaN for those whose reference cannot be drawn.

        Raises:
            Exception: as the baseline, where it has a reference for no example.
        """
        baseline, count = self.study.baselines[label], len(self.handle.batch)
        try:
            return referenced(baseline, self.handle.batch, self.draws)
        except (UserError, Unsupported):
            raise
        except Exception:  # whatever a baseline raises for one example is the fault of that example
            each: dict[int, Tensor] = {}
            for i in range(count if count > 1 else 0):
                part = self.rows([i])
                try:
                    each[i] = referenced(baseline, part.handle.batch, part.draws)
                except Exception as error:
                    self.without_reference.setdefault(label, {})[i] = Failure.of(error).reason
            if not each:
                raise
            undefined = torch.full_like(next(iter(each.values())), math.nan)
            return torch.cat([each.get(i, undefined) for i in range(count)])

    def rows(self, rows: Sequence[int]) -> Explainer:
        """The explainer of some examples of the batch; what is known of them is kept."""
        index = torch.tensor(list(rows), device=self.handle.batch.device)
        batch = self.handle.batch.rows(index)
        handle = self.handle.with_batch(batch)
        handle.preset_logits(self.handle.logits()[index])
        part = type(self)(self.study, handle, replace(self.draws, ids=batch.ids), self._cache)
        part._references = {label: known[index] for label, known in self._references.items()}  # noqa: SLF001  # of the same class
        return part

    def attribute(self, cell: CellId, handle: Handle) -> tuple[Tensor, Tensor | None]:
        """Attributions and standard errors of a cell, its passes counted by ``handle``; see :func:`estimated`."""
        return estimated(self.study.methods[cell.method], handle, self.reference(cell.baseline), self.draws)

    def incompleteness(self, cell: CellId, elements: Tensor) -> Tensor | None:
        """The completeness error of each example, relative to f(x) - f(reference).

        Args:
            cell: method and baseline.
            elements: its attributions ``[N, *shape]``.

        Returns:
            ``[N]``; None where it is not defined: no claim of completeness, a neuron, or no baseline.
        """
        method, reference = self.study.methods[cell.method], self.reference(cell.baseline)
        if not method.complete or method.space == "neuron" or reference is None:
            return None
        if cell.baseline not in self._reference_scores:
            # In a scope of their own, since no cell alone causes these passes.
            with scope_of(self._cache, Explainer) as rows:
                handle = self.handle.counted_by(self.handle.counter, rows)
                self._reference_scores[cell.baseline] = handle.scores(reference).mean(dim=1)
        change = self.handle.scores() - self._reference_scores[cell.baseline]
        return completeness_error(elements, change)

    def explanation(
        self, cell: CellId, elements: Tensor, standard_error: Tensor | None = None, spent: Spent | None = None
    ) -> Explanation:
        """The explanation of a cell; :meth:`rebound` adds what it takes to explain again."""
        method = self.study.methods[cell.method]
        return Explanation(
            method=cell.method,
            baseline=cell.baseline,
            elements=elements,
            features=features_of(method, elements, self.handle.batch),
            signed=method.signed,
            complete=method.complete,
            multiplied_by_inputs=method.multiplied_by_inputs,
            reference=self.reference(cell.baseline),
            space=method.space,
            standard_error=standard_error,
            spent=spent,
        )

    def rebound(self, cell: CellId, explanation: Explanation, handle: Handle) -> Explanation:
        """The explanation of a cell with functions that explain again, their passes counted by ``handle``."""
        method = self.study.methods[cell.method]
        baseline = self.study.baselines.get(cell.baseline)
        return rebound(explanation, method, handle, self.draws, baseline)

    def repeated(self, cell: CellId, explanation: Explanation, handle: Handle, number: int) -> Explanation:
        """A map of the cell with random numbers of its own, independent of those of other ``number``; rebound."""
        method, draws = self.study.methods[cell.method], self.draws.within(f"repeat {number}")
        elements, error = estimated(method, handle, self.reference(cell.baseline), draws)
        other = replace(explanation, elements=elements, standard_error=error)
        return rebound(other, method, handle, draws, self.study.baselines.get(cell.baseline))


def rebound(
    explanation: Explanation, method: Method, handle: Handle, draws: Draws, baseline: Baseline | None = None
) -> Explanation:
    """The explanation with functions that explain again with the same method, references and random numbers.

    Args:
        explanation: of the handle's batch.
        method: what made it.
        handle: counts the passes of the functions.
        draws: random numbers of the study.
        baseline: draws the references of perturbed inputs; without one they keep the explanation's references.
    """
    reference = explanation.reference if method.reads_baseline else None

    def explain_network(module: nn.Module) -> Tensor:
        return attributed(method, handle.with_module(module), reference, draws)

    def explain_targets(targets: Tensor) -> Tensor:
        return attributed(method, handle.with_batch(replace(handle.batch, targets=targets)), reference, draws)

    return explanation.with_functions(
        _explaining_perturbed(method, baseline, handle, draws, reference), explain_network, explain_targets
    )


def _explaining_perturbed(
    method: Method, baseline: Baseline | None, handle: Handle, draws: Draws, reference: Tensor | None
) -> Callable[[Tensor], Tensor]:
    def explain_perturbed(perturbed: Tensor) -> Tensor:
        n, s = perturbed.shape[:2]
        batch = handle.batch.repeated(perturbed)
        repeated = replace(draws, ids=batch.ids)
        own = None
        if baseline is not None:
            own = referenced(baseline, batch, repeated)
        elif reference is not None:
            own = reference.repeat_interleave(s, dim=0)
        got = attributed(method, handle.with_batch(batch), own, repeated)
        return got.view(n, s, *got.shape[1:])

    return explain_perturbed
