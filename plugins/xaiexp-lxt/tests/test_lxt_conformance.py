"""The conformance kit on the methods."""

from __future__ import annotations

import pytest

pytest.importorskip("xaiexp_lxt", reason="the distribution xaiexp-lxt is not installed")

from xaiexp_lxt import AttnLrp, CpLrp

from xaiexp.testing import conformance

test_attn_lrp = conformance(AttnLrp)
test_attn_lrp_with_gamma = conformance(AttnLrp(gamma=0.25, epsilon=0.0))
test_cp_lrp = conformance(CpLrp)
