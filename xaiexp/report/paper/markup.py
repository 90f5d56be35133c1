"""The table of scores as LaTeX, Markdown and CSV."""

from __future__ import annotations

import math
import re

import pandas as pd

from xaiexp.report.paper.score_table import Block, Score, ScoreTable
from xaiexp.report.wording import DASH, number

__all__ = ["csv", "latex", "latex_text", "markdown", "tidy"]

_LATEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "–": "--",
}
_MARKDOWN = re.compile(r"([\\`*_\[\]<>|~#])")
_TIDY = [
    "model", "dataset", "seed", "method", "baseline", "metric", "higher_is_better", "mean", "low", "high", "n",
    "letters", "best",
]  # fmt: skip


def latex_text(text: str) -> str:
    r"""The text with what LaTeX reads as commands escaped; a character that pdfLaTeX may lack becomes ``?``.

    >>> print(latex_text("top_k 5 % <a>"))
    top\_k 5 \% \textless{}a\textgreater{}
    """
    escaped = "".join(_LATEX.get(letter, letter) for letter in text)
    return "".join(letter if letter.isascii() or "À" <= letter <= "ž" else "?" for letter in escaped)


def latex(table: ScoreTable, label: str = "tab:scores") -> str:
    r"""A ``table`` of LaTeX for the package booktabs: two lines a cell, the means above their intervals.

    Letters are superscripts; the best mean and those that are not separated from it are bold.

    Args:
        table: the table.
        label: of ``\label``.
    """
    columns = list(table.metrics)
    heads = [f"{latex_text(name)}{_latex_arrow(table.metrics[name])}" for name in columns]
    lines = [
        r"% needs \usepackage{booktabs}",
        r"\begin{table}",
        r"\centering",
        r"\small",
        rf"\caption{{{_latex_legend(table)}}}",
        rf"\label{{{label}}}",
        rf"\begin{{tabular}}{{l{'r' * len(columns)}}}",
        r"\toprule",
        " & ".join(["method / baseline", *heads]) + r" \\",
    ]
    for block in table.blocks:
        lines.append(r"\midrule")
        if len(table.blocks) > 1:
            lines.append(rf"\multicolumn{{{len(columns) + 1}}}{{l}}{{\emph{{{latex_text(block.title)}}}}} \\")
        for cell, scores in block.rows:
            found = [scores.get(name) for name in columns]
            lines.append(" & ".join([latex_text(str(cell)), *map(_latex_mean, found)]) + r" \\")
            if any(score is not None and math.isfinite(score.low) for score in found):
                lines.append(" & ".join(["", *map(_latex_interval, found)]) + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", r"\end{table}", ""])


def markdown(table: ScoreTable) -> str:
    """Tables of Markdown, one for each block, and what they mean below."""
    columns = list(table.metrics)
    heads = [f"{_markdown_text(name)} {table.arrow(name)}".strip() for name in columns]
    lines = []
    for block in table.blocks:
        if len(table.blocks) > 1:
            lines += [f"**{_markdown_text(block.title)}**", ""]
        lines.append(f"| {' | '.join(['method / baseline', *heads])} |")
        lines.append("|---|" + "---:|" * len(columns))
        for cell, scores in block.rows:
            values = [_markdown_score(scores.get(name)) for name in columns]
            lines.append(f"| {' | '.join([_markdown_text(str(cell)), *values])} |")
        lines.append("")
    return "\n".join([*lines, _markdown_text(table.legend()), ""])


def tidy(table: ScoreTable) -> pd.DataFrame:
    """One row a study, cell and metric: the mean, its interval, letters, and whether no cell is shown to be better."""
    return pd.DataFrame(
        [
            _tidy_row(block, cell.method, cell.baseline, metric, table.metrics[metric], score)
            for block in table.blocks
            for cell, scores in block.rows
            for metric, score in scores.items()
        ],
        columns=_TIDY,
    )


def csv(table: ScoreTable) -> str:
    """The rows of :func:`tidy` as CSV; an undefined number is an empty field."""
    return str(tidy(table).to_csv(index=False))


def _tidy_row(
    block: Block, method: str, baseline: str, metric: str, higher: bool | None, score: Score
) -> tuple[object, ...]:
    study = (block.model, block.dataset, block.seed)
    return (
        *study,
        method,
        baseline,
        metric,
        higher,
        score.mean,
        score.low,
        score.high,
        score.n,
        score.letters,
        score.best,
    )


def _latex_arrow(higher: bool | None) -> str:
    return "" if higher is None else rf" $\{'up' if higher else 'down'}arrow$"


def _latex_legend(table: ScoreTable) -> str:
    return latex_text(table.legend()).replace(" = ", "~=~")


def _latex_number(value: float) -> str:
    """A number for math mode; a dash outside of it where it is undefined."""
    text = number(value)
    mantissa, _, power = text.partition("e")
    if power:
        return rf"{mantissa} \times 10^{{{int(power)}}}"
    return text.replace("∞", r"\infty")


def _latex_mean(score: Score | None) -> str:
    if score is None or not score.n:
        return "--"
    value = _latex_number(score.mean)
    value = rf"\mathbf{{{value}}}" if score.best else value
    value = f"{{{value}}}" if "^" in value else value  # else TeX reads two superscripts
    return f"${value}^{{\\mathrm{{{score.letters}}}}}$" if score.letters else f"${value}$"


def _latex_interval(score: Score | None) -> str:
    if score is None or not math.isfinite(score.low):
        return ""
    return rf"{{\scriptsize $[{_latex_number(score.low)}, {_latex_number(score.high)}]$}}"


def _markdown_text(text: str) -> str:
    return _MARKDOWN.sub(r"\\\1", text)


def _markdown_score(score: Score | None) -> str:
    if score is None or not score.n:
        return DASH
    value = f"**{number(score.mean)}**" if score.best else number(score.mean)
    letters = f" {score.letters}" if score.letters else ""
    interval = f" [{number(score.low)}, {number(score.high)}]" if math.isfinite(score.low) else ""
    return f"{value}{letters}{interval}"
