"""Attributions from files are judged like those of the method that made them."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.numpy import save_file
from small_studies import run

from xaiexp.builtin.methods.precomputed.precomputed_maps import Precomputed
from xaiexp.errors import MismatchError, ResourceError, UserError

METRICS = "metric=[deletion,infidelity,sparseness,completeness,sensitivity_max]"
ORIGINAL = "method=[integrated_gradients]"
GIVEN = ["method=[precomputed]", "method.precomputed.complete=true", "method.precomputed.reads_baseline=true"]


@pytest.fixture
def original(workplace):
    """Integrated gradients of twelve digits, with the ids of the examples and the classes."""
    result = run(ORIGINAL, "baseline=[zero]", METRICS, "agreement=[]")
    rows = result.scores[result.scores["metric"] == "deletion"]
    maps = result.attributions("integrated_gradients").numpy()
    return result, rows["example"].tolist(), rows["target"].to_numpy(), maps


def saved(path, ids, targets, maps):
    if path.suffix == ".npz":
        np.savez(path, ids=np.array(ids), attributions=maps, targets=targets)
    elif path.suffix == ".safetensors":
        arrays = {"attributions": np.ascontiguousarray(maps), "targets": np.asarray(targets)}
        save_file(arrays, path, metadata={"ids": json.dumps(ids)})
    else:
        lists = [row.flatten().tolist() for row in maps]
        pd.DataFrame({"example": ids, "target": targets, "attributions": lists}).to_parquet(path)
    return path


def judged(path, *more):
    return run(*GIVEN, f"method.precomputed.path={path}", "baseline=[zero]", METRICS, "agreement=[]", *more)


def by_metric(result):
    table = result.scores.pivot_table(index="example", columns="metric", values="value", dropna=False)
    return table.sort_index()


@pytest.mark.parametrize("suffix", ["npz", "safetensors", "parquet"])
def test_exported_maps_score_exactly_as_the_original(original, tmp_path, suffix):
    result, ids, targets, maps = original
    order = np.random.default_rng(0).permutation(len(ids))  # rows are found by id, not by position
    path = saved(tmp_path / f"maps.{suffix}", [ids[i] for i in order], targets[order], maps[order])
    given = judged(path)
    want, got = by_metric(result), by_metric(given)
    assert want.notna().any().all()
    again = ["sensitivity_max"]  # explains perturbed inputs, which a file cannot
    assert got[again].isna().all().all()
    assert want[again].notna().all().all()
    pd.testing.assert_frame_equal(got.drop(columns=again), want.drop(columns=again), check_exact=True)
    assert np.array_equal(given.attributions("precomputed").numpy(), maps)
    (cell,) = given.cells.itertuples()
    assert (cell.status, cell.baseline, cell.forward_passes, cell.backward_passes) == ("done", "zero", 0, 0)


def test_an_edited_file_gives_its_new_scores(original, tmp_path):
    _, ids, targets, maps = original
    path = saved(tmp_path / "maps.npz", ids, targets, maps)
    judged(path)
    assert judged(path).cells["cached"].tolist() == [True]
    saved(path, ids, targets, 2 * maps)
    edited = judged(path)
    assert edited.cells["cached"].tolist() == [False]
    assert np.array_equal(edited.attributions("precomputed").numpy(), 2 * maps)


def test_what_does_not_fit_is_refused_with_names(original, tmp_path):
    _, ids, targets, maps = original
    path = tmp_path / "maps.npz"
    saved(path, ids[:10], targets[:10], maps[:10])
    with pytest.raises(MismatchError, match=rf"no map of 2 of 12 examples \({ids[10]}, {ids[11]}\)"):
        judged(path)
    saved(path, ids, (targets + 1) % 10, maps)
    with pytest.raises(MismatchError, match=rf"no map of 12 of 12 examples \({ids[0]}: class {targets[0]}, "):
        judged(path)
    saved(path, ids, targets, maps[:, :-1])
    with pytest.raises(MismatchError, match=r"must have the shape \[1, 8, 8\] of the input, or \[8, 8\] of the feat"):
        judged(path)
    broken = maps.copy()
    broken[3, 2, 2] = np.nan
    saved(path, ids, targets, broken)
    (cell,) = judged(path).cells.itertuples()
    assert (cell.status, ids[3] in cell.reason) == ("failed", True)


def test_the_class_is_stated_where_the_file_names_none(original, tmp_path):
    _, ids, targets, maps = original
    path = tmp_path / "maps.npz"
    np.savez(path, **dict(zip(ids, maps, strict=True)))  # an array for each example
    with pytest.raises(MismatchError, match="does not say which class its maps explain"):
        judged(path)
    with pytest.raises(MismatchError, match="the study explains other classes for "):
        judged(path, f"method.precomputed.target={targets[0]}")
    for stated in ("target=predicted", "target_specific=false"):
        got = judged(path, f"method.precomputed.{stated}").attributions("precomputed").numpy()
        assert np.array_equal(got, maps)


def test_columns_of_a_parquet_table_are_features(workplace, tmp_path):
    names = [f"breast_cancer/{row}" for row in (1, 2)]
    table = pd.DataFrame({"age": [1.0, 2.0], "example": names, "size": [3.0, 4.0]})
    table.to_parquet(tmp_path / "maps.parquet")
    from xaiexp.builtin.methods.precomputed.map_files import read_map_file

    maps = read_map_file("path", tmp_path / "maps.parquet").maps
    assert {name: values.tolist() for (name, _), values in maps.items()} == {names[0]: [1, 3], names[1]: [2, 4]}


def test_maps_of_different_lengths_leave_out_the_padding(tmp_path):
    from xaiexp.testing.studies import modality_study

    study = modality_study("text")
    counts = study.batch.features.counts.tolist()
    rows = [np.arange(1.0, count + 1) for count in counts]
    padded = np.full((len(rows), max(counts) + 2), np.nan)
    for number, row in enumerate(rows):
        padded[number, : len(row)] = row
    path = tmp_path / "maps.npz"
    np.savez(path, ids=np.array(study.batch.ids), attributions=padded)
    method = Precomputed(path=str(path), target_specific=False)
    values = study.batch.features.pool(method.attribute(study.handle(), study.batch, None, study.draws()))
    for number, row in enumerate(rows):
        torch.testing.assert_close(values[number, : len(row)], torch.from_numpy(row).float())
    padded[1, counts[1]] = 5.0  # beyond the features of the example
    np.savez(path, ids=np.array(study.batch.ids), attributions=padded)
    with pytest.raises(MismatchError, match=rf"example 'toy 1' .* or \[{counts[1]}\], its features"):
        method.attribute(study.handle(), study.batch, None, study.draws())


@pytest.mark.parametrize(
    ("name", "arrays", "kind", "message"),
    [
        ("none.npz", None, ResourceError, "cannot be read"),
        ("maps.csv", {"a": np.ones(2)}, ResourceError, "has no known format"),
        ("maps.npz", b"no archive", ResourceError, "is not an .npz file"),
        ("maps.safetensors", b"no tensors", ResourceError, "cannot be read"),
        ("maps.parquet", b"no table", ResourceError, "cannot be read"),
        ("maps.npz", {"ids": np.array(["a"])}, MismatchError, "no array 'attributions'"),
        ("maps.npz", {"ids": np.array(["a"]), "attributions": np.ones((2, 3))}, MismatchError, "must have an id"),
        ("maps.npz", {"ids": np.array(["a", "a"]), "attributions": np.ones((2, 3))}, MismatchError, "two maps"),
        ("maps.npz", {"a": np.array(["x"])}, MismatchError, "no array of numbers"),
        ("maps.npz", {"a": np.array([{}], dtype=object)}, ResourceError, "Object arrays cannot be loaded"),
        (
            "maps.npz",
            {"ids": np.array(["a"]), "attributions": np.ones((1, 3)), "targets": np.array([-1])},
            MismatchError,
            "is no class index",
        ),
    ],
)
def test_files_that_cannot_be_read_are_named(name, arrays, kind, message, tmp_path):
    from xaiexp.builtin.methods.precomputed.map_files import read_map_file

    path = tmp_path / name
    if isinstance(arrays, bytes):
        path.write_bytes(arrays)
    elif arrays is not None:
        with path.open("wb") as file:
            np.savez(file, **arrays)
    with pytest.raises(UserError, match=message) as caught:
        read_map_file("method.precomputed.path", path)
    assert isinstance(caught.value, kind)
