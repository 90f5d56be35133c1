"""``xaiexp track``: sends finished studies to trackers that were away when they ended."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from xaiexp.cli.arguments import ToolParser, add_folders, check_folders
from xaiexp.cli.exit_codes import DONE, FAILED
from xaiexp.errors import ResourceError

__all__ = ["run"]


def run(words: Sequence[str]) -> int:
    """Send the studies in the folders, those below them included."""
    parser = ToolParser(prog="xaiexp track", description="Send finished studies to trackers that were away.")
    add_folders(parser)
    parser.add_argument("--uri", metavar="URI", help="of the tracking server, where it is not that of the study")
    arguments = parser.parse_args(list(words))
    check_folders("track", arguments.folders)
    from xaiexp.report import find_studies

    studies = [study for folder in arguments.folders for study in find_studies(folder)]
    if not studies:
        names = ", ".join(map(str, arguments.folders))
        raise ResourceError("track", "contains no study (a folder with record.json)", got=names)
    from xaiexp.api.send import send

    def say(line: str) -> None:
        print(line, file=sys.stderr)  # noqa: T201

    outcomes = []
    for study in studies:
        try:
            outcomes.append(send(study, say, arguments.uri))
        except FileNotFoundError:
            outcomes.append("not finished")
        if outcomes[-1] != "known":
            print(f"{study}: {_WORDS[outcomes[-1]]}")  # noqa: T201
    print(f"{sum(o in ('sent', 'known') for o in outcomes)} of {len(outcomes)} studies are tracked")  # noqa: T201
    return FAILED if "failed" in outcomes else DONE


_WORDS = {
    "sent": "sent",
    "not finished": "not finished; run it again first",
    "off": "is not tracked (tracking.uri=off, or no tracker)",
    "failed": "not sent",
}
