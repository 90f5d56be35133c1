"""The functions of the conformance kit: check a component, create tests for pytest, check installed plugins."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from xaiexp.contract.kinds import KINDS, Component
from xaiexp.contract.registry import Plugin, Registry
from xaiexp.core.parameters import MISSING, default_values
from xaiexp.errors import UnknownName, nearest
from xaiexp.testing.definition import NEEDS_VALUES, Check, CheckResult, run_check
from xaiexp.testing.suites import (
    agreements,
    baselines,
    callbacks,
    components,
    datasets,
    features,
    methods,
    metrics,
    models,
    outputs,
    panels,
    removals,
    trackers,
)

__all__ = ["check", "checks", "conformance", "report", "selected"]

BUILT_IN = "xaiexp"
SUITES = (
    components.SUITE,
    models.SUITE,
    datasets.SUITE,
    features.SUITE,
    outputs.SUITE,
    baselines.SUITE,
    methods.SUITE,
    removals.SUITE,
    metrics.SUITE,
    agreements.SUITE,
    panels.SUITE,
    trackers.SUITE,
    callbacks.SUITE,
)


def checks(kind: str) -> tuple[Check, ...]:
    """The checks of a kind in the order in which they run; those of all components come first.

    Args:
        kind: ``model``, ``dataset``, ``features``, ``output``, ``baseline``, ``method``, ``removal``,
            ``metric``, ``agreement``, ``panel``, ``tracker`` or ``callback``.

    Raises:
        UnknownName: no kind has this name.
    """
    if kind not in KINDS:
        raise UnknownName(
            "testing.checks", "no kind of component has this name", got=kind, nearest=nearest(kind, KINDS)
        )
    return tuple(item for suite in SUITES if suite.kind in ("component", kind) for item in suite.checks)


@dataclass
class _ComponentChecks:
    """The checks of one component; each is run once and its result cached."""

    subject: type[Component] | Component
    known_failures: Mapping[str, str]
    results: dict[str, CheckResult] = field(default_factory=dict)

    def __post_init__(self) -> None:
        subject = self.subject
        self.cls: type[Component] = subject if isinstance(subject, type) else type(subject)
        if not issubclass(self.cls, Component) or getattr(self.cls, "kind", None) not in KINDS:
            raise TypeError(f"{self.cls!r} is no component: derive it from one of the kinds in xaiexp.plugin")
        self.checks = {item.name: item for item in checks(self.cls.kind)}
        known = {item.name for suite in SUITES for item in suite.checks}
        for name, reason in self.known_failures.items():
            if name not in known:
                close = ", ".join(nearest(name, (*self.checks, *known))) or "see xaiexp.testing.checks"
                raise ValueError(f"no check is called {name!r} (nearest: {close})")
            if not reason.strip():
                raise ValueError(f"the known failure {name!r} needs a reason")

    @property
    def name(self) -> str:
        return f"{self.cls.kind}.{self.cls.name}"

    def result(self, name: str) -> CheckResult:
        """The result of one check; the checks that it depends on are run before it."""
        if name not in self.results:
            self.results[name] = self._with_excuse(self._run(self.checks[name]))
        return self.results[name]

    def _run(self, item: Check) -> CheckResult:
        """The result without regard to known failures."""
        first = ("registrable",) if item.name != "registrable" else ()
        for required in (*first, *item.after):
            if self.result(required).outcome in ("failed", "excused"):
                return CheckResult(item.name, self.name, "skipped", f"requires that {required!r} passes")
        if item.on_results:
            of_values = [self.result(other.name) for other in self.checks.values() if other.of_values]
            return run_check(item, self.name, of_values)
        if item.on_class:
            return run_check(item, self.name, self.cls)
        if not isinstance(self.subject, type):
            return run_check(item, self.name, self.subject)
        without_default = [key for key, value in default_values(self.cls).items() if value is MISSING]
        if without_default:
            reason = f"{NEEDS_VALUES} {', '.join(without_default)}: check an instance"
            return CheckResult(item.name, self.name, "skipped", reason)
        if self.result("defaults").outcome != "passed":
            return CheckResult(item.name, self.name, "skipped", "requires that 'defaults' passes")
        return run_check(item, self.name, self.cls())

    def _with_excuse(self, result: CheckResult) -> CheckResult:
        """The result with regard to known failures."""
        reason = self.known_failures.get(result.check)
        if reason is None or result.outcome == "skipped":
            return result
        if result.outcome == "failed":
            return CheckResult(result.check, result.component, "excused", f"{reason}: {result.message}")
        outdated = f"the check passes: remove it from the known failures ({reason})"
        return CheckResult(result.check, result.component, "failed", outdated)


def check(component: type[Component] | Component, known_failures: Mapping[str, str] | None = None) -> list[CheckResult]:
    """Run every check of a component's kind.

    Args:
        component: an instance, or a class, which is checked with its default parameters.
        known_failures: the reason by name of a check that is expected to fail. Its outcome is ``excused`` instead of
            ``failed``, and ``failed`` where the check passes. Names of checks of other kinds are ignored.

    Returns:
        One result per check, in the order of :func:`checks`.

    Raises:
        TypeError: the argument is no component.
        ValueError: a known failure has no reason, or no check of any kind has its name.
    """
    run = _ComponentChecks(component, known_failures or {})
    return [run.result(name) for name in run.checks]


def conformance(
    *components: type[Component] | Component, known_failures: Mapping[str, str] | None = None
) -> Callable[..., None]:
    """A parametrized test for pytest: one case per component and check.

    In a plugin's tests::

        from xaiexp.testing import conformance
        from my_plugin import Mine

        test_conformance = conformance(Mine, Mine(n_samples=3))

    Args:
        components: instances, or classes, which are checked with their default parameters.
        known_failures: as in :func:`check`, for each of the components; their cases are expected failures (xfail).
    """
    import pytest

    runs = [_ComponentChecks(component, known_failures or {}) for component in components]
    cases = [pytest.param(run, name, id=f"{_label(run.subject)}-{name}") for run in runs for name in run.checks]

    def test_conformance(run: Any, check: str) -> None:
        __tracebackhide__ = True
        result = run.result(check)
        if result.outcome == "skipped":
            pytest.skip(result.message)
        if result.outcome == "excused":
            pytest.xfail(result.message)
        if result.outcome == "failed":
            pytest.fail(f"{run.checks[check].description}\n{result.component}: {result.message}", pytrace=False)

    tests: Callable[..., None] = pytest.mark.parametrize(("run", "check"), cases)(test_conformance)
    return tests


def _label(subject: type[Component] | Component) -> str:
    """The name of a component with its parameters that are not defaults."""
    if isinstance(subject, type):
        return subject.name
    default = default_values(type(subject))
    changed = [f"{k}={v}" for k, v in subject.parameters().items() if default[k] is MISSING or default[k] != v]
    return f"{subject.name}({','.join(changed)})" if changed else subject.name


def report(
    name: str | None,
    registry: Registry,
    values: Mapping[str, Mapping[str, Any]] | None = None,
    known_failures: Mapping[str, Mapping[str, str]] | None = None,
) -> list[CheckResult]:
    """The results of all checks for installed components.

    Args:
        name: of a plugin, of its distribution, or of a component (``KIND.NAME`` or ``NAME``); None for all plugins
            except the built-in one.
        registry: the installed plugins.
        values: parameters of components by ``KIND.NAME``; the others have their defaults.
        known_failures: the reasons by name of a check, by ``KIND.NAME``; see :func:`check`.

    Returns:
        The results by component. A plugin that was refused has one failed result of the check ``discovered``.

    Raises:
        UnknownName: no installed plugin or component has this name.
        ParameterError: a component refuses its values.
        ValueError: as :func:`check`.
    """
    results, chosen = [], []
    for item in selected(name, registry):
        if not isinstance(item, Plugin):
            chosen.append(item)
            continue
        if item.reason:
            results.append(CheckResult("discovered", f"plugin.{item.name}", "failed", item.reason))
        chosen += item.components
    for component in chosen:
        key = f"{component.kind}.{component.name}"
        given = (values or {}).get(key)
        subject = component if given is None else registry.build(component.kind, component.name, given)
        results += check(subject, (known_failures or {}).get(key))
    return results


def selected(name: str | None, registry: Registry) -> list[Plugin | type[Component]]:
    """The plugins, or the components, that a name stands for; see :func:`report`.

    Raises:
        UnknownName: no installed plugin or component has this name.
    """
    if name is None:
        return [item for item in registry.plugins if item.distribution != BUILT_IN]
    plugins = [item for item in registry.plugins if name in (item.name, item.distribution)]
    found = [cls for cls in registry.classes() if name in (cls.name, f"{cls.kind}.{cls.name}")]
    if not plugins and not found:
        names = {known for item in registry.plugins for known in (item.name, item.distribution) if known}
        names |= {known for cls in registry.classes() for known in (cls.name, f"{cls.kind}.{cls.name}")}
        what = "no installed plugin or component has this name"
        raise UnknownName("plugins check", what, got=name, nearest=nearest(name, sorted(names)))
    return list(plugins or found)
