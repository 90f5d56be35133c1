"""The checks of all components."""

from __future__ import annotations

import functools
import pickle
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from xaiexp.contract.component import plain_parameters
from xaiexp.contract.kinds import Component
from xaiexp.contract.registry import HEAVY, flaw
from xaiexp.core import parameters
from xaiexp.core.keys import digest
from xaiexp.errors import XaiexpError
from xaiexp.testing.assertions import require
from xaiexp.testing.definition import NEEDS_VALUES, CheckResult, CheckSuite, NotApplicable
from xaiexp.testing.facts import wrong_fact
from xaiexp.testing.linked_files import edit, files_read, on_linked_files

__all__ = ["SUITE"]

SUITE = CheckSuite("component")

_EDITED = 8
"""The number of files that are edited for one component."""


@SUITE.register(on_class=True)
def registrable(cls: type[Component]) -> None:
    """The class is a frozen dataclass of one of the kinds and states every required fact of its kind."""
    require(not flaw(cls), flaw(cls))


@SUITE.register(on_class=True)
def documented(cls: type[Component]) -> None:
    """The class has a docstring that names every parameter, a `summary` of one line, and a `source`."""
    docstring = (cls.__doc__ or "").strip()
    require(docstring and not docstring.startswith(f"{cls.__name__}("), "has no docstring of its own")
    documentation = " ".join(
        c.__doc__ or "" for c in cls.__mro__ if issubclass(c, Component) and c.__module__ != Component.__module__
    )
    undocumented = [name for name in parameters.hints(cls) if not re.search(rf"\b{name}\b", documentation)]
    require(not undocumented, f"the docstring does not describe {', '.join(undocumented)}")
    for fact in ("summary", "source"):
        value = getattr(cls, fact)
        require(isinstance(value, str) and value.strip(), f"{fact} is empty")
    require("\n" not in cls.summary, "summary has more than one line")


@SUITE.register(on_class=True)
def light_import(cls: type[Component]) -> None:
    """Importing the module imports no heavy package (torch, numpy, pandas, mlflow, captum, transformers)."""
    if cls.__module__ == "__main__":
        raise NotApplicable("the class is defined in __main__")
    heavy = _heavy_imports(cls.__module__)
    require(not heavy, f"importing {cls.__module__} imports {', '.join(heavy)}: import them where they are used")


_LIGHT_MODULES: set[str] = set()
"""Modules that were imported without a heavy package."""


@functools.cache
def _heavy_imports(module: str) -> tuple[str, ...]:
    """The heavy packages that importing a module imports in a new interpreter.

    Raises:
        NotApplicable: the module cannot be imported by its name.
    """
    if module in _LIGHT_MODULES:
        return ()
    code = (
        "import importlib, sys; sys.path[:] = sys.argv[2:]; importlib.import_module(sys.argv[1]); "
        "print('\\x1f'.join(sys.modules))"
    )
    done = subprocess.run(  # noqa: S603 -- runs this interpreter on a module that is already imported
        [sys.executable, "-c", code, module, *sys.path], capture_output=True, text=True, check=False
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        raise NotApplicable(f"{module} cannot be imported by its name ({lines[-1] if lines else 'no message'})")
    imported = done.stdout.splitlines()[-1].split("\x1f")
    heavy = tuple(name for name in HEAVY if name in imported)
    if not heavy:
        _LIGHT_MODULES.update(imported)
    return heavy


@SUITE.register(on_class=True)
def defaults(cls: type[Component]) -> None:
    """The default parameters are valid: `Component()` succeeds where no parameter is required."""
    required = [key for key, value in parameters.default_values(cls).items() if value is parameters.MISSING]
    if required:
        raise NotApplicable(f"requires values of {', '.join(required)}")
    try:
        cls()
    except XaiexpError as error:
        require(False, f"the default parameters are refused: {error}")


@SUITE.register()
def vocabulary(component: Component) -> None:
    """Every fact has a value that plan and engine know: capabilities, modalities, tasks, spaces, bounds, bool."""
    flaw_of = wrong_fact(component)
    require(not flaw_of, flaw_of)


@SUITE.register()
def schema(component: Component) -> None:
    """The parameters are equal after a round trip through the configuration and YAML."""
    from omegaconf import OmegaConf

    from xaiexp.config.schema import derived

    cls, original = type(component), component.parameters()
    node = OmegaConf.merge(OmegaConf.structured(derived(cls)), OmegaConf.create(plain_parameters(component)))
    values = OmegaConf.to_container(OmegaConf.create(OmegaConf.to_yaml(node)))
    rebuilt = cls(**parameters.check(f"{cls.kind}.{cls.name}", cls, values))  # type: ignore[arg-type]  # a mapping, as it was one
    require(rebuilt.parameters() == original, f"{original} became {rebuilt.parameters()}")


@SUITE.register()
def pickles(component: Component) -> None:
    """The component can be pickled, and unpickling restores its class and parameters."""
    try:
        restored = pickle.loads(pickle.dumps(component))  # noqa: S301 -- pickled in the same expression
    except Exception as error:
        require(False, f"cannot be pickled: {error}")
    require(type(restored) is type(component), f"unpickling returned a {type(restored).__name__}")
    require(restored.parameters() == component.parameters(), f"unpickling returned {restored.parameters()}")


@SUITE.register()
def identity(component: Component) -> None:
    """Components with equal parameters are equal and have the same repr and the same store key."""
    other = type(component)(**component.parameters())
    require(other == component, "two components with the same parameters are not equal")
    require(repr(other) == repr(component), f"{component!r} and {other!r} have the same parameters")
    require(
        digest(other.parameters()) == digest(component.parameters()),
        "two components with the same parameters have different keys",
    )
    require(not re.search(r" at 0x[0-9a-f]+", repr(component)), f"the repr contains an address: {component!r}")


@SUITE.register()
def fingerprint(component: Component) -> None:
    """`fingerprint()` changes when a file that the component reads changes; it is asked of copies."""
    with tempfile.TemporaryDirectory(prefix="xaiexp-testing-") as name:
        folder = Path(name).resolve()
        copy, named = on_linked_files(component, folder)
        if copy is component:  # it names no file
            return
        for file in (files_read(copy, folder) or named)[:_EDITED]:
            before = copy.fingerprint()
            require(before == copy.fingerprint(), "fingerprint() differs between two calls")
            edit(file)
            require(copy.fingerprint() != before, f"fingerprint() is the same after {file.name} was edited")


@SUITE.register(after=("defaults",), on_results=True)
def values_were_checked(results: Sequence[CheckResult]) -> None:
    """Some check of what the component returns was run: a component of which all are skipped was not checked."""
    if any(result.outcome != "skipped" for result in results):
        return
    reason = results[0].message if results else "its kind has no such check"
    if reason.startswith(NEEDS_VALUES):
        name = results[0].component
        todo = f"in tests check(Mine(...)), on the command line xaiexp plugins check {name} PARAMETER=VALUE"
    else:
        todo = "support a test study, install what it reads, or name this check as a known failure with the reason"
    require(False, f"no value was checked: {reason}; {todo}")
