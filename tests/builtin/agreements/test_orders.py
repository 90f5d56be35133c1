"""The orders that agreements rest on, against scipy: zeros of both signs, negative numbers, ties at every place."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from xaiexp.builtin.agreements import orders
from xaiexp.builtin.agreements.flags import above, both, held
from xaiexp.builtin.agreements.orders import Groups, average_ranks
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


def test_rows_sorted_at_once_are_those_sorted_one_by_one() -> None:
    maps = torch.tensor(np.stack([MAPS["many ties"], MAPS["no ties"], np.ones((4, 50))]))
    bits = maps.abs().view(torch.int64)
    found = []
    for sort in (orders._row_by_row, orders._at_once):
        features, zeros = torch.empty(maps.shape, dtype=torch.int32), torch.empty(maps.shape[:2], dtype=torch.int64)
        constant = torch.empty(maps.shape[:2], dtype=torch.bool)
        ties = sort(bits, features, zeros, constant)
        found.append((maps.abs().gather(-1, features.long()), zeros, constant, ties))
    for one, other in zip(*found, strict=True):
        assert torch.equal(one, other)
    numbers, zeros, constant, _ = found[0]
    assert (numbers.diff() >= 0).all()
    assert torch.equal(zeros, (maps == 0).sum(-1))
    assert constant.tolist() == [[False] * 4, [False] * 4, [True] * 4]


def test_groups_of_ties() -> None:
    found = Groups.of(torch.tensor([1, 2, 5, 9]))  # 0 1 2, 4 5, 8 9
    assert found.first.tolist() == [0, 4, 8]
    assert found.size.tolist() == [3, 2, 2]
    assert found.members.tolist() == [0, 1, 2, 4, 5, 8, 9]
    assert found.of_each(torch.tensor([5, 6, 7])).tolist() == [5, 5, 5, 6, 6, 7, 7]
    assert not len(Groups.of(torch.empty(0, dtype=torch.int64)).members)


@pytest.mark.parametrize("examples", [1, 2, 40])
@pytest.mark.parametrize("count", [1, 7, 8, 63, 64, 65, 1000])
def test_flags_are_counted_as_one_by_one(count: int, examples: int) -> None:
    numbers = np.random.default_rng(count).integers(-1, 2, (3, examples, count))
    maps = torch.tensor(numbers, dtype=torch.float32)
    left, right = above(maps, torch.zeros(())), above(torch.zeros(()).expand_as(maps), maps)
    up, down = (maps > 0).double(), (maps < 0).double()
    for first, second in ((left, right), (up, down)):  # packed, and as they are elsewhere
        assert torch.equal(held(first), up.sum(-1).T)
        assert torch.equal(both(first, second), torch.einsum("ind,jnd->nij", up, down))
        assert torch.equal(both(first, first), torch.einsum("ind,jnd->nij", up, up))
