"""A small real study with a component, and assertions about what became of it."""

from __future__ import annotations

import atexit
import contextlib
import functools
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from xaiexp.api.execute import execute
from xaiexp.api.result import Result
from xaiexp.api.run import result_of
from xaiexp.config.build import plain, study_of
from xaiexp.config.compose import composed
from xaiexp.config.schema import SINGLES
from xaiexp.contract.component import plain_parameters
from xaiexp.contract.kinds import Component
from xaiexp.contract.registry import OWN, flaw, installed
from xaiexp.engine.progress import Meter
from xaiexp.report.document.panels import panels
from xaiexp.report.studies import read_study
from xaiexp.tracking.addresses import prepare

__all__ = ["SmallStudy", "small_words", "study"]

_BASE = {
    "examples": "4",
    "method": "[input_x_gradient,random]",
    "baseline": "[zero]",
    "metric": "[deletion,sparseness]",
    "agreement": "[]",
    "tracker": "[]",
    "report": "false",
}
_TABLES = {"dataset": "breast_cancer", "model": "tabular_mlp"}
_OF_KIND = {
    "method": {"method": "[random,{}]"},
    "baseline": {"baseline": "[{}]", "method": "[integrated_gradients]"},
    "metric": {"metric": "[{}]"},
    "removal": {"removal": "[{}]", "metric": "[deletion]"},
    "agreement": {"agreement": "[{}]", "metric": "[]"},
    "panel": {"panel": "[{}]", "report": "true"},
}


@dataclass(frozen=True, repr=False, kw_only=True)
class SmallStudy(Result):
    """The result of :func:`study`: that of :func:`xaiexp.run`, with assertions.

    Attributes:
        component: the class that the study is about.
        messages: the lines that a user would have seen, and those in place of panels.
    """

    component: type[Component]
    messages: tuple[str, ...]

    def problems(self) -> list[str]:
        """What did not come to its end, with reasons: cells, metrics, agreements, panels, callbacks, trackers."""
        kind, name = self.component.kind, self.component.name
        found = [
            f"the cell {row.method} / {row.baseline} is {row.status}: {row.reason}"
            for row in self.cells.itertuples()
            if row.status != "done"
        ]
        for where, failure in self.record["failures"].items():
            found.append(f"{where}: {failure['reason']} at {failure['place']}")
        found += [f"the metric {label} is left out: {why}" for label, why in self.record["metrics_left_out"].items()]
        for label, values in self.scores.groupby("metric")["value"]:
            found += [] if values.notna().any() else [f"the metric {label} is undefined for every example"]
        for label, kept in self.record["tracking"].items():
            found += [] if kept["status"] == "sent" else [f"the tracker {label} has it not: {kept['error']}"]
        found += [line for line in self.messages if line.startswith(("callback.", "panel."))]
        if kind == "agreement" and not self.agreement.loc[self.agreement["measure"] == name, "value"].notna().any():
            found.append(f"the agreement {name} is undefined for every example")
        return found

    def assert_done(self) -> SmallStudy:
        """Assert that nothing failed or was left out, and that every metric is defined for some example.

        Returns:
            The study itself.

        Raises:
            AssertionError: with every reason.
        """
        if found := self.problems():
            raise AssertionError("\n".join(found))
        return self

    def assert_not_done(self, because: str) -> SmallStudy:
        """Assert that something failed or was left out, and that a reason contains ``because``.

        Returns:
            The study itself.

        Raises:
            AssertionError: with the reasons that there are.
        """
        found = self.problems()
        if not any(because in line for line in found):
            raise AssertionError("\n".join([f"no reason contains {because!r}", *(found or ["everything is done"])]))
        return self


class _Messages(Meter):
    """Keeps the lines for the user."""

    def __init__(self) -> None:
        super().__init__("study", quiet=True)
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        """Keep one line."""
        self.lines.append(text)


