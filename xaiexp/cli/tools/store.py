"""``xaiexp store``: size and content of the store, whether its files are whole, and their removal."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from xaiexp.cli.arguments import ToolParser
from xaiexp.cli.exit_codes import DONE, FAILED
from xaiexp.errors import ResourceError, UserError

if TYPE_CHECKING:
    from xaiexp.store.inventory import StoredFile

__all__ = ["run"]

_SHOWN = 20
_DAY = 86_400.0


def run(words: Sequence[str]) -> int:
    """Print what the store holds, verify it, or remove files from it."""
    parser = ToolParser(
        prog="xaiexp store",
        usage="xaiexp store [verify | prune (--older-than DAYS | --damaged | --all) [--yes]] [--store DIR]",
        description="Size and content of the store of results. `verify` reads every file and compares it with its "
        "checksum: it exits with 1 where one is damaged. `prune` removes files once it was confirmed.",
    )
    parser.add_argument("action", nargs="?", choices=("verify", "prune"), help="what to do; nothing shows the content")
    parser.add_argument("--store", metavar="DIR", type=Path, help="the folder; that of the configuration by default")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--older-than", metavar="DAYS", type=float, help="prune files written more than DAYS days ago")
    what.add_argument("--damaged", action="store_true", help="prune files that verify names")
    what.add_argument("--all", action="store_true", help="prune everything, trained models included")
    parser.add_argument("--yes", action="store_true", help="prune without asking")
    arguments = parser.parse_args(list(words))
    chosen = arguments.older_than is not None or arguments.damaged or arguments.all
    if arguments.action == "prune" and not chosen:
        raise UserError("store prune", "say what to remove", hint="--older-than DAYS, --damaged or --all")
    if arguments.action != "prune" and (chosen or arguments.yes):
        raise UserError("store", "only prune removes files", hint="xaiexp store prune [--yes] ...")
    if arguments.older_than is not None and not arguments.older_than >= 0:
        raise UserError("store prune", "--older-than must be at least 0", got=arguments.older_than)
    from xaiexp.store.inventory import inventory

    folder: Path = arguments.store or _configured()
    if not folder.is_dir():
        raise ResourceError("store", "there is none", got=str(folder), hint="a study makes it; --store DIR: another")
    if arguments.action == "prune":
        if folder.is_symlink():
            hint = f"if that is a store: --store {folder.resolve()}"
            raise ResourceError("store prune", "does not follow a link", got=str(folder), hint=hint)
        return _prune(folder, arguments.older_than, arguments.damaged, arguments.yes)
    files = list(inventory(folder))
    return _verify(folder, files) if arguments.action == "verify" else _show(folder, files)


def _configured() -> Path:
    from xaiexp.config.compose import composed

    return Path(str(composed([]).store))


def _show(folder: Path, files: Sequence[StoredFile]) -> int:
    """Print number, size and age of the files of each kind."""
    from xaiexp.cli.tables import store_table
    from xaiexp.engine.progress import console

    rows = []
    for kind in sorted({file.kind for file in files}):
        of_kind = [file for file in files if file.kind == kind]
        times = sorted(file.modified for file in of_kind)
        rows.append((kind, f"{len(of_kind):,}", _size(of_kind), _date(times[0]), _date(times[-1])))
    out = console()
    out.print(f"{folder}: {len(files):,} files, {_size(files)}", markup=False)
    if rows:
        out.print(store_table(rows))
    return DONE


def _verify(folder: Path, files: Sequence[StoredFile]) -> int:
    """Name the damaged files."""
    from xaiexp.engine.progress import console

    out = console()
    damaged = _damaged(files)
    for file, reason in damaged[:_SHOWN]:
        out.print(f"{file.path}: {reason}", markup=False)
    if len(damaged) > _SHOWN:
        out.print(f"and {len(damaged) - _SHOWN:,} more")
    out.print(f"{folder}: {len(files):,} files, {_size(files)}, {len(damaged):,} damaged", markup=False)
    if damaged:
        out.print("  a study computes them again; to remove them: xaiexp store prune --damaged")
    return FAILED if damaged else DONE


def _damaged(files: Sequence[StoredFile]) -> list[tuple[StoredFile, str]]:
    from xaiexp.store.inventory import damage

    return [(file, reason) for file in files if (reason := damage(file))]


def _prune(folder: Path, days: float | None, damaged: bool, yes: bool) -> int:
    """Remove files once they have been named and confirmed."""
    from xaiexp.engine.progress import console
    from xaiexp.store.inventory import inventory, remove

    files = list(inventory(folder))
    if damaged:
        files = [file for file, _ in _damaged(files)]
    if days is not None:
        files = [file for file in files if file.modified < time.time() - days * _DAY]
    out = console()
    kinds = sorted({file.kind for file in files})
    parts = ", ".join(f"{sum(file.kind == kind for file in files):,} {kind}" for kind in kinds)
    out.print(f"{folder}: {len(files):,} files, {_size(files)}{': ' if parts else ''}{parts}", markup=False)
    if not files:
        return DONE
    if not yes and not _confirmed():
        out.print("nothing is removed")
        return DONE
    removed = remove(files)
    out.print(f"removed {removed:,} files")
    return DONE if removed == len(files) else FAILED


def _confirmed() -> bool:
    """Whether the person at the terminal says yes.

    Raises:
        UserError: there is no terminal.
    """
    if not sys.stdin.isatty():
        raise UserError("store prune", "asks before it removes, and there is no terminal", hint="--yes: without asking")
    return input("remove them? [y/N] ").strip().lower() in ("y", "yes")


def _size(files: Sequence[StoredFile]) -> str:
    size = float(sum(file.size for file in files))
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:,.1f} GB"


def _date(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M")
