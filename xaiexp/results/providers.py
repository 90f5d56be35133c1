"""Which plugin provided each component of earlier studies, and how its conformance checks went.

Both are small files in the folder of the store.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from xaiexp.contract.kinds import Component
from xaiexp.contract.registry import Registry
from xaiexp.store.files import write_atomically

__all__ = ["CONFORMANCE", "conformance_of", "provider_of", "save_providers"]

CONFORMANCE = "conformance.json"
_PROVIDERS = "brought.json"


def save_providers(store: Path, components: Iterable[Component], registry: Registry) -> None:
    """Add to the file which plugin provides each of these components now."""
    saved = _read(store / _PROVIDERS)
    current = {_key(c): str(registry.plugin_of(c)) for c in components}
    if any(saved.get(key) != plugin for key, plugin in current.items()):
        write_atomically(store / _PROVIDERS, json.dumps(saved | current, indent=1).encode())


def provider_of(store: Path, kind: str, name: str) -> str | None:
    """The plugin that provided a component when a study last used it; None where no study did."""
    plugin = _read(store / _PROVIDERS).get(f"{kind}.{name}")
    return plugin if isinstance(plugin, str) else None


def conformance_of(store: Path, components: Iterable[Component], registry: Registry) -> dict[str, Any]:
    """``KIND.NAME`` to the last outcome of the conformance checks, as counts by outcome.

    A component whose plugin has another version than was checked gets a text instead.
    """
    saved = _read(store / CONFORMANCE)
    return {_key(c): _outcome(saved.get(_key(c)), str(registry.plugin_of(c))) for c in components}


def _outcome(saved: object, plugin: str) -> Any:
    if not isinstance(saved, Mapping) or saved.get("plugin") != plugin:
        return "not checked with this version: xaiexp plugins check"
    return {outcome: count for outcome, count in saved.items() if outcome != "plugin"}


def _key(component: Component) -> str:
    return f"{component.kind}.{component.name}"


def _read(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return values if isinstance(values, dict) else {}
