"""Datasets of other libraries: `datasets` (a substitute, and the installed library if any) and torchvision."""

from __future__ import annotations

import hashlib
import pickle
import subprocess
import sys

import hub_folder
import numpy as np
import pytest
import torchvision
from PIL import Image

from xaiexp.builtin.datasets.hugging_face import HfDataset
from xaiexp.builtin.datasets.torchvision_datasets import TorchvisionDataset
from xaiexp.errors import MismatchError, ParameterError, ResourceError

TEXTS = [{"text": f"text {i} of some", "label": (1, 0, -1)[i % 3], "key": f"k{i}", "body": None} for i in range(6)]
FEATURES = {"text": None, "label": ["neg", "pos"], "key": None, "body": None}


@pytest.fixture
def library(monkeypatch):
    module = hub_folder.stand_in()
    monkeypatch.setitem(sys.modules, "datasets", module)
    return module


@pytest.fixture
def texts(library, tmp_path):
    return hub_folder.save(tmp_path / "texts", {"test": TEXTS, "train": TEXTS[:2]}, FEATURES)


@pytest.fixture
def images(library, tmp_path):
    random = np.random.default_rng(0)
    rows = []
    for i, (shape, label) in enumerate([((6, 8, 3), "cat"), ((6, 8), "dog"), ((6, 8, 4), "cat")]):
        Image.fromarray(random.integers(0, 255, shape, dtype=np.uint8)).save(tmp_path / f"{i}.png")
        rows.append({"img": str(tmp_path / f"{i}.png"), "kind": label})
    return hub_folder.save(tmp_path / "images", {"all": rows}, {"img": None, "kind": None})


def test_texts_labels_and_ids_are_read(texts, library):
    dataset = HfDataset(texts, id_column="key")
    source = dataset.open()
    assert dataset.modality == "text"
    assert source.class_names == ("neg", "pos")
    assert [(s.id, s.data, s.label) for s in source.read(1, 4)] == [
        ("test/k1", "text 1 of some", 0),
        ("test/k2", "text 2 of some", None),  # -1 denotes an unpublished label
        ("test/k3", "text 3 of some", 1),
    ]
    assert (dataset.outline().count, dataset.outline().shape) == (6, (7,))  # 4 words of 1.3 tokens, 2 special tokens
    assert HfDataset(texts, split="train").open().count == 2
    assert HfDataset(texts, label_column=None).open().read(0, 1)[0].label is None
    assert not library.are_progress_bars_disabled()


def test_images_are_greyscale_or_rgb(images, tmp_path):
    dataset = HfDataset(images, image_column="img", label_column="kind")
    assert dataset.modality == "image"
    samples = dataset.open().read(0, 3)
    assert [s.data.mode for s in samples] == ["RGB", "L", "RGB"]
    assert [s.label for s in samples] == [0, 1, 0]
    assert dataset.open().class_names == ("cat", "dog")
    np.testing.assert_array_equal(np.asarray(samples[0].data), np.asarray(Image.open(tmp_path / "0.png")))
    assert dataset.outline().count == 3
    assert dataset.outline().shape is None


@pytest.mark.parametrize(
    ("values", "kind", "message"),
    [
        ({"split": "tset"}, MismatchError, r"dataset\.split: .*no such split \(got 'tset'\)\n  nearest: test"),
        ({"text_column": "txt"}, MismatchError, r"dataset\.text_column: .*\(got 'txt'\)\n  nearest: text   columns: t"),
        ({"label_column": "y"}, MismatchError, r"dataset\.label_column: the dataset has no such column"),
        ({"id_column": "y"}, MismatchError, r"dataset\.id_column: the dataset has no such column"),
        ({"id_column": "label"}, MismatchError, r"dataset\.id_column: rows 0 and 3 have the same id \(got '1'\)"),
        ({"image_column": "text"}, MismatchError, r"dataset\.image_column: row 0 of column 'text' is not an image"),
        ({"text_column": "body"}, MismatchError, r"dataset\.text_column: row 0 of column 'body' is not a text"),
        ({"text_column": None}, ParameterError, r"dataset\.text_column: either this or image_column must be given"),
        ({"classes": ("a",)}, MismatchError, r"dataset\.classes: .* has 2 classes \(got \['a'\]\)"),
        (
            {"label_column": "key", "classes": ("a", "b")},
            MismatchError,
            r"split test, row 0: the label is not one of the 2 classes \(got 'k0'\)",
        ),
    ],
)
def test_invalid_hugging_face_datasets_raise_with_the_reason(texts, values, kind, message):
    with pytest.raises(kind, match=message):
        HfDataset(texts, **values).open().read(0, 1)


