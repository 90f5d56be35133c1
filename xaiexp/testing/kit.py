"""The doors of the kit: check a component, make its tests, report on the plugins that are installed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from xaiexp.contract.kinds import KINDS, Component
from xaiexp.contract.registry import Registry
from xaiexp.core.parameters import MISSING, default_values
from xaiexp.errors import UnknownName, nearest
from xaiexp.testing.check_types import Law, Verdict, judged
from xaiexp.testing.checks import agreements as of_agreements
from xaiexp.testing.checks import baselines as of_baselines
from xaiexp.testing.checks import components as of_components
from xaiexp.testing.checks import datasets as of_datasets
from xaiexp.testing.checks import features as of_features
from xaiexp.testing.checks import method_values as of_methods_values
from xaiexp.testing.checks import methods as of_methods
from xaiexp.testing.checks import metric_values as of_metrics_values
from xaiexp.testing.checks import metrics as of_metrics
from xaiexp.testing.checks import models as of_models

__all__ = ["check", "conformance", "laws", "report"]

OURS = "xaiexp"
CHAPTERS = (
    of_components.LAWS,
    of_models.LAWS,
    of_datasets.LAWS,
    of_features.LAWS,
    of_baselines.LAWS,
    of_methods.LAWS,
    of_methods_values.LAWS,
    of_metrics.LAWS,
    of_metrics_values.LAWS,
    of_agreements.LAWS,
)


def laws(kind: str) -> tuple[Law, ...]:
    """The laws of a kind, those of all components first, in the order in which they are checked."""
    if kind not in KINDS:
        raise UnknownName("testing.laws", "no kind of component has this name", got=kind, nearest=nearest(kind, KINDS))
    return tuple(law for chapter in CHAPTERS if chapter.kind in ("component", kind) for law in chapter.laws)


@dataclass
class _Hearing:
    """One component before its laws; every law is checked once."""

    subject: type[Component] | Component
    excuses: Mapping[str, str]
    verdicts: dict[str, Verdict] = field(default_factory=dict)

    def __post_init__(self) -> None:
        given = self.subject
        self.cls: type[Component] = given if isinstance(given, type) else type(given)
        if not issubclass(self.cls, Component) or getattr(self.cls, "kind", None) not in KINDS:
            raise TypeError(f"{self.cls!r} is no component: derive it from one of the kinds in xaiexp.contract.kinds")
        self.laws = {law.name: law for law in laws(self.cls.kind)}
        for name, reason in self.excuses.items():
            if name not in self.laws:
                close = ", ".join(nearest(name, self.laws)) or "see xaiexp.testing.check"
                raise ValueError(f"no law of a {self.cls.kind} is called {name!r} (nearest: {close})")
            if not reason.strip():
                raise ValueError(f"the known failure {name!r} needs a reason")

    @property
    def name(self) -> str:
        return f"{self.cls.kind}.{self.cls.name}"

    def verdict(self, name: str) -> Verdict:
        """The verdict on one law, once those that it builds upon are known."""
        if name not in self.verdicts:
            self.verdicts[name] = self._excused(self._plain(self.laws[name]))
        return self.verdicts[name]

    def _plain(self, law: Law) -> Verdict:
        first = ("registrable",) if law.name != "registrable" else ()
        for before in (*first, *law.after):
            if self.verdict(before).outcome in ("failed", "excused"):
                return Verdict(law.name, self.name, "skipped", f"says nothing while {before!r} does not hold")
        if law.on_class:
            return judged(law, self.name, self.cls)
        if not isinstance(self.subject, type):
            return judged(law, self.name, self.subject)
        required = [key for key, value in default_values(self.cls).items() if value is MISSING]
        if required:
            why = f"{', '.join(required)} must be given: check an instance"
            return Verdict(law.name, self.name, "skipped", why)
        if self.verdict("defaults").outcome != "passed":
            return Verdict(law.name, self.name, "skipped", "says nothing while 'defaults' does not hold")
        return judged(law, self.name, self.cls())

    def _excused(self, verdict: Verdict) -> Verdict:
        reason = self.excuses.get(verdict.law)
        if reason is None or verdict.outcome == "skipped":
            return verdict
        if verdict.outcome == "failed":
            return Verdict(verdict.law, verdict.component, "excused", f"{reason}: {verdict.message}")
        stale = f"the law holds, so the excuse is stale: take it away ({reason})"
        return Verdict(verdict.law, verdict.component, "failed", stale)


def check(component: type[Component] | Component, known_failures: Mapping[str, str] | None = None) -> list[Verdict]:
    """Hold a component against every law of its kind.

    Args:
        component: an instance, or a class whose defaults are then taken.
        known_failures: name of a law to the reason why it does not hold. An excuse for a law that holds fails.

    Returns:
        One verdict a law, in the order of :func:`laws`.

    Raises:
        TypeError: it is no component.
        ValueError: an excuse without a reason, or for a law that does not exist.
    """
    hearing = _Hearing(component, known_failures or {})
    return [hearing.verdict(name) for name in hearing.laws]


def conformance(
    *components: type[Component] | Component, known_failures: Mapping[str, str] | None = None
) -> Callable[..., None]:
    """The tests of some components, one a law, for pytest.

    In a plugin's tests::

        from xaiexp.testing import conformance
        from my_plugin import Mine

        test_conformance = conformance(Mine, Mine(n_samples=3))

    Args:
        components: instances, or classes whose defaults are then taken.
        known_failures: as in :func:`check`, for each of the components; such a test is an expected failure.
    """
    import pytest

    hearings = [_Hearing(component, known_failures or {}) for component in components]
    cases = [
        pytest.param(hearing, name, id=f"{_written(hearing.subject)}-{name}")
        for hearing in hearings
        for name in hearing.laws
    ]

    def test_conformance(hearing: Any, law: str) -> None:
        __tracebackhide__ = True
        verdict = hearing.verdict(law)
        if verdict.outcome == "skipped":
            pytest.skip(verdict.message)
        if verdict.outcome == "excused":
            pytest.xfail(verdict.message)
        if verdict.outcome == "failed":
            pytest.fail(f"{hearing.laws[law].sentence}\n{verdict.component}: {verdict.message}", pytrace=False)

    tests: Callable[..., None] = pytest.mark.parametrize(("hearing", "law"), cases)(test_conformance)
    return tests


def _written(subject: type[Component] | Component) -> str:
    if isinstance(subject, type):
        return subject.name
    default = default_values(type(subject))
    given = [f"{k}={v}" for k, v in subject.parameters().items() if default[k] is MISSING or default[k] != v]
    return f"{subject.name}({','.join(given)})" if given else subject.name


def report(plugin: str | None, registry: Registry) -> list[Verdict]:
    """The verdicts on the components of an installed plugin, with their default parameters.

    Args:
        plugin: name of the plugin or of its distribution; None is every plugin but the built-in one.
        registry: where the plugins are known.

    Returns:
        Verdicts by component; one that fails the law ``discovered`` for a plugin that could not be taken in.

    Raises:
        UnknownName: no installed plugin has this name.
    """
    known = registry.plugins
    chosen = [p for p in known if (p.distribution != OURS if plugin is None else plugin in (p.name, p.distribution))]
    if plugin is not None and not chosen:
        names = sorted({name for p in known for name in (p.name, p.distribution) if name})
        raise UnknownName(
            "plugins check", "no installed plugin has this name", got=plugin, nearest=nearest(plugin, names)
        )
    verdicts = []
    for each in chosen:
        if each.reason:
            verdicts.append(Verdict("discovered", f"plugin.{each.name}", "failed", each.reason))
        for component in each.components:
            verdicts += check(component)
    return verdicts
