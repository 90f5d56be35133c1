"""``xaiexp reproduce``: published results, ours beside theirs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from xaiexp.cli.arguments import ToolParser
from xaiexp.cli.exit_codes import DONE, FAILED
from xaiexp.errors import UnknownName, nearest

__all__ = ["run"]

_CACHE = Path("outputs/published")


def run(words: Sequence[str]) -> int:
    """List the published results, or reproduce one; 1 where a number differs without a reason that holds."""
    parser = ToolParser(
        prog="xaiexp reproduce",
        description="Repeat a published result and print our numbers, the published ones and the truth where it is "
        "known. Why they differ is checked anew. It exits with 1 where a number differs without a reason that holds.",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="of the result, or all; without it they are listed")
    parser.add_argument(
        "--data",
        metavar="DIR",
        type=Path,
        action="append",
        default=[],
        help="a folder with published files, in place of a download; may be given several times",
    )
    parser.add_argument("--out", metavar="FILE", type=Path, help="write the differences as a page (Markdown)")
    arguments = parser.parse_args(list(words))
    from xaiexp.contract.registry import installed

    known = installed().publications()
    if not arguments.names:
        for name, publication in sorted(known.items()):
            count = sum(len(numbers.values) for numbers in publication.published)
            print(f"{name:<24} {count:>3} {'number ' if count == 1 else 'numbers'}  {publication.title}")  # noqa: T201
        return DONE
    names = sorted(known) if arguments.names == ["all"] else arguments.names
    for name in names:
        if name not in known:
            hint = f"all: {', '.join(sorted(known))}"
            raise UnknownName(
                "reproduce", "no published result has this name", got=name, nearest=nearest(name, known), hint=hint
            )
    from xaiexp.store.files import ensure_writable, write_atomically
    from xaiexp.trust.reproduce.comparison import reproduced
    from xaiexp.trust.reproduce.files import found_files
    from xaiexp.trust.reproduce.output import as_lines, as_markdown, reproduces

    if arguments.out is not None:
        ensure_writable(arguments.out.absolute().parent, "reproduce --out")
    files = {name: found_files(known[name], arguments.data, _CACHE) for name in names}
    code, pages = DONE, []
    for name in names:
        compared = reproduced(known[name], files[name])
        for line in as_lines(known[name], compared):
            print(line, flush=True)  # noqa: T201
        pages.append(as_markdown(known[name], compared))
        code = code if reproduces(compared) else FAILED
    if arguments.out is not None:
        write_atomically(arguments.out, "\n".join(pages).encode())
    return code
