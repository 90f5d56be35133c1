"""Own tensors as a batch: what :mod:`xaiexp.api.functions` and comparisons of own tensors start from."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from xaiexp.api.axes import background_of, check_modality, unknown_statistics
from xaiexp.api.inputs import Layout, context_name, layout_of
from xaiexp.contract.kinds import Features
from xaiexp.contract.registry import installed
from xaiexp.core.batches import Background, Batch
from xaiexp.core.feature_map import FeatureMap
from xaiexp.core.samples import Encoded
from xaiexp.errors import MismatchError

__all__ = ["batch_of"]


def batch_of(
    inputs: Any,
    *,
    axes: Any = None,
    explained: Any = None,
    feature_mask: Any = None,
    background: Any = None,
    context: Mapping[str, Tensor] | None = None,
    masks: Any = None,
) -> tuple[Batch, Layout]:
    """The batch of own tensors, in the order of axes that components read, and how to call the network with its rows.

    The targets of the batch are still 0. ``layout.modality`` is what a :class:`xaiexp.core.samples.Network` says of its
    inputs, ``layout.call`` the ``call_layout`` of passes.

    Args:
        inputs: as the user gives them, and so all other arguments: see :func:`xaiexp.attribute`.
        axes: what the axes mean.
        explained: which of several inputs.
        feature_mask: integers that broadcast to the inputs, or features by name; None makes every element a feature.
        background: examples of the data.
        context: further tensors for the network.
        masks: ground truth, bool.

    Raises:
        UserError: an argument does not fit.
    """
    layout = layout_of(inputs, axes, explained)
    given = inputs if layout.joint or not layout.names else inputs[layout.parts[0].name]
    rows = layout.rows(layout.tensors(given, "inputs", "N"))
    rows = rows.clone() if rows.is_inference() else rows.detach()
    rows = rows.contiguous()
    batch = Batch(
        ids=_contents(rows),
        inputs=rows,
        targets=torch.zeros(len(rows), dtype=torch.int64, device=rows.device),
        features=_features(layout, rows, feature_mask),
        background=_background(layout, rows, background),
        context=_context(layout, len(rows), inputs, context),
        masks=None if masks is None else _masks(layout, rows, masks),
    )
    return batch, layout


def _contents(rows: Tensor) -> tuple[str, ...]:
    """A hash of the content of each row."""
    data = rows.cpu().flatten(1).contiguous().view(torch.uint8).numpy()
    return tuple(hashlib.blake2b(row, digest_size=8).hexdigest() for row in data)


def _context(layout: Layout, n: int, inputs: Any, context: Mapping[str, Tensor] | None) -> dict[str, Tensor]:
    """What rides along with every example: the context, and the inputs that are not explained."""
    own, given = layout.others(inputs, "inputs"), dict(context or {})
    own_names = {context_name(name) for name in layout.names}
    for name, tensor in {**own, **given}.items():
        where = f"inputs[{name!r}]" if name in own else f"context[{name!r}]"
        if name in given and name in own_names:
            raise MismatchError(where, "is one of the inputs, too")
        if not isinstance(tensor, Tensor) or tensor.ndim < 1 or len(tensor) != n:
            got = list(tensor.shape) if isinstance(tensor, Tensor) else type(tensor).__name__
            raise MismatchError(
                where,
                f"must be a tensor [{n}, ...], one row for each example",
                got=got,
                hint="what is the same for all examples belongs to the model: functools.partial",
            )
    return {**own, **given}


def _features(layout: Layout, rows: Tensor, mask: Any) -> FeatureMap:
    if mask is None:
        count = rows[0].numel()
        return FeatureMap.from_index(torch.arange(count, device=rows.device).view(1, *layout.shape), layout.shape)
    if isinstance(mask, str | Features):
        return _named_features(layout, rows, mask)
    n = len(rows)
    spread = []
    for part, given in zip(layout.parts, layout.explained(mask, "feature_mask"), strict=True):
        shape = part.axes.shape
        try:
            given = torch.as_tensor(given).to(rows.device)
            given = given.expand(given.shape[0] if given.ndim == len(shape) + 1 else 1, *shape)
        except RuntimeError:
            raise MismatchError("feature_mask", f"must broadcast to {[n, *shape]}", got=list(given.shape)) from None
        if len(given) not in (1, n):
            raise MismatchError("feature_mask", f"must broadcast to {[n, *shape]}", got=list(given.shape))
        spread.append(given)
    maps = max(len(given) for given in spread)
    index = layout.rows([given.expand(maps, *given.shape[1:]) for given in spread])
    return FeatureMap.from_index(torch.stack([torch.unique(row, return_inverse=True)[1] for row in index]))


def _named_features(layout: Layout, rows: Tensor, named: str | Features) -> FeatureMap:
    """The map of a features component. Every position of a text counts as a token."""
    component = installed().build("features", named, {}) if isinstance(named, str) else named
    if layout.joint:
        raise MismatchError("feature_mask", "of several inputs must be integers for each of them", got=component.name)
    axes = layout.axes
    check_modality(component, axes)
    axes.known  # noqa: B018 -- raises where the axes are not known: a grouping follows them
    text = axes.modality == "text"
    removable = torch.ones(rows.shape[:2], dtype=torch.bool) if text else None
    return component.build(Encoded(rows.cpu(), removable=removable)).to(rows.device)


def _background(layout: Layout, rows: Tensor, pool: Any) -> Background:
    if pool is None:
        return background_of(layout.axes, rows, None)
    context: dict[str, Tensor] = {}
    if not layout.joint and layout.names and not isinstance(pool, Tensor):
        context = {name: tensor.to(rows.device) for name, tensor in layout.others(pool, "background").items()}
        pool = pool[layout.parts[0].name]
    tensors = [tensor.detach().to(rows) for tensor in layout.tensors(pool, "background", "P")]
    for name, tensor in context.items():
        if len(tensor) != len(tensors[0]):
            raise MismatchError("background", f"must have as many rows for every input ({name})", got=len(tensor))
    if not layout.joint:
        return background_of(layout.axes, rows, layout.rows(tensors), context)
    each = [
        background_of(part.axes, rows, part.axes.read(tensor))
        for part, tensor in zip(layout.parts, tensors, strict=True)
    ]
    pool = layout.rows(tensors)
    unknown = [part.axes for part in layout.parts if part.axes.modality is None]
    if unknown:
        return unknown_statistics("table", pool, unknown[0])

    def joined(name: str) -> Tensor:
        values = [getattr(background, name) for background in each]
        shapes = [part.axes.read_shape for part in layout.parts]
        return torch.cat([value.expand(shape).flatten() for value, shape in zip(values, shapes, strict=True)])

    return Background("table", pool, joined("mean"), joined("low"), joined("high"))


def _masks(layout: Layout, rows: Tensor, masks: Any) -> Tensor:
    """Ground truth bool ``[N, *positions]``; for several inputs over their elements, ``[N, E]``."""
    checked, n = [], len(rows)
    for part, given in zip(layout.parts, layout.explained(masks, "masks"), strict=True):
        want = [n, *part.axes.positions]
        if not isinstance(given, Tensor) or list(given.shape) != want:
            got = list(given.shape) if isinstance(given, Tensor) else type(given).__name__
            where = "masks" if part.name is None else f"masks of {part.label}"
            raise MismatchError(where, f"must be {want}, without channels", got=got)
        checked.append(given.to(rows.device).bool())
    if not layout.joint:
        return checked[0]
    each = [part.axes.over_elements(mask) for part, mask in zip(layout.parts, checked, strict=True)]
    return torch.cat([mask.flatten(1) for mask in each], dim=1)
