"""The parameter ``removal`` of metrics: a removal by name, with parameters, or as a component."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from xaiexp.builtin.removals.named import COMPONENTS
from xaiexp.contract.registry import installed
from xaiexp.contract.removal import Removal
from xaiexp.core.parameters import Named
from xaiexp.errors import ParameterError

__all__ = ["RemovalChoice", "canonical", "removal_of"]

RemovalChoice = Annotated[str | Mapping[str, Any] | Removal, Named("removal")]
"""A removal: its name, ``{"name": ..., parameter: value}``, or the component."""

_BUILT_IN = {cls.name: cls for cls in COMPONENTS}


def canonical(where: str, given: str | Mapping[str, Any] | Removal) -> str | Removal:
    """The name of a built-in removal with its defaults, and the component for every other one.

    So a metric has one value, and one key in the store, however its removal is written.

    Args:
        where: the parameter, for messages.
        given: as the user wrote it.

    Raises:
        UnknownName: no removal has this name.
        ParameterError: one of its parameters is wrong.
    """
    if isinstance(given, str):
        if given in _BUILT_IN:
            return given
        found: Removal = installed().build("removal", given, {}, where)
    elif isinstance(given, Mapping):
        values = dict(given)
        name = values.pop("name", None)
        if not isinstance(name, str):
            raise ParameterError(where, "must say the name of a removal", got=given, hint="as {name: blur, sigma: 3}")
        found = installed().build("removal", name, values, where)
    else:
        found = given
    usual = _BUILT_IN.get(found.name)
    return found.name if usual is not None and found == usual() else found


def removal_of(given: str | Mapping[str, Any] | Removal) -> Removal:
    """The component that the parameter of a metric stands for."""
    found = canonical("removal", given)
    return _BUILT_IN[found]() if isinstance(found, str) else found
