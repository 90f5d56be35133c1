"""The base class of all kinds of components."""

from __future__ import annotations

import re
from abc import ABC
from dataclasses import dataclass, fields
from typing import Any, ClassVar

from xaiexp.core.parameters import check

__all__ = ["Component", "parts", "plain_parameters", "snake_case"]


def snake_case(title: str) -> str:
    """The name of a component whose class states none.

    >>> snake_case("LayerGradCAM"), snake_case("Road")
    ('layer_grad_cam', 'road')
    """
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", title).lower()


@dataclass(frozen=True)
class Component(ABC):
    """The base class of all kinds of components.

    Facts (class variables):
        summary: what the component does, in one line.
        source: the paper and equation, or the origin of the data or weights.
        name: the name in configs and on the command line; by default the class name in snake case.

    ``facts`` names the facts that every component of a kind must state.
    """

    kind: ClassVar[str]
    facts: ClassVar[tuple[str, ...]] = ("summary", "source")
    name: ClassVar[str]
    summary: ClassVar[str]
    source: ClassVar[str]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "name" not in cls.__dict__:
            cls.name = snake_case(cls.__name__)

    def __post_init__(self) -> None:
        for key, value in check(f"{self.kind}.{self.name}", type(self), self.parameters()).items():
            object.__setattr__(self, key, value)

    def parameters(self) -> dict[str, Any]:
        """The values of the parameters by name, in the order of the fields."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.init}

    def fingerprint(self) -> str:
        """An identifier of the content of the files that it reads, known without loading them; empty for none.

        It must change when the content changes, and may also change otherwise. Keys of the store contain it.
        """
        return ""


def parts(component: Component) -> list[Component]:
    """The components among the parameters of a component."""
    return [value for value in component.parameters().values() if isinstance(value, Component)]


def plain_parameters(component: Component) -> dict[str, Any]:
    """The parameters by name; a component among them as a mapping of its ``name`` and its parameters."""
    return {
        key: {"name": value.name, **plain_parameters(value)} if isinstance(value, Component) else value
        for key, value in component.parameters().items()
    }
