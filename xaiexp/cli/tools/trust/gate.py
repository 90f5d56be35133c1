"""``xaiexp gate``: holds finished studies to rules, for CI."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from xaiexp.cli.arguments import ToolParser
from xaiexp.cli.exit_codes import DONE, FAILED, UNDECIDED
from xaiexp.errors import ResourceError, UserError

__all__ = ["run"]

_DERIVED = "gate.yaml"


def run(words: Sequence[str]) -> int:
    """Print one line a check; the exit code is that of the worst."""
    parser = ToolParser(
        prog="xaiexp gate",
        description="Hold a finished study, or those of a sweep, to rules. It exits with 0 where all pass, 1 where one "
        "fails, 3 where none fails and one is undecided, and 2 where the request is wrong.",
    )
    parser.add_argument("folder", metavar="DIR", type=Path, help="of a study, or of a sweep")
    parser.add_argument("--rules", metavar="FILE", type=Path, help="the rules (YAML)")
    parser.add_argument(
        "--junit", metavar="FILE", type=Path, help="write JUnit XML; what is undecided is skipped there"
    )
    parser.add_argument("--markdown", metavar="FILE", type=Path, help="append a summary, as to $GITHUB_STEP_SUMMARY")
    parser.add_argument(
        "--write",
        metavar="FILE",
        type=Path,
        nargs="?",
        const=Path(_DERIVED),
        help=f"derive rules from a good study in place of checking it; {_DERIVED} by default",
    )
    parser.add_argument("--trust", action="append", default=[], metavar="PREFIX", help="as trust=[PREFIX] of a study")
    arguments = parser.parse_args(list(words))
    if (arguments.rules is None) == (arguments.write is None):
        raise UserError("gate", "needs either rules or --write", hint="--rules FILE: check; --write: derive rules")
    from xaiexp.trust.finished import finished, studies_in

    if arguments.write is not None:
        from xaiexp.store.files import write_atomically
        from xaiexp.trust.gate.derived import derived_rules

        if arguments.write.exists():
            raise ResourceError("gate --write", "is there already", got=str(arguments.write), hint="remove it first")
        text = derived_rules(finished("gate", arguments.folder, arguments.trust))
        write_atomically(arguments.write, text.encode())
        print(arguments.write)  # noqa: T201
        return DONE
    from xaiexp.trust.gate.checks import checks_of, overall
    from xaiexp.trust.gate.output import as_junit, as_lines, as_markdown
    from xaiexp.trust.gate.rules import read_rules

    rules = read_rules(arguments.rules)
    checks = checks_of(rules, studies_in("gate", arguments.folder, arguments.trust))
    for line in as_lines(checks):
        print(line)  # noqa: T201
    _write(arguments.junit, as_junit(checks), "gate --junit", append=False)
    _write(arguments.markdown, as_markdown(checks).encode(), "gate --markdown", append=True)
    return {"passes": DONE, "fails": FAILED, "undecided": UNDECIDED}[overall(checks)]


def _write(file: Path | None, content: bytes, where: str, append: bool) -> None:
    if file is None:
        return
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("ab" if append else "wb") as opened:
            opened.write(content)
    except OSError as error:
        raise ResourceError(where, f"cannot be written ({error.strerror})", got=str(file)) from None
