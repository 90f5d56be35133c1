from __future__ import annotations

import io
import shutil
import subprocess

import pandas as pd
import pytest
import written_studies

import xaiexp
from xaiexp.core.ids import CellId
from xaiexp.report.paper.markup import csv, latex, latex_text, markdown, tidy
from xaiexp.report.paper.score_table import Block, Score, ScoreTable

HOSTILE = r"a_b & 50% $x$ #1 {c} ~ ^ \input{y} <p> | `q` *z* é –"


def table_with(label="saliency", title="net"):
    rows = (
        (CellId(label, "zero"), {"m": Score(0.5, 0.4, 0.6, 9, "a", True), label: Score(1.5e7, -2e-9, 3.0, 9, "b")}),
        (CellId("random"), {"m": Score(float("nan"))}),
    )
    return ScoreTable({"m": True, label: False, "free": None}, (Block(title, "data", "0", rows, ("random",)),))


def test_latex_has_letters_as_superscripts_bold_and_dashes():
    lines = latex(table_with()).splitlines()
    assert r"method / baseline & m $\uparrow$ & saliency $\downarrow$ & free \\" in lines
    assert r"saliency / zero & $\mathbf{0.500}^{\mathrm{a}}$ & ${1.50 \times 10^{7}}^{\mathrm{b}}$ & -- \\" in lines
    assert r" & {\scriptsize $[0.400, 0.600]$} & {\scriptsize $[-2.00 \times 10^{-9}, 3]$} &  \\" in lines
    assert r"random & -- & -- & -- \\" in lines


def test_markdown_has_one_column_a_metric_whatever_labels_hold():
    text = markdown(table_with(HOSTILE))
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len(rows) == 4
    assert all(line.replace(r"\|", "").count("|") == 5 for line in rows)
    assert "| **0.500** a [0.400, 0.600] |" in text


def test_csv_reads_back_as_the_numbers():
    back = pd.read_csv(io.StringIO(csv(table_with())), keep_default_na=False, na_values=[""])
    pd.testing.assert_frame_equal(back[["mean", "low", "high", "n"]], tidy(table_with())[["mean", "low", "high", "n"]])
    assert back["best"].tolist() == [True, False, False]


def test_every_special_letter_is_escaped():
    assert latex_text("_%&#${}") == r"\_\%\&\#\$\{\}"
    assert latex_text("\\") == r"\textbackslash{}"
    assert latex_text("日") == "?"


def compiled(folder, *tables):
    if shutil.which("pdflatex") is None:
        pytest.skip("pdflatex is not installed")
    body = "\n".join(tables)
    preamble = r"\documentclass{article}\usepackage[T1]{fontenc}\usepackage{booktabs}"
    (folder / "paper.tex").write_text(preamble + "\n\\begin{document}\n" + body + "\n\\end{document}\n")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "paper.tex"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout[-1500:]
    return done.stdout


def test_the_latex_compiles(tmp_path):
    studies = [written_studies.write_study(tmp_path / str(seed), seed=seed, model=f"net_{seed}") for seed in range(2)]
    (tmp_path / "sweep.json").write_text("{}")
    told = compiled(tmp_path, xaiexp.load(studies[0]).to_latex(), xaiexp.load(tmp_path).to_latex())
    assert "Output written on paper.pdf" in told


def test_the_latex_compiles_whatever_labels_hold(tmp_path):
    assert "Output written" in compiled(tmp_path, latex(table_with(HOSTILE, HOSTILE)))
