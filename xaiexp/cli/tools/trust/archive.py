"""``xaiexp archive``: explanations of fixed examples, by version of a model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from xaiexp.cli.arguments import ToolParser
from xaiexp.cli.exit_codes import DONE
from xaiexp.errors import ResourceError, UserError

__all__ = ["run"]


def run(words: Sequence[str]) -> int:
    """Add a study to an archive, or show one."""
    parser = ToolParser(
        prog="xaiexp archive",
        usage="xaiexp archive add DIR --to PLACE [--version NAME] [--alias NAME] [--date DATE] [--rules FILE] | "
        "xaiexp archive show PLACE [--out FILE]",
        description="Keep the explanations of a fixed set of examples by version of the model, or show them over time: "
        "a table here, and a page. PLACE is a folder, or URI#NAME of a server or database of MLflow.",
    )
    parser.add_argument("action", choices=("add", "show"))
    parser.add_argument("place", metavar="DIR|PLACE", help="add: the folder of a finished study; show: the archive")
    parser.add_argument("--to", metavar="PLACE", help="add: the archive; it is made where it is missing")
    parser.add_argument("--version", metavar="NAME", help="add: by default that of the registry, or of the weights")
    parser.add_argument("--alias", metavar="NAME", help="add: by default that in the address of the model")
    parser.add_argument("--date", metavar="DATE", help="add: as 2026-01-31; by default that of the study")
    parser.add_argument("--rules", metavar="FILE", type=Path, help="add: rules of xaiexp gate; what they say is kept")
    parser.add_argument("--out", metavar="FILE", type=Path, help="show: the page; PLACE/archive.html by default")
    parser.add_argument("--trust", action="append", default=[], metavar="PREFIX", help="as trust=[PREFIX] of a study")
    arguments = parser.parse_args(list(words))
    if arguments.action == "show":
        if arguments.to is not None:
            raise UserError("archive show", "takes the archive as its argument", hint="xaiexp archive show PLACE")
        return _show(arguments.place, arguments.out)
    if arguments.to is None:
        raise UserError("archive add", "needs a place", hint="--to FOLDER, or --to URI#NAME of MLflow")
    from xaiexp.trust.archive.entries import add
    from xaiexp.trust.archive.places import place_of
    from xaiexp.trust.finished import finished
    from xaiexp.trust.gate.checks import checks_of
    from xaiexp.trust.gate.rules import read_rules

    study = finished("archive add", Path(arguments.place), arguments.trust)
    checks = checks_of(read_rules(arguments.rules), [study]) if arguments.rules is not None else []
    place = place_of(arguments.to, create=True)
    entry, new = add(place, study, version=arguments.version, alias=arguments.alias, on=arguments.date, checks=checks)
    said = "added" if new else "is there already, with the same content:"
    print(f"{place.where}: {said} {entry.version}, {entry.date}")  # noqa: T201
    return DONE


def _show(text: str, out: Path | None) -> int:
    from xaiexp.store.files import ensure_writable, write_atomically
    from xaiexp.trust.archive.entries import entries
    from xaiexp.trust.archive.history import history_of
    from xaiexp.trust.archive.output import as_lines, as_page
    from xaiexp.trust.archive.places import place_of

    place = place_of(text, create=False)
    known = entries(place)
    if not known:
        raise ResourceError("archive show", "has no version yet", got=place.where)
    history = history_of(place, known)
    for line in as_lines(history):
        print(line)  # noqa: T201
    target = out or (Path("archive.html") if "://" in text else Path(text) / "archive.html")
    ensure_writable(target.absolute().parent, "archive --out")
    write_atomically(target, as_page(history, place.where).encode())
    print(target)  # noqa: T201
    return DONE
