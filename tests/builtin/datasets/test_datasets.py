from __future__ import annotations

import csv
import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import stats
from sklearn.datasets import load_breast_cancer, load_digits

from xaiexp.builtin.datasets import COMPONENTS
from xaiexp.builtin.datasets.image_folder import ImageFolder
from xaiexp.builtin.datasets.scikit_learn import BreastCancer, Digits
from xaiexp.builtin.datasets.shapes import Shapes
from xaiexp.builtin.datasets.text import Text
from xaiexp.builtin.shape_images import CLASSES, draw_shape_image
from xaiexp.builtin.splits import breast_cancer, digits
from xaiexp.contract.registry import flaw
from xaiexp.errors import MismatchError, ParameterError, ResourceError, UserError


@pytest.mark.parametrize("component", COMPONENTS, ids=lambda c: c.name)
def test_every_dataset_declares_its_facts(component):
    assert flaw(component) == ""


def test_outlines_are_known_without_torch_numpy_or_sklearn():
    code = """
import sys
from xaiexp.builtin.datasets import COMPONENTS
from xaiexp.builtin import baselines, features, models
for c in COMPONENTS:
    if c.name in ("digits", "breast_cancer", "shapes"):
        print(c.name, c().outline())
heavy = {"torch", "numpy", "sklearn", "pandas", "PIL", "transformers", "torchvision", "safetensors", "mlflow"}
print(sorted(heavy & set(sys.modules)))
"""
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.splitlines()
    assert out == [
        "digits Outline(count=597, shape=(1, 8, 8), exact=True)",
        "breast_cancer Outline(count=169, shape=(30,), exact=True)",
        "shapes Outline(count=256, shape=(3, 32, 32), exact=True)",
        "[]",
    ]


@pytest.mark.parametrize("dataset", [Digits(), BreastCancer(), Shapes(count=12)], ids=lambda d: d.name)
def test_samples_agree_with_the_outline(dataset):
    source = dataset.open()
    samples = source.read(0, source.count)
    assert len(samples) == source.count == dataset.outline().count
    assert {tuple(s.data.shape) for s in samples} == {dataset.outline().shape}
    assert len({s.id for s in samples}) == source.count
    assert {s.label for s in samples} == set(range(len(source.class_names)))
    again = dataset.open().read(3, 5)
    assert [s.id for s in again] == [s.id for s in samples[3:5]]
    assert all(torch.equal(a.data, b.data) for a, b in zip(again, samples[3:5], strict=True))


def test_digits_equal_those_of_scikit_learn_scaled_to_0_to_1():
    whole = load_digits()
    for sample in Digits().open().read(0, 50):
        row = int(sample.id.removeprefix("digits/"))
        np.testing.assert_array_equal(sample.data[0].numpy() * 16, whole.images[row])
        assert sample.label == whole.target[row]


def test_breast_cancer_equals_scikit_learn_in_physical_units():
    whole = load_breast_cancer()
    source = BreastCancer().open()
    assert source.feature_names == tuple(whole.feature_names)
    for sample in source.read(0, 50):
        row = int(sample.id.removeprefix("breast_cancer/"))
        np.testing.assert_allclose(sample.data.numpy(), whole.data[row], rtol=1e-6)
        assert sample.label == whole.target[row]


@pytest.mark.parametrize("dataset", [Digits(), BreastCancer()], ids=lambda d: d.name)
def test_scikit_learn_datasets_have_a_training_part(dataset):
    source, training = dataset.open(), dataset.training()
    ids = [{s.id for s in part.read(0, part.count)} for part in (source, training)]
    assert not ids[0] & ids[1]
    assert len(ids[0] | ids[1]) == source.count + training.count == {"digits": 1797, "breast_cancer": 569}[dataset.name]
    assert (training.class_names, training.feature_names) == (source.class_names, source.feature_names)


@pytest.mark.parametrize(("part", "total"), [(digits, 1797), (breast_cancer, 569)])
def test_training_and_held_out_parts_are_disjoint(part, total):
    train, held_out = part(held_out=False), part(held_out=True)
    assert sorted([*train.rows, *held_out.rows]) == list(range(total))
    share = np.bincount(train.labels) / len(train.labels) - np.bincount(held_out.labels) / len(held_out.labels)
    assert np.abs(share).max() < 0.01  # stratified


