"""A page of text, tables and drawn charts: one HTML file without scripts, which opens from disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from xaiexp.errors import printable
from xaiexp.report.charts.drawing import drawn

__all__ = ["Section", "chart", "page"]

_STYLE = """
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 1000px; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
table { border-collapse: collapse; display: block; overflow-x: auto; }
th, td { padding: .25rem .7rem; border-bottom: 1px solid #8884; text-align: right; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
figure { margin: 1rem 0; padding: .5rem; background: #fff; border-radius: 6px; overflow-x: auto; }
.note { opacity: .75; }
"""


@dataclass(frozen=True)
class Section:
    """A part of a page.

    Args:
        title: its heading.
        text: paragraphs.
        head: of its table; empty where there is none.
        rows: of its table, texts.
        charts: Vega-Lite specifications.
    """

    title: str
    text: Sequence[str] = ()
    head: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    charts: Sequence[Mapping[str, Any]] = ()


def page(title: str, lead: Sequence[str], sections: Sequence[Section]) -> str:
    """The HTML of a page."""
    body = [f"<h1>{_text(title)}</h1>", *(f"<p>{_text(line)}</p>" for line in lead)]
    for section in sections:
        body.append(f"<h2>{_text(section.title)}</h2>")
        body += [f"<p>{_text(line)}</p>" for line in section.text]
        body += [f"<figure>{drawn(spec, 'svg').decode()}</figure>" for spec in section.charts]
        if section.head:
            body.append(_table(section.head, section.rows))
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{_text(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        + "\n".join(body)
        + "\n</body>\n</html>\n"
    )


def chart(rows: Sequence[Mapping[str, Any]], width: int, **parts: Any) -> dict[str, Any]:
    """A Vega-Lite specification with its data.

    Args:
        rows: of the chart.
        width: of the plot, in pixels.
        parts: ``layer``, ``mark``, ``encoding``, ``height``, ``title``.
    """
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.20.1.json",
        "data": {"values": [dict(row) for row in rows]},
        "width": width,
        "config": {
            "view": {"stroke": None},
            "axis": {"labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": "normal", "labelLimit": 260},
            "legend": {"labelFontSize": 12, "titleFontSize": 12, "labelLimit": 260, "titleFontWeight": "normal"},
            "font": "sans-serif",
        },
        **parts,
    }


def _text(text: str) -> str:
    return escape(printable(text))


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = ["<table>", "<tr>" + "".join(f"<th>{_text(cell)}</th>" for cell in head) + "</tr>"]
    lines += ["<tr>" + "".join(f"<td>{_text(cell)}</td>" for cell in row) + "</tr>" for row in rows]
    return "\n".join([*lines, "</table>"])
