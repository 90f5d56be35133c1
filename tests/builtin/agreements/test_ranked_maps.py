"""Orders, ranks, places and the memo against scipy: zeros of both signs, negative numbers, ties at every place."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest
import torch
from scipy import stats

from xaiexp.builtin.agreements import ranked_maps
from xaiexp.builtin.agreements.ranked_maps import RankedMaps, average_ranks, descending_order, products

_RANDOM = np.random.default_rng(0)
MAPS = {
    "many ties": _RANDOM.integers(-3, 4, (4, 50)).astype(float),
    "no ties": _RANDOM.normal(0, 1e3, (4, 50)),
    "zeros of both signs": np.array([[0.0, -0.0, -1.0, 1.0, -0.0, 0.0]]),
    "tiny, huge and negative": np.array([[1e-45, -1e-45, 3e38, -3e38, 0.0, 1e-38]]),
}
EACH = pytest.mark.parametrize(
    "maps", [*MAPS.values(), np.concatenate([MAPS["many ties"], MAPS["no ties"]])], ids=[*MAPS, "both"]
)


@pytest.mark.parametrize("magnitudes", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@EACH
def test_average_ranks_equal_those_of_scipy(maps: np.ndarray, dtype: torch.dtype, magnitudes: bool) -> None:
    given = torch.tensor(maps, dtype=dtype)
    ranked = given.abs() if magnitudes else given
    expected = stats.rankdata(ranked.numpy(), axis=-1) - (given.shape[-1] + 1) / 2
    assert np.array_equal(average_ranks(ranked).numpy(), expected)


@pytest.mark.parametrize("k", [1, 2, 5, 6])
@pytest.mark.parametrize("maps", MAPS.values(), ids=MAPS)
def test_first_places_equal_the_lowest_ranks_of_scipy_up_to_k(maps: np.ndarray, k: int) -> None:
    given = torch.tensor(maps, dtype=torch.float32).unsqueeze(0)
    lowest = stats.rankdata(-given[0].abs().numpy(), axis=-1, method="min") - 1
    features, first, _ = RankedMaps(given).places(slice(0, given.shape[1]), k, zeros=True)
    places = torch.full_like(given, k, dtype=torch.int32).scatter_(-1, features, first.clamp(max=k))
    assert np.array_equal(places[0].numpy(), np.minimum(lowest, k))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@EACH
def test_rows_sorted_one_by_one_have_the_order_of_those_sorted_at_once(
    maps: np.ndarray, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = torch.tensor(maps).to(dtype)
    expected = given.sort(dim=-1, descending=True).values
    assert torch.equal(given.gather(-1, descending_order(given)), expected)
    monkeypatch.setattr(ranked_maps, "_RADIX_SORT", 1)
    assert torch.equal(given.gather(-1, descending_order(given)), expected)


def test_a_wide_map_is_sorted() -> None:
    given = torch.randn(2, 70_000, generator=torch.Generator().manual_seed(0)).round(decimals=3)
    assert torch.equal(given.gather(-1, descending_order(given)), given.sort(dim=-1, descending=True).values)


@pytest.mark.parametrize("d", [1, 7, 1023, 1024, 1025, 5000])
def test_products_of_flags_are_exact_counts(d: int) -> None:
    flags = (torch.rand(2, 3, d, generator=torch.Generator().manual_seed(d)) < 0.5).float()
    assert torch.equal(products(flags), torch.einsum("nid,njd->nij", flags.double(), flags.double()))


def test_a_tensor_has_the_same_ranked_maps_until_it_is_changed() -> None:
    maps = torch.randn(2, 3, 20, generator=torch.Generator().manual_seed(0))
    ranked = RankedMaps.of(maps)
    assert RankedMaps.of(maps) is ranked
    assert ranked.order is ranked.order
    assert ranked.top(2) is ranked.top(2) is not ranked.top(3)
    maps[0, 0, 0] = 1.0
    assert RankedMaps.of(maps) is not ranked


@pytest.mark.parametrize("inference", [False, True])
def test_ranked_maps_are_deleted_with_their_tensor(inference: bool) -> None:
    with torch.inference_mode(inference):
        maps = torch.ones(2, 3, 20)
        alive = weakref.ref(RankedMaps.of(maps))
    assert alive() is not None
    gc.disable()
    try:
        del maps
        assert alive() is None
    finally:
        gc.enable()
