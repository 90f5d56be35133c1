"""The record of a study: everything that somebody needs to know to trust or repeat it."""

from __future__ import annotations

import json
import platform
import socket
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from xaiexp.contract.kinds import Component
from xaiexp.contract.registry import Registry
from xaiexp.core.ids import MetricId
from xaiexp.plan.study import Study
from xaiexp.store.files import write_atomically

__all__ = ["CONFORMANCE", "describe", "environment", "remember", "remembered"]

CONFORMANCE = "conformance.json"
_BROUGHT = "brought.json"

_PACKAGES = (
    "xaiexp", "torch", "torchvision", "transformers", "captum", "numpy", "pandas", "scipy", "scikit-learn",
    "hydra-core", "omegaconf", "mlflow", "pluggy",
)  # fmt: skip


def environment() -> dict[str, Any]:
    """Versions, machine and the state of the git repository around the working folder."""
    import torch

    versions = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "not installed"
    versions["cuda"] = str(torch.version.cuda) if torch.cuda.is_available() else "none"
    return {
        "versions": versions,
        "git": git_state(),
        "host": socket.gethostname(),
        "platform": platform.platform(),
        "threads": torch.get_num_threads(),
        "command": sys.argv,
    }


def git_state() -> dict[str, Any] | None:
    """Commit and dirty flag; None outside a repository or without git."""

    def git(*words: str) -> str | None:
        try:
            done = subprocess.run(["git", *words], capture_output=True, text=True, timeout=10, check=False)  # noqa: S603, S607  # git from the user's own path, fixed words
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    commit = git("rev-parse", "HEAD")
    if commit is None:
        return None
    return {"commit": commit, "dirty": bool(git("status", "--porcelain"))}


def describe(study: Study, registry: Registry) -> dict[str, Any]:
    """The study and its components in plain values, each with the plugin that brings it and what the kit said last."""
    settings = study.settings
    used = _used(study)
    conformance = _read(Path(settings.store) / CONFORMANCE)
    plugins = {str(p): p for p in (registry.plugin_of(component) for component in used)}
    return {
        "study": {
            "model": study.model.name,
            "dataset": study.dataset.name,
            "features": study.features.name,
            "modality": study.model.modality,
            "seed": settings.seed,
            "examples": settings.examples,
            "target": str(settings.target),
            "output": settings.output,
            "precision": settings.precision,
        },
        "plugins": [{"name": p.name, "distribution": p.distribution, "version": p.version} for p in plugins.values()],
        "conformance": {
            f"{c.kind}.{c.name}": _kit(conformance.get(f"{c.kind}.{c.name}"), str(registry.plugin_of(c))) for c in used
        },
        "model": _told(study.model),
        "dataset": _told(study.dataset),
        "methods": {
            label: _told(m, "signed", "complete", "multiplied_by_inputs", "space", "control")
            for label, m in study.methods.items()
        },
        "baselines": {label: _told(b) for label, b in study.baselines.items()},
        "metrics": _metrics(study),
        "agreements": {label: _told(a, "bounds", "needs_sign", "symmetric") for label, a in study.agreements.items()},
    }


def _metrics(study: Study) -> dict[str, Any]:
    """The facts of the metrics, and of what they notice beside their values."""
    told: dict[str, Any] = {}
    for label, metric in study.metrics.items():
        told[label] = _told(metric, "higher_is_better", "bounds", "unit", "needs_sign")
        for name in metric.auxiliary:
            told[str(MetricId(label, name))] = {
                "name": f"{metric.name}.{name}",
                "summary": f"{name}, noticed by {label}",
                "source": metric.source,
                "parameters": {},
                "higher_is_better": None,
                "bounds": [None, None],
                "unit": "1",
                "needs_sign": False,
            }
    return told


def _told(component: Component, *facts: str) -> dict[str, Any]:
    return {
        "name": component.name,
        "summary": component.summary,
        "source": component.source,
        "parameters": component.parameters(),
        **{fact: getattr(component, fact) for fact in facts},
    }


def _used(study: Study) -> list[Component]:
    return [
        study.model,
        study.dataset,
        study.features,
        *study.methods.values(),
        *study.baselines.values(),
        *study.metrics.values(),
        *study.agreements.values(),
    ]


def _kit(known: Any, plugin: str) -> Any:
    if not isinstance(known, dict) or known.get("plugin") != plugin:
        return "not checked with this version: xaiexp plugins check"
    return {outcome: count for outcome, count in known.items() if outcome != "plugin"}


def remember(store: Path, study: Study, registry: Registry) -> None:
    """Keep which plugin brought each component, for the day that it is gone."""
    known = _read(store / _BROUGHT)
    told = {f"{c.kind}.{c.name}": str(registry.plugin_of(c)) for c in _used(study)}
    if any(known.get(key) != value for key, value in told.items()):
        write_atomically(store / _BROUGHT, json.dumps(known | told, indent=1).encode())


def remembered(store: Path, kind: str, name: str) -> str | None:
    """The plugin that brought a component when a study last used it."""
    found = _read(store / _BROUGHT).get(f"{kind}.{name}")
    return found if isinstance(found, str) else None


def _read(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return values if isinstance(values, dict) else {}
