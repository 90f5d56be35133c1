"""What a law is, how it is written down, and how a component is held against it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from xaiexp.errors import Unsupported, UserError

__all__ = ["LAWS", "Broken", "Law", "NotApplicable", "Outcome", "Verdict", "demand", "judged", "law"]

Outcome = Literal["passed", "failed", "skipped", "excused"]
Check = Callable[[Any], None]


class Broken(Exception):
    """A law does not hold; the message says what was seen."""


class NotApplicable(Exception):
    """A law says nothing about this component, or cannot be checked here; the message says why."""


@dataclass(frozen=True)
class Law:
    """One sentence that must hold for every component of a kind.

    Args:
        name: unique within the kind.
        kind: of the components it speaks about; ``component`` is all of them.
        sentence: the law itself.
        check: returns where it holds for the component, and raises where it does not.
        after: laws that must hold before this one means anything.
        on_class: whether ``check`` takes the class, so that a component with required parameters can be checked.
    """

    name: str
    kind: str
    sentence: str
    check: Check
    after: tuple[str, ...] = ()
    on_class: bool = False


@dataclass(frozen=True)
class Verdict:
    """What became of one law for one component.

    Args:
        law: its name.
        component: kind and name, ``method.saliency``.
        outcome: ``passed``, ``failed``, ``skipped`` (does not apply) or ``excused`` (a known failure).
        message: what was seen, or why it was skipped or excused; empty where it passed.
    """

    law: str
    component: str
    outcome: Outcome
    message: str = ""

    def __str__(self) -> str:
        return f"{self.component}: {self.law}: {self.outcome}" + (f" ({self.message})" if self.message else "")


LAWS: list[Law] = []
"""All laws, in the order in which they are checked."""


def law(
    *kinds: str, after: tuple[str, ...] = (), on_class: bool = False
) -> Callable[[Callable[[Any], None]], Callable[[Any], None]]:
    """Enter a check function as a law of these kinds; its name is the law's, its docstring the sentence."""

    def enter(check: Check) -> Check:
        sentence = " ".join((check.__doc__ or "").split())
        name = check.__name__
        LAWS.extend(Law(name, kind, sentence, check, after, on_class) for kind in kinds)
        return check

    return enter


def demand(condition: object, message: str) -> None:
    """Go on where the condition holds.

    Raises:
        Broken: with the message, where it does not.
    """
    if not condition:
        raise Broken(message)


def judged(law: Law, name: str, subject: object) -> Verdict:
    """Check one law; whatever a component raises is its failure, except that it cannot do what is asked."""
    try:
        law.check(subject)
    except Broken as broken:
        return Verdict(law.name, name, "failed", str(broken))
    except NotApplicable as reason:
        return Verdict(law.name, name, "skipped", str(reason))
    except (Unsupported, UserError) as reason:
        return Verdict(law.name, name, "skipped", f"it does not take what the kit offers: {reason}")
    except Exception as error:  # a stranger's component may raise anything
        return Verdict(law.name, name, "failed", f"raised {type(error).__name__}: {error}")
    return Verdict(law.name, name, "passed")
