"""What differs between the supported versions of Hydra (1.3, 1.4) and OmegaConf (2.3, 2.4)."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from typing import Any

from omegaconf import OmegaConf

__all__ = ["VERSION_BASE", "register_resolver"]


def _minor(distribution: str) -> tuple[int, int]:
    major, minor = version(distribution).split(".")[:2]
    return int(major), int(minor)


VERSION_BASE: dict[str, Any] = {} if _minor("hydra-core") >= (1, 4) else {"version_base": "1.3"}
"""Keyword arguments that select the defaults of Hydra 1.3, which later versions have without being asked."""


def register_resolver(name: str, resolver: Callable[..., Any]) -> None:
    """Register a resolver with OmegaConf; its function was renamed in 2.4, to a name with another meaning in 2.3."""
    renamed = _minor("omegaconf") >= (2, 4)
    (OmegaConf.register_resolver if renamed else OmegaConf.register_new_resolver)(name, resolver)
