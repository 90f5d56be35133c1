"""The maps of one example as a figure of matplotlib."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from xaiexp.core.ids import CellId
from xaiexp.errors import ParameterError, ResourceError, UnknownName, UserError, nearest
from xaiexp.report.examples import BARS
from xaiexp.report.notebook.shown import shown_figure
from xaiexp.report.pictures.images import colour, full_colour, heatmap
from xaiexp.report.studies import StudyFolder
from xaiexp.report.wording import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["figure"]

_ROW = 4


def figure(study: StudyFolder, example: int, cells: Sequence[str] | None) -> Figure:
    """The input and the map of every cell for one example of the gallery.

    Images and series are shown as the report shows them, with its colours and scales. Of texts and tables the features
    of largest magnitude are bars.

    Args:
        study: with its gallery.
        example: number in the gallery, from 0.
        cells: which, as ``METHOD`` (all of its baselines) or ``METHOD / BASELINE``; None for all.

    Raises:
        UserError: there is no such example or cell, or matplotlib is not installed.
    """
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError:
        raise UserError("plot", "needs matplotlib", hint="pip install 'xaiexp[notebook]'") from None
    gallery = study.gallery.examples
    if not gallery:
        raise ResourceError("plot", "this study has no gallery of examples", got=str(study.path))
    if isinstance(example, bool) or not isinstance(example, int) or not 0 <= example < len(gallery):
        what = f"must be the number of one of the {len(gallery)} examples that the study keeps, 0 to {len(gallery) - 1}"
        raise ParameterError("example", what, got=example)
    chosen = gallery[example]
    maps = _chosen(chosen.get("maps") or (), cells)
    original = study.gallery.arrays.get(chosen.get("input") or "")
    count = len(maps) + (original is not None)
    columns = min(_ROW, count)
    shown: Figure = shown_figure(figsize=(3 * columns, 2.8 * math.ceil(count / columns) + 0.4), layout="constrained")
    axes = list(np.ravel(shown.subplots(math.ceil(count / columns), columns, squeeze=False)))
    if original is not None:
        _input(axes[0], study.gallery.modality, original)
    for ax, described in zip(axes[int(original is not None) :], maps, strict=False):
        _map(ax, study, chosen, described)
    for ax in axes[count:]:
        ax.set_axis_off()
    facts = [str(chosen.get("name") or chosen.get("id"))]
    facts += [f"explained: {chosen['target_name']}"] if chosen.get("target_name") else []
    shown.suptitle(", ".join(facts), fontsize="medium", parse_math=False)
    return shown


def _chosen(maps: Sequence[Mapping[str, Any]], cells: Sequence[str] | None) -> list[Mapping[str, Any]]:
    """The maps of the named cells, in the order of the names."""
    if cells is None:
        return list(maps)
    named = {str(CellId(str(each["method"]), str(each["baseline"]))): each for each in maps}
    found: dict[str, Mapping[str, Any]] = {}
    for cell in [cells] if isinstance(cells, str) else cells:
        wanted = " / ".join(part.strip() for part in str(cell).split("/"))
        fitting = {name: each for name, each in named.items() if wanted in (name, each["method"])}
        if not fitting:
            raise UnknownName(
                "cells",
                "no map of this cell",
                got=cell,
                nearest=nearest(wanted, named),
                hint=f"maps: {', '.join(named)}",
            )
        found |= fitting
    return list(found.values())


def _input(ax: Axes, modality: str, values: NDArray[Any]) -> None:
    ax.set_title("input", fontsize="small")
    if modality == "image":
        ax.imshow(values, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        ax.set_axis_off()
    else:
        _curves(ax, values)


def _curves(ax: Axes, values: NDArray[Any]) -> None:
    """The channels of a series, each on its own scale, one above the other."""
    for channel, curve in enumerate(np.atleast_2d(values)):
        spread = float(np.ptp(curve)) or 1.0
        ax.plot((curve - curve.min()) / spread - 1.1 * channel, color="black", linewidth=0.8)
    ax.set_yticks([])


def _map(ax: Axes, study: StudyFolder, example: Mapping[str, Any], described: Mapping[str, Any]) -> None:
    cell = CellId(str(described["method"]), str(described["baseline"]))
    ax.set_title(str(cell), fontsize="small", parse_math=False)
    found = study.gallery.arrays.get(str(described.get("key")))
    if found is None or not np.isfinite(found).any():
        ax.text(0.5, 0.5, "missing" if found is None else "undefined", ha="center", va="center")
        ax.set_axis_off()
        return
    values = np.asarray(found, dtype=np.float64)
    layer = described.get("space") == "layer"
    signed = study.signed(cell.method, values) or (layer and bool((values < 0).any()))
    if study.gallery.modality == "image" and values.ndim == 2:
        side = max(values.shape)
        ax.imshow(heatmap(values, signed, side=side).convert("RGB"), interpolation="nearest")
        ax.set_axis_off()
    elif study.gallery.modality == "series" and described.get("units") is None:
        curves = study.gallery.arrays.get(example.get("input") or "", np.zeros((1, values.size)))
        _curves(ax, curves)
        (left, right), (low, high) = (-0.5, values.size - 0.5), ax.get_ylim()
        spans = heatmap(values.reshape(1, -1), signed, side=values.size).convert("RGB")
        ax.imshow(spans, extent=(left, right, low, high), aspect="auto", interpolation="nearest", zorder=0)
    else:
        _bars(ax, _names(example, described, values.size), values.ravel(), signed)


def _names(example: Mapping[str, Any], described: Mapping[str, Any], count: int) -> list[str]:
    """A name for each value: of units, columns, or the tokens of a feature."""
    if described.get("units") is not None:
        return [str(unit) for unit in described["units"]]
    if example.get("columns"):
        return [str(column["name"]) for column in example["columns"]]
    names = [""] * count
    features = example.get("token_feature") or range(count)
    for place, (token, feature) in enumerate(zip(example.get("tokens") or (), features, strict=False)):
        at = place if described.get("space") == "layer" else feature
        if 0 <= at < count:
            names[at] += str(token)
    return names


def _bars(ax: Axes, names: Sequence[str], values: NDArray[np.float64], signed: bool) -> None:
    order = np.argsort(-np.nan_to_num(np.abs(values), nan=-1.0), kind="stable")[:BARS][::-1]
    fills = [colour(float(values[i]), signed, full_colour(values)) for i in order]
    ax.barh(range(len(order)), np.nan_to_num(values[order]), color=fills, edgecolor="#555", linewidth=0.5)
    labels = [names[i] if i < len(names) and names[i] else f"feature {i}" for i in order]
    ax.set_yticks(range(len(order)))
    ax.set_yticklabels(labels, fontsize="x-small", parse_math=False)
    ax.tick_params(axis="x", labelsize="x-small")
    if len(values) > BARS:
        ax.set_xlabel(f"the {BARS} of largest magnitude, of {number(len(values))}", fontsize="x-small")
