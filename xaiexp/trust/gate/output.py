"""What a gate prints, and its files for CI: JUnit XML and a summary in Markdown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from xml.etree import ElementTree as ET

from xaiexp.errors import printable
from xaiexp.trust.gate.checks import Check, overall

__all__ = ["as_junit", "as_lines", "as_markdown", "counted"]


def counted(checks: Sequence[Check]) -> str:
    """How many checks passed, failed and are undecided."""
    counts = Counter(check.status for check in checks)
    return f"{counts['passes']} pass, {counts['fails']} fail, {counts['undecided']} undecided"


def as_lines(checks: Sequence[Check]) -> list[str]:
    """One or two lines a check, the folder of the study where there are several, and the counts."""
    lines, several, last = [], len({check.study for check in checks}) > 1, ""
    for check in checks:
        if several and check.study != last:
            lines.append(f"{check.study}:")
            last = check.study
        lines.append(f"{check.status:<10} {check.name}: {check.finding}")
        if check.needed:
            lines.append(f"{'':<10} {check.needed}")
    return [printable(line) for line in [*lines, counted(checks)]]


def as_junit(checks: Sequence[Check]) -> bytes:
    """JUnit XML: a test case a check; a check that fails is a failure, one that is undecided is skipped."""
    counts = Counter(check.status for check in checks)
    totals = {
        "tests": str(len(checks)),
        "failures": str(counts["fails"]),
        "errors": "0",
        "skipped": str(counts["undecided"]),
    }
    root = ET.Element("testsuites", {"name": "xaiexp gate", **totals})
    for study in dict.fromkeys(check.study for check in checks):
        own = [check for check in checks if check.study == study]
        counts = Counter(check.status for check in own)
        suite = ET.SubElement(
            root,
            "testsuite",
            {
                "name": printable(study),
                "tests": str(len(own)),
                "failures": str(counts["fails"]),
                "errors": "0",
                "skipped": str(counts["undecided"]),
            },
        )
        for check in own:
            about = {"classname": "xaiexp.gate", "name": printable(check.name)}
            case = ET.SubElement(suite, "testcase", about)
            if check.status == "fails":
                ET.SubElement(case, "failure", {"message": printable(check.finding)})
            elif check.status == "undecided":
                message = printable(f"undecided: {check.finding}; {check.needed}")
                ET.SubElement(case, "skipped", {"message": message})
            else:
                ET.SubElement(case, "system-out").text = printable(check.finding)
    ET.indent(root)
    return bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"


def as_markdown(checks: Sequence[Check]) -> str:
    """A table of all checks, failures first, for the summary of a CI job."""
    order = ("fails", "undecided", "passes")
    several = len({check.study for check in checks}) > 1
    head = ["status", *(["study"] if several else []), "rule", "found", "what would decide"]
    lines = [f"## xaiexp gate: {overall(checks)} ({counted(checks)})", ""]
    lines += [f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}"]
    for check in sorted(checks, key=lambda each: order.index(each.status)):
        cells = [check.status, *([check.study] if several else []), check.name, check.finding, check.needed]
        lines.append(f"| {' | '.join(_cell(text) for text in cells)} |")
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return printable(text).replace("|", "\\|").replace("<", "&lt;")
