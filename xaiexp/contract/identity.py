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

__all__ = ["component_key", "editable_source", "provider"]


def component_key(component: Component, registry: Registry) -> ComponentKey:
    """Kind, name, parameters and content of a component, and version and source of the plugin that provides it.

    A component among the parameters contributes its own key.
    """
    plugin, source = provider(component, registry)
    values = {
        name: component_key(value, registry) if isinstance(value, Component) else value
        for name, value in component.parameters().items()
    }
    return ComponentKey(component.kind, component.name, values, plugin, source, component.fingerprint())


def provider(component: Component, registry: Registry) -> tuple[str, str]:
    """The plugin that provides a component, with its version, and its :func:`editable_source`."""
    plugin = registry.plugin_of(component)
    return str(plugin), editable_source(plugin.distribution)


@functools.cache
def editable_source(name: str) -> str:
    """A hash of the source of a plugin that is installed in editable mode, whose version says nothing about its code.

    It is made once a process, which runs the code that it has read; of the built-in components it takes 15 ms.

    Args:
        name: of the distribution.

    Returns:
        The BLAKE2b hash, 40 hexadecimal digits, of all Python files of the packages that its entry points name, or
        whose modules they name; empty for other installations.
    """
    try:
        found = distribution(name)
    except (PackageNotFoundError, ValueError):
        return ""
    origin = json.loads(found.read_text("direct_url.json") or "{}")
    if not origin.get("dir_info", {}).get("editable"):
        return ""
    names = {point.module for point in found.entry_points if point.group == GROUP}
    digest, known = hashlib.blake2b(digest_size=20), False
    for place, file in sorted({pair for name in names for pair in _files_of(name)}):
        content = file.read_bytes()
        digest.update(f"{place}|{len(content)}|".encode())
        digest.update(content)
        known = True
    return digest.hexdigest() if known else ""


def _files_of(module: str) -> list[tuple[str, Path]]:
    """The Python files of a package, or of the package of a module, that is imported, with their places in it."""
    name = getattr(sys.modules.get(module), "__file__", None)
    if name is None:
        return []
    file = Path(name)
    in_package = file.name == "__init__.py" or (file.parent / "__init__.py").is_file()
    files = file.parent.rglob("*.py") if in_package else [file]
    return [(each.relative_to(file.parent).as_posix(), each) for each in files]
