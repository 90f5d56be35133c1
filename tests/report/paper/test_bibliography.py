from __future__ import annotations

import re
import shutil
import subprocess

import pytest

import xaiexp
from xaiexp.contract.kinds import KINDS
from xaiexp.core.record import Record
from xaiexp.report.paper.bibliography import bibliography


def record(**sources):
    methods = {name: {"name": name, "source": source} for name, source in sources.items()}
    return Record.from_json({"methods": methods, "versions": {"xaiexp": "0.1.0"}})


def entries(text):
    return dict(re.findall(r"^@misc\{([^,]+),\n(.*?)^\}", text, re.DOTALL | re.MULTILINE))


def test_one_work_has_one_entry_whoever_names_it():
    text = bibliography(
        [
            record(
                deletion="Petsiuk et al. 2018, RISE, section 4.1 (deletion)",
                insertion="Petsiuk et al. 2018, RISE, section 4.1 (insertion)",
                gap="Petsiuk et al. 2018",
            )
        ]
    )
    found = entries(text)
    assert set(found) == {"petsiuk2018", "xaiexp"}
    assert "author = {Petsiuk and others}" in found["petsiuk2018"]
    assert "title = {{RISE}}" in found["petsiuk2018"]
    assert "year = {2018}" in found["petsiuk2018"]
    assert "% method deletion, method insertion, method gap" in text


def test_two_works_of_one_author_and_year_have_two_keys():
    found = entries(
        bibliography(
            [record(a="Agarwal et al. 2022, OpenXAI, section 3", b="Agarwal et al. 2022, Rethinking Stability")]
        )
    )
    assert {"agarwal2022", "agarwal2022b"} <= set(found)


@pytest.mark.parametrize(
    ("source", "author", "title"),
    [
        ("Sturmfels, Lundberg, Lee 2020 (Distill)", "Sturmfels and Lundberg and Lee", ""),
        ("the random control of Hooker et al. 2019, A Benchmark, section 4", "Hooker and others", "A Benchmark"),
        ("after Arras et al. 2017, section 3", "Arras and others", ""),
        ("Alvarez-Melis and Jaakkola 2018, Robust, eq. 2", "Alvarez-Melis and Jaakkola", "Robust"),
    ],
)
def test_authors_and_title_are_those_that_the_source_states(source, author, title):
    text = bibliography([record(one=source)])
    assert f"author = {{{author}}}" in text
    assert (f"title = {{{{{title}}}}}" in text) == bool(title)
    assert f"note = {{{source}}}" in text


def test_a_source_without_a_year_is_kept_as_it_is():
    assert "note = {the user's own file}" in entries(bibliography([record(own="the user's own file")]))["method_own"]


def test_bibtex_reads_the_entries_of_all_installed_components(tmp_path):
    sources = {f"{kind}-{c.name}": c.source for kind in KINDS for c in xaiexp.components(kind)}
    text = bibliography([record(**sources)])
    assert len(entries(text)) > 60
    if shutil.which("bibtex") is None:
        pytest.skip("bibtex is not installed")
    (tmp_path / "references.bib").write_text(text)
    (tmp_path / "paper.aux").write_text("\\citation{*}\n\\bibstyle{plain}\n\\bibdata{references}\n")
    done = subprocess.run(["bibtex", "paper"], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert "error message" not in done.stdout, done.stdout
    assert done.returncode == 0, done.stdout
    assert (tmp_path / "paper.bbl").read_text().count("\\bibitem") == len(entries(text))