def test_an_empty_split_raises(library, tmp_path):
    path = hub_folder.save(tmp_path / "empty", {"test": [], "train": []}, FEATURES)
    with pytest.raises(ResourceError, match=r"dataset\.path: split 'test' of .*empty has no rows"):
        HfDataset(path).outline()


def test_an_unreachable_hub_raises_with_one_line(library):
    with pytest.raises(ResourceError) as raised:
        HfDataset("someone/something").open()
    assert str(raised.value).splitlines()[0] == (
        "dataset.path: cannot be loaded: Couldn't reach 'someone/something' on the Hub (OfflineModeIsEnabled) "
        "(got 'someone/something')"
    )
    assert len(str(raised.value).splitlines()) == 2


def test_a_missing_or_outdated_library_raises(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(ResourceError, match=r"needs the library datasets, which is not installed\n.*datasets>=4"):
        HfDataset("x").outline()
    monkeypatch.setitem(sys.modules, "datasets", hub_folder.stand_in("3.6.0"))
    with pytest.raises(ResourceError, match=r"may run code of a dataset \(got '3\.6\.0'\)"):
        HfDataset("x").outline()


def test_samples_are_read_with_the_installed_library(tmp_path, monkeypatch):
    datasets = pytest.importorskip("datasets", reason="the optional library datasets is not installed")
    features = datasets.Features(
        text=datasets.Value("string"), label=datasets.ClassLabel(names=["neg", "pos"]), key=datasets.Value("string")
    )
    columns = {name: [row[name] for row in TEXTS] for name in ("text", "label", "key")}
    rows = datasets.Dataset.from_dict(columns, features=features)
    datasets.DatasetDict(test=rows, train=rows.select([0])).save_to_disk(str(tmp_path / "texts"))
    source = HfDataset(str(tmp_path / "texts"), id_column="key").open()
    assert source.class_names == ("neg", "pos")
    assert [(s.id, s.data, s.label) for s in source.read(1, 3)] == [
        ("test/k1", "text 1 of some", 0),
        ("test/k2", "text 2 of some", None),
    ]
    image = Image.fromarray(np.random.default_rng(0).integers(0, 255, (6, 8), dtype=np.uint8))
    images = datasets.Dataset.from_dict(
        {"image": [image], "label": ["cat"]},
        features=datasets.Features(image=datasets.Image(), label=datasets.Value("string")),
    )
    images.save_to_disk(str(tmp_path / "images"))
    (sample,) = HfDataset(str(tmp_path / "images"), image_column="image").open().read(0, 1)
    np.testing.assert_array_equal(np.asarray(sample.data), np.asarray(image))
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    with pytest.raises(ResourceError, match=r"dataset\.path: cannot be loaded"):
        HfDataset("someone/something").open()


def idx(folder, part, images, labels):
    """The files of MNIST in the format of LeCun et al.: a magic number, the sizes, the bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    header = np.array([2051, *images.shape], dtype=">i4").tobytes()
    (folder / f"{part}-images-idx3-ubyte").write_bytes(header + images.tobytes())
    header = np.array([2049, len(labels)], dtype=">i4").tobytes()
    (folder / f"{part}-labels-idx1-ubyte").write_bytes(header + bytes(labels))


@pytest.fixture
def mnist(tmp_path):
    random = np.random.default_rng(0)
    sets = {"t10k": (5, [3, 1, 4, 1, 5]), "train": (7, [0, 1, 2, 3, 4, 5, 6])}
    images = {}
    for part, (count, labels) in sets.items():
        images[part] = random.integers(0, 255, (count, 28, 28), dtype=np.uint8)
        idx(tmp_path / "MNIST" / "raw", part, images[part], labels)
    return tmp_path, images


def test_mnist_is_read_from_its_files(mnist):
    root, images = mnist
    dataset = TorchvisionDataset("MNIST", str(root))
    source, training = dataset.open(), dataset.training()
    samples = source.read(0, 9)
    assert [s.label for s in samples] == [3, 1, 4, 1, 5]
    assert [s.id for s in samples[:2]] == ["test/0", "test/1"]
    for sample, image in zip(samples, images["t10k"], strict=True):
        np.testing.assert_array_equal(np.asarray(sample.data), image)
    assert source.class_names[3] == "3 - three"
    assert dataset.outline().count == 5
    assert dataset.outline().shape == (1, 28, 28)
    assert training.count == 7
    np.testing.assert_array_equal(np.asarray(training.read(6, 7)[0].data), images["train"][6])
    assert not {s.id for s in samples} & {s.id for s in training.read(0, 7)}
    assert TorchvisionDataset("MNIST", str(root), split="train").training() is None
    assert TorchvisionDataset("MNIST", str(root), split="train").outline().count == 7


def test_invalid_mnist_files_raise_with_the_reason(mnist):
    root, images = mnist
    with pytest.raises(ResourceError, match=r"dataset\.root: FashionMNIST is missing .*\n  dataset\.download=true"):
        TorchvisionDataset("FashionMNIST", str(root)).outline()
    raw = root / "MNIST" / "raw"
    idx(raw, "t10k", images["t10k"], [1, 2])
    with pytest.raises(ResourceError, match="MNIST is damaged: 5 images and 2 labels"):
        TorchvisionDataset("MNIST", str(root)).open()
    (raw / "t10k-images-idx3-ubyte").write_bytes(b"\x00" * 9)
    with pytest.raises(ResourceError, match=r"dataset\.root: is damaged \(got '.*t10k-images-idx3-ubyte'\)"):
        TorchvisionDataset("MNIST", str(root)).outline()
    with pytest.raises(ResourceError, match=r"dataset\.root: MNIST cannot be read"):
        TorchvisionDataset("MNIST", str(root)).open()
    (raw / "t10k-images-idx3-ubyte").unlink()
    with pytest.raises(ResourceError, match=r"dataset\.root: MNIST cannot be read: Dataset not found"):
        TorchvisionDataset("MNIST", str(root)).open()
    with pytest.raises(ParameterError, match=r"which: must be one of MNIST, .* \(got 'MNST'\)\n  nearest: MNIST"):
        TorchvisionDataset("MNST", str(root))


def test_a_failed_download_raises(tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise RuntimeError("Error downloading train-images-idx3-ubyte.gz\nin many lines")

    monkeypatch.setattr(torchvision.datasets.MNIST, "download", refuse)
    dataset = TorchvisionDataset("MNIST", str(tmp_path), download=True)
    with pytest.raises(ResourceError, match=r"MNIST cannot be downloaded or read: Error downloading train-images"):
        dataset.open()
    assert dataset.outline().count == 10_000  # as published


class Trap:
    """An object whose unpickling creates a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


@pytest.fixture
def cifar(tmp_path, monkeypatch):
    """CIFAR10 with few images; its MD5 sums replace the published ones."""
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    random = np.random.default_rng(0)
    kind = torchvision.datasets.CIFAR10
    pixels = {}

    def put(name, content):
        (folder / name).write_bytes(pickle.dumps(content))
        return [name, hashlib.md5((folder / name).read_bytes()).hexdigest()]

    lists = {}
    for part in ("train_list", "test_list"):
        lists[part] = []
        for name, _ in getattr(kind, part):
            pixels[name] = random.integers(0, 255, (3, 3072), dtype=np.uint8)
            lists[part].append(put(name, {"data": pixels[name], "labels": [0, 1, 2]}))
    meta = put("batches.meta", {"label_names": [f"class {i}" for i in range(10)]})
    monkeypatch.setattr(kind, "train_list", lists["train_list"])
    monkeypatch.setattr(kind, "test_list", lists["test_list"])
    monkeypatch.setattr(kind, "meta", {"filename": meta[0], "key": "label_names", "md5": meta[1]})
    return tmp_path, pixels


def test_cifar_is_read_from_files_with_published_md5_sums(cifar):
    root, pixels = cifar
    dataset = TorchvisionDataset("CIFAR10", str(root))
    samples = dataset.open().read(0, 3)
    assert [s.label for s in samples] == [0, 1, 2]
    for sample, row in zip(samples, pixels["test_batch"], strict=True):
        np.testing.assert_array_equal(np.asarray(sample.data), row.reshape(3, 32, 32).transpose(1, 2, 0))
    assert dataset.open().class_names[2] == "class 2"
    assert dataset.training().count == 15
    assert dataset.outline().shape == (3, 32, 32)


@pytest.mark.parametrize("name", ["test_batch", "data_batch_3", "batches.meta"])
def test_a_pickle_with_another_md5_sum_is_not_loaded(cifar, name):
    root, _ = cifar
    trap = root / "sprung"
    file = root / "cifar-10-batches-py" / name
    file.write_bytes(pickle.dumps(Trap(trap)))
    with pytest.raises(ResourceError, match=rf"{name} is not the published file of CIFAR10: it has another MD5 sum"):
        TorchvisionDataset("CIFAR10", str(root)).open()
    assert not trap.exists()
    pickle.loads(file.read_bytes()).close()
    assert trap.exists()  # unpickling does create the file
    file.unlink()
    with pytest.raises(ResourceError, match=rf"CIFAR10 lacks a file \(got '.*{name}'\)"):
        TorchvisionDataset("CIFAR10", str(root)).open()


def test_a_pickle_is_not_loaded_after_a_failed_download(cifar, monkeypatch):
    root, _ = cifar
    trap = root / "sprung"
    (root / "cifar-10-batches-py" / "test_batch").write_bytes(pickle.dumps(Trap(trap)))
    monkeypatch.setattr(torchvision.datasets.CIFAR10, "download", lambda self: None)  # a download without effect
    with pytest.raises(ResourceError, match="CIFAR10 cannot be downloaded or read: Dataset not found or corrupted"):
        TorchvisionDataset("CIFAR10", str(root), download=True).open()
    assert not trap.exists()


def test_outlines_do_not_import_torch(mnist, cifar):
    code = """
import sys
from xaiexp.builtin.datasets.torchvision_datasets import TorchvisionDataset
for which in ("MNIST", "CIFAR10"):
    print(TorchvisionDataset(which, sys.argv[1]).outline().count)
print(sorted({"torch", "torchvision", "numpy", "PIL"} & set(sys.modules)))
"""
    out = subprocess.run([sys.executable, "-c", code, str(mnist[0])], capture_output=True, text=True, check=True)
    assert out.stdout == "5\n10000\n[]\n"


def test_lists_and_values_are_labels(tmp_path):
    datasets = pytest.importorskip("datasets")
    numbers = [i + 0.25 * (i % 4) for i in range(30)]
    sets = [[j for j in (2, 0) if i >> j & 1] for i in range(30)]
    names = ("cat", "dog", "emu")
    features = datasets.Features(
        text=datasets.Value("string"),
        score=datasets.Value("float32"),
        tags=datasets.List(datasets.ClassLabel(names=list(names))),
        words=datasets.List(datasets.Value("string")),
    )
    words = [[names[j] for j in indices] for indices in sets]
    columns = {"text": [f"t{i}" for i in range(30)], "score": [None, *numbers[1:]], "tags": sets, "words": words}
    datasets.Dataset.from_dict(columns, features=features).save_to_disk(str(tmp_path / "d"))

    def labels(column, **settings):
        source = HfDataset(str(tmp_path / "d"), label_column=column, **settings).open()
        return [sample.label for sample in source.read(0, 30)], source.class_names, source.task

    truth = [tuple(sorted(indices)) for indices in sets]
    assert labels("score") == ([None, *numbers[1:]], (), "regression")
    assert labels("tags") == (truth, names, "multilabel")
    assert labels("words", classes=names) == (truth, names, "multilabel")
    with pytest.raises(MismatchError, match=r"row 0: a label must be a number"):
        labels("words", label_kind="value")
