"""The splits of the built-in datasets are those that scikit-learn draws, without its import."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.model_selection import train_test_split

from xaiexp.builtin.splits import BREAST_CANCER, DIGITS, Split, digits


def parts(labels, split):
    return train_test_split(
        np.arange(split.total), test_size=split.held_out, stratify=labels, random_state=split.seed, shuffle=True
    )


@pytest.mark.parametrize(("load", "split"), [(load_digits, DIGITS), (load_breast_cancer, BREAST_CANCER)])
def test_the_splits_of_built_in_datasets_are_those_of_scikit_learn(load, split):
    labels = load().target
    for ours, theirs in zip(split.row_numbers(labels), parts(labels, split), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_so_are_those_of_any_classes_with_remainders_that_tie():
    generator = np.random.default_rng(0)
    for seed in range(60):
        labels = np.repeat(np.arange(4), generator.integers(2, 9, 4) * (1 + seed % 3))
        split = Split(len(labels), int(generator.integers(4, len(labels) - 4)), seed)
        for ours, theirs in zip(split.row_numbers(labels), parts(labels, split), strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_digits_are_those_of_scikit_learn():
    data = load_digits()
    part = digits(held_out=True)
    np.testing.assert_array_equal(part.inputs[:, 0], (data.images[part.rows] / 16).astype(np.float32))
    np.testing.assert_array_equal(part.labels, data.target[part.rows])


def test_digits_are_read_without_importing_scikit_learn():
    code = "import sys; from xaiexp.builtin.splits import digits; digits(True); print('sklearn' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
