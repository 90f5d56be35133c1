"""The maps of one cell for one chunk; an example whose map is undefined does not stop the others."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from xaiexp.core.ids import CellId
from xaiexp.engine.explainer import NOT_FINITE, Explainer, undefined_rows
from xaiexp.engine.failure import Failure
from xaiexp.errors import CellError, Unsupported, UserError
from xaiexp.inference.passes import Handle

__all__ = ["Maps", "explain_all", "reasons_from", "reasons_to"]

Attribute = Callable[[Explainer, Handle], tuple[Tensor, Tensor | None]]
"""Attributions ``[N, *shape]`` and standard errors ``[N, d]`` of an explainer's batch; the handle counts the passes."""


@dataclass(frozen=True)
class Maps:
    """The maps of one cell.

    Args:
        elements: float ``[N, *shape]``, NaN for an example whose map is undefined.
        standard_error: float ``[N, d]``; None where the method does not return one.
        undefined: row of each example whose map is undefined, with the reason.
    """

    elements: Tensor
    standard_error: Tensor | None
    undefined: Mapping[int, str] = field(default_factory=dict)


def explain_all(cell: CellId, explainer: Explainer, handle: Handle, attribute: Attribute, allowed: int) -> Maps:
    """Explain a batch, example by example where the method raises for all of them together.

    Args:
        cell: method and baseline.
        explainer: of the batch.
        handle: the batch, its passes counted for this cell alone.
        attribute: computes the maps of any part of the batch.
        allowed: how many more examples may be undefined before the cell fails.

    Raises:
        Exception: what the method raises, where it does so for more examples than allowed, or violates its contract.
    """
    try:
        elements, error = attribute(explainer, handle)
    except (UserError, Unsupported, CellError):  # wrong for every example
        raise
    except Exception as together:
        return _one_by_one(explainer, handle, attribute, allowed, together)
    reasons = explainer.without_reference.get(cell.baseline, {})
    return Maps(elements, error, {i: reasons.get(i, NOT_FINITE) for i in undefined_rows(elements)})


def _one_by_one(explainer: Explainer, handle: Handle, attribute: Attribute, allowed: int, together: Exception) -> Maps:
    """As :func:`explain_all`, after the method raised ``together``."""
    count = len(handle.batch)
    found: dict[int, tuple[Tensor, Tensor | None]] = {}
    undefined: dict[int, str] = {}
    for i in range(count):
        if count == 1:
            raised: Exception | None = together
        else:
            part, raised = explainer.rows([i]), None
            try:
                found[i] = attribute(part, part.handle.counted_by(handle.counter))
            except (UserError, Unsupported, CellError):
                raise
            except Exception as alone:
                raised = alone
        if raised is not None:
            undefined[i] = Failure.of(raised).reason
            if len(undefined) > allowed:
                raise together
        elif undefined_rows(found[i][0]):
            undefined[i] = NOT_FINITE
    if found:
        elements, error = next(iter(found.values()))
        blank = torch.full_like(elements, math.nan), None if error is None else torch.full_like(error, math.nan)
    else:  # of the shape of the inputs, as maps are unless they explain a layer
        blank = torch.full_like(handle.batch.inputs[:1], math.nan), None
    parts = [found.get(i, blank) for i in range(count)]
    errors = [part[1] for part in parts if part[1] is not None]
    return Maps(torch.cat([part[0] for part in parts]), torch.cat(errors) if errors else None, undefined)


def reasons_to(undefined: Mapping[int, str]) -> Tensor:
    """The reasons as bytes, uint8, for the store."""
    return torch.tensor(list(json.dumps(list(undefined.items())).encode()), dtype=torch.uint8)


def reasons_from(stored: Tensor | None) -> dict[int, str]:
    """The reasons from :func:`reasons_to`; none where nothing is stored."""
    return {} if stored is None else dict(json.loads(bytes(stored.tolist())))
