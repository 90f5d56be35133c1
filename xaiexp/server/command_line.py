"""The command line and the preset that are equivalent to a configuration."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from hydra.core.override_parser.types import Quote, QuotedString
from omegaconf import OmegaConf

from xaiexp.config.schema import LISTS, SINGLES
from xaiexp.contract.registry import Registry
from xaiexp.core import parameters
from xaiexp.plan.settings import Settings

__all__ = ["command", "overrides_of", "preset_of"]

_PLAIN = re.compile(r"(?=.*[A-Za-z_])[A-Za-z_./][\w./-]*", re.ASCII)
_WORDS = ("null", "true", "false", "nan", "inf")
_OF_THE_RUN = ("store", "tracking", "trust")
"""Keys that a preset does not hold: files may not set them, or within limits only. Nor can a file say report=false."""


def command(overrides: list[str]) -> str:
    """A line for the terminal."""
    return shlex.join(["xaiexp", *overrides])


def overrides_of(values: Mapping[str, Any], base: Mapping[str, Any], registry: Registry) -> list[str]:
    """The overrides that compose a configuration.

    Args:
        values: the configuration.
        base: the configuration without any overrides; root keys that are as there are left out.
        registry: has the components, whose defaults are left out too.
    """
    effort = str(values.get("effort") or "standard")
    out = []
    for kind in SINGLES:
        node = _node(values.get(kind))
        if node is None:
            out += [f"{kind}=null"] if base.get(kind) is not None else []
            continue
        out.append(f"{kind}={node['name']}")
        out += [f"{kind}.{key}={_written(value)}" for key, value in _set(kind, node, effort, registry)]
    for kind in LISTS:
        nodes: Mapping[str, Any] = values.get(kind) or {}
        same = [label for label, node in nodes.items() if label == node["name"]]
        out.append(f"{kind}=[{','.join(same)}]")
        for label, node in nodes.items():
            if label not in same:
                out.append(f"+{kind}@{kind}.{label}={node['name']}")
            out += [f"{kind}.{label}.{key}={_written(value)}" for key, value in _set(kind, node, effort, registry)]
    return out + [f"{key}={_written(value)}" for key, value in _leaves(_settings(values), _settings(base))]


def preset_of(values: Mapping[str, Any], base: Mapping[str, Any], registry: Registry, about: str) -> str:
    """The YAML of a preset in ``conf/experiment/`` that composes a configuration.

    Args:
        values, base, registry: as of :func:`overrides_of`.
        about: a comment.
    """
    effort = str(values.get("effort") or "standard")
    defaults: list[Any] = []
    content: dict[str, Any] = {}
    for kind in SINGLES:
        node = _node(values.get(kind))
        defaults.append({f"override /{kind}": None if node is None else node["name"]})
        if node is not None and (own := dict(_set(kind, node, effort, registry))):
            content[kind] = own
    added: list[Any] = []
    for kind in LISTS:
        nodes: Mapping[str, Any] = values.get(kind) or {}
        defaults.append({f"override /{kind}": [label for label, node in nodes.items() if label == node["name"]]})
        added += [{f"/{kind}@{kind}.{label}": node["name"]} for label, node in nodes.items() if label != node["name"]]
        for label, node in nodes.items():
            if own := dict(_set(kind, node, effort, registry)):
                content.setdefault(kind, {})[label] = own
    for key, value in _leaves(_settings(values), _settings(base)):
        if key.partition(".")[0] not in _OF_THE_RUN and (key, value) != ("report", False):
            _put(content, key.split("."), value)
    # Hydra reads the entries that override after all others.
    body = OmegaConf.to_yaml(OmegaConf.create({"defaults": [*added, *defaults], **content}))
    comment = "".join(f"# {line}\n" for line in about.splitlines())
    return f"# @package _global_\n{comment}{body}"


def _node(node: Any) -> Mapping[str, Any] | None:
    return {"name": node} if isinstance(node, str) else node or None


def _set(kind: str, node: Mapping[str, Any], effort: str, registry: Registry) -> Iterator[tuple[str, Any]]:
    """The parameters of a component that are not at their defaults."""
    component = registry.get(kind, node["name"])
    hints, defaults = parameters.hints(component), parameters.default_values(component)
    for key, value in node.items():
        default = defaults.get(key, parameters.MISSING)
        for extra in getattr(hints.get(key), "__metadata__", ()):
            if isinstance(extra, parameters.Effort):
                default = getattr(extra, effort, default)
        if key != "name" and not _equal(value, default):
            yield key, value


def _settings(values: Mapping[str, Any]) -> dict[str, Any]:
    known = parameters.hints(Settings)
    return {key: value for key, value in values.items() if key in known}


def _leaves(values: Mapping[str, Any], base: Mapping[str, Any], where: str = "") -> Iterator[tuple[str, Any]]:
    """The keys whose values differ, at the depth where they do."""
    for key, value in values.items():
        place, other = f"{where}{key}", base.get(key)
        if isinstance(value, Mapping) and isinstance(other, Mapping):
            yield from _leaves(value, other, f"{place}.")
        elif not _equal(value, other):
            yield place, value


def _put(content: dict[str, Any], path: list[str], value: Any) -> None:
    for key in path[:-1]:
        content = content.setdefault(key, {})
    content[path[-1]] = value


def _equal(a: Any, b: Any) -> bool:
    if isinstance(a, tuple | list) and isinstance(b, tuple | list):
        return len(a) == len(b) and all(map(_equal, a, b))
    return type(a) is type(b) and bool(a == b)


def _written(value: Any) -> str:
    """A value in the grammar of Hydra's overrides."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        simple = _PLAIN.fullmatch(value) is not None and value.lower() not in _WORDS and not _is_number(value)
        return value if simple else str(QuotedString(value, Quote.single).with_quotes())
    if isinstance(value, tuple | list):
        return f"[{','.join(map(_written, value))}]"
    if isinstance(value, Mapping):
        return f"{{{','.join(f'{_written(str(key))}:{_written(each)}' for key, each in value.items())}}}"
    return repr(value)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
