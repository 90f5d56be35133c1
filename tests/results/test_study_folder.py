"""The files of a study folder, and the file of the plugins that provided its components."""

from __future__ import annotations

import errno
import json
import types
from pathlib import Path

import pandas as pd
import pytest
import torch
from written_studies import write_study

from xaiexp.builtin.datasets.scikit_learn import Digits
from xaiexp.builtin.models.trained.digits_and_shapes import DigitsMlp
from xaiexp.contract.registry import installed
from xaiexp.core.record import Record
from xaiexp.errors import ResourceError
from xaiexp.plan.study import Study
from xaiexp.report import build
from xaiexp.results.examples.gallery import Gallery
from xaiexp.results.providers import CONFORMANCE, conformance_of, provider_of, save_providers
from xaiexp.results.study_folder import FolderWriter
from xaiexp.results.tables import Tables
from xaiexp.store.objects import Store


def test_record_is_written_with_its_changes(tmp_path):
    writer = FolderWriter(tmp_path, Record(status="running"))
    writer.write_record()
    writer.update(status="done", seconds=2.5)
    assert Record.read(tmp_path / "record.json") == Record(status="running")
    writer.write_record()
    assert Record.read(tmp_path / "record.json") == writer.record == Record(status="done", seconds=2.5)


def test_tables_and_configuration_are_written(tmp_path):
    names = ("cells", "scores", "agreement", "summary", "verdicts", "comparisons")
    frames = {name: pd.DataFrame({"name": [name], "value": [0.5]}) for name in names}
    writer = FolderWriter(tmp_path, Record())
    writer.write_tables(Tables(**frames))
    writer.write_config("seed: 0\nmethod:\n  saliency: {}\n")
    for name in names[:3]:
        pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / f"{name}.parquet"), frames[name], check_dtype=False)
    for name in names[3:]:
        assert (tmp_path / f"{name}.csv").read_text() == f"name,value\n{name},0.5\n"
    assert (tmp_path / "config.yaml").read_text() == "seed: 0\nmethod:\n  saliency: {}\n"
    assert {file.name for file in tmp_path.iterdir()} == {
        "config.yaml", *(f"{name}.parquet" for name in names[:3]), *(f"{name}.csv" for name in names[3:]),
    }  # fmt: skip


@pytest.fixture
def saliency():
    return installed().build("method", "saliency", {})


def test_provider_of_a_component_is_saved(tmp_path, saliency):
    assert provider_of(tmp_path, "method", "saliency") is None
    (tmp_path / "brought.json").write_text('{"method.other": "other 1.0"}')
    save_providers(tmp_path, [saliency], installed())
    assert provider_of(tmp_path, "method", "saliency") == str(installed().plugin_of(saliency))
    assert provider_of(tmp_path, "method", "other") == "other 1.0"
    (tmp_path / "brought.json").write_text("damaged")
    assert provider_of(tmp_path, "method", "saliency") is None


def test_conformance_counts_only_for_the_checked_version(tmp_path, saliency):
    plugin = str(installed().plugin_of(saliency))
    saved = {"method.saliency": {"plugin": plugin, "passed": 12, "failed": 0}}
    (tmp_path / CONFORMANCE).write_text(json.dumps(saved))
    assert conformance_of(tmp_path, [saliency], installed()) == {"method.saliency": {"passed": 12, "failed": 0}}
    saved["method.saliency"]["plugin"] = "another 0.1"
    (tmp_path / CONFORMANCE).write_text(json.dumps(saved))
    assert conformance_of(tmp_path, [saliency], installed())["method.saliency"].startswith("not checked")


@pytest.fixture
def full(monkeypatch):
    """From here on, no file takes its place, or none of this name: the disk is full."""
    replace = Path.replace

    def fill(name=None):
        def refuse(self, target):
            if name in (None, Path(target).name):
                raise OSError(errno.ENOSPC, "No space left on device")
            return replace(self, target)

        monkeypatch.setattr(Path, "replace", refuse)

    return fill


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_no_temporary_file_is_left_after_a_failed_write(tmp_path, full, saliency):
    names = ("cells", "scores", "agreement", "summary", "verdicts", "comparisons")
    tables = Tables(**{name: pd.DataFrame({"value": [0.5]}) for name in names})
    study = Study(DigitsMlp(), Digits(), installed().build("features", "pixel", {}), {}, {}, {}, {})
    writer = FolderWriter(tmp_path / "study", Record())
    gallery = Gallery(study, types.SimpleNamespace(feature_names=(), class_names=(), network=None))
    writes = {
        "record": writer.write_record,
        "config": lambda: writer.write_config("seed: 0"),
        "tables": lambda: writer.write_tables(tables),
        "gallery": lambda: writer.write_gallery(gallery),
        "page": lambda: build([tmp_path / "made"], tmp_path / "report.html"),
        "object": lambda: Store(tmp_path / "store").put("ab12", {"a": torch.ones(3)}, "scores"),
        "keys": lambda: Store(tmp_path / "store").put_cell_keys("cd34", ["ab12"]),
        "providers": lambda: save_providers(tmp_path / "store", [saliency], installed()),
    }
    write_study(tmp_path / "made")
    before = files(tmp_path)
    full()
    for name, write in writes.items():
        with pytest.raises((OSError, ResourceError), match="No space left"):
            write()
        assert files(tmp_path) == before, name
    full("gallery.npz")  # the second file of two
    with pytest.raises(OSError, match="No space left"):
        writer.write_gallery(gallery)
    assert files(tmp_path) == sorted([*before, "study/gallery/gallery.json"])


def test_what_was_written_before_a_failed_write_stays_whole(tmp_path, full):
    writer = FolderWriter(tmp_path, Record(status="running"))
    writer.write_record()
    full()
    writer.update(status="done")
    with pytest.raises(OSError, match="No space left"):
        writer.write_record()
    assert Record.read(tmp_path / "record.json").status == "running"
