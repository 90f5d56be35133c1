"""Reading the folders of studies."""

from __future__ import annotations

import pytest
from written_studies import (
    CELLS,
    METRICS,
    write_study,
)

from xaiexp.errors import ResourceError, UserError
from xaiexp.report import find_studies
from xaiexp.report.studies import read_study


def test_studies_are_found_at_any_depth_in_the_order_of_their_numbers(tmp_path):
    for name in ("10", "2", "1/inner", ".hidden", "mlartifacts/run/artifacts"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "record.json").write_text("{}")
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "config.yaml").write_text("")
    assert find_studies(tmp_path) == [tmp_path / "1/inner", tmp_path / "2", tmp_path / "10"]
    assert find_studies(tmp_path / "2") == [tmp_path / "2"]


def test_complete_study_has_no_missing_files(tmp_path):
    study = read_study(write_study(tmp_path / "s"))
    assert study.missing == {}
    assert study.name == "digits_cnn on digits, seed 0"


@pytest.mark.parametrize(("make", "words"), [(False, "no such folder"), (True, "holds no study")])
def test_folder_without_a_study_is_a_user_error(tmp_path, make, words):
    folder = tmp_path / "nothing"
    if make:
        folder.mkdir()
    with pytest.raises(ResourceError, match=f"nothing: {words}"):
        read_study(folder)
    assert issubclass(ResourceError, UserError)


@pytest.mark.parametrize("name", ["record.json", "cells.parquet", "scores.parquet", "agreement.parquet", "summary.csv"])
def test_damaged_file_is_named_and_the_others_are_read(tmp_path, name):
    folder = write_study(tmp_path / "s")
    (folder / name).write_bytes(b"\x00broken")
    study = read_study(folder)
    assert list(study.missing) == [name]
    assert study.missing[name].startswith("cannot be read (")
    assert study.gallery.examples


@pytest.mark.parametrize("damage", ["cut", "noise", "gone"])
def test_damaged_gallery_is_named_and_the_others_are_read(tmp_path, damage):
    arrays = write_study(tmp_path / "s") / "gallery" / "gallery.npz"
    whole = arrays.read_bytes()
    if damage == "gone":
        arrays.unlink()
    else:
        arrays.write_bytes(whole[: len(whole) // 2] if damage == "cut" else whole[:200] + b"x" * 400 + whole[600:])
    study = read_study(tmp_path / "s")
    assert list(study.missing) == ["gallery"]
    assert len(study.summary) == len(CELLS) * len(METRICS)


def test_labels_like_null_and_numbers_stay_texts(tmp_path):
    folder = write_study(tmp_path / "s", cells=[("null", "none"), ("NA", "none"), ("7", "none")])
    assert list(read_study(folder).summary["method"].unique()) == ["null", "NA", "7"]


def test_an_empty_mean_is_read_as_undefined(tmp_path):
    summary = read_study(write_study(tmp_path / "s")).summary
    empty = summary[(summary["metric"] == "sparseness") & (summary["method"] == "random")]
    assert empty[["mean", "low", "high", "rank_low"]].isna().all(axis=None)
    assert empty["undefined"].item() == 16
