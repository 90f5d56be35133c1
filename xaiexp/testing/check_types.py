"""What a law is, how it is written down, and how a component is held against it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from xaiexp.errors import Unsupported, UserError

__all__ = ["Broken", "Chapter", "Law", "NotApplicable", "Outcome", "Verdict", "demand", "judged"]

Outcome = Literal["passed", "failed", "skipped", "excused"]
Check = Callable[..., None]
"""Takes the component: the functions themselves say of which kind."""


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


class Chapter:
    """The laws of one kind, in the order in which they are written."""

    def __init__(self, kind: str) -> None:
        self.kind, self.laws = kind, list[Law]()

    def law(self, *, after: tuple[str, ...] = (), on_class: bool = False) -> Callable[[Check], Check]:
        """Enter a check function as a law; its name is the law's, its docstring the sentence. See :class:`Law`."""

        def enter(check: Check) -> Check:
            sentence = " ".join((check.__doc__ or "").split())
            self.laws.append(Law(check.__name__, self.kind, sentence, check, after, on_class))
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
