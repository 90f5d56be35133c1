"""Writes ``specifications.json``: ``python -m xaiexp.report.charts``."""

from __future__ import annotations

from xaiexp.report.charts.catalogue import FILE, text

FILE.write_text(text(), encoding="utf-8")
