"""A change that a reader makes in the page, and the configuration of the study that it asks for."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from xaiexp.core.ids import NO_BASELINE, CellId
from xaiexp.errors import ParameterError
from xaiexp.plan.settings import Settings
from xaiexp.server.served import Served

__all__ = ["Change", "Component", "changed", "parsed", "words"]

LONGEST = 4096
"""Characters of a text in a change."""

_FOR_ITSELF = (
    "tracking",
    "margin",
    "claim",
    "until",
    "cluster",
    "objective",
    "shards",
    "shard",
    "force",
    "on_error",
)
"""Settings that one cell without metrics has at their defaults."""

_DEEPEST, _MOST = 4, 256
_FIRST_BORDERS = (16, 32, 64)


@dataclass(frozen=True)
class Component:
    """A component by its name, with the parameters that are set."""

    name: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True)
class Change:
    """What is to be explained again.

    Args:
        study: its place on the page.
        cell: its label.
        example: the id of the example that the reader looks at; empty for an own input.
        every: whether all examples of the study are explained, or as few as contain this one.
        method: parameters of the cell's method that are set.
        baseline: in place of the cell's; None for the cell's own.
        features: in place of the study's; None for the study's own.
        target: in place of the study's; None for the study's own.
        own: the id of an own input.
    """

    study: int
    cell: str
    example: str
    every: bool
    method: Mapping[str, Any]
    baseline: Component | None
    features: Component | None
    target: Any
    own: str


def parsed(body: Any) -> Change:
    """The change in the body of a request.

    Raises:
        ParameterError: the body is none, or holds what no configuration holds.
    """
    if not isinstance(body, dict):
        raise ParameterError("request", "must be an object")
    known = ("study", "cell", "example", "examples", "method", "baseline", "features", "target", "input")
    for key in body:
        if key not in known:
            raise ParameterError(f"request.{key}", "no such key", hint=f"keys: {', '.join(known)}")
    _refuse_unfit("request", body, 0)
    study, examples = body.get("study", 0), body.get("examples", "shown")
    if type(study) is not int:
        raise ParameterError("request.study", "must be a whole number", got=study)
    if examples not in ("shown", "all"):
        raise ParameterError("request.examples", "must be shown or all", got=examples)
    return Change(
        study=study,
        cell=_text(body, "cell"),
        example=_text(body, "example"),
        every=examples == "all",
        method=_parameters("method", body.get("method") or {}),
        baseline=_component("baseline", body.get("baseline")),
        features=_component("features", body.get("features")),
        target=body.get("target"),
        own=_text(body, "input"),
    )


def changed(study: Served, change: Change, dataset: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The configuration of the study that explains one cell again, without metrics and agreements.

    Args:
        study: of the page.
        change: asked for.
        dataset: holds an own input, in place of the study's dataset.

    Raises:
        UserError: cell or example do not exist.
    """
    cell, values = study.cell(change.cell), dict(study.values)
    lists = {kind: values.get(kind) or {} for kind in ("method", "baseline")}
    baseline = _baseline(cell, lists["baseline"], change.baseline)
    values |= {
        "method": {cell.method: {**lists["method"][cell.method], **change.method}},
        "baseline": baseline,
        "removal": {},
        "metric": {},
        "agreement": {},
        "tracker": {},
        "callback": {},
    }
    plain = asdict(Settings())
    values |= {key: _listed(plain[key]) for key in _FOR_ITSELF}
    if change.features is not None:
        values["features"] = _merged(values.get("features"), change.features)
    if change.target is not None:
        values["target"] = change.target
    if dataset is not None:
        own = {"dataset": dict(dataset), "examples": 1, "example_order": "first"}
        return values | own | ({"target": "predicted"} if values.get("target") == "label" else {})
    if not change.every:
        if values.get("examples") is None:
            values["example_order"] = "first"
        values["examples"] = _fewest(study.place(change.example), len(study.examples))
    return values


def _listed(value: Any) -> Any:
    """A value as a configuration has it: lists in place of tuples."""
    if isinstance(value, tuple | list):
        return [_listed(each) for each in value]
    return {key: _listed(each) for key, each in value.items()} if isinstance(value, dict) else value


def words(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[list[str]]:
    """What a change changes: names of keys with their new values."""
    found: list[list[str]] = []
    for kind in ("method", "baseline"):
        label, node = next(iter((after.get(kind) or {}).items()), ("", {}))
        old = (before.get(kind) or {}).get(label)
        if node and old is None:
            found.append([kind, label])
        found += [
            [key, _shown(value)] for key, value in node.items() if key != "name" and (old or {}).get(key) != value
        ]
    old, new = before.get("features"), after.get("features")
    if old != new and isinstance(new, Mapping):
        found.append(["features", _shown({k: v for k, v in new.items() if k != "name"} or new.get("name"))])
    if before.get("target") != after.get("target"):
        found.append(["target", _shown(after.get("target"))])
    return found


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_shown(each)}" for key, each in value.items())
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _fewest(place: int, count: int) -> int:
    """As few examples of the study as contain the one at this place, and end where a chunk ends."""
    borders = (*_FIRST_BORDERS, 64 * (place // 64 + 1))
    return min(count, next(border for border in borders if border > place))


def _baseline(cell: CellId, listed: Mapping[str, Any], asked: Component | None) -> dict[str, Any]:
    """The baseline of the cell: its own with other parameters, or another one under its name."""
    if cell.baseline == NO_BASELINE:
        if asked is not None:
            raise ParameterError("baseline", f"{cell.method} reads no baseline", got=asked.name)
        return {}
    own = listed[cell.baseline]
    if asked is None:
        return {cell.baseline: own}
    label = cell.baseline if asked.name == own.get("name") else asked.name
    return {label: _merged(own, asked)}


def _merged(node: Any, asked: Component) -> dict[str, Any]:
    same = isinstance(node, Mapping) and node.get("name") == asked.name
    return {**(node if same else {"name": asked.name}), **asked.parameters}


def _text(body: Mapping[str, Any], key: str) -> str:
    value = body.get(key, "")
    if not isinstance(value, str):
        raise ParameterError(f"request.{key}", "must be a text", got=value)
    return value


def _parameters(where: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ParameterError(where, "must be an object of parameters", got=value)
    if "name" in value:
        raise ParameterError(f"{where}.name", "cannot be changed here")
    return value


def _component(where: str, value: Any) -> Component | None:
    if value is None:
        return None
    if not isinstance(value, dict) or not isinstance(value.get("name"), str):
        raise ParameterError(where, "must be an object with a name", got=value)
    return Component(value["name"], _parameters(where, value.get("parameters") or {}))


def _refuse_unfit(where: str, value: Any, depth: int) -> None:
    """Refuse what no configuration holds, or what would be read as more than a value."""
    if isinstance(value, str):
        if len(value) > LONGEST:
            raise ParameterError(where, f"is longer than {LONGEST:,} characters")
        if "${" in value:
            raise ParameterError(where, "must hold no interpolation", got=value)
    elif isinstance(value, float) and not math.isfinite(value):
        raise ParameterError(where, "must be a finite number", got=value)
    elif isinstance(value, dict | list):
        if depth >= _DEEPEST or len(value) > _MOST:
            raise ParameterError(where, "is nested too deep, or too long")
        for key, part in value.items() if isinstance(value, dict) else enumerate(value):
            if isinstance(key, str):
                _refuse_unfit(where, key, depth)
            _refuse_unfit(f"{where}.{key}" if depth or where != "request" else str(key), part, depth + 1)
