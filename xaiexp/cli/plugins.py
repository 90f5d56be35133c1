"""``xaiexp plugins``: what is installed, a plugin to start from, and the conformance kit over one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from xaiexp.contract.registry import Registry, installed
from xaiexp.errors import UnknownName, UserError, nearest

__all__ = ["plugins"]

_PLUGINS = "xaiexp plugins [--json | new NAME [--dir DIR] | check [NAME]]"


def _new(words: list[str], registry: Registry) -> int:
    from xaiexp.cli.scaffold import new_plugin

    if len(words) not in (1, 3) or (len(words) == 3 and words[1] != "--dir"):
        raise UserError("plugins new", "needs a name", hint="xaiexp plugins new NAME [--dir DIR]")
    folder = new_plugin(words[0], Path(words[2]) if len(words) == 3 else Path(), registry)
    print(f"{folder}\n  pip install -e {folder}\n  xaiexp plugins check {words[0]}")  # noqa: T201
    return 0


def _check(words: list[str], registry: Registry) -> int:
    from xaiexp.cli import conformity
    from xaiexp.engine.progress import console

    if len(words) > 1:
        raise UserError("plugins check", "takes one name", hint="xaiexp plugins check [NAME]")
    verdicts = conformity.check(words[0] if words else None, registry)
    out = console()
    if not verdicts:
        out.print("no plugin except the built-in one is installed; to check it: xaiexp plugins check builtin")
    for verdict in verdicts:
        if verdict.outcome != "passed":
            out.print(str(verdict), markup=False)
    counts = conformity.counts(verdicts)
    out.print(", ".join(f"{count} {outcome}" for outcome, count in counts.items() if count), markup=False)
    return 1 if counts["failed"] else 0


def plugins(words: list[str]) -> int:
    """List what is installed, or do what ``words`` ask for."""
    registry = installed()
    if words == ["--json"]:
        print(json.dumps(_plugins_json(registry), indent=1))  # noqa: T201
        return 0
    if words[:1] == ["new"]:
        return _new(words[1:], registry)
    if words[:1] == ["check"]:
        return _check(words[1:], registry)
    if words:
        known = ["new", "check", "--json"]
        raise UnknownName(f"plugins {words[0]}", "no such tool", nearest=nearest(words[0], known), hint=_PLUGINS)
    from xaiexp.cli import tables as terminal
    from xaiexp.engine.progress import console

    out = console()
    rows = [
        (
            p.name,
            str(p),
            "broken" if p.reason else f"{len(p.components)} components",
            f"{p.seconds:.2f} s" + (f", slow: imports {', '.join(p.heavy)}" if p.heavy else ""),
            p.reason,
        )
        for p in registry.plugins
    ]
    out.print(terminal.plugins_table(rows, ("plugin", "distribution", "state", "import", "reason")))
    parts = [(c.kind, c.name, c.summary, str(registry.plugin_of(c))) for c in registry.classes()]
    out.print(terminal.plugins_table(parts, ("kind", "name", "what it does", "from")))
    return 0


def _plugins_json(registry: Registry) -> dict[str, Any]:
    from xaiexp.core.parameters import describe, hints

    return {
        "plugins": [
            {
                "name": p.name,
                "distribution": p.distribution,
                "version": p.version,
                "reason": p.reason or None,
                "seconds": round(p.seconds, 4),
                "heavy": list(p.heavy),
            }
            for p in registry.plugins
        ],
        "components": [
            {
                "kind": c.kind,
                "name": c.name,
                "summary": c.summary,
                "source": c.source,
                "distribution": registry.plugin_of(c).distribution,
                "version": registry.plugin_of(c).version,
                "parameters": {name: describe(hint) for name, hint in hints(c).items()},
            }
            for c in registry.classes()
        ],
    }
