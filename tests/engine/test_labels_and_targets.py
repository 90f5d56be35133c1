"""Labels and targets against the classes of the model."""

from __future__ import annotations

import pytest

from xaiexp.core.samples import Sample
from xaiexp.engine.examples.truth import check_labels
from xaiexp.engine.targets import check_target
from xaiexp.errors import MismatchError


def labels_of(labels, classes):
    samples = [Sample(f"e{i}", None, label) for i, label in enumerate(labels)]
    check_labels("mine", samples, classes)


@pytest.mark.parametrize(("labels", "classes"), [([0, 2, None], 3), ([0, 1, None], 1), ([9], None), ([0, 1], 2)])
def test_labels_below_the_number_of_classes_pass(labels, classes):
    labels_of(labels, classes)  # one output stands for two classes


@pytest.mark.parametrize(("labels", "classes", "outputs"), [([0, 3], 3, 3), ([0, 2], 1, 2), ([1, 7], 3, 3)])
def test_a_label_equal_to_the_number_of_classes_or_above_is_refused(labels, classes, outputs):
    message = rf"dataset\.mine: the label of example 'e1' is none of the model's {outputs} classes \(got {labels[1]}\)"
    with pytest.raises(MismatchError, match=message):
        labels_of(labels, classes)


def test_a_class_index_equal_to_the_number_of_classes_is_refused():
    check_target(2, 3, lambda: False, "mine")
    check_target((0, "predicted", 2), 3, lambda: False, "mine")
    for target in (3, (0, 3)):
        with pytest.raises(MismatchError, match=r"target: the model has 3 classes, 0 to 2 \(got 3\)"):
            check_target(target, 3, lambda: False, "mine")
