"""Validation of component parameters: type, choice and range of dataclass fields."""

from __future__ import annotations

import dataclasses
import functools
import math
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

from xaiexp.errors import ParameterError, nearest

__all__ = [
    "MISSING",
    "Effort",
    "Named",
    "PerAxis",
    "Range",
    "check",
    "default_values",
    "describe",
    "hints",
    "named_kind",
    "per_axis",
]

MISSING = dataclasses.MISSING


@dataclass(frozen=True)
class Range:
    """The legal range of a numeric parameter, as an annotation of its field: ``n_steps: Annotated[int, Range(1)]``.

    Args:
        low, high: the bounds; None is unbounded.
        exclusive: whether the bounds themselves are excluded.
    """

    low: float | None = None
    high: float | None = None
    exclusive: bool = False

    def __contains__(self, value: float) -> bool:
        if self.exclusive:
            return (self.low is None or value > self.low) and (self.high is None or value < self.high)
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)

    def __str__(self) -> str:
        # Range(0) and Range(0.0) are equal, and typing caches only one of them: both must have the same text.
        low, high = (
            None if bound is None else int(bound) if bound == int(bound) else bound for bound in (self.low, self.high)
        )
        if low is not None and high is not None:
            return f"between {low} and {high}" + (", both excluded" if self.exclusive else "")
        if low is not None:
            return f"{'more than' if self.exclusive else 'at least'} {low}"
        if high is not None:
            return f"{'less than' if self.exclusive else 'at most'} {high}"
        return "any number"


@dataclass(frozen=True)
class Effort:
    """The value of an unset parameter at each level of the configuration key ``effort``.

    It annotates the field: ``n_steps: Annotated[int, Effort(16, 50, 200)] = 50``.

    Args:
        draft, standard, publication: the values; ``standard`` is the default of the field.
    """

    draft: Any
    standard: Any
    publication: Any


@dataclass(frozen=True)
class PerAxis:
    """Marks a parameter that gives one number for each axis of an input: ``strides: Annotated[tuple, PerAxis()]``.

    :func:`xaiexp.attribute` takes it in the order of the user's axes and reorders it with the inputs.
    """


@dataclass(frozen=True)
class Named:
    """Marks a parameter that is a component: its name, a mapping of its name and parameters, or the component.

    Args:
        kind: of the component.
    """

    kind: str


@functools.cache
def hints(cls: type) -> dict[str, Any]:
    """Field name to type, including ``Annotated`` metadata, for the fields of a dataclass in order."""
    resolved = typing.get_type_hints(cls, include_extras=True)
    return {f.name: resolved[f.name] for f in dataclasses.fields(cls) if f.init}


def per_axis(cls: type) -> tuple[str, ...]:
    """The names of the fields that are annotated with :class:`PerAxis`."""
    annotated = {name: getattr(hint, "__metadata__", ()) for name, hint in hints(cls).items()}
    return tuple(name for name, extras in annotated.items() if any(isinstance(e, PerAxis) for e in extras))


def default_values(cls: type) -> dict[str, Any]:
    """Field name to default value; :data:`MISSING` where a field is required."""
    defaults: dict[str, Any] = {}
    for f in dataclasses.fields(cls):
        if f.init:
            factory = f.default_factory
            defaults[f.name] = f.default if factory is MISSING else factory()
    return defaults


def check(where: str, cls: type, values: Mapping[str, Any]) -> dict[str, Any]:
    """Validate parameters against the fields of a dataclass and fill in defaults.

    Args:
        where: prefix of the messages, the component as the user wrote it (``method.ig``).
        cls: a dataclass.
        values: the given parameters. Lists are converted to tuples, and ints to floats where the field is a float.

    Returns:
        A value for every field of ``cls``, each of its declared type and within its range.

    Raises:
        ParameterError: unknown field, missing field, wrong type, illegal choice or out of range.
    """
    declared = hints(cls)
    for key in values:
        if key not in declared:
            raise ParameterError(
                f"{where}.{key}",
                "no such parameter",
                nearest=nearest(key, declared),
                hint=f"parameters: {', '.join(declared) or 'none'}",
            )
    checked = {}
    for key, default in default_values(cls).items():
        if key in values:
            checked[key] = _checked(f"{where}.{key}", declared[key], values[key])
        elif default is MISSING:
            raise ParameterError(
                f"{where}.{key}", "must be given", hint=f"as {where}.{key}=... ({describe(declared[key])})"
            )
        else:
            checked[key] = default
    return checked


