"""The panels of a study: made by their components, cleaned, and with a line in place of those that fail."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import nh3
import yaml

from xaiexp.contract.panel import SECTIONS, Chart, Html, Panel, PanelData
from xaiexp.contract.registry import Registry, installed
from xaiexp.errors import Unsupported, UserError
from xaiexp.report.document import parts
from xaiexp.report.studies import StudyFolder

__all__ = ["LARGEST", "checked_specification", "cleaned", "panels"]

LARGEST = 1_000_000
"""Characters of the content of one panel."""

_TAGS = {
    "abbr", "b", "blockquote", "br", "caption", "code", "col", "colgroup", "dd", "del", "details", "div", "dl", "dt",
    "em", "figcaption", "figure", "h3", "h4", "h5", "h6", "hr", "i", "ins", "kbd", "li", "mark", "ol", "p", "pre", "q",
    "s", "samp", "small", "span", "strong", "sub", "summary", "sup", "table", "tbody", "td", "tfoot", "th", "thead",
    "tr", "u", "ul", "var",
}  # fmt: skip
_ATTRIBUTES = {
    "*": {"title", "lang", "dir"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan", "scope"},
}
_ADDRESSES = ("url", "href")
_INLINE = ("values", "datasets")


def panels(study: StudyFolder) -> tuple[parts.Panel, ...]:
    """The panels that the configuration of a study names, and those that were brought for the page."""
    registry = installed()
    named = [_panel(registry, study, label, node) for label, node in _named(study.config).items()]
    further = [_filled(parts.Panel(each.title, each.title, "", each.section), each.content) for each in study.further]
    return (*named, *further)


def cleaned(fragment: str) -> str:
    """A piece of HTML without scripts, styles, images, links, and attributes that do anything."""
    return nh3.clean(
        fragment,
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        clean_content_tags={"script", "style", "title", "template", "iframe", "noscript"},
        url_schemes=set(),
        link_rel=None,
    )


def checked_specification(specification: Mapping[str, Any]) -> str:
    """A Vega-Lite specification as JSON.

    Raises:
        UserError: it names an address, or is no JSON. Undefined numbers become null.
    """
    if where := _address(specification, "specification"):
        raise UserError(where, "names an address, and a page loads nothing", hint="put the data into data.values")
    plain = {
        key: value for key, value in specification.items() if key != "usermeta"
    }  # it may set options of the embedder
    try:
        return json.dumps(_finite(plain), allow_nan=False, default=_number)
    except (TypeError, ValueError, RecursionError) as error:
        raise UserError("specification", f"is no JSON ({error})") from None


def _named(config: str) -> dict[str, Any]:
    """Label to what the configuration says of each panel."""
    try:
        values = yaml.safe_load(config) or {}
    except yaml.YAMLError:
        return {}
    found = values.get("panel") if isinstance(values, dict) else None
    return {str(label): node for label, node in found.items()} if isinstance(found, dict) else {}


def _panel(registry: Registry, study: StudyFolder, label: str, node: Any) -> parts.Panel:
    shown = parts.Panel(label, label)
    try:
        values = dict(node)
        name = str(values.pop("name", label))
        panel: Panel = registry.build("panel", name, values, f"panel.{label}")
        section = panel.section if panel.section in SECTIONS else "made"
        shown = parts.Panel(label, str(panel.title), str(registry.plugin_of(panel)), section)
        return _filled(shown, panel.content(_data(study)))
    except Unsupported as reason:
        return replace(shown, error=f"nothing to show: {reason}")
    except Exception as raised:  # a panel may raise anything, and the page is there all the same
        line = next(iter(str(raised).strip().splitlines()), "no message")
        return replace(shown, error=f"{label} failed ({type(raised).__name__}: {line})")


def _filled(shown: parts.Panel, content: Any) -> parts.Panel:
    """The panel with its content, checked and cleaned."""
    if isinstance(content, Chart):
        chart = checked_specification(content.specification)
        _refuse_large(chart)
        return replace(shown, chart=chart, caption=content.caption)
    if isinstance(content, Html):
        _refuse_large(content.fragment)
        return replace(shown, html=cleaned(content.fragment))
    raise TypeError(f"content() returned {type(content).__name__}, neither Chart nor Html")


def _data(study: StudyFolder) -> PanelData:
    names = ("cells", "scores", "agreement", "summary", "verdicts", "comparisons", "examples", "curves")
    return PanelData({name: getattr(study, name).copy() for name in names}, study.record)


def _refuse_large(text: str) -> None:
    if len(text) > LARGEST:
        raise UserError("content", f"has {len(text):,} characters, more than {LARGEST:,}", hint="summarise the data")


def _address(node: Any, where: str) -> str:
    """Where a specification names an address; empty where it does not. Rows of data are not searched."""
    if isinstance(node, Mapping):
        for key, value in node.items():
            if key in _ADDRESSES:
                return f"{where}.{key}"
            if key not in _INLINE and (found := _address(value, f"{where}.{key}")):
                return found
    elif isinstance(node, list | tuple):
        for i, value in enumerate(node):
            if found := _address(value, f"{where}[{i}]"):
                return found
    return ""


def _finite(node: Any) -> Any:
    if isinstance(node, Mapping):
        return {str(key): _finite(value) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return [_finite(value) for value in node]
    return None if isinstance(node, float) and not math.isfinite(node) else node


def _number(value: Any) -> Any:
    """A number of numpy as one of Python."""
    if not hasattr(value, "item"):
        raise TypeError(f"{type(value).__name__} is no value of JSON")
    return _finite(value.item())
