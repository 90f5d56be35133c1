"""The identity of a component in keys of the store."""

from __future__ import annotations

import functools
import hashlib
import json
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from xaiexp.contract.kinds import Component
from xaiexp.contract.registry import GROUP, Registry
from xaiexp.core.keys import ComponentKey

__all__ = ["component_key", "editable_source"]


def component_key(component: Component, registry: Registry) -> ComponentKey:
    """Kind, name, parameters and content of a component, and version and source of the plugin that provides it."""
    plugin = registry.plugin_of(component)
    return ComponentKey(
        component.kind,
        component.name,
        component.parameters(),
        str(plugin),
        editable_source(plugin.distribution, type(component).__module__),
        component.fingerprint(),
    )


@functools.cache
def editable_source(name: str, module: str) -> str:
    """A hash of the source of a plugin that is installed in editable mode, whose version says nothing about its code.

    Args:
        name: of the distribution.
        module: of a component.

    Returns:
        The BLAKE2b hash, 40 hexadecimal digits, of all Python files of the package that the entry point names and that
        contains the module; empty for other installations.
    """
    try:
        found = distribution(name)
    except (PackageNotFoundError, ValueError):
        return ""
    origin = json.loads(found.read_text("direct_url.json") or "{}")
    if not origin.get("dir_info", {}).get("editable"):
        return ""
    packages = [point.module for point in found.entry_points if point.group == GROUP]
    package = next((each for each in packages if f"{module}.".startswith(f"{each}.")), module)
    file = getattr(sys.modules.get(package), "__file__", None)
    if file is None:
        return ""
    root = Path(file)
    files = sorted(root.parent.rglob("*.py")) if root.name == "__init__.py" else [root]
    digest = hashlib.blake2b(digest_size=20)
    for each in files:
        content = each.read_bytes()
        digest.update(f"{each.relative_to(root.parent)}|{len(content)}|".encode())
        digest.update(content)
    return digest.hexdigest()
