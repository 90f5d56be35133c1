"""``xaiexp plugins try``: the components of one file, checked and in a small study, without packaging."""

from __future__ import annotations

import ast
import importlib.util
import inspect
import sys
import traceback
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from xaiexp.cli.exit_codes import DONE, FAILED
from xaiexp.contract.component import Component
from xaiexp.contract.registry import Plugin, Registry, flaw, other_version
from xaiexp.errors import ParameterError, ResourceError, UserError, nearest

if TYPE_CHECKING:
    from rich.console import Console

    from xaiexp.testing import CheckResult

__all__ = ["try_file"]


def try_file(file: Path, overrides: Sequence[str], registry: Registry) -> int:
    """Check the components of a file and run a small study with them.

    Args:
        file: a Python file of the user, which is run.
        overrides: of the study, ``KEY=VALUE``.
        registry: of what is installed; it has the components while this runs.

    Returns:
        An exit code: whether a check failed, or something in the study.

    Raises:
        UserError: the file cannot be read or run, or a class in it is no component; with its file and line.
    """
    module = _module(file)
    plugin = _plugin(file, module, registry)
    from xaiexp.engine.progress import Meter, console
    from xaiexp.store.fingerprints import file_hash
    from xaiexp.testing import check
    from xaiexp.testing.small_studies import small_words

    # The hash is a part of the keys: a file that was edited finds nothing of its earlier self in the store.
    plugin = Plugin(plugin.name, plugin.distribution, file_hash(file)[:12], plugin.components)
    out = console()
    with registry.lending(plugin):
        from xaiexp.api.execute import execute
        from xaiexp.cli.summary import print_outcome
        from xaiexp.config.build import plain, to_study
        from xaiexp.config.compose import composed
        from xaiexp.tracking.addresses import prepare

        cfg = composed(small_words(plugin.components, tuple(overrides)))
        study = to_study(cfg, registry)
        results = [each for component in _with_parameters(plugin, study) for each in check(component)]
        failed = _print_checks(results, out)
        if any(each.message.startswith("raised ") for each in failed):
            out.print("the study was not run, since a component raises")
            return FAILED
        prepare(study.trackers, study.settings.tracking)
        folder = Path("outputs") / datetime.now().strftime("%Y-%m-%d/%H-%M-%S-%f")
        with Meter(study.describe()) as meter:
            outcome = execute(study, plain(cfg), folder, registry, meter)
        print_outcome(outcome, brief=False)
    for where, failure in (outcome.record.failures or {}).items():
        out.print(f"{failure.place}: {failure.reason} ({where})", markup=False)
    return FAILED if failed or outcome.code != DONE or outcome.record.failures else DONE


def _print_checks(results: Sequence[CheckResult], out: Console) -> list[CheckResult]:
    """Print the checks that failed, and how many did not; returns the former."""
    failed = [each for each in results if each.outcome == "failed"]
    for each in failed:
        out.print(str(each), markup=False)
    passed = sum(each.outcome == "passed" for each in results)
    skipped = sorted({each.check for each in results if each.outcome == "skipped"})
    rest = f", not applied: {', '.join(skipped)}" if skipped else ""
    out.print(f"checks: {passed} passed, {len(failed)} failed{rest}", markup=False)
    return failed


def _module(file: Path) -> ModuleType:
    """The module of a file, which is run.

    Raises:
        UserError: it cannot be read, or raises; with the line in it.
    """
    if not file.is_file():
        beside = [each.name for each in file.parent.glob("*.py")] if file.parent.is_dir() else []
        raise ResourceError("plugins try", "no such file", got=str(file), nearest=nearest(file.name, beside))
    name = file.stem if file.stem.isidentifier() and not _is_taken(file.stem) else f"tried_{abs(hash(file.stem))}"
    sys.path.insert(0, str(file.parent.resolve()))  # for modules beside it
    try:
        spec = importlib.util.spec_from_file_location(name, file.resolve())
        assert spec is not None  # noqa: S101 -- of a file that exists
        assert spec.loader is not None  # noqa: S101 -- as above
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module  # dataclasses and pickle look there
        spec.loader.exec_module(module)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # it may raise anything, including SystemExit
        sys.modules.pop(name, None)
        raise _told(file, error) from None
    return module


def _is_taken(name: str) -> bool:
    return name in sys.modules or importlib.util.find_spec(name) is not None


def _told(file: Path, error: BaseException) -> UserError:
    """What a file raised, with the line in it."""
    if isinstance(error, SyntaxError) and error.filename and Path(error.filename) == file.resolve():
        where, what = f"{file}:{error.lineno}", f"{type(error).__name__}: {error.msg}"
        return UserError(where, what, hint=(error.text or "").strip())
    lines = str(error).strip().splitlines() or ["no message"]
    frames = [each for each in traceback.extract_tb(error.__traceback__) if Path(each.filename) == file.resolve()]
    where = f"{file}:{frames[-1].lineno}" if frames else str(file)
    return UserError(where, f"{type(error).__name__}: {lines[0]}", hint=(frames[-1].line or "") if frames else "")


def _plugin(file: Path, module: ModuleType, registry: Registry) -> Plugin:
    """The components of a module as a plugin, each valid, and none that is installed.

    Raises:
        ParameterError: one is not; with its line.
    """
    if reason := other_version(module):
        raise ParameterError(str(file), reason)
    hook = getattr(module, "xaiexp_components", None)
    try:
        found = list(hook()) if callable(hook) else list(_classes(module))
    except Exception as error:  # a hook may raise anything
        raise _told(file, error) from None
    if not found:
        hint = "a frozen dataclass that derives from a kind in xaiexp.plugin: xaiexp plugins new NAME --kind KIND"
        raise ParameterError(str(file), "has no component", hint=hint)
    seen: set[tuple[str, str]] = set()
    for component in found:
        where = f"{file}:{_line(file, component)}"
        if reason := flaw(component):
            raise ParameterError(where, f"{getattr(component, '__name__', component)}: {reason}")
        key = component.kind, component.name
        if key in seen or component.name in registry.names(component.kind):
            by = "this file" if key in seen else registry.plugin_of(registry.get(*key))
            what = f"{component.kind} {component.name!r} is already provided by {by}"
            raise ParameterError(where, what, hint='another name for the class, or name = "..." in it')
        seen.add(key)
    return Plugin(file.stem, file.name, "", tuple(found))


def _classes(module: ModuleType) -> Iterable[type[Component]]:
    """The classes of components that a module defines, without those that others derive from it."""
    own = [
        value
        for value in vars(module).values()
        if inspect.isclass(value) and issubclass(value, Component) and value.__module__ == module.__name__
    ]
    return [cls for cls in own if not any(other is not cls and issubclass(other, cls) for other in own)]


def _line(file: Path, component: object) -> int:
    """Where a class is defined; the first line where that is not known."""
    name = getattr(component, "__name__", "")
    classes = (node for node in ast.walk(ast.parse(file.read_bytes())) if isinstance(node, ast.ClassDef))
    return next((node.lineno for node in classes if node.name == name), 1)


def _with_parameters(plugin: Plugin, study: object) -> list[type[Component] | Component]:
    """The components with the parameters of the study; those that it does not contain as classes."""
    values = [each for part in vars(study).values() for each in (part.values() if isinstance(part, dict) else [part])]
    return [next((each for each in values if type(each) is cls), cls) for cls in plugin.components]
