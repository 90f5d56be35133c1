"""``xaiexp view``: the page over any number of studies or sweeps, served live: cells are explained again in it."""

from __future__ import annotations

from collections.abc import Sequence

from xaiexp.cli.arguments import ToolParser, add_folders, check_folders
from xaiexp.cli.exit_codes import DONE
from xaiexp.errors import ParameterError, ResourceError

__all__ = ["run"]

_PORTS = 65_535


def run(words: Sequence[str]) -> int:
    """Serve the page until Ctrl-C."""
    description = "The page of studies or sweeps, where cells are explained again; on the loopback address."
    parser = ToolParser(prog="xaiexp view", description=description)
    add_folders(parser)
    parser.add_argument("--port", type=int, default=0, metavar="N", help="any free one by default")
    parser.add_argument("--no-browser", action="store_true", help="print the address only")
    parser.add_argument("--trust", action="append", default=[], metavar="PREFIX", help="as trust=[PREFIX] of a study")
    arguments = parser.parse_args(list(words))
    if not 0 <= arguments.port <= _PORTS:
        raise ParameterError("view --port", f"must be between 0 and {_PORTS}", got=arguments.port)
    check_folders("view", arguments.folders)
    from xaiexp.report import find_studies

    studies = [study for folder in arguments.folders for study in find_studies(folder)]
    if not studies:
        names = ", ".join(map(str, arguments.folders))
        raise ResourceError("view", "contains no study (a folder with record.json)", got=names)
    from xaiexp.server.serving import serve

    def say(address: str) -> None:
        print(f"{address}\nCtrl-C ends it", flush=True)  # noqa: T201

    serve(studies, arguments.port, arguments.trust, say, not arguments.no_browser)
    return DONE
