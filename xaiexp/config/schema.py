"""OmegaConf schemas derived from the dataclasses of components and settings."""

from __future__ import annotations

import dataclasses
import functools
import types
import typing
from collections.abc import Mapping
from dataclasses import is_dataclass
from typing import Any, Literal, get_args, get_origin

from omegaconf import MISSING

from xaiexp.core import parameters

__all__ = ["EFFORT", "LISTS", "SINGLES", "at_effort", "derived"]

SINGLES = ("model", "dataset", "features", "output")
"""Config groups of which a study chooses one option."""

LISTS = ("method", "baseline", "removal", "metric", "agreement", "panel", "tracker", "callback")
"""Config groups of which a study lists several options by label."""

EFFORT = "xaiexp_effort"


@functools.cache
def derived(cls: type, **extra: Any) -> type:
    """A mutable dataclass for OmegaConf with the fields of ``cls``, and ``extra`` string fields before them.

    Choices become strings, tuples become lists, and ranges are dropped: every value is checked again, with
    better words, when the component is built.
    """
    fields: list[Any] = [(name, str, dataclasses.field(default=value)) for name, value in extra.items()]
    defaults = parameters.default_values(cls)
    for name, hint in parameters.hints(cls).items():
        default = _field(defaults[name], _plain(hint) is Any)
        effort = next((e for e in getattr(hint, "__metadata__", ()) if isinstance(e, parameters.Effort)), None)
        if effort is not None:
            levels = (effort.draft, defaults[name], effort.publication)
            default = dataclasses.field(default=f"${{{EFFORT}:{','.join(map(_written, levels))}}}")
        fields.append((name, _plain(hint), default))
    return dataclasses.make_dataclass(f"{cls.__name__}Schema", fields)


def at_effort(draft: Any, standard: Any, publication: Any, *, _root_: Any) -> Any:
    """The value of a field with an :class:`xaiexp.core.parameters.Effort` at the level of the key ``effort``."""
    return {"draft": draft, "publication": publication}.get(_root_.get("effort"), standard)


def _written(value: Any) -> str:
    return "null" if value is None else str(value)


def _field(default: Any, untyped: bool = False) -> Any:
    """The default of a field; ``untyped`` where it may be of another kind, as ``report`` is a mapping or a bool."""
    if default is parameters.MISSING:
        return dataclasses.field(default=MISSING)
    if is_dataclass(default) and not isinstance(default, type) and untyped:
        values = dataclasses.asdict(default)
        return dataclasses.field(default_factory=lambda: dict(values))
    if is_dataclass(default) and not isinstance(default, type):
        return dataclasses.field(default_factory=derived(type(default)))
    if isinstance(default, tuple | list | dict):
        value = dict(default) if isinstance(default, dict) else _listed(default)
        return dataclasses.field(default_factory=lambda: value)
    return dataclasses.field(default=default)


def _listed(value: Any) -> Any:
    return [_listed(v) for v in value] if isinstance(value, tuple | list) else value


def _plain(hint: Any) -> Any:
    origin = get_origin(hint)
    if origin is typing.Annotated:
        return _plain(get_args(hint)[0])
    if origin is Literal:
        kinds = {type(a) for a in get_args(hint)}
        return kinds.pop() if len(kinds) == 1 else Any
    if origin in (typing.Union, types.UnionType):
        options = [a for a in get_args(hint) if a is not type(None)]
        plain = _plain(options[0]) if len(options) == 1 else Any
        # Hydra cannot merge a mapping into an optional one that is null.
        return Any if plain is Any or get_origin(plain) is dict else typing.Optional[plain]  # noqa: UP045  # OmegaConf reads typing.Optional
    if origin in (tuple, list) or hint in (tuple, list):
        inner = {_plain(a) for a in get_args(hint) if a is not Ellipsis}
        only = inner.pop() if len(inner) == 1 else Any
        return list[only] if only in (int, float, bool, str) else list[Any]  # type: ignore[valid-type]  # built at run time
    if isinstance(origin or hint, type) and issubclass(origin or hint, Mapping):
        return dict[str, Any]
    if isinstance(hint, type) and is_dataclass(hint):
        return derived(hint)
    return hint if hint in (int, float, bool, str) else Any
