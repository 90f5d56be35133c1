"""What a reproduction prints, and its page."""

from __future__ import annotations

import math
from collections.abc import Sequence

from xaiexp.core.publications import Publication
from xaiexp.errors import printable
from xaiexp.trust.reproduce.comparison import Compared

__all__ = ["as_lines", "as_markdown", "reproduces", "summary"]

_WORDS = {
    "agrees": "agree",
    "explained": "agree; the others differ, and the reason was checked",
    "differs": "agree; the others differ without a reason that holds",
    "wrong": "agree; ours are not the truth",
}


def reproduces(compared: Sequence[Compared]) -> bool:
    """Whether every number agrees or differs for a reason that holds, and none of ours is wrong."""
    return all(each.verdict in ("agrees", "explained") for each in compared)


def summary(publication: Publication, compared: Sequence[Compared]) -> str:
    """How many numbers agree, in one line."""
    agreeing, total = sum(each.agreeing for each in compared), sum(len(each.rows) for each in compared)
    explained = sum(len(each.rows) - each.agreeing for each in compared if each.verdict == "explained")
    rest = total - agreeing - explained
    parts = [f"{agreeing} of {total} numbers agree"]
    parts += [f"{explained} differ for a reason that was checked"] if explained else []
    parts += [f"{rest} differ without a reason that holds"] if rest else []
    wrong = [each.numbers.quantity for each in compared if each.verdict == "wrong"]
    parts += [f"ours are not the truth: {', '.join(wrong)}"] if wrong else []
    return f"{publication.name}: {'; '.join(parts)}"


def as_lines(publication: Publication, compared: Sequence[Compared]) -> list[str]:
    """Title, conventions, and for every quantity the three columns and the reasons."""
    lines = [f"{publication.name}: {publication.title}", f"  {publication.source}"]
    lines += [f"  - {convention}" for convention in publication.conventions]
    for each in compared:
        lines += ["", f"{each.numbers.quantity}: {each.agreeing} of {len(each.rows)} {_WORDS[each.verdict]}"]
        width = max(len(row.name) for row in each.rows)
        digits = each.numbers.digits
        cells = digits + 5
        lines.append(f"  {'':<{width}} {'ours':>{cells}} {'theirs':>{cells}} {'truth':>{cells}}")
        for row in each.rows:
            mark = "" if abs(row.ours - row.theirs) <= each.numbers.tolerance else "  differs"
            values = " ".join(f"{_number(value, digits):>{cells}}" for value in (row.ours, row.theirs, row.truth))
            lines.append(f"  {row.name:<{width}} {values}{mark}")
        sums = [math.fsum(getattr(row, name) for row in each.rows) for name in ("ours", "theirs", "truth")]
        if len(each.rows) > 4 and not math.isnan(sums[2]):
            lines.append(f"  {'sum':<{width}} {' '.join(f'{_number(value, digits):>{cells}}' for value in sums)}")
        for finding in each.findings if each.agreeing < len(each.rows) else ():
            lines.append(f"  {'why' if finding.holds else 'NOT'}: {finding.reason}")
            lines.append(f"  {'checked' if finding.holds else 'does not hold'}: {finding.shown}")
    return [printable(line) for line in [*lines, "", summary(publication, compared)]]


def as_markdown(publication: Publication, compared: Sequence[Compared]) -> str:
    """The differences of a publication with their reasons, as a section of a page."""
    lines = [f"## {publication.name}", "", f"{publication.title} ({publication.source}).", ""]
    lines += [f"{summary(publication, compared).partition(': ')[2]}.", ""]
    lines += [f"- {convention}" for convention in publication.conventions]
    for each in compared:
        if each.agreeing == len(each.rows):
            continue
        digits = each.numbers.digits
        lines += ["", f"### {each.numbers.quantity[0].upper()}{each.numbers.quantity[1:]}", ""]
        lines += ["| | ours | theirs | truth |", "| --- | ---: | ---: | ---: |"]
        for row in each.rows:
            values = " | ".join(_number(value, digits) for value in (row.ours, row.theirs, row.truth))
            lines.append(f"| {row.name} | {values} |")
        lines.append("")
        for finding in each.findings:
            checked = "Checked" if finding.holds else "Does not hold"
            lines.append(f"- **{finding.reason[0].upper()}{finding.reason[1:]}.** {checked}: {finding.shown}.")
    return "\n".join(lines) + "\n"


def _number(value: float, digits: int) -> str:
    return "" if math.isnan(value) else f"{value:z.{digits}f}"
