"""``xaiexp drift``: which features gained or lost importance between two studies."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from xaiexp.cli.arguments import ToolParser
from xaiexp.cli.exit_codes import DONE, FAILED
from xaiexp.errors import UserError

__all__ = ["run"]


def run(words: Sequence[str]) -> int:
    """Print what changed; 1 where a change is at least as large as asked for."""
    parser = ToolParser(
        prog="xaiexp drift",
        description="Compare two finished studies under one configuration: two periods of data, or two versions of a "
        "model. It names the features that gained or lost importance, and says how far maps and accuracy changed.",
    )
    parser.add_argument("before", metavar="A", type=Path, help="folder of the first study")
    parser.add_argument("after", metavar="B", type=Path, help="folder of the second study")
    parser.add_argument("--relative", action="store_true", help="importance as a share of all features of the example")
    parser.add_argument("--level", type=float, default=0.05, help="family-wise error rate; 0.05 by default")
    parser.add_argument(
        "--fail-above",
        metavar="EFFECT",
        type=float,
        help="exit with 1 where a feature changed by a standardised difference of at least EFFECT",
    )
    parser.add_argument(
        "--out", metavar="FILE", type=Path, help="write the interactive page of both studies, with what changed"
    )
    parser.add_argument("--trust", action="append", default=[], metavar="PREFIX", help="as trust=[PREFIX] of a study")
    arguments = parser.parse_args(list(words))
    if not 0.001 <= arguments.level <= 0.5:
        raise UserError("drift --level", "must be between 0.001 and 0.5", got=arguments.level)
    if arguments.fail_above is not None and not 0 <= arguments.fail_above < math.inf:
        raise UserError("drift --fail-above", "must be at least 0", got=arguments.fail_above)
    from xaiexp.report import build
    from xaiexp.store.files import ensure_writable
    from xaiexp.trust.drift.comparison import drift_of
    from xaiexp.trust.drift.output import as_lines, as_panels
    from xaiexp.trust.finished import finished

    before, after = (finished("drift", folder, arguments.trust) for folder in (arguments.before, arguments.after))
    found = drift_of(before, after, share=arguments.relative, level=arguments.level)
    for line in as_lines(found):
        print(line)  # noqa: T201
    if arguments.out is not None:
        ensure_writable(arguments.out.absolute().parent, "drift --out")
        folders = [before.folder] if before.folder == after.folder else [before.folder, after.folder]
        kept = after.store.folder if after.store.folder.is_dir() else None
        further = {folder: as_panels(found) for folder in folders}
        build(folders, arguments.out, "Drift of explanations", cache=kept, further=further)
        print(arguments.out)  # noqa: T201
    most = max((abs(each.effect) for each in found.found), default=-1.0)
    return FAILED if arguments.fail_above is not None and most >= arguments.fail_above else DONE
