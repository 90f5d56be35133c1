"""The check of fingerprints sees what datasets and models read, on copies, and names the file that is missed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from xaiexp.builtin.datasets.csv_table import Csv
from xaiexp.builtin.datasets.image_folder import ImageFolder
from xaiexp.builtin.datasets.text import Text
from xaiexp.builtin.methods.precomputed.precomputed_maps import Precomputed
from xaiexp.contract.kinds import Dataset, Model
from xaiexp.core.samples import Encoded, Network, Outline, Sample, Source
from xaiexp.store.fingerprints import file_stamp
from xaiexp.testing import check


def result(component):
    (found,) = [each for each in check(component) if each.check == "fingerprint"]
    return found.outcome, found.message


def files(folder):
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.rglob("*") if path.is_file()}


def images(root):
    for name in ("a.png", "deep/b.png", "mask.png"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.zeros((8, 8, 3), dtype=np.uint8)).save(root / name)
    (root / "labels.csv").write_text("file,label,mask\na.png,0,\ndeep/b.png,1,mask.png\n")
    return ImageFolder(str(root))


def test_data_sets_of_files_pass_on_copies_and_leave_the_files(tmp_path):
    (tmp_path / "table.csv").write_text("a,b\n" + "".join(f"{i},{i % 2}\n" for i in range(20)))
    (tmp_path / "texts.tsv").write_text("label\tsentence\n0\ta b\n1\tc\n")
    sets = [Csv(str(tmp_path / "table.csv"), "b"), Text(str(tmp_path / "texts.tsv")), images(tmp_path / "images")]
    np.savez(tmp_path / "maps.npz", maps=np.zeros((2, 3)))
    before = files(tmp_path)
    for each in (*sets, Precomputed(path=str(tmp_path / "maps.npz"))):
        assert result(each) == ("passed", ""), each
    assert files(tmp_path) == before


@dataclass(frozen=True)
class Listed(Dataset):
    """Reads a list, and the files in it."""

    path: str
    summary, source, modality = "listed", "made up", "table"

    def open(self):
        folder = Path(self.path).parent if Path(self.path).is_file() else Path(self.path)
        rows = [float((folder / name).read_text()) for name in (folder / "list.txt").read_text().split()]
        return Source(len(rows), lambda a, b: [Sample(str(i), torch.tensor([rows[i]])) for i in range(len(rows))[a:b]])

    def outline(self):
        return Outline(None, (1,))


@dataclass(frozen=True)
class MissesOne(Listed):
    def fingerprint(self):
        return file_stamp(Path(self.path) / "list.txt", Path(self.path) / "a")


def test_the_one_file_that_a_fingerprint_misses_is_named(tmp_path):
    for name in "ab":
        (tmp_path / name).write_text("1")
    (tmp_path / "unread").write_text("")
    (tmp_path / "list.txt").write_text("a b")
    assert result(Listed(str(tmp_path))) == ("passed", "")
    assert result(MissesOne(str(tmp_path))) == ("failed", "fingerprint() is the same after b was edited")


@dataclass(frozen=True)
class Session(Model):
    """Scores from a file."""

    path: str
    summary, source, modality, offers = "a session", "made up", "table", frozenset()

    def load(self, context):
        factor = float(Path(self.path).read_text())
        return Network(lambda x: x * factor, lambda s: Encoded(torch.stack([e.data for e in s])), "table", identity="x")


@dataclass(frozen=True)
class KnownByName(Session):
    def fingerprint(self):
        return Path(self.path).name


def test_models_are_asked_too(tmp_path):
    (tmp_path / "net.txt").write_text("2")
    assert result(Session(str(tmp_path / "net.txt"))) == ("passed", "")
    assert result(KnownByName(str(tmp_path / "net.txt")))[0] == "failed"


@pytest.mark.parametrize("path", ["nowhere/net.txt", "word"])
def test_a_component_without_files_is_not_asked(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "word").write_text("the name of a column")
    assert result(KnownByName(path)) == ("passed", "")
