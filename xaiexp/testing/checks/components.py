"""The laws of every component."""

from __future__ import annotations

import functools
import pickle
import re
import subprocess
import sys

from xaiexp.contract.kinds import Component
from xaiexp.contract.registry import HEAVY, flaw
from xaiexp.core import parameters
from xaiexp.core.keys import digest
from xaiexp.errors import XaiexpError
from xaiexp.testing.check_types import Chapter, NotApplicable, demand

__all__ = ["LAWS"]

LAWS = Chapter("component")


@LAWS.law(on_class=True)
def registrable(cls: type[Component]) -> None:
    """It is a frozen dataclass of one of the seven kinds and states every fact of its kind."""
    demand(not flaw(cls), flaw(cls))


@LAWS.law(on_class=True)
def documented(cls: type[Component]) -> None:
    """Its docstring begins with what it does and names every parameter; `summary` is one line, `source` is told."""
    own = (cls.__doc__ or "").strip()
    demand(own and not own.startswith(f"{cls.__name__}("), "has no docstring of its own")
    written = " ".join(
        c.__doc__ or "" for c in cls.__mro__ if issubclass(c, Component) and c.__module__ != Component.__module__
    )
    untold = [name for name in parameters.hints(cls) if not re.search(rf"\b{name}\b", written)]
    demand(not untold, f"its docstring does not tell of {', '.join(untold)}")
    for fact in ("summary", "source"):
        value = getattr(cls, fact)
        demand(isinstance(value, str) and value.strip(), f"{fact} is empty")
    demand("\n" not in cls.summary, "summary has more than one line")


@LAWS.law(on_class=True)
def light(cls: type[Component]) -> None:
    """Importing its module imports none of the heavy packages (torch, numpy, pandas, mlflow ...)."""
    if cls.__module__ == "__main__":
        raise NotApplicable("it is not in a module of its own")
    heavy = _heavy(cls.__module__)
    demand(not heavy, f"importing {cls.__module__} imports {', '.join(heavy)}: import them where they are used")


_KNOWN_LIGHT: set[str] = set()


@functools.cache
def _heavy(module: str) -> tuple[str, ...]:
    """The heavy packages that importing a module imports, seen in a fresh interpreter."""
    if module in _KNOWN_LIGHT:
        return ()
    code = (
        "import importlib, sys; sys.path[:] = sys.argv[2:]; importlib.import_module(sys.argv[1]); "
        "print('\\x1f'.join(sys.modules))"
    )
    done = subprocess.run(  # noqa: S603 -- our own interpreter, on a module that is imported already
        [sys.executable, "-c", code, module, *sys.path], capture_output=True, text=True, check=False
    )
    if done.returncode:
        told = done.stderr.strip().splitlines()
        raise NotApplicable(f"{module} cannot be imported by its name ({told[-1] if told else 'no message'})")
    seen = done.stdout.splitlines()[-1].split("\x1f")
    heavy = tuple(name for name in HEAVY if name in seen)
    if not heavy:
        _KNOWN_LIGHT.update(seen)
    return heavy


@LAWS.law(on_class=True)
def defaults(cls: type[Component]) -> None:
    """Its defaults are legal values of their own types: where nothing is required, `Component()` builds it."""
    required = [key for key, value in parameters.default_values(cls).items() if value is parameters.MISSING]
    if required:
        raise NotApplicable(f"{', '.join(required)} must be given")
    try:
        cls()
    except XaiexpError as refused:
        demand(False, f"its own defaults are refused: {refused}")


@LAWS.law()
def schema(component: Component) -> None:
    """Its parameters go through the configuration, YAML included, and come back equal."""
    from omegaconf import OmegaConf

    from xaiexp.config.schema import derived

    cls, given = type(component), component.parameters()
    node = OmegaConf.merge(OmegaConf.structured(derived(cls)), OmegaConf.create(given))
    values = OmegaConf.to_container(OmegaConf.create(OmegaConf.to_yaml(node)))
    built = cls(**parameters.check(f"{cls.kind}.{cls.name}", cls, values))  # type: ignore[arg-type]  # a mapping, as it was one
    demand(built.parameters() == given, f"{given} came back as {built.parameters()}")


@LAWS.law()
def pickles(component: Component) -> None:
    """It pickles, as launchers need, and comes back with the same parameters."""
    try:
        back = pickle.loads(pickle.dumps(component))  # noqa: S301 -- what was pickled in the line itself
    except Exception as error:
        demand(False, f"does not pickle: {error}")
    demand(type(back) is type(component), f"came back as {type(back).__name__}")
    demand(back.parameters() == component.parameters(), f"came back with {back.parameters()}")


@LAWS.law()
def identity(component: Component) -> None:
    """Equal parameters make equal components with the same repr and the same key."""
    other = type(component)(**component.parameters())
    demand(other == component, "two of the same parameters are not equal")
    demand(repr(other) == repr(component), f"{component!r} and {other!r} have the same parameters")
    demand(digest(other.parameters()) == digest(component.parameters()), "two of the same parameters have two keys")
    demand(not re.search(r" at 0x[0-9a-f]+", repr(component)), f"its repr holds an address: {component!r}")