def describe(hint: Any) -> str:
    """A readable name of a type, for messages and listings.

    >>> describe(int | None), describe(Literal["a", "b"]), describe(tuple[int, ...])
    ('int or null', 'one of a, b', 'list of int')
    """
    base, ranges = _unwrap(hint)
    origin = get_origin(base)
    if kind := named_kind(hint):
        return f"the name of a {kind}"
    if origin is Literal:
        return "one of " + ", ".join(str(a) for a in get_args(base))
    if origin in (typing.Union, types.UnionType):
        words = [("null" if a is type(None) else describe(a)) for a in get_args(base)]
        text = " or ".join(words)
    elif origin in (tuple, list):
        inner = [a for a in get_args(base) if a is not Ellipsis]
        text = f"list of {' and '.join(dict.fromkeys(describe(a) for a in inner))}" if inner else "list"
    elif isinstance(origin or base, type) and issubclass(origin or base, Mapping):
        text = "mapping"
    elif base is Any:
        text = "anything"
    else:
        text = getattr(base, "__name__", str(base))
    return text + "".join(f" {r}" for r in ranges)


def named_kind(hint: Any) -> str:
    """The kind of component that a parameter names; empty for other parameters."""
    return next((each.kind for each in getattr(hint, "__metadata__", ()) if isinstance(each, Named)), "")


def _unwrap(hint: Any) -> tuple[Any, list[Range]]:
    """The type inside ``Annotated``, and its ranges."""
    if get_origin(hint) is typing.Annotated:
        base, *extras = get_args(hint)
        return base, [e for e in extras if isinstance(e, Range)]
    return hint, []


def _checked(where: str, hint: Any, value: Any) -> Any:
    """The value converted to the type ``hint``, or a :class:`ParameterError`."""
    base, ranges = _unwrap(hint)
    fits, converted = _fit(where, base, value)
    if not fits:
        choices = [str(a) for a in get_args(base)] if get_origin(base) is Literal else []
        raise ParameterError(
            where, f"must be {describe(hint)}", got=value, nearest=nearest(str(value), choices) if choices else ()
        )
    for allowed in ranges:
        numbers = converted if isinstance(converted, tuple) else (converted,)
        for number in numbers:
            if number is not None and number not in allowed:
                raise ParameterError(where, f"must be {allowed}", got=value)
    return converted


def _fit(where: str, base: Any, value: Any) -> tuple[bool, Any]:
    """Whether a value has the type ``base`` (without ``Annotated``), and the converted value."""
    origin = get_origin(base)
    if base is Any:
        return True, value
    if origin is Literal:
        return value in get_args(base), value
    if origin in (typing.Union, types.UnionType):
        for option in get_args(base):
            inner, _ = _unwrap(option)
            fits, converted = _fit(where, inner, value)
            if fits:
                return True, _checked(where, option, converted)
        return False, value
    if base is type(None):
        return value is None, None
    if base is bool:
        return isinstance(value, bool), value
    if base is int:
        return isinstance(value, int) and not isinstance(value, bool), value
    if base is float:
        fits = isinstance(value, int | float) and not isinstance(value, bool) and not math.isnan(value)
        return fits, float(value) if fits else value
    if base is str:
        return isinstance(value, str), value
    if origin in (tuple, list):
        return _fit_sequence(where, base, value)
    if isinstance(origin or base, type) and issubclass(origin or base, Mapping):
        return isinstance(value, Mapping), dict(value) if isinstance(value, Mapping) else value
    return isinstance(value, origin or base), value


def _fit_sequence(where: str, base: Any, value: Any) -> tuple[bool, Any]:
    """Like :func:`_fit`, for ``tuple`` and ``list`` types."""
    if not isinstance(value, list | tuple):
        return False, value
    inner = get_args(base)
    if not inner:
        return True, tuple(value)
    if get_origin(base) is tuple and inner[-1] is not Ellipsis:
        if len(inner) != len(value):
            return False, value
        return True, tuple(_checked(f"{where}[{i}]", h, v) for i, (h, v) in enumerate(zip(inner, value, strict=True)))
    return True, tuple(_checked(f"{where}[{i}]", inner[0], v) for i, v in enumerate(value))
