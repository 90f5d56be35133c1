"""Draws a chart of ``specifications.json`` as SVG, PDF or PNG, without Altair and without a browser."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd

from xaiexp.store.files import write_atomically

__all__ = ["FORMATS", "drawn", "specification"]

FORMATS = ("svg", "pdf", "png")
_NAMES = 420  # pixels that names on the left may take: a paper has room
_SCALE = 2.0  # pixels of a PNG for one of the chart


@functools.cache
def _compiled() -> dict[str, Any]:
    whole: dict[str, Any] = json.loads((Path(__file__).parent / "specifications.json").read_text(encoding="utf-8"))
    return whole


def specification(
    name: str, rows: pd.DataFrame, parameters: Mapping[str, float] | None = None, height: int | None = None
) -> dict[str, Any]:
    """The Vega-Lite specification of a chart with its rows.

    Args:
        name: of the chart.
        rows: its data.
        parameters: values of its parameters, such as ``limit``, the end of a scale of agreement.
        height: of the plot, in pixels; by default that of the chart.
    """
    whole = _compiled()
    chart = dict(whole["charts"][name]) | ({} if height is None else {"height": height})
    config = whole["config"] | {"axisY": {"labelLimit": _NAMES}}
    given = parameters or {}
    params = [
        {**each, "value": given.get(each["name"], each["value"])}
        for each in [*whole["params"], *chart.pop("params", [])]
    ]
    # NaN is no number of JSON; Vega-Lite leaves out null.
    listed = rows.astype(object).where(rows.notna(), None).to_dict("records")
    return {
        "$schema": whole["$schema"],
        "config": config,
        **chart,
        "params": params,
        "datasets": {"rows": listed},
    }


def drawn(spec: Mapping[str, Any], form: str, cache: Path | None = None) -> bytes:
    """The file of a specification.

    Args:
        spec: of :func:`specification`.
        form: one of :data:`FORMATS`.
        cache: a folder of this program's own, where figures are kept by the digest of their specification: drawing one
            takes a third of a second, and most of it for the first.
    """
    if cache is None:
        return _drawn(spec, form)
    content = json.dumps([version("vl-convert-python"), form, spec], sort_keys=True)
    kept = cache / "figures" / f"{hashlib.sha256(content.encode()).hexdigest()}.{form}"
    try:
        return kept.read_bytes()
    except OSError:
        figure = _drawn(spec, form)
    with contextlib.suppress(OSError):  # a figure needs no cache
        write_atomically(kept, figure)
    return figure


def _drawn(spec: Mapping[str, Any], form: str) -> bytes:
    import vl_convert

    schema = str(spec["$schema"]).rsplit("/v", 1)[-1].removesuffix(".json")
    major_minor = ".".join(schema.split(".")[:2])
    if form == "png":
        return bytes(vl_convert.vegalite_to_png(dict(spec), vl_version=major_minor, scale=_SCALE))
    if form == "pdf":
        return bytes(vl_convert.vegalite_to_pdf(dict(spec), vl_version=major_minor))
    return str(vl_convert.vegalite_to_svg(dict(spec), vl_version=major_minor)).encode()