def test_the_first_shapes_do_not_depend_on_the_count():
    few, many = Shapes(count=4).open().read(2, 4), Shapes(count=100).open().read(2, 4)
    for a, b in zip(few, many, strict=True):
        assert a.id == b.id
        assert torch.equal(a.data, b.data)
    other = Shapes(count=4, seed=1).open().read(2, 4)
    assert not torch.equal(few[0].data, other[0].data)


def test_the_form_of_the_shape_alone_determines_the_class():
    for index in range(40):
        image, mask, label = draw_shape_image(0, index, 64, 0.0, 3, "either")
        assert label == index % len(CLASSES)
        assert len({tuple(c) for c in image[:, mask].T.tolist()}) == 1  # one colour, not covered by a stroke
        colour = image[:, mask][:, 0]
        ground = np.median(image[:, ~mask], axis=1)
        assert np.abs(colour - ground).max() >= 0.5
        assert not mask[[0, -1]].any()  # the shape lies within the image
        assert not mask[:, [0, -1]].any()


def test_the_mask_has_the_area_of_its_shape():
    # Areas by hand, for a circumscribed radius r: relative, so that r drops out. A disk of radius 0.8 r, a square
    # of half side 0.707 r, a triangle of inradius 0.6 r, a cross of two bars 2 r by 0.6 r.
    expected = np.array([np.pi * 0.64, 2.0, 3 * np.sqrt(3) * 0.36, 2 * 2 * 0.6 - 0.36])
    areas = np.array(
        [[draw_shape_image(0, i, 128, 0.0, 0, "either")[1].sum() for i in range(label, 200, 4)] for label in range(4)]
    )
    r = np.sqrt(areas / 128**2 / expected[:, None])
    assert r.min() > 0.19 - 0.005
    assert r.max() < 0.30 + 0.005


def test_noise_has_the_given_standard_deviation():
    clean, _, _ = draw_shape_image(0, 5, 64, 0.0, 0, "dark")
    noisy, _, _ = draw_shape_image(0, 5, 64, 0.03, 0, "dark")
    inner = (clean > 0.15) & (clean < 0.85)  # where no value is clipped
    assert (noisy - clean)[inner].std() == pytest.approx(0.03, rel=0.05)


def test_images_on_a_dark_ground_equal_stored_values():
    # The mean, the area of the shape and one value of each image, stored when all backgrounds were dark.
    known = [
        (0.196723252, 76, 0.0789492205),
        (0.247532388, 100, 0.0975050107),
        (0.288711135, 160, 0.1006032601),
        (0.333022185, 182, 0.1705121994),
    ]
    for sample, (mean, area, value) in zip(Shapes(ground="dark").open().read(0, 4), known, strict=True):
        assert sample.data.double().mean().item() == pytest.approx(mean, abs=1e-7)
        assert sample.mask.sum() == area
        assert sample.data[1, 16, 5].item() == pytest.approx(value, abs=1e-6)


def test_either_ground_is_dark_for_half_of_the_images_of_every_class():
    def images(ground):
        return [sample.data for sample in Shapes(count=1600, size=16, ground=ground).open().read(0, 1600)]

    light = []
    for either, dark, negative in zip(*map(images, ("either", "dark", "light")), strict=True):
        torch.testing.assert_close(negative, 1 - dark, rtol=0, atol=1e-7)
        light.append(torch.equal(either, negative))
        assert light[-1] or torch.equal(either, dark)
    by_turn = np.reshape(light, (400, 4))
    assert np.abs(by_turn.mean(axis=0) - 0.5).max() < 0.08  # three standard deviations
    # Consecutive images are independent: the number of runs is that expected of fair coins, standard deviation 20.
    assert abs(np.count_nonzero(np.diff(light)) - 799.5) < 60


