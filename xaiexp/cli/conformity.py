"""The conformance kit over installed plugins, and what it said of them last."""

from __future__ import annotations

import json

from xaiexp import testing
from xaiexp.contract.registry import Registry
from xaiexp.results.providers import CONFORMANCE
from xaiexp.store.files import write_atomically
from xaiexp.tracking.mlflow import STORE

__all__ = ["check", "counts"]


def check(plugin: str | None, registry: Registry) -> list[testing.Verdict]:
    """Run the laws over one plugin's components, or over those of all plugins but ours, and keep the outcome.

    The record of every later study then says how its components fared.

    Raises:
        UnknownName: no such plugin is installed.
    """
    verdicts = testing.report(plugin, registry)
    path = STORE / "store" / CONFORMANCE
    try:
        known = json.loads(path.read_text())
    except (OSError, ValueError):
        known = {}
    of_component: dict[str, list[testing.Verdict]] = {}
    for verdict in verdicts:
        of_component.setdefault(verdict.component, []).append(verdict)
    versions = {f"{c.kind}.{c.name}": str(registry.plugin_of(c)) for c in registry.classes()}
    for name, given in of_component.items():
        known[name] = {"plugin": versions.get(name, ""), **counts(given)}
    write_atomically(path, json.dumps(known, indent=1).encode())
    return verdicts


def counts(verdicts: list[testing.Verdict]) -> dict[str, int]:
    """How many laws had which outcome."""
    found = [verdict.outcome for verdict in verdicts]
    return {outcome: found.count(outcome) for outcome in ("passed", "failed", "skipped", "excused")}
