"""A study in a few lines: what was run, the table with letters, and what the tests show."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from xaiexp.report.paper.score_table import POOLED, Block, Score, ScoreTable
from xaiexp.report.wording import DASH, number, plural
from xaiexp.statistics.frames import rows

__all__ = ["MOST_LINES", "as_text", "short_verdicts"]

MOST_LINES = 14
"""How many lines a text has at most."""

_WIDTH = 100
_VERDICTS = 5


def as_text(title: str, table: ScoreTable, verdicts: pd.DataFrame, where: str) -> str:
    """Title, table and verdicts in at most :data:`MOST_LINES` lines; what does not fit is counted.

    Args:
        title: of the study or sweep, in one line.
        table: of its scores.
        verdicts: rows of ``verdicts.csv`` of the first block.
        where: the folder.
    """
    lines = [title]
    if not table.blocks:
        return "\n".join([*lines, f"no scores; {where}"])
    block, others = table.blocks[0], len(table.blocks) - 1
    said = [f"{metric}: {sentence}" for metric, sentence in short_verdicts(verdicts, block)]
    said = _first(said, _VERDICTS, "more metrics: .verdicts")
    if others or block.seed == POOLED:
        more = f" (and {plural(others, 'other study', 'other studies')}: .summary)" if others else ""
        lines.append(f"{block.title}{more}")
    # Title, header, rows, verdicts and the folder.
    room = MOST_LINES - len(lines) - len(said) - 2
    lines += _first(_rows(table, block), room + 1, "more cells: .summary")
    return "\n".join([*lines, *said, where])


def short_verdicts(verdicts: pd.DataFrame, block: Block) -> list[tuple[str, str]]:
    """Metric and first sentence of each verdict of a block: which cell has the best mean, and what is as good."""
    return [
        (str(row["metric"]), str(row["verdict"]).split("; ")[0])
        for row in rows(verdicts)
        if (str(row["model"]), str(row["dataset"]), str(row["seed"])) == (block.model, block.dataset, block.seed)
    ]


def _first(lines: Sequence[str], most: int, more: str) -> list[str]:
    if len(lines) <= most:
        return list(lines)
    return [*lines[: most - 1], f"... {len(lines) - most + 1} {more}"]


def _rows(table: ScoreTable, block: Block) -> list[str]:
    """The header and a line for each cell, as many metrics as fit."""
    metrics = list(table.metrics)
    columns = [["method / baseline", *(str(cell) for cell, _ in block.rows)]]
    columns += [
        [f"{metric} {table.arrow(metric)}".strip(), *(_mean(scores.get(metric)) for _, scores in block.rows)]
        for metric in metrics
    ]
    widths = [max(map(len, column)) for column in columns]
    fitting = len(columns)
    while fitting > 2 and sum(widths[:fitting]) + 2 * (fitting - 1) > _WIDTH:
        fitting -= 1
    lines = [
        "  ".join(
            text.ljust(width) if place == 0 else text.rjust(width)
            for place, (text, width) in enumerate(zip(line, widths[:fitting], strict=True))
        ).rstrip()
        for line in zip(*columns[:fitting], strict=True)
    ]
    if fitting < len(columns):
        lines[0] += f"  (+ {plural(len(columns) - fitting, 'metric')})"
    return lines


def _mean(score: Score | None) -> str:
    if score is None or not score.n:
        return DASH
    return f"{number(score.mean)} {score.letters}".strip()
