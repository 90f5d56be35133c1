"""Which examples are explained: a draw that is seeded, nested and stratified, and what is said about it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from xaiexp.core.samples import Source
from xaiexp.engine.examples.selection import compact, drawn_order, selected

SIZES = (5, 200, 40, 1, 354)
CLASSES = np.repeat(np.arange(-1, 4), SIZES)


def source(labels, names=(), task=None):
    def read(start, stop):
        raise AssertionError("an input was read")

    return Source(len(labels), read, names, task=task, labels=lambda: labels)


@pytest.mark.parametrize("classes", [None, CLASSES], ids=["plain", "by class"])
def test_the_order_is_a_permutation_that_follows_from_the_seed(classes):
    orders = [drawn_order(600, classes, seed).tolist() for seed in (0, 0, 1)]
    assert sorted(orders[0]) == list(range(600))
    assert orders[0] == orders[1] != orders[2]


def test_the_examples_of_an_order_are_the_same_in_every_version_of_numpy():
    assert drawn_order(12, None, 0).tolist() == [11, 3, 2, 1, 8, 6, 0, 7, 4, 10, 5, 9]


def test_every_prefix_is_close_to_proportional_in_the_classes():
    for seed in range(20):
        order = drawn_order(600, CLASSES, seed)
        for n in range(1, 601):
            counts = np.bincount(CLASSES[order[:n]] + 1, minlength=5)
            assert np.abs(counts - n * np.array(SIZES) / 600).max() < 2.5, (seed, n)


def test_the_order_within_a_class_is_the_published_key():
    """Against the definition, one example after the other: key (k + u)/m, sorted."""
    order = drawn_order(600, CLASSES, 7)
    place = {row: i for i, row in enumerate(order.tolist())}
    plain = drawn_order(600, None, 7)
    offsets = np.random.PCG64(np.random.SeedSequence([7, 1])).random_raw(5)
    keys = {}
    for number, label in enumerate(range(-1, 4)):
        members = [row for row in plain.tolist() if CLASSES[row] == label]
        assert sorted(members, key=place.get) == members
        u = int(offsets[number]) / 2**64
        keys |= {row: (k + u) / len(members) for k, row in enumerate(members)}
    assert sorted(keys, key=keys.get) == order.tolist()


def test_every_example_of_a_class_is_drawn_equally_often():
    classes = np.array([0] * 30 + [1] * 10)
    drawn = np.zeros(40)
    for seed in range(2000):
        drawn[drawn_order(40, classes, seed)[:8]] += 1
    assert stats.chisquare(drawn).pvalue > 0.001
    assert abs(drawn[:30].mean() - drawn[30:].mean()) < 20  # 8 of 40 in 2,000 draws: 400 each


@pytest.mark.parametrize("seed", [0, 3])
def test_few_examples_are_the_first_of_many(seed):
    known = source(CLASSES.tolist())
    few, many = (selected(known, n, seed).rows.tolist() for n in (16, 64))
    assert many[:16] == few
    assert selected(known, None, None).rows.tolist() == list(range(600))
    assert selected(known, 16, None).rows.tolist() == list(range(16))


def test_labels_that_are_no_classes_are_not_read_and_a_source_may_know_none():
    for other in (
        Source(9, lambda start, stop: []),
        source([0.5] * 9, task="regression"),
        source([(0, 1)] * 9, task="multilabel"),
    ):
        chosen = selected(other, 4, 5)
        assert chosen.rows.tolist() == drawn_order(9, None, 5)[:4].tolist()
        assert (chosen.class_counts, chosen.warning) == (None, "")
        assert chosen.words == "4 of 9 examples, drawn with example_seed=5"


def test_the_classes_of_the_chosen_examples_are_counted_and_said():
    few = selected(source([0, 1, 0, None, 1, 1], ("cat", "dog")), 6, 0)
    assert few.class_counts == {"cat": 2, "dog": 3}
    assert few.words == "all 6 examples: cat 2, dog 3"
    many = selected(source([i % 10 for i in range(200)]), 64, 1)
    assert many.words == (
        "64 of 200 examples, drawn with example_seed=1, stratified by class: 6 to 7 of each of 10 classes"
    )
    assert sum(many.class_counts.values()) == 64
    first = selected(source([0, 1] * 4), 4, None)
    assert first.words == "4 of 8 examples, the first ones: 0 2, 1 2"


@pytest.mark.parametrize(
    ("labels", "limit", "seed", "warning"),
    [
        (
            [0] * 50 + [1] * 50,
            20,
            None,
            "the dataset is sorted by class, and its first 20 examples show 1 of 2 classes",
        ),
        ([2] * 10 + [0] * 50 + [1] * 50, 20, None, "sorted by class, and its first 20 examples show 2 of 3 classes"),
        ([0] * 50 + [1, 0, 1], 20, None, "all 20 explained examples are of one class, and the dataset has 2"),
        ([0] * 999 + [1], 3, 1, "all 3 explained examples are of one class, and the dataset has 2"),
        ([0] * 50 + [1] * 50, 20, 0, ""),
        ([0] * 50 + [1] * 50, None, None, ""),
        ([0] * 50, 20, None, ""),
        ([0, 1] * 25, 20, None, ""),
        ([0, 1] * 25, 1, None, ""),
        ([None] * 9, 3, None, ""),
    ],
)
def test_a_set_that_is_no_sample_is_warned_of(labels, limit, seed, warning):
    found = selected(source(labels), limit, seed).warning
    assert warning in found
    assert bool(found) == bool(warning)
    assert found.startswith("warning: ") or not found


@pytest.mark.parametrize(
    ("rows", "text"), [([], ""), ([5], "5"), ([0, 1, 2], "0-2"), ([7, 3, 4, 5, 9, 8], "7,3-5,9,8")]
)
def test_row_numbers_are_written_with_their_runs(rows, text):
    assert compact(np.array(rows, dtype=np.int64)) == text
