from __future__ import annotations

import torch

import xaiexp


def test_the_agreement_with_a_map_that_contains_nan_is_nan():
    a = torch.randn(3, 6)
    b = a.clone()
    b[1, 2] = float("nan")
    for measure in xaiexp.components("agreement"):
        maps = (a, b) if not measure.needs_grid else (torch.randn(3, 5, 6), torch.randn(3, 5, 6))
        if measure.needs_grid:
            maps[1][1, 2, 3] = float("nan")
        value = xaiexp.agree(*maps, measure.name)
        assert value.isnan().tolist() == [False, True, False]