@pytest.mark.parametrize(("ground", "chance"), [("dark", 0.98), ("light", 0.02), ("either", 0.5)])
def test_brightness_locates_the_shape_only_if_all_grounds_are_equal(ground, chance):
    # The probability that a pixel of the shape is brighter than one outside, by the Mann-Whitney statistic.
    result = []
    for sample in Shapes(count=400, noise=0.0, ground=ground).open().read(0, 400):
        bright, inside = sample.data.mean(0).numpy(), sample.mask.numpy()
        n, m = inside.sum(), (~inside).sum()
        result.append((stats.rankdata(bright)[inside.ravel()].sum() - n * (n + 1) / 2) / (n * m))
    assert np.mean(result) == pytest.approx(chance, abs=0.05)


@pytest.mark.parametrize("values", [{"count": 0}, {"size": 8}, {"noise": 1.5}, {"ground": "grey"}, {"seed": -1}])
def test_invalid_parameters_of_shapes_raise(values):
    with pytest.raises(ParameterError, match=rf"^dataset\.shapes\.{next(iter(values))}: must be"):
        Shapes(**values)


@pytest.fixture
def folder(tmp_path):
    """Three images: one rotated by EXIF, one in greyscale with a palette mask."""
    (tmp_path / "masks").mkdir()
    random = np.random.default_rng(0)
    Image.fromarray(random.integers(0, 255, (6, 9, 3), dtype=np.uint8)).save(tmp_path / "a.png")
    exif = Image.Exif()
    exif[0x0112] = 6  # to be rotated by 90 degrees
    Image.fromarray(random.integers(0, 255, (6, 9, 3), dtype=np.uint8)).save(tmp_path / "b.png", exif=exif)
    Image.fromarray(random.integers(0, 255, (6, 9), dtype=np.uint8)).save(tmp_path / "c.png")
    mask = np.zeros((6, 9), dtype=np.uint8)
    mask[2:4, 1:5] = 255
    mask[0, 0] = 1
    Image.fromarray(mask).save(tmp_path / "masks" / "c.png")
    (tmp_path / "labels.csv").write_text(
        'file,label,class_name,mask\na.png,3,"kite, red",\nb.png,0,flute,\nc.png,,,masks/c.png\n'
    )
    return tmp_path


def test_images_labels_names_and_masks_are_read(folder):
    source = ImageFolder(str(folder)).open()
    a, b, c = source.read(0, 3)
    assert (a.id, a.label, a.name, a.mask) == ("a.png", 3, "kite, red", None)
    np.testing.assert_array_equal(np.asarray(a.data), np.asarray(Image.open(folder / "a.png")))
    assert b.data.size == (6, 9)
    np.testing.assert_array_equal(np.asarray(b.data), np.rot90(np.asarray(Image.open(folder / "b.png")), -1))
    assert c.label is None
    assert c.data.mode == "RGB"
    assert c.mask.dtype == torch.bool
    assert c.mask.sum() == 9
    assert c.mask[0, 0]
    assert c.mask[2:4, 1:5].all()
    assert ImageFolder(str(folder)).outline().count == 3


def test_masks_may_be_relative_to_the_folder_of_the_csv_file(folder, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "labels.csv").write_text((folder / "labels.csv").read_text())
    (folder / "masks").rename(elsewhere / "masks")
    samples = ImageFolder(str(folder), labels=str(elsewhere / "labels.csv")).open().read(0, 3)
    assert samples[2].mask.sum() == 9


def test_masks_may_be_in_the_root_where_the_csv_file_is_elsewhere(folder, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "labels.csv").write_text((folder / "labels.csv").read_text())
    dataset = ImageFolder(str(folder), labels=str(elsewhere / "labels.csv"))
    assert dataset.open().read(2, 3)[0].mask.sum() == 9
    # Of two masks of one name, the one beside the CSV file is meant: it is the file's.
    (elsewhere / "masks").mkdir()
    Image.fromarray(np.full((6, 9), 255, dtype=np.uint8)).save(elsewhere / "masks" / "c.png")
    assert dataset.open().read(2, 3)[0].mask.all()


def test_class_names_may_be_used_as_labels(folder):
    (folder / "labels.csv").write_text("file,label\na.png,cat\nb.png,1\n")
    source = ImageFolder(str(folder), classes=("cat", "dog")).open()
    assert [s.label for s in source.read(0, 2)] == [0, 1]
    assert source.class_names == ("cat", "dog")


def corrupt(folder):
    (folder / "b.png").write_bytes(b"not an image")


