"""Labels and targets against the classes of the model."""

from __future__ import annotations

import pytest
import torch

from xaiexp.engine.targets import check_labels, check_target
from xaiexp.errors import MismatchError


def labels_of(labels, classes, names=()):
    ids = [f"e{i}" for i in range(len(labels))]
    check_labels("mine", names, ids, torch.tensor(labels), classes)


@pytest.mark.parametrize(("labels", "classes"), [([0, 2, -1], 3), ([0, 1, -1], 1), ([9], None), ([0, 1], 2)])
def test_labels_below_the_number_of_classes_pass(labels, classes):
    labels_of(labels, classes)  # -1: no label; one output stands for two classes


@pytest.mark.parametrize(("labels", "classes", "outputs"), [([0, 3], 3, 3), ([0, 2], 1, 2), ([1, 7], 3, 3)])
def test_a_label_equal_to_the_number_of_classes_or_above_is_refused(labels, classes, outputs):
    message = rf"dataset\.mine: the label of example 'e1' is none of the model's {outputs} classes \(got {labels[1]}\)"
    with pytest.raises(MismatchError, match=message):
        labels_of(labels, classes)


def test_as_many_names_of_classes_as_outputs_are_needed():
    labels_of([0], 2, ("no", "yes"))
    labels_of([0], 1, ("no", "yes"))
    with pytest.raises(MismatchError, match="has 3 classes; the model has 2"):
        labels_of([0], 2, ("no", "yes", "maybe"))


def test_a_class_index_equal_to_the_number_of_classes_is_refused():
    check_target(2, 3, lambda: False, "mine")
    check_target((0, "predicted", 2), 3, lambda: False, "mine")
    for target in (3, (0, 3)):
        with pytest.raises(MismatchError, match=r"target: the model has 3 classes, 0 to 2 \(got 3\)"):
            check_target(target, 3, lambda: False, "mine")
