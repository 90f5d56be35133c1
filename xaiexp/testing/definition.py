"""How checks are defined, registered and run."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from xaiexp.errors import Unsupported, UserError

__all__ = ["Check", "CheckFailure", "CheckResult", "CheckSuite", "NotApplicable", "Outcome", "run_check"]

Outcome = Literal["passed", "failed", "skipped", "excused"]
CheckFunction = Callable[..., None]
"""Takes a component, or a component class, of the kind that is checked."""


class CheckFailure(Exception):
    """A check fails; the message says what was observed."""


class NotApplicable(Exception):
    """A check does not apply to the component, or cannot run in this environment; the message is the reason."""


@dataclass(frozen=True)
class Check:
    """A property that every component of a kind must have.

    Args:
        name: unique within the kind.
        kind: of the components that are checked; ``component`` stands for all kinds.
        description: the property, in one sentence.
        function: returns where the component has the property, and raises where it does not.
        after: names of the checks that must pass before this one is run.
        on_class: whether ``function`` takes the class, which also works for components with required parameters.
    """

    name: str
    kind: str
    description: str
    function: CheckFunction
    after: tuple[str, ...] = ()
    on_class: bool = False


@dataclass(frozen=True)
class CheckResult:
    """The outcome of one check for one component.

    Args:
        check: the name of the check.
        component: kind and name, for example ``method.saliency``.
        outcome: ``passed``, ``failed``, ``skipped`` (not applicable) or ``excused`` (a known failure).
        message: what was observed, or why the check was skipped or excused; empty where it passed.
    """

    check: str
    component: str
    outcome: Outcome
    message: str = ""

    def __str__(self) -> str:
        return f"{self.component}: {self.check}: {self.outcome}" + (f" ({self.message})" if self.message else "")


class CheckSuite:
    """The checks of one kind, in the order of their definition."""

    def __init__(self, kind: str) -> None:
        self.kind, self.checks = kind, list[Check]()

    def register(
        self, *, after: tuple[str, ...] = (), on_class: bool = False
    ) -> Callable[[CheckFunction], CheckFunction]:
        """Decorate a function as a check; its name and docstring are those of the check. See :class:`Check`."""

        def decorate(function: CheckFunction) -> CheckFunction:
            description = " ".join((function.__doc__ or "").split())
            self.checks.append(Check(function.__name__, self.kind, description, function, after, on_class))
            return function

        return decorate


def run_check(check: Check, name: str, subject: object) -> CheckResult:
    """Run one check.

    ``Unsupported`` and ``UserError`` lead to a skip; any other exception of the component is a failure.

    Args:
        check: the check to run.
        name: kind and name of the component.
        subject: the component, or its class where the check takes classes.
    """
    try:
        check.function(subject)
    except CheckFailure as failure:
        return CheckResult(check.name, name, "failed", str(failure))
    except NotApplicable as reason:
        return CheckResult(check.name, name, "skipped", str(reason))
    except (Unsupported, UserError) as reason:
        return CheckResult(check.name, name, "skipped", f"does not support the test inputs: {reason}")
    except Exception as error:  # a component may raise anything
        return CheckResult(
            check.name, name, "failed", f"raised {type(error).__name__}: {error}{_place(error, subject)}"
        )
    return CheckResult(check.name, name, "passed")


def _place(error: Exception, subject: object) -> str:
    """Where in the module of a component an error was raised; empty where it was not raised there."""
    cls = subject if isinstance(subject, type) else type(subject)
    file = getattr(sys.modules.get(cls.__module__), "__file__", None)
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    return f" at {file}:{lines[-1]}" if lines else ""