def truncate(folder):
    data = (folder / "b.png").read_bytes()
    (folder / "b.png").write_bytes(data[: len(data) // 2])


def rewrite(text):
    def damage(folder):
        (folder / "labels.csv").write_text(text)

    return damage


@pytest.mark.parametrize(
    ("damage", "values", "kind", "message"),
    [
        (corrupt, {}, ResourceError, r"dataset\.root: .*b\.png is not an image, or is damaged"),
        (truncate, {}, ResourceError, r"dataset\.root: .*b\.png cannot be read as an image: "),
        (lambda f: (f / "b.png").unlink(), {}, ResourceError, r"dataset\.root: .*labels\.csv, line 3: no such file"),
        (lambda f: (f / "masks/c.png").unlink(), {}, ResourceError, r"labels\.csv, line 4: no such file .*masks"),
        (
            lambda f: Image.new("L", (5, 5)).save(f / "masks/c.png"),
            {},
            ResourceError,
            r"dataset\.mask_column: .*c\.png is 5 x 5 pixels, its image c\.png is 9 x 6",
        ),
        (
            lambda f: (f / "labels.csv").unlink(),
            {},
            ResourceError,
            r"dataset\.labels: .*neither a file labels\.csv nor images",
        ),
        (lambda f: None, {"labels": "gone.csv"}, ResourceError, r"dataset\.labels: no such file .*gone\.csv"),
        (rewrite(""), {}, ResourceError, r"dataset\.labels: .*labels\.csv has no rows"),
        (rewrite("file,label\n"), {}, ResourceError, r"dataset\.labels: .*labels\.csv has a header but no rows"),
        (rewrite("file,label\na.png\n"), {}, ResourceError, r"line 2: 1 cells, but the header has 2"),
        (rewrite("file,label\na.png,1\na.png,1\n"), {}, ResourceError, r"line 3: already listed on line 2"),
        (
            rewrite("files,label\na.png,1\n"),
            {},
            MismatchError,
            r"file_column: .*labels\.csv has no such column \(got 'file'\)\n  nearest: files   columns: files, label",
        ),
        (rewrite("file,lable\na.png,1\n"), {}, MismatchError, r"dataset\.label_column: .*\n  nearest: lable"),
        (
            rewrite("file,label\na.png,1\nb.png,cat\n"),
            {},
            MismatchError,
            r"labels\.csv, line 3: a label must be a class index \(0, 1, \.\.\.\) \(got 'cat'\)",
        ),
        (rewrite("file,label\na.png,-1\n"), {}, MismatchError, r"line 2: a label must be a class index"),
        (
            rewrite("file,label\na.png,1.5\n"),
            {},
            MismatchError,
            r"line 2: a label must be a class name or a whole number",
        ),
        (
            rewrite("file,label\na.png,cot\n"),
            {"classes": ("cat", "dog")},
            MismatchError,
            r"line 2: the label is not one of the 2 classes \(got 'cot'\)\n  nearest: cat",
        ),
        (rewrite("file,label\na.png,2\n"), {"classes": ("cat", "dog")}, MismatchError, r"not one of the 2 classes"),
        (
            lambda f: (f / "labels.csv").write_bytes(b"file,label\n\xff\xfe,1\n"),
            {},
            ResourceError,
            r"dataset\.labels: .*labels\.csv, line 2: is not text in UTF-8 \(invalid start byte\)\n  save it in UTF-8$",
        ),
    ],
)
def test_invalid_image_folders_raise_with_the_reason(folder, damage, values, kind, message):
    damage(folder)
    with pytest.raises(kind, match=message):
        ImageFolder(str(folder), **values).open().read(0, 3)


def test_boxes_give_the_mask_of_images_without_a_mask(folder):
    lines = ["file,label,mask,boxes", 'a.png,0,,"[[1, 2, 4, 5]]"', 'b.png,0,,"[[0.5, 0, 2, 1], [3, 7.5, 60, 80]]"']
    lines += ['c.png,0,masks/c.png,"[[0, 0, 9, 6]]"']
    (folder / "labels.csv").write_text("\n".join(lines))
    a, b, c = ImageFolder(str(folder), box_column="boxes").open().read(0, 3)
    # The second number is the row; pixels partly inside a box belong to it, parts beyond the image are cut off.
    assert a.mask.shape == (6, 9)
    assert [tuple(position) for position in a.mask.nonzero().tolist()] == [(y, x) for y in (2, 3, 4) for x in (1, 2, 3)]
    assert b.mask.shape == (9, 6)
    places = [(0, 0), (0, 1), *((y, x) for y in (7, 8) for x in (3, 4, 5))]
    assert [tuple(position) for position in b.mask.nonzero().tolist()] == places
    assert c.mask.sum() == 9  # the mask, not the box
    assert ImageFolder(str(folder)).open().read(0, 1)[0].mask is None  # there is no column of the default name


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ('"[[1, 2, 3]]"', r"dataset\.box_column: .*labels\.csv, line 2: \[1, 2, 3\] is not a box of four numbers"),
        ('"[1, 2, 3, 4]"', "1 is not a box of four numbers"),
        ('"[[3, 2, 1, 4]]"', r"the box \[3, 2, 1, 4\] is empty"),
        ('"[[1, 2, 3, NaN]]"', "is not a box of four numbers"),
        ('"[[1, 2"', "line 2: Expecting"),
        ("7", "line 2: 'int' object is not iterable"),
        ('"[[9, 0, 12, 4]]"', r"line 2: the box lies outside the image of 9 x 6 \(got \[9\.0, 0\.0, 12\.0, 4\.0\]\)"),
    ],
)
def test_invalid_boxes_raise_with_the_reason(folder, cell, message):
    (folder / "labels.csv").write_text(f"file,label,boxes_xyxy\na.png,0,{cell}\n")
    with pytest.raises(MismatchError, match=message):
        ImageFolder(str(folder)).open().read(0, 1)


