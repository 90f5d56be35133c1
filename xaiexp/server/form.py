"""What of a cell can be changed: its parameters with type, range, default and meaning, for the form of the page."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args, get_origin

from xaiexp.contract.component import Component
from xaiexp.contract.documentation import described
from xaiexp.contract.registry import Registry
from xaiexp.core import parameters
from xaiexp.core.ids import NO_BASELINE
from xaiexp.plan.study import DEFAULT_FEATURES
from xaiexp.server.served import Served

__all__ = ["form"]


def form(study: Served, label: str, registry: Registry) -> dict[str, Any]:
    """The fields of a cell, ready for JSON.

    Args:
        study: of the page.
        label: of the cell.
        registry: has the components.

    Raises:
        UserError: there is no such cell, or its component is not installed.
    """
    cell, values = study.cell(label), study.values
    effort = str(values.get("effort") or "standard")
    method = values["method"][cell.method]
    reads = cell.baseline != NO_BASELINE
    features = values.get("features") or DEFAULT_FEATURES.get(study.modality)
    return {
        "cell": label,
        "method": _described(registry.get("method", method["name"]), method, effort),
        "baseline": _choice(registry, "baseline", values["baseline"][cell.baseline], study, effort) if reads else None,
        "features": _choice(registry, "features", features, study, effort),
        "target": values.get("target", "predicted"),
        "examples": len(study.examples),
        "modality": study.modality,
        "own": _own_input(study),
    }


def _own_input(study: Served) -> str:
    """Which kind of input of one's own the study takes: image, text, row, or none."""
    kinds = {"image": "image", "text": "text"}
    if study.modality == "table" and (study.values.get("dataset") or {}).get("name") == "csv":
        return "row"
    return kinds.get(study.modality, "")


def _choice(registry: Registry, kind: str, node: Any, study: Served, effort: str) -> dict[str, Any]:
    """The chosen component of a kind, and all that the modality allows, each with its fields."""
    chosen = node.get("name") if isinstance(node, Mapping) else node
    options = []
    for component in registry.classes(kind):
        modalities = getattr(component, "modalities", ())
        fits = not isinstance(modalities, tuple) or study.modality in modalities
        if fits or component.name == chosen:
            own = node if component.name == chosen and isinstance(node, Mapping) else {}
            options.append(_described(component, own, effort))
    return {"name": chosen, "options": options}


def _described(component: type[Component], node: Mapping[str, Any], effort: str) -> dict[str, Any]:
    defaults = parameters.default_values(component)
    known = {each.name: each.meaning for each in described(component).parameters}
    fields = []
    for name, hint in parameters.hints(component).items():
        default = _at_effort(hint, defaults[name], effort)
        required = default is parameters.MISSING
        field = {
            "name": name,
            "type": parameters.describe(hint),
            "meaning": known.get(name, ""),
            "required": required,
            "default": None if required else _plain(default),
            "value": _plain(node[name]) if name in node else None if required else _plain(default),
        }
        fields.append(field | _kind(hint))
    return {"name": component.name, "summary": component.summary, "fields": fields}


def _at_effort(hint: Any, default: Any, effort: str) -> Any:
    for extra in getattr(hint, "__metadata__", ()):
        if isinstance(extra, parameters.Effort):
            return getattr(extra, effort, default)
    return default


def _kind(hint: Any) -> dict[str, Any]:
    """How a field is typed in: ``number``, ``choice``, ``flag``, ``text``, or ``any`` (JSON, or else a text)."""
    extras = list(getattr(hint, "__metadata__", ()))
    base = get_args(hint)[0] if get_origin(hint) is Annotated else hint
    options = get_args(base) if get_origin(base) in (typing.Union, types.UnionType) else (base,)
    optional = type(None) in options
    others = [each for each in options if each is not type(None)]
    only = others[0] if len(others) == 1 else None
    extras += getattr(only, "__metadata__", ())
    only = get_args(only)[0] if get_origin(only) is Annotated else only
    found = next((each for each in extras if isinstance(each, parameters.Range)), None)
    out: dict[str, Any] = {"kind": "any", "optional": optional, "choices": None, "low": None, "high": None}
    if only in (int, float):
        bounds = {"low": found.low, "high": found.high} if found is not None else {}
        return out | {"kind": "number", "whole": only is int} | bounds
    if only is bool and not optional:
        return out | {"kind": "flag"}
    if get_origin(only) is Literal and all(isinstance(each, str) for each in get_args(only)):
        return out | {"kind": "choice", "choices": list(get_args(only))}
    return out | {"kind": "text" if only is str else "any"}


def _plain(value: Any) -> Any:
    """A value as JSON has it."""
    if isinstance(value, tuple | list):
        return [_plain(each) for each in value]
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    return value if isinstance(value, str | int | float | bool | None) else str(value)
