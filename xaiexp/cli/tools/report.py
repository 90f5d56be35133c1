"""``xaiexp report``: one page over any number of studies or sweeps, also after a crash."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from xaiexp.cli.arguments import ToolParser, add_folders, check_folders
from xaiexp.cli.exit_codes import DONE
from xaiexp.errors import ResourceError

__all__ = ["run"]


def run(words: Sequence[str]) -> int:
    """Build the page and print its path."""
    parser = ToolParser(prog="xaiexp report", description="One page over any number of studies or sweeps.")
    add_folders(parser)
    parser.add_argument("--out", metavar="FILE", type=Path, help="the page; report.html in the first folder by default")
    parser.add_argument("--all", action="store_true", help="leave nothing out, however large the page becomes")
    arguments = parser.parse_args(list(words))
    folders: list[Path] = arguments.folders
    check_folders("report", folders)
    from xaiexp import report
    from xaiexp.plan.settings import Settings
    from xaiexp.store.files import ensure_writable

    studies = [study for folder in folders for study in report.find_studies(folder)]
    if not studies:
        raise ResourceError("report", "contains no study (a folder with record.json)", got=", ".join(map(str, folders)))
    target = arguments.out or folders[0] / "report.html"
    ensure_writable(target.parent, "report --out")
    store = Path(Settings().store)
    cache = store if store.is_dir() else None
    print(report.build(studies, target, every=arguments.all, cache=cache))  # noqa: T201
    return DONE
