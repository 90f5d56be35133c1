"""How long a pass took, as the store keeps it."""

from __future__ import annotations

import pytest

from xaiexp.store.inventory import TIMES, damage, inventory
from xaiexp.store.timings import keep_timing, timing

KEY = "ab" * 20


def test_the_last_timing_of_a_network_is_kept(tmp_path):
    assert timing(tmp_path, KEY) is None
    keep_timing(tmp_path, KEY, 4.0, 100)
    keep_timing(tmp_path, KEY, 6.0, 100)
    assert timing(tmp_path, KEY) == pytest.approx(0.06)
    assert timing(tmp_path, "cd" * 20) is None


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"seconds": 1, "passes": 0}', '{"seconds": "nan", "passes": 3}'])
def test_a_timing_that_cannot_be_read_is_unknown(tmp_path, content):
    keep_timing(tmp_path, KEY, 4.0, 100)
    next(tmp_path.rglob("*.json")).write_text(content)
    assert timing(tmp_path, KEY) is None


def test_the_store_knows_what_a_timing_is(tmp_path):
    keep_timing(tmp_path, KEY, 4.0, 100)
    (found,) = inventory(tmp_path)
    assert (found.kind, damage(found)) == (TIMES, "")
