"""The references of own tensors: a baseline by name, a number, or tensors of one reference or several."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from xaiexp.api.axes import background_of, check_modality
from xaiexp.api.inputs import Layout, Part
from xaiexp.contract.kinds import Baseline, Method
from xaiexp.contract.registry import installed
from xaiexp.core.batches import Batch
from xaiexp.core.draws import Draws
from xaiexp.core.feature_map import FeatureMap
from xaiexp.engine.explainer import referenced
from xaiexp.errors import MismatchError

__all__ = ["references_of"]


def references_of(baseline: Any, batch: Batch, layout: Layout, draws: Draws, method: Method | None = None) -> Tensor:
    """The references ``[N, R, *shape]`` of a batch.

    Args:
        baseline: a name or component, a number or a tensor (:func:`xaiexp.attribute`); for several explained inputs
            also one of these for each.
        batch: of own tensors.
        layout: of the inputs.
        draws: random numbers of the examples.
        method: what reads the references; None where that is not known.

    Raises:
        UserError: a tensor of another shape; an unknown name.
        Unsupported: the baseline is not for these inputs.
    """
    if isinstance(baseline, str | Baseline):
        component = installed().build("baseline", baseline, {}) if isinstance(baseline, str) else baseline
        check_modality(component, layout.axes)
        return referenced(component, batch, draws)
    if not layout.joint:
        return layout.rows([_tensor(baseline, layout.parts[0], batch, method)], lead=2)
    if isinstance(baseline, int | float):
        return torch.full_like(batch.inputs, float(baseline)).unsqueeze(1)
    given = layout.explained(baseline, "baseline")
    each = [_of_part(one, i, batch, layout, draws, method) for i, one in enumerate(given)]
    counts = {tensor.shape[1] for tensor in each}
    if len(counts - {1}) > 1:
        raise MismatchError(
            "baseline", "must have as many references for every input, or one", got=[t.shape[1] for t in each]
        )
    r = max(counts)
    return layout.rows([tensor.expand(-1, r, *tensor.shape[2:]) for tensor in each], lead=2)


def _of_part(baseline: Any, i: int, batch: Batch, layout: Layout, draws: Draws, method: Method | None) -> Tensor:
    """The references ``[N, R, *shape of the part]`` of one of several explained inputs."""
    part = layout.parts[i]
    if not isinstance(baseline, str | Baseline):
        return _tensor(baseline, part, batch, method)
    component = installed().build("baseline", baseline, {}) if isinstance(baseline, str) else baseline
    check_modality(component, part.axes)
    read = part.axes.read_shape

    def own(rows: Tensor) -> Tensor:
        return torch.split(rows, layout.sizes, dim=1)[i].reshape(-1, *read)

    pool = batch.background.pool
    alone = Batch(
        ids=batch.ids,
        inputs=own(batch.inputs),
        targets=batch.targets,
        features=FeatureMap.from_index(own(batch.features.index)),
        background=background_of(part.axes, batch.inputs, None if pool is None else own(pool)),
    )
    # Named by the part: noise of one input is independent of that of another.
    drawn = referenced(component, alone, draws.within(f"input/{part.name}"))
    return part.axes.given(drawn)


def _tensor(baseline: Any, part: Part, batch: Batch, method: Method | None) -> Tensor:
    """References ``[N, R, *shape of the part]`` of a number or a tensor, in the order of the user's axes."""
    shape, n = part.axes.shape, len(batch)
    where = "baseline" if part.name is None else f"baseline of {part.label}"
    try:
        # Numbers are read in float64, so that 0.3 is no float32 beside inputs in float64.
        given = torch.as_tensor(baseline, dtype=None if isinstance(baseline, Tensor) else torch.float64)
        given = given.to(batch.inputs)
    except (TypeError, ValueError, RuntimeError):
        raise MismatchError(where, "must be a number, a tensor or a name", got=type(baseline).__name__) from None
    count = given.shape[0] if given.ndim > len(shape) else 1
    if given.ndim <= len(shape):
        try:
            return given.expand(n, 1, *shape)
        except RuntimeError:
            pass
    elif given.ndim == len(shape) + 1 and tuple(given.shape[1:]) == shape and count:
        if count == 1:
            return given.expand(n, 1, *shape)
        if count != n:
            return given.unsqueeze(0).expand(n, -1, *shape)
        if method is None or not method.reads_distribution:
            return given.unsqueeze(1)
        raise MismatchError(
            where,
            f"may be {n} references for all examples or one for each of the {n} examples, and {method.name} reads "
            "distributions",
            got=list(given.shape),
            hint="for all: baseline.unsqueeze(0), [1, R, ...]; one for each: baseline.unsqueeze(1), [N, 1, ...]",
        )
    elif given.ndim == len(shape) + 2 and tuple(given.shape[2:]) == shape and count in (1, n) and given.shape[1]:
        return given.expand(n, *given.shape[1:])
    words = ", ".join(map(str, shape))
    raise MismatchError(
        where,
        f"must broadcast to {[n, *shape]}, or be [R, {words}], [1, R, {words}] or [{n}, R, {words}]",
        got=list(given.shape),
    )
