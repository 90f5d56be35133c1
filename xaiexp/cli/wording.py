"""Parameters and paragraphs as lines of the terminal."""

from __future__ import annotations

import textwrap

from xaiexp.contract.documentation import REQUIRED, Parameter

__all__ = ["parameter_lines", "wrapped"]

_WIDTH = 100


def wrapped(text: str, indent: int) -> list[str]:
    """A paragraph as indented lines."""
    space = " " * indent
    return textwrap.wrap(text, _WIDTH, initial_indent=space, subsequent_indent=space, break_long_words=False)


def parameter_lines(parameter: Parameter, key: str, indent: int) -> list[str]:
    """A parameter under a key: type, range and default on the first line, the meaning below."""
    default = REQUIRED if parameter.default == REQUIRED else f"default {parameter.default}"
    first = f"{' ' * indent}{key}: {parameter.type}, {default}"
    return [first, *(wrapped(parameter.meaning, indent + 2) if parameter.meaning else [])]
