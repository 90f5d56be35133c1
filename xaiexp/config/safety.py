"""What a configuration from a stranger may not do: name code to run, or trust itself."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from xaiexp.errors import UserError

__all__ = ["refuse_code", "refuse_trust"]

# What Hydra itself would instantiate or import while it starts a job: its registered launchers and sweepers (Hydra
# looks those up among its plugins), and loggers. Whole names, not prefixes: a dotted name can walk out of a module.
_PLUGIN_TARGETS = re.compile(r"(hydra_plugins|hydra\._internal\.core_plugins)\.[\w.]+|optuna\.samplers\.\w+")
_PLUGIN_NODES = ("hydra.launcher", "hydra.sweeper")
_LOGGERS = re.compile(r"logging\.(StreamHandler|FileHandler|NullHandler|Formatter)|colorlog\.ColoredFormatter")
_STREAMS = ("ext://sys.stdout", "ext://sys.stderr")


def refuse_code(node: Any, where: str = "") -> None:
    """Refuse a configuration that names code to run.

    Components never come from ``_target_``; this closes the doors that Hydra's own node leaves open.

    Raises:
        UserError: naming the key.
    """
    if isinstance(node, Mapping):
        for key, value in node.items():
            here = f"{where}.{key}" if where else str(key)
            if _names_code(where, str(key), value):
                raise UserError(
                    here, "names code to run, which no configuration may", got=value, hint="only installed plugins run"
                )
            refuse_code(value, here)
    elif isinstance(node, list | tuple):
        for i, value in enumerate(node):
            refuse_code(value, f"{where}[{i}]")


def _names_code(where: str, key: str, value: Any) -> bool:
    if key == "_target_":
        plugin = isinstance(value, str) and _PLUGIN_TARGETS.fullmatch(value) is not None
        return not (plugin and where.startswith(_PLUGIN_NODES))
    if "_logging" not in where or not isinstance(value, str):
        return False
    if key in ("()", "class"):
        return _LOGGERS.fullmatch(value) is None
    return "://" in value and value not in _STREAMS


def refuse_trust(trust: Sequence[str], overrides: Sequence[str]) -> None:
    """Refuse a ``trust`` that stands in a file: whom to trust is for the person at the keyboard to say.

    Raises:
        UserError: the configuration trusts prefixes that the overrides do not name.
    """
    if trust and not any(re.match(r"\+{0,2}trust=", each) for each in overrides):
        raise UserError(
            "trust", "may only be given on the command line", got=list(trust), hint="as 'trust=[PREFIX]', if you do"
        )
