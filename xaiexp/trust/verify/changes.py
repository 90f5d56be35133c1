"""What changed since a study ran: commit, versions, code, machine, configuration, weights, data."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from xaiexp.contract.registry import Registry
from xaiexp.core.record import GitState, Record
from xaiexp.errors import ResourceError
from xaiexp.results.git_state import git_state
from xaiexp.results.identity import Sources, config_digest, editable_code, installed_version, package_versions
from xaiexp.store.fingerprints import named_paths

__all__ = ["Change", "before_the_run", "configuration", "loaded_since", "same_machine"]


@dataclass(frozen=True)
class Change:
    """One thing that is not as it was when the study ran.

    Args:
        what: in a few words, as ``weights`` or ``version of torch``.
        was, now: how it was and is.
    """

    what: str
    was: str
    now: str

    def __str__(self) -> str:
        return f"{self.what}: {self.was} -> {self.now}"


def configuration(folder: Path) -> dict[str, Any]:
    """The configuration in the folder of a study, as plain values.

    Raises:
        ResourceError: it cannot be read.
    """
    path = folder / "config.yaml"
    try:
        values = OmegaConf.to_container(OmegaConf.load(path), resolve=False)
    except (OSError, OmegaConfBaseException, ValueError) as error:
        raise ResourceError(str(path), f"cannot be read ({type(error).__name__})") from None
    if not isinstance(values, dict):
        raise ResourceError(str(path), "is damaged, must hold keys and values")
    return {str(key): value for key, value in values.items()}


def before_the_run(record: Record, folder: Path, registry: Registry) -> list[Change]:
    """What is known to have changed before the study runs again."""
    return [
        *_commit(record.git, git_state()),
        *_of_configuration(record, configuration(folder)),
        *_versions(record),
        *_plugins(record, registry),
        *_files(record, registry),
        *_machine(record),
    ]


def loaded_since(before: Record, now: Record) -> list[Change]:
    """What the repeated study knows alone: weights, data, classes and device."""
    found = []
    pairs = (
        ("weights", _of(before.weights, "fingerprint"), _of(now.weights, "fingerprint")),
        ("data (inputs, or their background)", _of(before.data, "fingerprint"), _of(now.data, "fingerprint")),
        ("rows of the dataset that are explained", _of(before.data, "rows"), _of(now.data, "rows")),
        ("examples", _of(before.data, "count"), _of(now.data, "count")),
        ("class names", ", ".join(before.class_names or ()), ", ".join(now.class_names or ())),
        ("device", before.device or "", now.device or ""),
    )
    for what, was, is_now in pairs:
        if was != is_now and was:
            found.append(Change(what, _short(was), _short(is_now)))
    return found


def same_machine(record: Record) -> bool:
    """Whether this machine, its libraries and threads are those of the study, so that numbers are equal to the bit."""
    return not any(_machine(record)) and not any(_versions(record))


def _of(part: object, name: str) -> str:
    value = getattr(part, name, None)
    return "" if value is None else str(value)


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}..."


def _commit(was: GitState | None, now: GitState | None) -> Iterator[Change]:
    before, after = was or GitState(), now or GitState()
    if before.commit != after.commit:
        yield Change("commit", before.commit or "no repository", after.commit or "no repository")
    if before.dirty != after.dirty:
        states = {True: "files differ from the commit", False: "as committed"}
        yield Change("working folder", states[before.dirty], states[after.dirty])


def _of_configuration(record: Record, values: Mapping[str, Any]) -> Iterator[Change]:
    if record.config and (now := config_digest(values)) != record.config:
        yield Change("config.yaml (edited since the study ran)", record.config, now)


def _versions(record: Record) -> Iterator[Change]:
    for name, was in package_versions(record).items():
        if name == "cuda":
            now = str(torch.version.cuda) if torch.cuda.is_available() else "none"
        else:
            now = platform.python_version() if name == "python" else installed_version(name)
        if was != now:
            yield Change(f"version of {name}", was, now)


def _plugins(record: Record, registry: Registry) -> Iterator[Change]:
    known = {plugin.distribution: plugin for plugin in registry.plugins}
    for plugin in record.plugins:
        now = known.get(plugin.distribution)
        if plugin.distribution in record.versions or not plugin.version:
            pass  # told among the versions
        elif now is None or now.reason:
            yield Change(f"plugin {plugin.name}", plugin.version, now.reason if now else "not installed")
        elif now.version != plugin.version:
            yield Change(f"plugin {plugin.name}", plugin.version, now.version)
    for name, was in record.code.items():
        if was != (code := editable_code(name)):
            yield Change(f"source code of {name} (installed in editable mode)", was, code or "not in editable mode")


def _files(record: Record, registry: Registry) -> Iterator[Change]:
    """Components of unchanged code whose files are others, or that cannot be built any more."""
    now = Sources(registry).of(record)
    changed = {key for key, was in record.sources.items() if now.get(key) != was}
    told = any(_plugins(record, registry)) or installed_version("xaiexp") != record.versions.get("xaiexp")
    for key in sorted(changed):
        reason = now.get(key, "").removeprefix("unknown: ")
        if now.get(key, "").startswith("unknown: "):
            yield Change(f"component {key}", "built", reason)
        elif not told:
            yield Change(f"{_named_files(key, record)} (content, size or time)", record.sources[key], now[key])


def _named_files(key: str, record: Record) -> str:
    """The files that the parameters of a component name, in words."""
    kind, _, label = key.partition(".")
    of = {"method": record.methods, "baseline": record.baselines, "metric": record.metrics}
    facts = {"model": record.model, "dataset": record.dataset}.get(kind) or of.get(kind, record.agreements).get(label)
    names = [path.name for path in named_paths(facts.parameters)] if facts is not None else []
    return f"file {', '.join(names)} of {key}" if names else f"files of {key}"


def _machine(record: Record) -> Iterator[Change]:
    if record.platform != platform.platform():
        yield Change("platform", record.platform, platform.platform())
    if record.threads is not None and record.threads != torch.get_num_threads():
        what = "threads of torch" + (f" (OMP_NUM_THREADS={n})" if (n := os.environ.get("OMP_NUM_THREADS")) else "")
        yield Change(what, str(record.threads), str(torch.get_num_threads()))
