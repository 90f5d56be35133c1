"""The orders that agreements rest on, against scipy: zeros of both signs, negative numbers, ties at every place."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from xaiexp.builtin.agreements.orders import average_ranks
from xaiexp.builtin.agreements.top_k import tops

_RANDOM = np.random.default_rng(0)
MAPS = {
    "many ties": _RANDOM.integers(-3, 4, (4, 50)).astype(float),
    "no ties": _RANDOM.normal(0, 1e3, (4, 50)),
    "zeros of both signs": np.array([[0.0, -0.0, -1.0, 1.0, -0.0, 0.0]]),
    "tiny, huge and negative": np.array([[1e-45, -1e-45, 3e38, -3e38, 0.0, 1e-38]]),
}


@pytest.mark.parametrize("magnitudes", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    "maps", [*MAPS.values(), np.concatenate([MAPS["many ties"], MAPS["no ties"]])], ids=[*MAPS, "both"]
)
def test_average_ranks_are_those_of_scipy(maps: np.ndarray, dtype: torch.dtype, magnitudes: bool) -> None:
    given = torch.tensor(maps, dtype=dtype)
    ranked = given.abs() if magnitudes else given
    found = average_ranks(given[None], slice(0, len(given)), magnitudes)[:, 0]
    assert np.array_equal(found.numpy(), stats.rankdata(ranked.numpy(), axis=-1) - 1)


@pytest.mark.parametrize("k", [1, 2, 5, 6])
@pytest.mark.parametrize("maps", MAPS.values(), ids=MAPS)
def test_first_places_are_the_lowest_ranks_of_scipy_up_to_k(maps: np.ndarray, k: int) -> None:
    given = torch.tensor(maps, dtype=torch.float32).unsqueeze(0)
    lowest = stats.rankdata(-given[0].abs().numpy(), axis=-1, method="min") - 1
    found = tops(given, k, zeros=True)
    places = torch.full_like(given, k, dtype=torch.int32).scatter_(-1, found.features, found.first)
    assert np.array_equal(places[0].numpy(), np.minimum(lowest, k))
