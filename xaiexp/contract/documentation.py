"""What a component says of itself: its docstring by sections, its parameters and its facts in words."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args

from xaiexp.contract.kinds import Component
from xaiexp.core import parameters

__all__ = ["REQUIRED", "Description", "Parameter", "described", "example", "fields_of"]

REQUIRED = "required"
_SINGLES = ("model", "dataset", "features", "output")  # kinds of which a study has one

_FACTS: Mapping[str, Mapping[object, str]] = {
    "signed": {True: "signed", False: "unsigned"},
    "complete": {True: "complete: attributions sum to f(x) - f(reference)", False: "not complete"},
    "multiplied_by_inputs": {
        True: "contributions in units of the output",
        False: "sensitivities per unit of the input",
    },
    "reads_baseline": {True: "reads a baseline: one cell for each", False: "reads no baseline"},
    "reads_distribution": {True: "takes all references of a baseline at once"},
    "target_specific": {False: "the same for every target"},
    "repeatable": {False: "cannot explain perturbed inputs"},
    "control": {True: "a control: a lower bound for any explanation"},
    "higher_is_better": {True: "higher is better", False: "lower is better", None: "ranks nothing"},
    "needs_sign": {True: "undefined for unsigned methods"},
    "re_explains": {True: "explains again: its cost is a multiple of that of the method"},
    "scale_invariant": {True: "a positive factor of a map changes nothing"},
    "differentiable": {True: "perturbed inputs may be differentiated"},
    "symmetric": {False: "not symmetric"},
    "joint": {True: "of all cells jointly"},
}


@dataclass(frozen=True)
class Parameter:
    """A parameter of a component.

    Args:
        type: with its range, in words.
        default: as it is written in a configuration; ``required`` where there is none.
        meaning: from the docstring; empty where it says nothing.
    """

    name: str
    type: str
    default: str
    meaning: str


@dataclass(frozen=True)
class Description:
    """A component in words.

    Args:
        paragraphs: of the docstring, before its sections.
        facts: one short sentence each.
        needs: capabilities of the model; empty for kinds that need none.
    """

    kind: str
    name: str
    summary: str
    source: str
    paragraphs: tuple[str, ...]
    facts: tuple[str, ...]
    needs: tuple[str, ...]
    parameters: tuple[Parameter, ...]


def described(cls: type[Component], values: Mapping[str, Any] | None = None) -> Description:
    """What a component says of itself.

    Args:
        cls: its class.
        values: parameters that its facts may depend on; by default its own defaults.
    """
    paragraphs, _ = _sections(inspect.getdoc(cls) or "")
    component = _instance(cls, values or {})
    of = {name: _fact(cls, component, name) for name in (*_FACTS, "needs", "bounds", "unit", "modalities", "modality")}
    words = [words[of[name]] for name, words in _FACTS.items() if _known(of[name]) and of[name] in words]
    if of["bounds"] is not _UNKNOWN and of["bounds"] is not None:
        low, high = of["bounds"]
        words.append(f"range: {_end(low, '-inf')} to {_end(high, 'inf')}")
    if isinstance(of["unit"], str) and of["unit"]:
        words.append(f"unit: {of['unit']}")
    kinds = of["modalities"] if isinstance(of["modalities"], tuple) else (of["modality"],)
    if all(isinstance(kind, str) for kind in kinds):
        words.append(f"for {', '.join(kinds)}")
    needs = of["needs"] if isinstance(of["needs"], frozenset) else frozenset()
    if cls.kind == "removal" and needs:  # parts of the data, not capabilities of the model
        words.append(f"needs {', '.join(sorted(needs))} of the data")
        needs = frozenset()
    return Description(
        kind=cls.kind,
        name=cls.name,
        summary=cls.summary,
        source=cls.source,
        paragraphs=tuple(paragraphs),
        facts=tuple(words),
        needs=tuple(sorted(needs)),
        parameters=fields_of(cls),
    )


def fields_of(cls: type) -> tuple[Parameter, ...]:
    """The fields of a dataclass, a component or settings, with the meanings that its docstring gives."""
    meanings: dict[str, str] = {}
    for base in reversed(cls.__mro__):  # a parameter may be described where it is declared
        meanings |= _sections(inspect.cleandoc(base.__doc__ or ""))[1]
    defaults = parameters.default_values(cls)
    return tuple(
        Parameter(name, parameters.describe(hint), _default(hint, defaults[name]), meanings.get(name, ""))
        for name, hint in parameters.hints(cls).items()
    )


def example(about: Description) -> str:
    """A command line that uses a component, with its required parameters or its first one."""
    single = about.kind in _SINGLES
    words = [f"{about.kind}={about.name}" if single else f"'{about.kind}=[{about.name}]'"]
    where = about.kind if single else f"{about.kind}.{about.name}"
    shown = [each for each in about.parameters if each.default == REQUIRED] or list(about.parameters[:1])
    values = ["..." if each.default == REQUIRED else each.default.partition(" ")[0] for each in shown]
    words += [f"{where}.{each.name}={value}" for each, value in zip(shown, values, strict=True)]
    return " ".join(["xaiexp", *words])


_UNKNOWN: Any = object()


def _known(value: object) -> bool:
    return isinstance(value, bool | None)


def _instance(cls: Any, values: Mapping[str, Any]) -> Component | None:
    """The component with some parameters; None where others are required."""
    try:
        made: Component = cls(**values)
    except Exception:  # of a component: its facts are then read from the class
        return None
    return made


def _fact(cls: type[Component], component: Component | None, name: str) -> Any:
    value = getattr(cls if component is None else component, name, _UNKNOWN)
    return _UNKNOWN if isinstance(value, property) else value


def _default(hint: Any, value: object) -> str:
    """A default, with those of other levels of effort."""
    levels = [each for each in get_args(hint) if isinstance(each, parameters.Effort)]
    others = f" (effort=draft {levels[0].draft}, publication {levels[0].publication})" if levels else ""
    return _written(value) + others


def _end(value: float | None, otherwise: str) -> str:
    return otherwise if value is None else f"{value:g}"


def _written(value: object) -> str:
    if value is parameters.MISSING:
        return REQUIRED
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, tuple | list):
        return f"[{','.join(map(_written, value))}]"
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{key}:{_written(part)}" for key, part in value.items()) + "}"
    return f'"{value}"' if value == "" else str(value)


_SECTION = re.compile(r"^(Args|Raises|Returns|Yields|Attributes|Examples?):\s*$")
_ENTRY = re.compile(r"^(\s*)(\w+(?:, \w+)*):\s*(.*)$")


def _sections(text: str) -> tuple[list[str], dict[str, str]]:
    """The paragraphs before the first section, and the entries of ``Args``."""
    lines = text.splitlines()
    start = next((i for i, line in enumerate(lines) if _SECTION.match(line)), len(lines))
    paragraphs = [" ".join(part.split()) for part in re.split(r"\n\s*\n", "\n".join(lines[:start])) if part.strip()]
    meanings: dict[str, str] = {}
    inside, indent = False, 0
    current: tuple[str, ...] = ()
    for line in lines[start:]:
        if section := _SECTION.match(line):
            inside, current = section[1] == "Args", ()
            continue
        if not inside or not line.strip():
            continue
        entry = _ENTRY.match(line)
        if entry and (not current or len(entry[1]) <= indent):
            indent, current = len(entry[1]), tuple(entry[2].split(", "))
            for name in current:
                meanings[name] = entry[3].strip()
        else:
            for name in current:
                meanings[name] = f"{meanings[name]} {line.strip()}".strip()
    return [_plain(each) for each in paragraphs], {name: _plain(each) for name, each in meanings.items()}


def _plain(text: str) -> str:
    """Without the markup of docstrings."""
    text = re.sub(r":\w+:`~?([^`<]*?)(?:\s*<[^>]*>)?`", lambda m: m[1].rsplit(".", 1)[-1], text)
    return text.replace("``", "`")
