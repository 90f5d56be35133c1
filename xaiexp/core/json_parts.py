"""Dataclasses as objects of JSON, read and written by the type hints of their fields."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from xaiexp.core.ids import CellId

__all__ = ["ONCE_KNOWN", "Part", "read_part", "write_part"]

ONCE_KNOWN = {"omit_none": True}
"""Marks a field that is left out of the file while it is None."""


class Part:
    """A part of a record."""

    def to_mapping(self) -> dict[str, Any]:
        """The JSON object of this part, as plain mappings, lists and values."""
        return write_part(self)


@functools.cache
def _hints(part: Any) -> dict[str, Any]:
    return get_type_hints(part)


def read_part(part: Any, values: Mapping[str, Any]) -> Any:
    """The dataclass ``part`` from its JSON object; fields that are missing or do not fit keep their defaults."""
    arguments = {}
    for name, hint in _hints(part).items():
        if name in values:
            try:
                arguments[name] = _read_value(hint, values[name])
            except TypeError:
                continue
    return part(**arguments)


def _read_value(hint: Any, value: Any) -> Any:
    """A value of JSON as the type ``hint``.

    Raises:
        TypeError: it does not fit.
    """
    origin, arguments = get_origin(hint), get_args(hint)
    if hint is Any:
        return value
    if origin in (Union, UnionType):
        chosen = next(argument for argument in arguments if argument is not type(None))
        return None if value is None else _read_value(chosen, value)
    if origin is tuple:
        return _read_tuple(arguments, value)
    if origin is Mapping:
        return _read_mapping(arguments[0], arguments[1], value)
    if dataclasses.is_dataclass(hint) and isinstance(value, Mapping):
        return read_part(hint, value)
    accepted = (int, float) if hint is float else hint
    if not isinstance(value, accepted) or (isinstance(value, bool) and hint is not bool):
        raise TypeError
    return value


def _read_tuple(hints: tuple[Any, ...], value: Any) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise TypeError
    if hints[-1] is Ellipsis:
        return tuple(_read_value(hints[0], entry) for entry in value)
    if len(value) != len(hints):
        raise TypeError
    return tuple(_read_value(hint, entry) for hint, entry in zip(hints, value, strict=True))


def _read_mapping(key_hint: Any, value_hint: Any, value: Any) -> dict[Any, Any]:
    """A mapping; entries that do not fit are left out."""
    if not isinstance(value, Mapping):
        raise TypeError
    entries: dict[Any, Any] = {}
    for key, entry in value.items():
        try:
            read = _read_value(value_hint, entry)
        except TypeError:
            continue
        entries[_cell(key) if key_hint is CellId else key] = read
    return entries


def _cell(key: str) -> CellId:
    method, _, baseline = key.rpartition("|")
    return CellId(method, baseline)


def write_part(part: Any) -> dict[str, Any]:
    """The JSON object of a dataclass, as plain mappings, lists and values."""
    hints = _hints(part.__class__)
    return {
        entry.name: _write_value(hints[entry.name], value)
        for entry in dataclasses.fields(part)
        if (value := getattr(part, entry.name)) is not None or not entry.metadata.get("omit_none")
    }


def _write_value(hint: Any, value: Any) -> Any:
    """A value of the type ``hint`` for JSON; what is typed Any is left as it is."""
    origin, arguments = get_origin(hint), get_args(hint)
    if hint is Any or value is None:
        return value
    if origin in (Union, UnionType):
        return _write_value(next(argument for argument in arguments if argument is not type(None)), value)
    if origin is tuple:
        return [_write_value(arguments[0], entry) for entry in value]
    if origin is Mapping:
        return {
            f"{key.method}|{key.baseline}" if isinstance(key, CellId) else key: _write_value(arguments[1], entry)
            for key, entry in value.items()
        }
    return write_part(value) if dataclasses.is_dataclass(hint) else value