@pytest.fixture
def classes(folder):
    """The same images in one folder per class, without a CSV file."""
    (folder / "labels.csv").unlink()
    (folder / "masks" / "c.png").unlink()
    (folder / "masks").rename(folder / "dog")
    (folder / "cat").mkdir()
    for name, class_name in (("a", "dog"), ("b", "cat"), ("c", "dog")):
        (folder / f"{name}.png").rename(folder / class_name / f"{name}.png")
    (folder / "cat" / "notes.txt").write_text("not an image")
    return folder


def test_one_folder_per_class_needs_no_csv_file(classes):
    source = ImageFolder(str(classes)).open()
    samples = source.read(0, 9)
    assert source.class_names == ("cat", "dog")
    assert [(s.id, s.label, s.mask) for s in samples] == [
        ("cat/b.png", 0, None),
        ("dog/a.png", 1, None),
        ("dog/c.png", 1, None),
    ]
    assert samples[0].data.size == (6, 9)  # rotated
    assert ImageFolder(str(classes)).outline().count == source.count == 3
    other = ImageFolder(str(classes), classes=("fish", "dog", "cat")).open()
    assert [s.label for s in other.read(0, 3)] == [2, 1, 1]


def test_invalid_class_folders_raise_with_the_reason(classes, tmp_path):
    with pytest.raises(MismatchError, match=r"dataset\.classes: .*dog is not one of the 2 classes .*\n  nearest: dogs"):
        ImageFolder(str(classes), classes=("cat", "dogs")).open()
    (classes / "cat" / "b.png").write_bytes(b"damaged")
    with pytest.raises(ResourceError, match=r"cat/b\.png is not an image, or is damaged"):
        ImageFolder(str(classes)).open().read(0, 1)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ResourceError, match=r"dataset\.labels: .*empty contains neither a file labels\.csv nor images"):
        ImageFolder(str(tmp_path / "empty")).outline()


@pytest.mark.parametrize("damage", [corrupt, truncate, lambda f: (f / "b.png").write_bytes(b"")])
def test_a_damaged_image_raises_when_it_is_read_and_leaves_the_others(folder, damage):
    damage(folder)
    source = ImageFolder(str(folder)).open()
    with pytest.raises(ResourceError, match=r"b\.png"):
        source.read(1, 2)
    assert [source.read(row, row + 1)[0].id for row in (0, 2)] == ["a.png", "c.png"]


def test_a_missing_folder_raises(tmp_path):
    with pytest.raises(ResourceError, match=r"dataset\.root: no such folder \(got '.*nowhere'\)"):
        ImageFolder(str(tmp_path / "nowhere")).outline()


