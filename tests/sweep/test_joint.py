from __future__ import annotations

import os

import pandas as pd
import written_studies

from xaiexp.report import find_studies
from xaiexp.sweep.joint import is_due, joint_tables, write_joint, write_when_due


def test_the_work_of_writing_grows_with_the_studies():
    written = [n for n in range(1, 1000) if is_due(n)]
    assert written[:5] == [1, 2, 4, 8, 16]
    assert sum(written) < 2 * 1000


def sweep(folder, count):
    (folder / "sweep.json").write_text("{}")
    for job in range(count):
        if not (folder / str(job)).exists():
            written_studies.write_study(folder / str(job), seed=job)
            (folder / str(job) / "comparisons.csv").write_text("model,dataset,seed,metric\n")
    return folder


def test_tables_follow_the_studies_and_are_read_where_they_are_current(tmp_path):
    folder = sweep(tmp_path, 2)
    page = write_joint(folder)
    assert page == folder / "report.html"
    assert find_studies(folder) == [folder / "0", folder / "1"]
    before = {file: file.stat().st_mtime_ns for file in folder.glob("*.*")}
    write_joint(folder)
    assert {file: file.stat().st_mtime_ns for file in folder.glob("*.*")} == before
    sweep(folder, 3)
    assert joint_tables(folder)["cells"]["study"].unique().tolist() == ["0", "1", "2"]
    assert pd.read_parquet(folder / "cells.parquet")["study"].unique().tolist() == ["0", "1"]  # not written yet
    write_joint(folder)
    assert pd.read_parquet(folder / "cells.parquet")["study"].unique().tolist() == ["0", "1", "2"]


def test_a_damaged_study_does_not_keep_the_others_from_their_tables(tmp_path):
    folder = sweep(tmp_path, 3)
    (folder / "1" / "scores.parquet").write_bytes(b"no parquet")
    write_joint(folder)
    assert joint_tables(folder)["scores"]["study"].unique().tolist() == ["0", "2"]


def test_slow_studies_have_the_page_and_the_rows_over_seeds_as_they_end(tmp_path):
    folder = sweep(tmp_path, 2)
    os.utime(folder / "sweep.json", (0, 0))
    write_when_due(folder, page=True)
    assert "all" in set(pd.read_csv(folder / "summary.csv")["seed"].astype(str))
    assert (folder / "report.html").is_file()


def test_without_a_page_the_tables_are_written_when_they_are_due(tmp_path):
    folder = sweep(tmp_path, 2)
    write_when_due(folder, page=False)
    assert (folder / "scores.parquet").is_file()
    assert not (folder / "report.html").exists()
    assert "all" not in set(pd.read_csv(folder / "summary.csv")["seed"].astype(str))
    assert write_joint(folder).is_file()
    assert "all" in set(pd.read_csv(folder / "summary.csv")["seed"].astype(str))
    other = tmp_path / "other"
    other.mkdir()
    write_when_due(sweep(other, 3), page=False)
    assert not (other / "scores.parquet").exists()
