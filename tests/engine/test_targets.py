"""Classes that are explained, and what does not fit together."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from builders import make_batch

from xaiexp.core.samples import Sample
from xaiexp.engine.examples.truth import check_labels
from xaiexp.engine.targets import check_target, max_targets, target_passes, target_table
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


def samples(*labels):
    return [Sample(name, None, label) for name, label in zip("xyz", labels, strict=False)]


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        ((0, 2, None), 3),
        ((2, 1, 0), 3),
        ((0, 1, 1), 1),  # a single output speaks for two classes
        ((None, None, None), 2),
        ((9, 9, 9), None),
        (((0, 2), (), None), 3),
        ((9.5, -1.0, 3.0), 1),
    ],
)
def test_labels_that_fit(labels, classes):
    check_labels("data", samples(*labels), classes)


def test_labels_that_do_not_fit_are_refused():
    with pytest.raises(MismatchError, match=r"label of example 'y' is none of the model's 3 classes \(got 4\)"):
        check_labels("data", samples(2, 4), 3)
    with pytest.raises(MismatchError, match=r"label of example 'y' is none of the model's 3 classes \(got 3\)"):
        check_labels("data", samples((0,), (1, 3)), 3)
    with pytest.raises(MismatchError, match=r"none of the model's 2 classes \(got 2\)"):
        check_labels("data", samples(2), 1)


def classes_of(target, given, logits=LOGITS):
    ((rows, classes),) = target_passes(target, given, logits)
    assert rows.tolist() == [0, 1, 2]
    assert classes.dtype == torch.int64
    return classes.tolist()


def test_the_class_that_a_target_means():
    assert classes_of("predicted", batch()) == [1, 0, 2]
    assert classes_of("label", batch([2, 1, 0])) == [2, 1, 0]
    assert classes_of(1, batch()) == [1, 1, 1]


@pytest.mark.parametrize("target", ["predicted", "label", 1])
def test_a_single_output_is_explained_whatever_the_target_is(target):
    assert classes_of(target, batch([1, 1, 1]), LOGITS[:, :1]) == [0, 0, 0]


@pytest.mark.parametrize(("labels", "missing"), [(None, "example 0"), ([0, -1, 2], "example 1")])
def test_an_example_without_a_label_is_named(labels, missing):
    with pytest.raises(MismatchError, match=f"is the label, but example '{missing}' has no label"):
        target_passes("label", batch(labels), LOGITS)


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