def test_tab_separated_texts_keep_quotation_marks(tmp_path):
    (tmp_path / "t.tsv").write_text('label\tsentence\n1\tan "odd" one\n0\t"unclosed\n1\tcaf\u00e9\n')
    samples = Text(str(tmp_path / "t.tsv")).open().read(0, 3)
    assert [(s.id, s.data, s.label) for s in samples] == [
        ("t/0", 'an "odd" one', 1),
        ("t/1", '"unclosed', 0),
        ("t/2", "caf\u00e9", 1),
    ]


def test_comma_separated_texts_may_be_quoted(tmp_path):
    (tmp_path / "t.csv").write_bytes(b'\xef\xbb\xbfsentence,label\n"a, ""b""\nc",pos\n')
    source = Text(str(tmp_path / "t.csv"), classes=("neg", "pos")).open()
    assert source.read(0, 9) == [source.read(0, 1)[0]]
    assert (source.read(0, 1)[0].data, source.read(0, 1)[0].label) == ('a, "b"\nc', 1)


def test_texts_need_no_labels_and_any_delimiter(tmp_path):
    (tmp_path / "t.txt").write_text("body;n\none two three four;7\nfive six;8\n")
    dataset = Text(str(tmp_path / "t.txt"), text_column="body", label_column=None, delimiter="semicolon")
    assert [s.label for s in dataset.open().read(0, 2)] == [None, None]
    assert dataset.outline().count == 2
    assert dataset.outline().shape == (6,)  # 3 words on average, 1.3 tokens each, 2 special tokens


@pytest.mark.parametrize(
    ("text", "values", "message"),
    [
        ("label\tsentence\n", {}, r"dataset\.path: .*t\.tsv has a header but no rows"),
        (
            "label\ttext\n1\ta\n",
            {},
            r"dataset\.text_column: .*no such column \(got 'sentence'\)\n  columns: label, text",
        ),
        ("label\tsentence\nyes\ta\n", {}, r"dataset\.label_column: .*t\.tsv, line 2: a label must be"),
        ("sentence\na\n", {}, r"dataset\.label_column: .*no such column \(got 'label'\)"),
        ("label\tsentence\n1\ta\tb\n", {}, r"line 2: 3 cells, but the header has 2"),
    ],
)
def test_invalid_text_files_raise_with_the_reason(tmp_path, text, values, message):
    (tmp_path / "t.tsv").write_text(text)
    with pytest.raises(UserError, match=message):
        Text(str(tmp_path / "t.tsv"), **values).open()


def test_a_missing_text_file_raises(tmp_path):
    with pytest.raises(ResourceError, match=r"dataset\.path: no such file \(got '.*gone\.tsv'\)"):
        Text(str(tmp_path / "gone.tsv")).outline()


def test_photos_and_sentences_of_the_kit(kit):
    photos = ImageFolder(str(kit / "photos"), box_column=None).open()
    assert photos.count == 57
    masked = [s for s in photos.read(0, 57) if s.mask is not None]
    assert len(masked) == 9
    assert all(s.mask.shape == s.data.size[::-1] and 0.005 < s.mask.float().mean() < 0.95 for s in masked)
    boxed = [s for s in ImageFolder(str(kit / "photos")).open().read(0, 57) if s.mask is not None]
    assert len(boxed) == 49
    with (kit / "photos" / "labels.csv").open(newline="") as file:
        boxes = {row["file"]: row["boxes_xyxy"] for row in csv.DictReader(file)}
    truth = {s.id: s.mask for s in masked}
    for sample in boxed:
        if sample.id not in truth:
            width, height = sample.data.size
            expected = np.zeros((height, width), dtype=bool)
            for left, top, right, bottom in json.loads(boxes[sample.id]):
                expected[top:bottom, left:right] = True
            np.testing.assert_array_equal(sample.mask.numpy(), expected)
        else:
            assert torch.equal(sample.mask, truth[sample.id])
    sentences = Text(str(kit / "text" / "sst2_dev.tsv")).open()
    assert sentences.count == 872
    assert sum(s.label for s in sentences.read(0, 872)) == 444  # as published
