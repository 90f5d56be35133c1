"""Whether the results in a folder are those that a study would have now."""

from __future__ import annotations

import functools
import hashlib
import json
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path
from typing import Any

from xaiexp.contract.identity import editable_source, provider
from xaiexp.contract.registry import GROUP, Registry
from xaiexp.core.keys import digest
from xaiexp.core.record import ComponentFacts, Record
from xaiexp.errors import UserError, without_passwords

__all__ = ["Sources", "code_files", "config_digest", "editable_code", "installed_version", "package_versions", "saved"]

_WITHOUT_EFFECT = ("resume",)
_PLUMBING = ("hydra-core", "omegaconf", "mlflow", "pluggy")
"""Packages whose version decides no number."""


def saved(config: Mapping[str, Any]) -> dict[str, Any]:
    """The resolved configuration of a study as it is saved and logged: without passwords."""
    tracked = config.get("tracking")
    if not isinstance(tracked, Mapping) or not isinstance(tracked.get("uri"), str):
        return dict(config)
    return {**config, "tracking": {**tracked, "uri": without_passwords(tracked["uri"])}}


def config_digest(config: Mapping[str, Any]) -> str:
    """A hash of the resolved configuration of a study, without passwords and what has no effect on its results."""
    return digest({key: value for key, value in saved(config).items() if key not in _WITHOUT_EFFECT})


def package_versions(record: Record) -> dict[str, str]:
    """The versions that decide the numbers of a study."""
    return {name: version for name, version in record.versions.items() if name not in _PLUMBING}


@functools.cache
def installed_version(package: str) -> str:
    """The version of an installed package, read once a process; ``not installed`` where there is none."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def code_files(name: str) -> list[tuple[str, Path]]:
    """The Python files of the packages of an installed distribution with entry points, by their place, sorted.

    Args:
        name: of the distribution.
    """
    try:
        points = distribution(name).entry_points
    except (PackageNotFoundError, ValueError):
        return []
    found: dict[str, Path] = {}
    for module in {point.module.partition(".")[0] for point in points if point.group == GROUP}:
        file = getattr(sys.modules.get(module), "__file__", None)
        if file is None:
            continue
        in_package = Path(file).name == "__init__.py"
        files = Path(file).parent.rglob("*.py") if in_package else [Path(file)]
        found |= {f"{module}/{each.relative_to(Path(file).parent).as_posix()}": each for each in files}
    return sorted(found.items())


@functools.cache
def editable_code(name: str) -> str:
    """A hash of all Python files of a distribution in editable mode, whose version says nothing about its code.

    It is made once a process, which runs the code that it has read.

    Args:
        name: of the distribution.

    Returns:
        The BLAKE2b hash, 40 hexadecimal digits; empty for other installations.
    """
    if not editable_source(name):
        return ""
    hashed = hashlib.blake2b(digest_size=20)
    for place, file in code_files(name):
        content = file.read_bytes()
        hashed.update(f"{place}|{len(content)}|".encode())
        hashed.update(content)
    return hashed.hexdigest()


class Sources:
    """What decides the numbers of studies beyond their configuration, as it is now.

    Every component is looked at once, however many studies have it.
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._known: dict[tuple[str, str, str], str] = {}

    def of(self, record: Record) -> dict[str, str]:
        """For each component of a study a hash of its plugin, of the plugin's source and of the files that it reads."""
        return {key: self._source(kind, facts) for key, kind, facts in _components(record)}

    def _source(self, kind: str, facts: ComponentFacts) -> str:
        key = (kind, facts.name, json.dumps(facts.parameters, sort_keys=True, default=str))
        if key not in self._known:
            self._known[key] = self._looked_up(kind, facts)
        return self._known[key]

    def _looked_up(self, kind: str, facts: ComponentFacts) -> str:
        try:
            component = self._registry.build(kind, facts.name, facts.parameters)
            return digest([*provider(component, self._registry), component.fingerprint()])
        except (UserError, OSError) as error:  # it is not installed any more, or its files are gone
            return f"unknown: {error}".splitlines()[0]


def _components(record: Record) -> Iterator[tuple[str, str, ComponentFacts]]:
    """Name, kind and facts of the components whose parameters a record has."""
    yield "model", "model", record.model
    yield "dataset", "dataset", record.dataset
    for kind, listed in (
        ("method", record.methods),
        ("baseline", record.baselines),
        ("metric", {label: facts for label, facts in record.metrics.items() if not record.is_auxiliary(label)}),
        ("agreement", record.agreements),
    ):
        for label, facts in listed.items():
            yield f"{kind}.{label}", kind, facts
