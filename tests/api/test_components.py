from __future__ import annotations

import pytest

import xaiexp
from xaiexp import errors


def test_an_unknown_kind_of_component_is_reported_with_the_nearest_kind():
    with pytest.raises(errors.UnknownName, match="nearest: method"):
        xaiexp.components("methods")
