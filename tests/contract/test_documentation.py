"""What a component says of itself: sections of its docstring, parameters and facts in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import pytest

from xaiexp.contract.documentation import REQUIRED, Parameter, described
from xaiexp.contract.kinds import Metric
from xaiexp.contract.registry import installed
from xaiexp.core.parameters import Effort, Range


@dataclass(frozen=True)
class Example(Metric):
    """The first sentence, with a :class:`xaiexp.plugin.Handle`
    over two lines.

    A second paragraph: it has a colon.

    Args:
        scale: how large
            it is: in units.
        rule, other: ``a`` or ``b``.

    Raises:
        ValueError: scale: is no parameter.
    """

    name = "example"
    summary = "an example"
    source = "made up"
    needs_sign = False
    scale_invariant = True
    re_explains = False
    unit = "output"
    bounds = (0.0, None)

    scale: Annotated[int, Range(1), Effort(2, 4, 8)] = 4
    rule: Literal["a", "b"] = "a"
    other: float | None = None

    @property
    def higher_is_better(self) -> bool:
        """Depends on a parameter."""
        return self.rule == "a"


def test_sections_of_the_docstring_are_told_apart():
    about = described(Example)
    assert about.paragraphs == (
        "The first sentence, with a Handle over two lines.",
        "A second paragraph: it has a colon.",
    )
    assert about.parameters == (
        Parameter("scale", "int at least 1", "4 (effort=draft 2, publication 8)", "how large it is: in units."),
        Parameter("rule", "one of a, b", "a", "`a` or `b`."),
        Parameter("other", "float or null", "null", "`a` or `b`."),
    )


def test_facts_follow_from_the_parameters():
    assert "higher is better" in described(Example).facts
    assert "lower is better" in described(Example, {"rule": "b"}).facts
    assert "range: 0 to inf" in described(Example).facts
    assert "undefined for unsigned methods" not in described(Example).facts


COMPONENTS = [*installed().classes()]


@pytest.mark.parametrize("cls", COMPONENTS, ids=lambda cls: f"{cls.kind}-{cls.name}")
def test_every_component_says_what_it_does_and_what_its_parameters_mean(cls):
    about = described(cls)
    assert about.summary
    assert about.paragraphs
    assert [each.name for each in about.parameters if not each.meaning] == []
    assert all(each.default == REQUIRED or each.default for each in about.parameters)
