"""What can be completed: components with their parameters, keys and tools; made once and kept."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from xaiexp.contract.registry import Registry

__all__ = ["Index", "load", "make"]

Index = Mapping[str, Any]
"""``kinds``: kind to component to parameter to its values; ``keys``: root key to its values; ``lists``: kinds of which
several are chosen; ``chosen``: kind to the labels of the default study; ``presets``: folder of YAML to names."""

FORMAT = 2
FRESH = 600.0
"""For how many seconds an index is used where a plugin is installed in editable mode, whose source may change."""


def load() -> Index:
    """The index of the installed plugins, from the cache or made now."""
    points = tuple(entry_points(group="xaiexp"))
    file = _folder() / f"completion-{_digest(points)}.json"
    try:
        if not _is_editable(points) or time.time() - file.stat().st_mtime < FRESH:
            found: Index = json.loads(file.read_text(encoding="utf-8"))
            return found
    except (OSError, ValueError):
        pass
    index = make()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        temporary = file.with_suffix(f".{os.getpid()}")
        temporary.write_text(json.dumps(index), encoding="utf-8")
        temporary.replace(file)
    except OSError:  # a folder that cannot be written makes completion slower, not wrong
        return index
    return index


def _folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "xaiexp"


def _digest(points: tuple[EntryPoint, ...]) -> str:
    parts = [
        FORMAT,
        sys.version,
        *sorted(f"{p.name}={p.value} {p.dist.name} {p.dist.version}" for p in points if p.dist),
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def _is_editable(points: tuple[EntryPoint, ...]) -> bool:
    addresses = (p.dist.read_text("direct_url.json") for p in points if p.dist)
    return any('"editable": true' in (text or "") for text in addresses)


def make() -> Index:
    """The index, from the plugins themselves."""
    from xaiexp.cli.app import TOOLS
    from xaiexp.config.schema import LISTS, SINGLES
    from xaiexp.config.search_path import CONF, conf_folders
    from xaiexp.contract.registry import installed
    from xaiexp.core.parameters import hints
    from xaiexp.plan.settings import Settings

    registry = installed()
    kinds: dict[str, dict[str, dict[str, list[str]]]] = {kind: {} for kind in (*SINGLES, *LISTS)}
    for cls in registry.classes():
        kinds.setdefault(cls.kind, {})[cls.name] = {
            name: _values_of(hint, registry) for name, hint in hints(cls).items()
        }
    presets: dict[str, list[str]] = {}
    for folder in conf_folders(registry)[1:]:  # that of the user is read each time
        for file in sorted(folder.rglob("*.yaml")):
            group = file.parent.relative_to(folder).as_posix()
            if group != ".":
                presets.setdefault(group, []).append(file.stem)
    return {
        "tools": [*TOOLS],
        "kinds": kinds,
        "lists": [*LISTS],
        "keys": {name: _values(hint) for name, hint in hints(Settings).items()},
        "chosen": _chosen(CONF),
        "presets": presets,
        "plugins": [plugin.name for plugin in registry.plugins],
    }


def _chosen(conf: Path) -> dict[str, list[str]]:
    """Kind to the labels that the default study chooses."""
    import yaml

    defaults = yaml.safe_load((conf / "config.yaml").read_text(encoding="utf-8")).get("defaults", [])
    chosen: dict[str, list[str]] = {}
    for entry in defaults:
        if isinstance(entry, dict):
            for kind, names in entry.items():
                key = str(kind).split()[-1]
                chosen[key] = [str(name) for name in (names if isinstance(names, list) else [names])]
    return chosen


def _values_of(hint: Any, registry: Registry) -> list[str]:
    """The values that a parameter of a component may have; of one that is a component, the names."""
    from xaiexp.core.parameters import named_kind

    kind = named_kind(hint)
    return registry.names(kind) if kind else _values(hint)


def _values(hint: Any) -> list[str]:
    """The values that a parameter may have, where they are few."""
    import types
    import typing

    origin = typing.get_origin(hint)
    if origin is typing.Annotated:
        return _values(typing.get_args(hint)[0])
    if origin is typing.Literal:
        return [str(value) for value in typing.get_args(hint)]
    if origin in (typing.Union, types.UnionType):
        return [value for option in typing.get_args(hint) for value in _values(option)]
    if origin in (tuple, list):
        return [value for option in typing.get_args(hint) if option is not Ellipsis for value in _values(option)]
    return {bool: ["true", "false"], type(None): ["null"]}.get(hint, [])
