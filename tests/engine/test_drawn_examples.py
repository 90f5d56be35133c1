"""The draw within a study: its record, what the store keeps of it, and its distance from training."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from small_studies import passes, run

from xaiexp.builtin.datasets.csv_table import Csv
from xaiexp.builtin.datasets.image_folder import ImageFolder
from xaiexp.builtin.datasets.scikit_learn import BreastCancer, Digits
from xaiexp.engine.examples.selection import drawn_order, selected

QUICK = ("method=[saliency,occlusion]", "baseline=[zero]", "metric=[infidelity]", "agreement=[]")


def test_64_examples_after_16_compute_48(workplace):
    few = run(*QUICK, "examples=16")
    more = run(*QUICK, "examples=64")
    fresh = run(*QUICK, "examples=64", "store=outputs/other")
    ids = [list(dict.fromkeys(result.scores["example"])) for result in (few, more)]
    assert ids[1][:16] == ids[0]
    assert len(ids[1]) == 64
    background = 64  # how far the metric's inputs are from the data is measured against these, once a study
    assert passes(more) - background == passes(fresh) - passes(few)
    explained = [result.cells["forward_passes"].sum() for result in (few, more, fresh)]
    assert [16 * n // explained[0] for n in explained] == [16, 48, 64]
    np.testing.assert_array_equal(more.scores["value"], fresh.scores["value"])


def test_the_examples_follow_their_own_seed(workplace):
    def examples(*words):
        result = run(*QUICK, "examples=8", *words)
        return list(dict.fromkeys(result.scores["example"])), result.record

    first, record = examples()
    assert examples("seed=5")[0] == first
    other, _ = examples("example_seed=5")
    assert other != first
    source = Digits().open()
    order = drawn_order(source.count, np.array(source.labels()), 0)[:8]
    assert first == [source.read(row, row + 1)[0].id for row in order.tolist()]
    assert record["data"]["rows"] == ",".join(map(str, order.tolist()))
    assert (record["study"]["example_order"], record["study"]["example_seed"]) == ("drawn", 0)
    assert sum(record["data"]["class_counts"].values()) == 8
    plain, record = examples("example_order=first")
    assert plain == [sample.id for sample in source.read(0, 8)]
    assert (record["data"]["rows"], record["study"]["example_seed"]) == ("0-7", None)


def test_a_folder_sorted_by_class_is_drawn_from_all_classes_and_its_first_images_are_warned_of(workplace):
    for name in ("cat", "dog"):
        (workplace / "images" / name).mkdir(parents=True)
        for i in range(6):
            pixels = np.random.default_rng(i).integers(0, 255, (8, 8), dtype=np.uint8)
            Image.fromarray(pixels).save(workplace / "images" / name / f"{i}.png")
    source = ImageFolder("images").open()
    assert selected(source, 4, 0).class_counts == {"cat": 2, "dog": 2}
    assert "the dataset is sorted by class" in selected(source, 4, None).warning


@pytest.mark.parametrize("dataset", ["digits", "breast_cancer", "csv"])
def test_no_drawn_example_is_one_of_training(dataset, tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("x,label\n" + "".join(f"{i},{'ab'[i % 2]}\n" for i in range(200)))
    kind = {"digits": Digits(), "breast_cancer": BreastCancer(), "csv": Csv(str(path), "label")}[dataset]
    source, training = kind.open(), kind.training()
    rows = drawn_order(source.count, np.array(source.labels()), 3)[:20]
    drawn = {source.read(row, row + 1)[0].id for row in rows.tolist()}
    assert len(drawn) == 20
    assert not drawn & {sample.id for sample in training.read(0, training.count)}
