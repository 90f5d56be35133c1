"""Names of training recipes, which identify cached networks."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from importlib.metadata import version

__all__ = ["recipe_name"]

# To be incremented whenever a change of the recipes or of their training data changes the trained weights.
_REVISION = 2
_PACKAGES = ("torch", "numpy", "scikit-learn")


def recipe_name(name: str, settings: Mapping[str, object]) -> str:
    """A name that is unique to the recipe, its settings and the versions of the packages that it is trained with."""
    content = repr([_REVISION, name, sorted(settings.items()), [version(package) for package in _PACKAGES]])
    return f"{name}-{hashlib.blake2b(content.encode(), digest_size=8).hexdigest()}"
