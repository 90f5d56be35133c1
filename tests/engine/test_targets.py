"""Classes that are explained, and what does not fit together."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from builders import make_batch

from xaiexp.engine.targets import check_labels, check_target, max_targets, target_classes, target_passes, target_table
from xaiexp.errors import MismatchError

LOGITS = torch.tensor([[0.0, 2.0, 1.0], [3.0, 0.0, 1.0], [0.0, 1.0, 2.0]])


def batch(labels=None):
    return replace(make_batch(torch.zeros(3, 2)), labels=None if labels is None else torch.tensor(labels))


@pytest.mark.parametrize(
    ("target", "classes", "most"),
    [
        ("all", 7, 7),
        ("all", None, 1),
        ("predicted", 7, 1),
        (3, 7, 1),
        (("label", 2), 7, 2),
    ],
)
def test_an_example_has_at_most_so_many_targets(target, classes, most):
    assert max_targets(target, classes) == most


def never():
    raise AssertionError("labels are looked for only where the target is the label")


@pytest.mark.parametrize(("target", "classes"), [("predicted", 3), (2, 3), (("predicted", 0), 3), (99, None)])
def test_targets_that_exist(target, classes):
    check_target(target, classes, never, "data")


def test_a_label_is_a_target_where_some_example_has_one():
    check_target("label", 3, lambda: True, "data")
    with pytest.raises(MismatchError, match=r"target: is the label, but dataset 'data' has no labels"):
        check_target(("predicted", "label"), 3, lambda: False, "data")


def test_a_class_that_the_model_lacks_is_no_target():
    with pytest.raises(MismatchError, match=r"target: the model has 3 classes, 0 to 2 \(got 3\)"):
        check_target((0, 3), 3, never, "data")


@pytest.mark.parametrize(
    ("names", "labels", "classes"),
    [
        (["a", "b", "c"], [0, 2, -1], 3),
        ([], [2, 1, 0], 3),
        (["no", "yes"], [0, 1, 1], 1),  # a single output speaks for two classes
        (["a", "b"], None, 2),
        (["a"], [9, 9, 9], None),
    ],
)
def test_labels_that_fit(names, labels, classes):
    check_labels("data", names, ["x", "y", "z"], None if labels is None else torch.tensor(labels), classes)


def test_labels_that_do_not_fit_are_refused():
    with pytest.raises(MismatchError, match=r"dataset\.data: has 2 classes; the model has 3"):
        check_labels("data", ["a", "b"], ["x"], None, 3)
    with pytest.raises(MismatchError, match=r"label of example 'y' is none of the model's 3 classes \(got 4\)"):
        check_labels("data", [], ["x", "y"], torch.tensor([3, 4]), 3)
    with pytest.raises(MismatchError, match=r"none of the model's 2 classes \(got 2\)"):
        check_labels("data", [], ["x"], torch.tensor([2]), 1)


def test_the_class_that_a_target_means():
    assert target_classes("predicted", batch(), LOGITS).tolist() == [1, 0, 2]
    assert target_classes("label", batch([2, 1, 0]), LOGITS).tolist() == [2, 1, 0]
    assert target_classes(1, batch(), LOGITS).tolist() == [1, 1, 1]
    assert target_classes(1, batch(), LOGITS).dtype == torch.int64


@pytest.mark.parametrize("target", ["predicted", "label", 1])
def test_a_single_output_is_explained_whatever_the_target_is(target):
    assert target_classes(target, batch([1, 1, 1]), LOGITS[:, :1]).tolist() == [0, 0, 0]


@pytest.mark.parametrize(("labels", "missing"), [(None, "example 0"), ([0, -1, 2], "example 1")])
def test_an_example_without_a_label_is_named(labels, missing):
    with pytest.raises(MismatchError, match=f"is the label, but example '{missing}' has no label"):
        target_classes("label", batch(labels), LOGITS)


def test_each_class_of_an_example_is_explained_once():
    passes = target_passes(("predicted", 0, "label", 1), batch([1, 2, 2]), LOGITS)
    assert [(rows.tolist(), classes.tolist()) for rows, classes in passes] == [
        ([0, 1, 2], [1, 0, 2]),
        ([0, 2], [0, 0]),
        ([1], [2]),
        ([1, 2], [1, 1]),
    ]
    table = target_table(passes, 3, torch.device("cpu"))
    assert [sorted(set(row)) for row in table.tolist()] == [[0, 1], [0, 1, 2], [0, 1, 2]]
    assert table.shape == (3, 4)


def test_all_classes_are_explained_and_a_target_without_examples_is_left_out():
    assert [rows.tolist() for rows, _ in target_passes("all", batch(), LOGITS)] == [[0, 1, 2]] * 3
    assert len(target_passes(("predicted", "label"), batch([1, 0, 2]), LOGITS)) == 1