def study(component: type[Component] | Component, *overrides: str, folder: str | Path | None = None) -> SmallStudy:
    """Run a small real study with a component: four examples, a trained network, a few other components.

    The examples are handwritten digits, or rows of a table for a component that is for tables and not for images.

    In a plugin's tests::

        from xaiexp.testing import study

        def test_a_study_with_it_is_done(tmp_path):
            result = study(Mine(power=2.0), folder=tmp_path).assert_done()
            assert len(result.attributions("mine")) == 4

    Nothing of other studies is used but the trained network, which the first study of a process trains. The component
    needs no installed plugin.

    Args:
        component: an instance, or a class, which is used with its default parameters.
        overrides: as on the command line, ``"dataset=shapes"``, ``"model=..."``, ``"examples=16"``; they take the place
            of what the study would have chosen.
        folder: of the results; a temporary one by default.

    Raises:
        TypeError: the argument is no valid component.
        UserError: the request is wrong, as on the command line.

    >>> from xaiexp.builtin.agreements import KendallTau
    >>> study(KendallTau()).assert_done().agreement["measure"].unique().tolist()
    ['kendall_tau']
    """
    cls = component if isinstance(component, type) else type(component)
    if reason := flaw(cls):
        raise TypeError(f"{cls.__name__} {reason}")
    registry = installed()
    place, meter = Path(tempfile.mkdtemp(dir=_place()) if folder is None else folder), _Messages()
    with _available(cls):
        values = plain(composed(small_words([cls], overrides)))
        values |= {"store": str(_place() / "store"), "force": True}
        _put(values, component, cls)
        asked = study_of(values, registry)
        prepare(asked.trackers, asked.settings.tracking)
        outcome = execute(asked, values, place, registry, meter)
        for panel in panels(read_study(place)):
            if panel.error:
                meter.say(f"panel.{panel.label}: {panel.error}")
    result = result_of(outcome, asked)
    shared = {each.name: getattr(result, each.name) for each in fields(Result)}
    return SmallStudy(**shared, component=cls, messages=tuple(meter.lines))


def small_words(classes: Iterable[type[Component]], overrides: tuple[str, ...] = ()) -> list[str]:
    """The overrides of a small study: of images, or of tables where a component is for tables and not for images.

    Args:
        classes: the components that it is about.
        overrides: of the caller, which take the place of others for the same key.
    """
    chosen, names = dict(_BASE), defaultdict[str, list[str]](list)
    for cls in classes:
        names[cls.kind].append(cls.name)
        modalities = getattr(cls, "modalities", None) or (getattr(cls, "modality", "image"),)
        if isinstance(modalities, tuple) and "table" in modalities and "image" not in modalities:
            chosen |= _TABLES
    for kind, of_kind in names.items():
        for key, value in _OF_KIND.get(kind, {kind: "{}" if kind in SINGLES else "[{}]"}).items():
            chosen[key] = value.format(",".join(of_kind))
    own = {word.lstrip("+~").partition("=")[0] for word in overrides}
    return [*(f"{key}={value}" for key, value in chosen.items() if key not in own), *overrides]


@contextlib.contextmanager
def _available(cls: type[Component]) -> Iterator[None]:
    """The registry with a class, which no plugin has to provide."""
    registry = installed()
    if registry.plugin_of(cls) is not OWN:
        yield
        return
    with registry.lending(replace(OWN, components=(cls,))):  # its name in keys is that which it has afterwards
        yield


def _put(values: dict[str, Any], component: type[Component] | Component, cls: type[Component]) -> None:
    """Put the parameters of a component into a configuration."""
    given = {} if isinstance(component, type) else plain_parameters(component)
    node = {"name": cls.name, **given}
    if cls.kind == "removal":
        for metric in values["metric"].values():
            metric |= {"removal": node} if "removal" in metric else {}
    elif not isinstance(component, type):
        values[cls.kind] = node if cls.kind in SINGLES else {**values[cls.kind], cls.name: node}


@functools.cache
def _place() -> Path:
    """A temporary folder for the studies of this process and their store, removed at exit."""
    folder = tempfile.mkdtemp(prefix="xaiexp-testing-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)
