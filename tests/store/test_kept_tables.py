"""Tables that follow from scores are computed once, and are the same when they come from the store."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from xaiexp.store.kept_tables import frame_digest, kept_tables
from xaiexp.store.objects import Store

SCORES = pd.DataFrame({"example": ["a", "b", None], "target": [1, 2, 3], "value": [0.1, math.nan, -0.0]})
TABLES = {
    "summary": pd.DataFrame({"mean": [0.1 + 0.2, math.nan, 1e-300], "rank": [1, 2, 3], "letters": ["a", None, ""]}),
    "verdicts": pd.DataFrame({"refused": [True, False]}),
    "comparisons": pd.DataFrame(columns=["metric", "difference"]),
}


class Computes:
    def __init__(self, tables: dict[str, pd.DataFrame]) -> None:
        self.tables, self.times = tables, 0

    def __call__(self) -> dict[str, pd.DataFrame]:
        self.times += 1
        return self.tables


def test_tables_are_computed_once_and_read_back_to_the_last_bit(tmp_path: Path) -> None:
    compute = Computes(TABLES)
    for _ in range(3):
        found = kept_tables(Store(tmp_path), SCORES, {"seed": 0}, compute)
        assert found.keys() == TABLES.keys()
        for name, frame in found.items():
            pd.testing.assert_frame_equal(frame, TABLES[name], check_exact=True)
    assert compute.times == 1


def test_other_scores_and_other_rules_are_computed_anew(tmp_path: Path) -> None:
    compute = Computes(TABLES)
    store = Store(tmp_path)
    kept_tables(store, SCORES, {"seed": 0}, compute)
    kept_tables(store, SCORES, {"seed": 1}, compute)
    kept_tables(store, SCORES.assign(value=[0.1, math.nan, 0.0]), {"seed": 0}, compute)
    kept_tables(Store(tmp_path, force=True), SCORES, {"seed": 0}, compute)
    assert compute.times == 4


def test_code_that_changed_computes_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compute = Computes(TABLES)
    kept_tables(Store(tmp_path), SCORES, {}, compute)
    monkeypatch.setattr("xaiexp.store.kept_tables._code", lambda: "other")
    kept_tables(Store(tmp_path), SCORES, {}, compute)
    assert compute.times == 2


def test_a_damaged_object_is_computed_anew(tmp_path: Path) -> None:
    compute = Computes(TABLES)
    kept_tables(Store(tmp_path), SCORES, {}, compute)
    (file,) = tmp_path.rglob("*.safetensors")
    content = bytearray(file.read_bytes())
    content[-5] ^= 1
    file.write_bytes(content)
    kept_tables(Store(tmp_path), SCORES, {}, compute)
    assert compute.times == 2


def test_what_parquet_would_change_is_not_kept(tmp_path: Path) -> None:
    mixed = {"summary": pd.DataFrame({"mean": pd.Series([1, "a"], dtype=object)})}
    compute = Computes(mixed)
    for _ in range(2):
        assert kept_tables(Store(tmp_path), SCORES, {}, compute) is mixed
    assert compute.times == 2


def test_the_digest_depends_on_every_value_name_type_and_order() -> None:
    variants = [
        SCORES,
        SCORES.assign(value=np.nextafter(SCORES["value"].to_numpy(), 1)),
        SCORES.assign(example=["a", "b", "None"]),
        SCORES.assign(example=SCORES["example"].iloc[[1, 0, 2]].to_list()),
        SCORES.assign(target=SCORES["target"].astype("float64")),
        SCORES.rename(columns={"value": "other"}),
        SCORES[["target", "example", "value"]],
        SCORES.iloc[::-1],
        SCORES.iloc[:2],
    ]
    assert len({frame_digest(each) for each in variants}) == len(variants)
    assert frame_digest(SCORES.copy()) == frame_digest(SCORES)
