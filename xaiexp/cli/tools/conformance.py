"""Runs the conformance kit on installed plugins and stores the outcomes."""

from __future__ import annotations

import json

from xaiexp import testing
from xaiexp.contract.registry import Registry
from xaiexp.results.providers import CONFORMANCE
from xaiexp.store.files import write_atomically
from xaiexp.tracking.addresses import STORE

__all__ = ["check", "counts"]


def check(plugin: str | None, registry: Registry) -> list[testing.CheckResult]:
    """Run the checks of one plugin's components, or of all plugins except the built-in one, and store the outcomes.

    The record of every later study contains the stored outcomes of its components.

    Args:
        plugin: the name of a plugin or of its distribution; None for all plugins except the built-in one.
        registry: the installed plugins.

    Raises:
        UnknownName: no such plugin is installed.
    """
    results = testing.report(plugin, registry)
    path = STORE / "store" / CONFORMANCE
    try:
        stored = json.loads(path.read_text())
    except (OSError, ValueError):
        stored = {}
    by_component: dict[str, list[testing.CheckResult]] = {}
    for result in results:
        by_component.setdefault(result.component, []).append(result)
    versions = {f"{c.kind}.{c.name}": str(registry.plugin_of(c)) for c in registry.classes()}
    for name, component_results in by_component.items():
        stored[name] = {"plugin": versions.get(name, ""), **counts(component_results)}
    write_atomically(path, json.dumps(stored, indent=1).encode())
    return results


def counts(results: list[testing.CheckResult]) -> dict[str, int]:
    """The number of checks by outcome."""
    outcomes = [result.outcome for result in results]
    return {outcome: outcomes.count(outcome) for outcome in ("passed", "failed", "skipped", "excused")}
