"""The registry of installed plugins: components by kind and name, and the reasons why plugins were refused."""

from __future__ import annotations

import functools
import inspect
import os
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, is_dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

import pluggy

from xaiexp.contract import hookspecs
from xaiexp.contract.kinds import KINDS, Component, Metric
from xaiexp.core.parameters import check, hints
from xaiexp.core.publications import Publication
from xaiexp.errors import UnknownName, nearest

__all__ = ["DISABLE", "GROUP", "OWN", "Plugin", "Registry", "flaw", "installed", "other_version"]

GROUP = "xaiexp"
DISABLE = "XAIEXP_DISABLE_PLUGINS"
"""Environment variable with the names of plugins or distributions that are not loaded, separated by commas."""
RESERVED = frozenset({"name", "kind"})
HEAVY = ("torch", "pandas", "numpy", "mlflow", "captum", "transformers")


@dataclass(frozen=True)
class Plugin:
    """One entry point and the result of loading it.

    Args:
        name: of the entry point.
        distribution, version: of the package that provides it.
        components: the component classes that it provides; empty where it was refused.
        conf: its folder of presets, or None.
        publications: the published results that it can reproduce.
        reason: why it was refused; empty where it was accepted.
        seconds: duration of the import.
        heavy: the heavy packages that its import loaded.
    """

    name: str
    distribution: str
    version: str
    components: tuple[type[Component], ...] = ()
    conf: Path | None = None
    publications: tuple[Publication, ...] = ()
    reason: str = ""
    seconds: float = 0.0
    heavy: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.distribution} {self.version}".strip()


OWN = Plugin("own", "own code", "")
"""Stands for the plugin of components that the user gives as instances of own classes."""


class _Refused(Exception):
    """A plugin is refused; the message is the reason."""


