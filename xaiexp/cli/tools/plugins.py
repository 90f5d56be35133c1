"""``xaiexp plugins``: what is installed, a plugin to start from, and the conformance kit."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from xaiexp.cli.arguments import ToolParser
from xaiexp.cli.exit_codes import DONE, FAILED
from xaiexp.contract.kinds import KINDS
from xaiexp.contract.registry import Registry, installed

__all__ = ["run"]


_WIDE = 110  # columns of a terminal that has room for the plugin of every component
_NEW = "Write a plugin to start from: a distribution with one component that passes the conformance kit."
_CHECK = (
    "Check one component, the components of one plugin, or all but the built-in ones, with the conformance kit. "
    "Checks that fail for a good reason stand in pyproject.toml of the current folder, by component: "
    '[tool.xaiexp.known-failures."metric.mine"] direction = "the reason".'
)
_PARAMETERS = "KIND.NAME.PARAMETER=VALUE (dataset.mine.path=rows.csv), or PARAMETER=VALUE where NAME is a component"
_TRY = (
    "Check the components of one Python file and run a small study with them, without packaging. The file is run as a "
    "program of yours: it may do whatever you may do, so try only files that you have read. Mistakes in it are told "
    "with file and line. The study explains four handwritten digits; KEY=VALUE changes it."
)


def run(words: Sequence[str]) -> int:
    """List what is installed, create a plugin, try a file, or check a plugin."""
    parser = ToolParser(prog="xaiexp plugins", description="Installed plugins and components.")
    parser.add_argument("--json", action="store_true", help="the list as JSON")
    tools = parser.add_subparsers(dest="tool", metavar="TOOL")
    new = tools.add_parser("new", help="a plugin to start from", description=_NEW)
    new.add_argument("name", metavar="NAME", help="of the component")
    new.add_argument("--kind", metavar="KIND", default="method", help=f"{', '.join(KINDS)}; method by default")
    new.add_argument("--dir", metavar="DIR", type=Path, default=Path(), help="where; the current folder by default")
    tried = tools.add_parser("try", help="the checks and a small study for the components of a file", description=_TRY)
    tried.add_argument("file", metavar="FILE.py", type=Path, help="with components; it is run")
    tried.add_argument("overrides", metavar="KEY=VALUE", nargs="*", help="of the study, as for xaiexp itself")
    check = tools.add_parser("check", help="the conformance kit over the components of a plugin", description=_CHECK)
    check.add_argument(
        "words",
        metavar="NAME [PARAMETER=VALUE ...]",
        nargs="*",
        help=f"a plugin, a distribution or a component (KIND.NAME or NAME); builtin for our own; {_PARAMETERS}",
    )
    arguments = parser.parse_args(list(words))
    registry = installed()
    if arguments.tool == "new":
        return _new(arguments.name, arguments.dir, registry, arguments.kind)
    if arguments.tool == "try":
        from xaiexp.cli.tools.try_file import try_file

        return try_file(arguments.file, arguments.overrides, registry)
    if arguments.tool == "check":
        return _check(arguments.words, registry)
    if arguments.json:
        print(json.dumps(_plugins_json(registry), indent=1))  # noqa: T201
        return DONE
    return _list(registry)


def _new(name: str, parent: Path, registry: Registry, kind: str) -> int:
    from xaiexp.cli.tools.scaffold import new_plugin

    folder = new_plugin(name, parent, registry, kind)
    steps = f"pip install --editable {folder} --group {folder / 'pyproject.toml'}:dev", f"sh {folder / 'check.sh'}"
    print("\n  ".join([str(folder), *steps]))  # noqa: T201
    return DONE


def _check(words: Sequence[str], registry: Registry) -> int:
    from xaiexp.cli.tools import conformance
    from xaiexp.engine.progress import console

    name = words[0] if words and "=" not in words[0] else None
    results = conformance.check(name, registry, words[0 if name is None else 1 :])
    out = console()
    if not results:
        out.print("no plugin except the built-in one is installed; to check it: xaiexp plugins check builtin")
    for result in results:
        if result.outcome != "passed":
            out.print(str(result), markup=False, soft_wrap=True)
    counts = conformance.counts(results)
    out.print(", ".join(f"{count} {outcome}" for outcome, count in counts.items() if count), markup=False)
    return FAILED if counts["failed"] else DONE


def _list(registry: Registry) -> int:
    from xaiexp.cli.tables import plugins_table
    from xaiexp.engine.progress import console

    out = console()
    plugins = [
        (
            p.name,
            str(p),
            "broken" if p.reason else f"{len(p.components)} component{'' if len(p.components) == 1 else 's'}",
            f"{p.seconds:.2f} s" + (f", slow: imports {', '.join(p.heavy)}" if p.heavy else ""),
            p.reason,
        )
        for p in registry.plugins
    ]
    out.print(plugins_table(plugins, ("plugin", "distribution", "state", "import", "reason")))
    columns = ("kind", "name", "what it does", "from")[: 4 if out.width >= _WIDE else 3]
    components = [(c.kind, c.name, c.summary, str(registry.plugin_of(c)))[: len(columns)] for c in registry.classes()]
    out.print(plugins_table(components, columns))
    return DONE


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
