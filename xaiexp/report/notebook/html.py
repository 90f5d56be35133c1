"""A study as a fragment of HTML for notebooks: verdicts, the table with letters, and some examples with their maps."""

from __future__ import annotations

import functools
import math
from pathlib import Path

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from xaiexp.report.examples import examples
from xaiexp.report.notebook.text import short_verdicts
from xaiexp.report.paper.score_table import Block, Score, ScoreTable
from xaiexp.report.studies import StudyFolder
from xaiexp.report.wording import DASH, number
from xaiexp.statistics.frames import rows

__all__ = ["as_html"]

EXAMPLES = 3
"""How many examples are shown."""

_SIDE = 96
_BLOCKS = 4


@functools.cache
def _templates() -> Environment:
    return Environment(
        loader=FileSystemLoader(Path(__file__).parents[1] / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def as_html(title: str, table: ScoreTable, verdicts: pd.DataFrame, where: str, study: StudyFolder | None) -> str:
    """The fragment; it holds no scripts and loads nothing, and all texts are escaped.

    Args:
        title: of the study or sweep, in one line.
        table: of its scores.
        verdicts: rows of ``verdicts.csv``.
        where: the folder.
        study: whose examples are shown; None shows none.
    """
    blocks = [_block(block, table, verdicts) for block in table.blocks[:_BLOCKS]]
    shown = [] if study is None else examples(study, EXAMPLES, _SIDE)
    return (
        _templates()
        .get_template("notebook.html")
        .render(
            title=title,
            blocks=blocks,
            more=max(0, len(table.blocks) - _BLOCKS),
            metrics=[f"{metric} {table.arrow(metric)}".strip() for metric in table.metrics],
            legend=table.legend() if blocks else "",
            examples=shown,
            side=_SIDE,
            where=where,
        )
    )


def _block(block: Block, table: ScoreTable, verdicts: pd.DataFrame) -> dict[str, object]:
    whole = {
        str(row["metric"]): str(row["verdict"])
        for row in rows(verdicts)
        if (str(row["model"]), str(row["dataset"]), str(row["seed"])) == (block.model, block.dataset, block.seed)
    }
    return {
        "title": block.title if len(table.blocks) > 1 else "",
        "verdicts": [(metric, sentence, whole[metric]) for metric, sentence in short_verdicts(verdicts, block)],
        "rows": [(str(cell), [_entry(scores.get(metric)) for metric in table.metrics]) for cell, scores in block.rows],
    }


def _entry(score: Score | None) -> dict[str, object]:
    if score is None or not score.n:
        return {"mean": DASH, "letters": "", "interval": "", "best": False}
    interval = f"[{number(score.low)}, {number(score.high)}]" if math.isfinite(score.low) else ""
    return {"mean": number(score.mean), "letters": score.letters, "interval": interval, "best": score.best}
