"""The identity of a component in keys of the store."""

from __future__ import annotations

from xaiexp.contract.kinds import Component
from xaiexp.contract.registry import Registry
from xaiexp.core.keys import ComponentKey

__all__ = ["component_key"]


def component_key(component: Component, registry: Registry) -> ComponentKey:
    """The kind, name and parameters of a component, and the version of the plugin that provides it."""
    return ComponentKey(component.kind, component.name, component.parameters(), str(registry.plugin_of(component)))
