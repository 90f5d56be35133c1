"""The background of a study: which rows of the dataset are its pool, and in which values."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
import torch
from spy_network import CLASSES, FEATURES, SpiedModel

from xaiexp.contract.kinds import Dataset
from xaiexp.contract.registry import installed
from xaiexp.core.samples import Encoded, Outline, Sample, Source
from xaiexp.engine.loader import Loader
from xaiexp.plan.settings import Settings

CHUNK = 64


@dataclass(frozen=True)
class Counted(Dataset):
    """Row i consists of i, and of i + 0.5 in its last column; every third label is unknown."""

    count: int = 1
    summary = source = "made up"
    modality = "table"

    def open(self):
        def read(start, stop):
            rows = [torch.full((FEATURES,), float(i)) for i in range(start, stop)]
            for row in rows:
                row[-1] += 0.5
            return [
                Sample(f"row {i}", row, None if i % 3 == 0 else i % CLASSES)
                for i, row in zip(range(start, stop), rows, strict=True)
            ]

        return Source(self.count, read)

    def outline(self):
        return Outline(self.count, (FEATURES,))


def background(count, limit=None, mean=0.0, std=1.0):
    network = SpiedModel().load(None)

    def encode(samples):
        return Encoded((torch.stack([s.data for s in samples]) - mean) / std)

    network = replace(network, encode=encode, mean=mean, std=std, low=None, high=None)
    features = installed().build("features", "column", {})
    return Loader(Counted(count), network, features, Settings(examples=limit), torch.device("cpu")).background


@pytest.mark.parametrize("count", [1, 10, 64])
def test_a_small_dataset_is_the_pool(count):
    assert background(count).pool[:, 0].tolist() == list(range(count))


def test_of_a_large_dataset_the_pool_is_as_many_rows_as_a_chunk_evenly_spaced():
    found = background(1000)
    rows = found.pool[:, 0]
    assert len(rows) == CHUNK
    assert rows[0] == 0
    assert set(rows.diff().tolist()) == {15.0, 16.0}  # 1000 / 64 = 15.625
    assert rows[-1] == 1000 * 63 // 64
    assert found.labels.tolist() == [-1 if i % 3 == 0 else i % CLASSES for i in rows.int().tolist()]


def test_the_pool_is_the_same_however_many_examples_are_explained():
    assert torch.equal(background(1000, limit=3).pool, background(1000).pool)


def test_the_pool_has_the_values_that_the_model_sees_and_the_statistics_are_those_of_the_pool():
    found = background(100, mean=10.0, std=4.0)
    rows = torch.tensor([i * 100 // CHUNK for i in range(CHUNK)], dtype=torch.float32)
    own = rows.unsqueeze(1) + torch.tensor([0.0, 0.0, 0.0, 0.0, 0.5])
    torch.testing.assert_close(found.pool, (own - 10) / 4)
    torch.testing.assert_close(found.mean, ((own - 10) / 4).mean(0))
    torch.testing.assert_close(found.low, ((own - 10) / 4).amin(0))
    torch.testing.assert_close(found.high, ((own - 10) / 4).amax(0))