@dataclass
class Registry:
    """The available components by kind and name."""

    plugins: list[Plugin] = field(default_factory=list)
    _classes: dict[tuple[str, str], tuple[type[Component], Plugin]] = field(default_factory=dict)

    @classmethod
    def from_entry_points(cls, points: Iterable[EntryPoint]) -> Registry:
        """Load entry points in a fixed order: the built-in plugin first, the others sorted by distribution and name."""
        registry = cls()

        def order(point: EntryPoint) -> tuple[bool, str, str]:
            dist = point.dist.name if point.dist else ""
            return dist != "xaiexp", dist, point.name

        for point in sorted(points, key=order):
            dist = point.dist
            registry.add(
                point.name, dist.name if dist else "", dist.version if dist else "", functools.partial(point.load)
            )
        return registry

    def add(self, name: str, distribution: str, version: str, load: Any) -> Plugin:
        """Load one plugin and add all of its components, or none where it is refused.

        Args:
            name: of the entry point.
            distribution, version: of the package that provides it.
            load: returns the module that implements the hooks; any exception is kept as the ``reason``.
        """
        before = {package for package in HEAVY if package in sys.modules}
        started = time.perf_counter()
        plugin = Plugin(name, distribution, version)
        reason = ""
        classes: tuple[type[Component], ...] = ()
        conf: Path | None = None
        publications: tuple[Publication, ...] = ()
        try:
            if distribution != "xaiexp" and {name, distribution} & _disabled():
                reason = f"is disabled by {DISABLE}"
            else:
                classes, conf, publications = self._components(load(), plugin)
        except _Refused as refusal:
            reason = str(refusal)
        except (KeyboardInterrupt, GeneratorExit):
            raise
        except BaseException as error:  # importing a plugin may raise anything, including SystemExit
            text = str(error).strip().splitlines() or ["no message"]
            reason = f"could not be imported ({type(error).__name__}: {text[0]})"
        plugin = Plugin(
            name,
            distribution,
            version,
            classes,
            conf,
            publications,
            reason,
            seconds=time.perf_counter() - started,
            heavy=tuple(package for package in HEAVY if package in sys.modules and package not in before),
        )
        for component in classes:
            self._classes[component.kind, component.name] = (component, plugin)
        self.plugins.append(plugin)
        return plugin

    def _components(
        self, module: object, plugin: Plugin
    ) -> tuple[tuple[type[Component], ...], Path | None, tuple[Publication, ...]]:
        if reason := other_version(module):
            raise _Refused(reason)
        manager = pluggy.PluginManager(hookspecs.PROJECT)
        manager.add_hookspecs(hookspecs)
        manager.register(module, name=plugin.name)
        known = [name for name in dir(hookspecs) if name.startswith("xaiexp_")]
        for caller in manager.get_hookcallers(module) or []:
            if not caller.has_spec():
                close = nearest(caller.name, known)
                raise _Refused(
                    f"unknown hook {caller.name!r}; "
                    + (f"nearest: {', '.join(close)}" if close else f"hooks: {', '.join(known)}")
                )
        if not manager.get_hookcallers(module):
            raise _Refused(f"has none of the hooks {', '.join(known)} (are they marked with xaiexp.hookimpl?)")
        returned = manager.hook.xaiexp_components()
        classes = tuple(returned[0]) if returned else ()
        folders = manager.hook.xaiexp_conf()
        conf = Path(folders[0]) if folders else None
        published = manager.hook.xaiexp_publications()
        publications = self._publications(tuple(published[0]) if published else ())
        if not classes and conf is None and not publications:
            raise _Refused("its hooks returned nothing")
        seen: set[tuple[str, str]] = set()
        for component in classes:
            reason = flaw(component)
            if reason:
                raise _Refused(f"{getattr(component, '__name__', component)!s}: {reason}")
            key = (component.kind, component.name)
            if key in self._classes:
                raise _Refused(
                    f"{component.kind} {component.name!r} of {plugin} is already provided by {self._classes[key][1]}"
                )
            if key in seen:
                raise _Refused(f"provides {component.kind} {component.name!r} twice")
            seen.add(key)
        return classes, conf, publications

    def _publications(self, given: tuple[Publication, ...]) -> tuple[Publication, ...]:
        """The published results of a plugin, whose names nobody else has."""
        known = {each.name for plugin in self.plugins for each in plugin.publications}
        for each in given:
            if not isinstance(each, Publication):
                raise _Refused(f"{each!r} is no instance of xaiexp.plugin.Publication")
            missing = [name for name in ("name", "title", "source", "files", "published") if not hasattr(each, name)]
            if missing:
                raise _Refused(f"{type(each).__name__} does not state {', '.join(missing)}")
            if each.name in known:
                raise _Refused(f"publication {each.name!r} is provided twice")
            known.add(each.name)
        return given

    @contextmanager
    def lending(self, plugin: Plugin) -> Iterator[None]:
        """Provide the components of a plugin that is not installed, for a while; others of their names stand back."""
        plugins, classes = list(self.plugins), dict(self._classes)
        self.plugins.append(plugin)
        self._classes |= {(component.kind, component.name): (component, plugin) for component in plugin.components}
        try:
            yield
        finally:
            self.plugins[:] = plugins
            self._classes.clear()
            self._classes.update(classes)

    def publications(self) -> dict[str, Publication]:
        """The published results that can be reproduced, by name."""
        return {each.name: each for plugin in self.plugins for each in plugin.publications}

    def names(self, kind: str) -> list[str]:
        """The sorted names of the components of one kind."""
        return sorted(name for k, name in self._classes if k == kind)

    def classes(self, kind: str | None = None) -> Iterator[type[Component]]:
        """The component classes, ordered by kind (as in ``KINDS``) and name."""
        for key in KINDS if kind is None else [kind]:
            for name in self.names(key):
                yield self._classes[key, name][0]

    def get(self, kind: str, name: str, where: str | None = None) -> type[Component]:
        """The class of a component by kind and name.

        Raises:
            UnknownName: no component has this name; the message names the nearest ones and the refused plugins.
        """
        try:
            return self._classes[kind, name][0]
        except KeyError:
            raise UnknownName(
                where or f"{kind}.{name}",
                f"no {kind} has this name",
                nearest=nearest(name, self.names(kind)),
                hint="all: xaiexp plugins",
                notes=[f"plugin {p.name!r} of {p} {p.reason}" for p in self.plugins if p.reason],
            ) from None

    def plugin_of(self, component: Component | type[Component]) -> Plugin:
        """The plugin that provides a component; :data:`OWN` for a class that no plugin provides."""
        cls = component if isinstance(component, type) else type(component)
        provided, plugin = self._classes.get((cls.kind, cls.name), (None, OWN))
        return plugin if provided is cls else OWN

    def build(self, kind: str, name: str, values: Mapping[str, Any], where: str | None = None) -> Any:
        """Build a component from its name and parameters.

        Args:
            kind, name: of the component.
            values: the parameters.
            where: how errors refer to the component, for example ``method.ig200``; by default kind and name.

        Raises:
            UnknownName: no component has this name.
            ParameterError: a parameter is unknown, missing or has an invalid value.
        """
        where = where or f"{kind}.{name}"
        component = self.get(kind, name, where)
        return component(**check(where, component, values))


