"""Finds plugins, builds components by name, and keeps what is broken with its reason."""

from __future__ import annotations

import functools
import inspect
import os
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, is_dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

import pluggy

from xaiexp.contract import hookspecs
from xaiexp.contract.kinds import KINDS, Component, Metric
from xaiexp.core.parameters import check, hints
from xaiexp.errors import UnknownName, nearest

__all__ = ["DISABLE", "GROUP", "Plugin", "Registry", "installed"]

GROUP = "xaiexp"
DISABLE = "XAIEXP_DISABLE_PLUGINS"
"""Names of plugins or distributions, with commas between them, that are not to be loaded."""
RESERVED = frozenset({"name", "kind"})
HEAVY = ("torch", "pandas", "numpy", "mlflow", "captum", "transformers")


@dataclass(frozen=True)
class Plugin:
    """One entry point and what came of it.

    Args:
        name: of the entry point.
        distribution, version: of the package that brings it.
        components: the classes it added; empty where broken.
        conf: its folder of presets, or None.
        reason: why it was refused; empty where it is fine.
        seconds: what importing it took.
        heavy: the heavy packages that importing it imported.
    """

    name: str
    distribution: str
    version: str
    components: tuple[type[Component], ...] = ()
    conf: Path | None = None
    reason: str = ""
    seconds: float = 0.0
    heavy: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.distribution} {self.version}".strip()


class _Refused(Exception):
    """Why a plugin cannot be taken in."""


@dataclass
class Registry:
    """The components at hand, by kind and name."""

    plugins: list[Plugin] = field(default_factory=list)
    _classes: dict[tuple[str, str], tuple[type[Component], Plugin]] = field(default_factory=dict)

    @classmethod
    def from_entry_points(cls, points: Iterable[EntryPoint]) -> Registry:
        """Load entry points one by one; ours first, then by distribution, so that the order never varies."""
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
        """Take in one plugin, all of it or nothing; what is wrong with it is kept as its ``reason``."""
        before = {heavy for heavy in HEAVY if heavy in sys.modules}
        started = time.perf_counter()
        plugin = Plugin(name, distribution, version)
        reason = ""
        classes: tuple[type[Component], ...] = ()
        conf: Path | None = None
        try:
            if distribution != "xaiexp" and {name, distribution} & _disabled():
                reason = f"is turned off by {DISABLE}"
            else:
                classes, conf = self._components(load(), plugin)
        except _Refused as refusal:
            reason = str(refusal)
        except (KeyboardInterrupt, GeneratorExit):
            raise
        except BaseException as broken:  # a stranger's import may raise anything, SystemExit too
            text = str(broken).strip().splitlines() or ["no message"]
            reason = f"could not be imported ({type(broken).__name__}: {text[0]})"
        plugin = Plugin(
            name,
            distribution,
            version,
            classes,
            conf,
            reason,
            seconds=time.perf_counter() - started,
            heavy=tuple(h for h in HEAVY if h in sys.modules and h not in before),
        )
        for component in classes:
            self._classes[component.kind, component.name] = (component, plugin)
        self.plugins.append(plugin)
        return plugin

    def _components(self, module: object, plugin: Plugin) -> tuple[tuple[type[Component], ...], Path | None]:
        wanted = getattr(module, "XAIEXP_API", hookspecs.API)
        if wanted != hookspecs.API:
            raise _Refused(f"is written for version {wanted} of the contract; this is version {hookspecs.API}")
        manager = pluggy.PluginManager(hookspecs.PROJECT)
        manager.add_hookspecs(hookspecs)
        manager.register(module, name=plugin.name)
        known = [n for n in dir(hookspecs) if n.startswith("xaiexp_")]
        for caller in manager.get_hookcallers(module) or []:
            if not caller.has_spec():
                close = nearest(caller.name, known)
                raise _Refused(
                    f"unknown hook {caller.name!r}; "
                    + (f"nearest: {', '.join(close)}" if close else f"hooks: {', '.join(known)}")
                )
        if not manager.get_hookcallers(module):
            raise _Refused(f"has none of the hooks {', '.join(known)} (are they marked with xaiexp.hookimpl?)")
        brought = manager.hook.xaiexp_components()
        classes = tuple(brought[0]) if brought else ()
        folders = manager.hook.xaiexp_conf()
        conf = Path(folders[0]) if folders else None
        if not classes and conf is None:
            raise _Refused("its hooks returned nothing")
        seen: set[tuple[str, str]] = set()
        for component in classes:
            why = flaw(component)
            if why:
                raise _Refused(f"{getattr(component, '__name__', component)!s}: {why}")
            key = (component.kind, component.name)
            if key in self._classes:
                raise _Refused(
                    f"{component.kind} {component.name!r} of {plugin} is already brought by {self._classes[key][1]}"
                )
            if key in seen:
                raise _Refused(f"brings {component.kind} {component.name!r} twice")
            seen.add(key)
        return classes, conf

    def names(self, kind: str) -> list[str]:
        """The names of one kind, sorted."""
        return sorted(name for k, name in self._classes if k == kind)

    def classes(self, kind: str | None = None) -> Iterator[type[Component]]:
        """The component classes, by kind (in the order of the contract) and name."""
        for each in KINDS if kind is None else [kind]:
            for name in self.names(each):
                yield self._classes[each, name][0]

    def get(self, kind: str, name: str, where: str | None = None) -> type[Component]:
        """The class of a component.

        Raises:
            UnknownName: with the nearest names, and the plugins that might have brought it but are broken.
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
        """The plugin that brought a component."""
        return self._classes[component.kind, component.name][1]

    def build(self, kind: str, name: str, values: Mapping[str, Any], where: str | None = None) -> Any:
        """A component from its name and parameters, every one of them checked.

        Raises:
            UnknownName, ParameterError: in the words of ``where`` (``method.ig200``).
        """
        where = where or f"{kind}.{name}"
        component = self.get(kind, name, where)
        return component(**check(where, component, values))


def _disabled() -> set[str]:
    return {name.strip() for name in os.environ.get(DISABLE, "").split(",")} - {""}


def flaw(component: object) -> str:
    """Why an object is no component; empty where it is one."""
    if not (inspect.isclass(component) and issubclass(component, Component)):
        return "is not a subclass of a kind in xaiexp.contract.kinds"
    if getattr(component, "kind", None) not in KINDS:
        return f"derives from none of the kinds {', '.join(KINDS)}"
    if inspect.isabstract(component):
        return f"lacks {', '.join(sorted(component.__abstractmethods__))}"
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
    except Exception as broken:  # a stranger's annotation may be anything
        return f"its fields' types cannot be read ({broken})"
    if reserved:
        return f"a parameter may not be called {', '.join(sorted(reserved))}"
    return ""


@functools.cache
def installed() -> Registry:
    """The registry of what is installed, made once."""
    return Registry.from_entry_points(entry_points(group=GROUP))
