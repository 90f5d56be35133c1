"""The fingerprint of a dataset changes with every file that it names, so that the plan knows of edited data."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from small_studies import SMALL

from xaiexp.builtin.datasets import COMPONENTS
from xaiexp.builtin.datasets.arrays import Arrays
from xaiexp.builtin.datasets.csv_table import Csv
from xaiexp.builtin.datasets.hugging_face import HfDataset
from xaiexp.builtin.datasets.image_folder import ImageFolder
from xaiexp.builtin.datasets.prompts.planted import Negation, Recall
from xaiexp.builtin.datasets.prompts.prompt_file import Prompts
from xaiexp.builtin.datasets.scikit_learn import BreastCancer, Digits
from xaiexp.builtin.datasets.shapes import Shapes
from xaiexp.builtin.datasets.text import Text
from xaiexp.builtin.datasets.time_series import TimeSeries
from xaiexp.builtin.datasets.torchvision_datasets import TorchvisionDataset
from xaiexp.cli import app as cli
from xaiexp.core.parameters import default_values


def image(path, value=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((8, 8, 3), value, dtype=np.uint8)).save(path)


def listed_images(root):
    """Two images, one with a mask, listed in a file."""
    for name in ("a.png", "deep/b.png", "masks/b.png"):
        image(root / "images" / name)
    (root / "images" / "labels.csv").write_text("file,label,mask\na.png,0,\ndeep/b.png,1,masks/b.png\n")
    return ImageFolder(str(root / "images")), ["labels.csv", "a.png", "deep/b.png", "masks/b.png"]


def images_listed_elsewhere(root):
    """The list and one of two masks lie outside the folder of the images."""
    for name in ("images/a.png", "images/b.png", "images/masks/b.png", "lists/masks/a.png"):
        image(root / name)
    (root / "lists" / "mine.csv").write_text("file,label,mask\na.png,0,masks/a.png\nb.png,1,masks/b.png\n")
    dataset = ImageFolder(str(root / "images"), labels=str(root / "lists" / "mine.csv"))
    return dataset, ["a.png", "b.png", "masks/b.png", "../lists/mine.csv", "../lists/masks/a.png"]


def images_in_class_folders(root):
    for name in ("cat/a.png", "cat/b.png", "dog/a.png"):
        image(root / "images" / name)
    return ImageFolder(str(root / "images")), ["cat/a.png", "cat/b.png", "dog/a.png"]


def texts(root):
    (root / "texts.tsv").write_text("label\tsentence\n0\ta b\n1\tc\n")
    return Text(str(root / "texts.tsv")), [root / "texts.tsv"]


def table(root):
    (root / "table.csv").write_text("a,b\n" + "".join(f"{i},{i % 2}\n" for i in range(20)))
    return Csv(str(root / "table.csv"), "b"), [root / "table.csv"]


def series(root):
    np.savez(root / "series.npz", x=np.zeros((20, 1, 5)), y=np.arange(20) % 2)
    return TimeSeries(str(root / "series.npz")), [root / "series.npz"]


def series_in_a_table(root):
    (root / "series.csv").write_text("label,t0,t1\n" + "".join(f"{i % 2},0,{i}\n" for i in range(20)))
    return TimeSeries(str(root / "series.csv")), [root / "series.csv"]


def hugging_face_folder(root):
    folder = root / "saved"
    for name in ("dataset_dict.json", "test/state.json", "test/data-00000-of-00001.arrow"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(json.dumps({}))
    return HfDataset(str(folder)), ["dataset_dict.json", "test/state.json", "test/data-00000-of-00001.arrow"]


def mnist(root):
    raw = root / "MNIST" / "raw"
    raw.mkdir(parents=True)
    names = ["t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte", "train-images-idx3-ubyte"]
    for name in names:
        (raw / name).write_bytes(b"\x00" * 16)
    return TorchvisionDataset("MNIST", str(root)), [f"raw/{name}" for name in names]


def cifar(root):
    folder = root / "cifar-10-batches-py"
    folder.mkdir()
    for name in ("test_batch", "data_batch_1"):
        (folder / name).write_bytes(b"\x00" * 16)
    return TorchvisionDataset("CIFAR10", str(root)), ["test_batch", "data_batch_1"]


def arrays(root):
    np.savez(root / "arrays.npz", inputs=np.arange(12.0).reshape(4, 3), y=np.arange(4))
    return Arrays(str(root / "arrays.npz"), labels="y"), [root / "arrays.npz"]


def prompts(root):
    (root / "prompts.tsv").write_text("prompt\tlabel\na b\t0\nc\t1\n")
    return Prompts(str(root / "prompts.tsv")), [root / "prompts.tsv"]


# The folder of the files that are given by their names in it.
CASES = {
    listed_images: "images",
    images_listed_elsewhere: "images",
    images_in_class_folders: "images",
    texts: "",
    table: "",
    series: "",
    series_in_a_table: "",
    arrays: "",
    prompts: "",
    hugging_face_folder: "saved",
    mnist: "MNIST",
    cifar: "cifar-10-batches-py",
}
WITHOUT_FILES = (Digits, BreastCancer, Shapes, Recall, Negation)


def aged(folder):
    """Give all files and folders an old modification time, so that an edit changes it for certain."""
    for path in [folder, *folder.rglob("*")]:
        os.utime(path, (1_000_000_000, 1_000_000_000))


@pytest.mark.parametrize("made", CASES, ids=lambda made: made.__name__)
def test_an_edit_of_any_file_that_it_names_changes_the_fingerprint(made, tmp_path):
    dataset, names = made(tmp_path)
    for name in names:
        aged(tmp_path)
        before = dataset.fingerprint()
        assert before == dataset.fingerprint() != ""
        file = tmp_path / CASES[made] / name
        content = file.read_bytes()
        status = file.stat()
        # Another time; then another size at the old time.
        os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns + 1000))
        assert dataset.fingerprint() != before, f"{name}: time"
        aged(tmp_path)
        assert dataset.fingerprint() == before
        file.write_bytes(content + (b"\n" if file.suffix in (".csv", ".tsv") else b" "))
        aged(tmp_path)
        assert dataset.fingerprint() != before, f"{name}: size"
        file.write_bytes(content)


@pytest.mark.parametrize("made", CASES, ids=lambda made: made.__name__)
def test_files_of_another_place_have_another_fingerprint(made, tmp_path):
    places = [tmp_path / name for name in ("one", "two")]
    for place in places:
        place.mkdir()
    datasets = [made(place)[0] for place in places]
    for place in places:
        aged(place)
    assert datasets[0].fingerprint() != datasets[1].fingerprint()


def test_a_further_image_or_class_changes_the_fingerprint(tmp_path):
    dataset, _ = images_in_class_folders(tmp_path)
    seen = set()
    for name in ("cat/c.png", "fish/a.png"):
        aged(tmp_path)
        seen.add(dataset.fingerprint())
        image(tmp_path / "images" / name)
    shutil.rmtree(tmp_path / "images" / "cat")
    aged(tmp_path)
    assert dataset.fingerprint() not in seen
    assert len(seen) == 2


def test_a_file_that_it_does_not_name_does_not(tmp_path):
    dataset, _ = images_listed_elsewhere(tmp_path)
    before = dataset.fingerprint()
    (tmp_path / "lists" / "notes.txt").write_text("mine")
    image(tmp_path / "lists" / "masks" / "other.png")
    assert dataset.fingerprint() == before


def test_every_dataset_that_reads_files_is_tested():
    reading = {c for c in COMPONENTS if c not in WITHOUT_FILES}
    tested = {ImageFolder, Text, Csv, TimeSeries, HfDataset, TorchvisionDataset, Arrays, Prompts}
    assert reading == tested
    for kind in WITHOUT_FILES:
        assert not {"path", "root"} & set(default_values(kind))


def test_the_plan_expects_nothing_of_the_store_once_a_mask_was_edited(workplace, capsys):
    listed_images(workplace)
    words = [*SMALL[3:], "model=torchvision", "model.arch=squeezenet1_1", "model.weights=none", "model.crop=32"]
    words += ["model.resize=32", "dataset=image_folder", "dataset.root=images", "method=[saliency]", "agreement=[]"]
    words += ["metric=[relevance_mass]", "baseline=[zero]"]

    def expected():
        capsys.readouterr()
        assert cli.main(["plan", *words]) == cli.DONE
        return capsys.readouterr().out

    assert cli.main(words) == cli.DONE
    assert "1 expected in the store" in expected()
    image(Path("images/masks/b.png"), 255)
    assert "0 expected in the store" in expected()
