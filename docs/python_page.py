"""The page of the site with what ``import xaiexp`` offers, from signatures and docstrings."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any

from component_pages import escaped

import xaiexp

__all__ = ["python_page"]

_SECTION = re.compile(r"^(Args|Raises|Returns|Yields|Attributes|Examples?):$")
_ENTRY = re.compile(r"^    (\w[\w, ]*): (.*)$")


class _Written(str):
    """An annotation that is shown as it is written."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def python_page() -> str:
    """Markdown."""
    lines = ["# Python", "", "What `import xaiexp` offers. What plugins import is in [plugins](../plugins.md).", ""]
    for name in sorted(xaiexp.__all__, key=lambda each: (each[0].isupper(), each)):
        if name != "hookimpl":
            lines += _described(name, getattr(xaiexp, name))
    return "\n".join(lines)


def _described(name: str, found: Any) -> list[str]:
    if not inspect.isclass(found):
        return [f"## xaiexp.{name}", "", *_called(name, found), *_text(found)]
    lines = [f"## xaiexp.{name}", "", *_text(found)]
    for key, member in vars(found).items():
        if not key.startswith("_") and (inspect.isfunction(member) or isinstance(member, property)):
            head = [] if isinstance(member, property) else _called(key, member)
            lines += [f"### {name}.{key}", "", *head, *_text(member)]
    return lines


def _called(name: str, found: Callable[..., Any]) -> list[str]:
    """The signature, broken where it is long."""
    signature = inspect.signature(found)
    parameters = [
        each if each.annotation is each.empty else each.replace(annotation=_Written(each.annotation))
        for each in signature.parameters.values()
        if each.name != "self"
    ]
    returned = signature.return_annotation
    shown = returned if returned is signature.empty else _Written(returned)
    text = str(signature.replace(parameters=parameters, return_annotation=shown))
    if len(text) > 80:
        text = text.replace("(", "(\n    ", 1)
        text = re.sub(r", (?=\*{0,2}\w+: |\*, |/)", ",\n    ", text)
    return ["```python", f"{name}{text}", "```", ""]


def _text(found: object) -> list[str]:
    """The docstring: paragraphs, and sections as lists."""
    lines: list[str] = []
    inside = False
    for line in (inspect.getdoc(found) or "").splitlines():
        plain = re.sub(r":\w+:`~?([^`<]*?)`", r"`\1`", line).replace("``", "`")
        if section := _SECTION.match(plain):
            inside = True
            lines += ["", f"*{section[1]}*", ""]
        elif inside and (entry := _ENTRY.match(plain)):
            lines.append(f"- `{entry[1]}`: {escaped(entry[2])}")
        elif plain.startswith((">>>", "    >>>")):
            lines.append(f"    {plain.strip()}")
        else:
            lines.append(f"  {escaped(plain.strip())}" if inside and plain.strip() else escaped(plain.strip()))
    return [*lines, ""]
