"""Numbers and files of a document come back as they were, to the stated precision."""

from __future__ import annotations

import math

import numpy as np
import pytest
from documents import Opened
from hypothesis import given
from hypothesis import strategies as st

from xaiexp.report.document import parts
from xaiexp.report.document.binary import Binary, pack

EMPTY = parts.Document(1, "a", "0", (), None, ())


@given(st.lists(st.floats(allow_infinity=False, width=32), min_size=1, max_size=30), st.booleans())
def test_numbers_in_steps_are_within_half_a_step_and_undefined_ones_stay_so(values, fine):
    binary = Binary()
    array = np.array(values)
    reference = binary.in_steps(array, fine)
    back = Opened(pack(EMPTY, binary)).numbers(reference)
    known = array[np.isfinite(array)]
    half = np.abs(known).max(initial=0.0) / (32_767 if fine else 127) / 2
    np.testing.assert_allclose(back, array, rtol=1e-12, atol=half * 1.0001)


def test_every_part_lies_where_its_reference_says():
    binary = Binary()
    file = binary.file(b"abc", "text/plain")
    exact = binary.exact([1.5, math.nan, -2.0])
    whole = binary.whole([7, -1])
    flags = binary.flags([True, False])
    opened = Opened(pack(EMPTY, binary))
    assert opened.file(file) == b"abc"
    np.testing.assert_array_equal(opened.numbers(exact), [1.5, math.nan, -2.0])
    assert opened.numbers(whole).tolist() == [7, -1]
    assert opened.numbers(flags).tolist() == [1, 0]
    assert all(part.at % 4 == 0 for part in (exact, whole, flags))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_json_has_null_where_a_number_is_not_finite(value):
    row = parts.ComparisonRow("a", (value, 0.123456789), (), (), ())
    document = parts.Document(1, "ü", "0", (), parts.Across((parts.Comparison("m", "", (row,)),), (), (), ()), ())
    opened = Opened(pack(document, Binary())).document
    assert opened.title == "ü"
    assert opened.across.comparisons[0].rows[0].means == [None, 0.123457]