def _disabled() -> set[str]:
    return {name.strip() for name in os.environ.get(DISABLE, "").split(",")} - {""}


def other_version(module: object) -> str:
    """Why a module is for another version of the contract, and what to change in it; empty where it is for this one."""
    required, now = getattr(module, "XAIEXP_API", hookspecs.API), hookspecs.API
    if required == now:
        return ""
    reason = f"is written for version {required} of the contract; this is version {now}"
    if not isinstance(required, int) or not 0 < required < now:
        return f"{reason}: update xaiexp, or the plugin"
    changes = "; ".join(f"version {number}: {hookspecs.CHANGES[number]}" for number in range(required + 1, now + 1))
    return f"{reason} ({changes}): adapt the plugin, then write XAIEXP_API = {now} in {_stated_at(module)}"


def _stated_at(module: object) -> str:
    """``FILE:LINE`` of the version that a module states; the name of the module where its source is not known."""
    file = getattr(module, "__file__", None)
    try:
        lines = Path(file or "").read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        lines = []
    numbers = [number for number, line in enumerate(lines, 1) if line.startswith("XAIEXP_API")]
    return f"{file}:{numbers[0]}" if numbers else str(getattr(module, "__name__", "its module"))


def flaw(component: object) -> str:
    """The reason why an object is not a valid component class; empty where it is one."""
    if not (inspect.isclass(component) and issubclass(component, Component)):
        return "is not a subclass of one of the kinds in xaiexp.plugin"
    if getattr(component, "kind", None) not in KINDS:
        return f"derives from none of the kinds {', '.join(KINDS)}"
    if inspect.isabstract(component):
        return f"does not implement {', '.join(sorted(component.__abstractmethods__))}"
    if not is_dataclass(component) or "__dataclass_params__" not in component.__dict__:
        return "is not decorated with @dataclass(frozen=True)"
    if not component.__dataclass_params__.frozen:  # type: ignore[attr-defined]  # set by dataclass
        return "is not frozen: write @dataclass(frozen=True)"
    missing = [fact for fact in component.facts if not hasattr(component, fact)]
    if missing:
        return f"does not state {', '.join(missing)}"
    if issubclass(component, Metric) and component.score is Metric.score and component.score_all is Metric.score_all:
        return "overrides neither score nor score_all"
    try:
        reserved = RESERVED & set(hints(component))
    except Exception as error:  # evaluating an annotation may raise anything
        return f"the types of its fields cannot be read ({error})"
    if reserved:
        return f"a parameter must not be named {', '.join(sorted(reserved))}"
    return ""


@functools.cache
def installed() -> Registry:
    """The registry of the installed plugins, cached."""
    return Registry.from_entry_points(entry_points(group=GROUP))
