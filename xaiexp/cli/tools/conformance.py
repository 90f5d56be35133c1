"""Runs the conformance kit on installed components and stores the outcomes."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from xaiexp import testing
from xaiexp.contract.kinds import KINDS, Component
from xaiexp.contract.registry import Plugin, Registry
from xaiexp.errors import ParameterError, ResourceError, UnknownName, nearest
from xaiexp.results.providers import CONFORMANCE
from xaiexp.store.files import write_atomically
from xaiexp.testing.kit import selected
from xaiexp.tracking.addresses import STORE

__all__ = ["check", "counts", "known_failures", "parameters"]

_TABLE = "pyproject.toml, [tool.xaiexp.known-failures]"


def check(name: str | None, registry: Registry, words: Sequence[str] = ()) -> list[testing.CheckResult]:
    """Run the checks of a plugin's components, of one component, or of all plugins except the built-in one.

    The outcomes are stored: the record of every later study contains those of its components. Known failures are those
    of the project in the current folder, see :func:`known_failures`.

    Args:
        name: of a plugin, of its distribution, or of a component (``KIND.NAME`` or ``NAME``); None for all plugins.
        registry: the installed plugins.
        words: parameters, see :func:`parameters`.

    Raises:
        UnknownName: no such plugin, component or check exists.
        ParameterError: a parameter is unknown or has an invalid value.
        ResourceError: the project file cannot be read.
    """
    results = testing.report(name, registry, parameters(name, words, registry), known_failures(Path(), registry))
    path = STORE / "store" / CONFORMANCE
    try:
        stored = json.loads(path.read_text())
    except (OSError, ValueError):
        stored = {}
    by_component: dict[str, list[testing.CheckResult]] = {}
    for result in results:
        by_component.setdefault(result.component, []).append(result)
    versions = {f"{c.kind}.{c.name}": str(registry.plugin_of(c)) for c in registry.classes()}
    for component, component_results in by_component.items():
        stored[component] = {"plugin": versions.get(component, ""), **counts(component_results)}
    write_atomically(path, json.dumps(stored, indent=1).encode())
    return results


def parameters(name: str | None, words: Sequence[str], registry: Registry) -> dict[str, dict[str, Any]]:
    """Parameters by component, ``KIND.NAME``.

    Args:
        name: as in :func:`check`.
        words: ``KIND.NAME.PARAMETER=VALUE``, or ``PARAMETER=VALUE`` where ``name`` is that of one component. Values are
            read as on the command line of a study.
        registry: the installed plugins.

    Raises:
        UnknownName: a component is none of those that are checked.
        ParameterError: a word is no parameter.
    """
    chosen = _components(name, registry) if words else []
    values: dict[str, dict[str, Any]] = {}
    for word in words:
        key, equals, _ = word.partition("=")
        *component, parameter = key.split(".")
        of = ".".join(component) or (chosen[0] if len(chosen) == 1 else "")
        if not (equals and parameter and of):
            raise ParameterError(
                "plugins check", "must be KIND.NAME.PARAMETER=VALUE", got=word, hint=f"checked: {', '.join(chosen[:5])}"
            )
        if of not in chosen:
            what = "is none of the components that are checked"
            raise UnknownName(f"plugins check {key}", what, got=of, nearest=nearest(of, chosen))
        read = OmegaConf.to_container(OmegaConf.from_dotlist([f"value={word.partition('=')[2]}"]), resolve=False)
        values.setdefault(of, {})[parameter] = read["value"]  # type: ignore[index, call-overload]  # a mapping
    return values


def _components(name: str | None, registry: Registry) -> list[str]:
    """The components that a name stands for, as ``KIND.NAME``."""
    found: list[type[Component]] = []
    for item in selected(name, registry):
        found += item.components if isinstance(item, Plugin) else (item,)
    return [f"{cls.kind}.{cls.name}" for cls in found]


def known_failures(folder: Path, registry: Registry) -> dict[str, dict[str, str]]:
    """The known failures that a project names: component (``KIND.NAME`` or ``NAME``) to check to reason.

    They stand in the table ``tool.xaiexp.known-failures`` of its ``pyproject.toml``::

        [tool.xaiexp.known-failures."metric.mine"]
        direction = "measures complexity"

    Raises:
        ResourceError: the file cannot be read.
        UnknownName: no component, or no check, has this name.
        ParameterError: a check has no reason.
    """
    path = folder / "pyproject.toml"
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ResourceError("pyproject.toml", f"cannot be read: {error}") from None
    table = content.get("tool", {}).get("xaiexp", {}).get("known-failures", {})
    known = {f"{cls.kind}.{cls.name}" for cls in registry.classes()}
    checks = {item.name for kind in KINDS for item in testing.checks(kind)}
    failures: dict[str, dict[str, str]] = {}
    for name, reasons in _flat(table):
        keys = [key for key in sorted(known) if name in (key, key.partition(".")[2])]
        if not keys:
            close = nearest(name, [*known, *(key.partition(".")[2] for key in known)])
            raise UnknownName(_TABLE, "no installed component has this name", got=name, nearest=close)
        for item, reason in reasons.items():
            if item not in checks:
                raise UnknownName(f"{_TABLE} {name}", "no check has this name", got=item, nearest=nearest(item, checks))
            if not (isinstance(reason, str) and reason.strip()):
                raise ParameterError(f"{_TABLE} {name}.{item}", "needs a reason, as a text", got=reason)
            for key in keys:
                failures.setdefault(key, {})[item] = reason
    return failures


def _flat(table: Any) -> list[tuple[str, Mapping[str, Any]]]:
    """Component and reasons, whether the name of the component is quoted or makes two levels of the table."""
    if not isinstance(table, Mapping):
        raise ParameterError(_TABLE, "must be a table of components", got=table)
    flat: list[tuple[str, Mapping[str, Any]]] = []
    for name, inner in table.items():
        if not isinstance(inner, Mapping):
            raise ParameterError(_TABLE, f"{name} must be a table of checks and reasons", got=inner)
        nested = {key: value for key, value in inner.items() if isinstance(value, Mapping)}
        flat += [(f"{name}.{key}", value) for key, value in nested.items()]
        own = {key: value for key, value in inner.items() if key not in nested}
        flat += [(name, own)] if own else []
    return flat


def counts(results: list[testing.CheckResult]) -> dict[str, int]:
    """The number of checks by outcome."""
    outcomes = [result.outcome for result in results]
    return {outcome: outcomes.count(outcome) for outcome in ("passed", "failed", "skipped", "excused")}
