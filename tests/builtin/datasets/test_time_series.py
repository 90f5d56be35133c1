"""The dataset time_series: series from arrays and from rows of a table."""

from __future__ import annotations

import pickle
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from xaiexp.builtin.datasets.npz_file import NpzFile
from xaiexp.builtin.datasets.time_series import TimeSeries
from xaiexp.builtin.splits import is_held_out
from xaiexp.errors import MismatchError, ResourceError, UserError


def all_samples(source):
    return source.read(0, source.count)


def saved(tmp_path, name="s.npz", **arrays):
    path = tmp_path / name
    np.savez(path, **arrays)
    return str(path)


def series(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def test_train_and_test_arrays_are_the_two_parts(tmp_path):
    x_train, x_test = series(5, 2, 9), series(7, 2, 9, seed=1)
    path = saved(tmp_path, x_train=x_train, x_test=x_test, y_train=[2, 1, 1, 2, 3], y_test=[3, 1, 2, 1, 2, 2, 1])
    dataset = TimeSeries(path)
    source, training = dataset.open(), dataset.training()
    assert source.class_names == training.class_names == ("1", "2", "3")
    assert [s.label for s in all_samples(source)] == [2, 0, 1, 0, 1, 1, 0]
    assert [s.label for s in all_samples(training)] == [1, 0, 0, 1, 2]
    for part, values in ((source, x_test), (training, x_train)):
        np.testing.assert_array_equal(
            torch.stack([s.data for s in all_samples(part)]).numpy(), values.astype(np.float32)
        )
    assert [s.id for s in source.read(0, 2)] == ["s/test/0", "s/test/1"]
    assert not {s.id for s in all_samples(source)} & {s.id for s in all_samples(training)}
    assert dataset.outline().count == 7
    assert dataset.outline().shape == (2, 9)


def test_one_array_is_split_by_number(tmp_path):
    x, y = series(40, 12), np.array(["b", "a"] * 20)
    dataset = TimeSeries(saved(tmp_path, signal=x, kind=y), series_key="signal", labels_key="kind")
    out = [i for i in range(40) if is_held_out(str(i), 0.25, 0)]
    samples = all_samples(dataset.open())
    assert [s.id for s in samples] == [f"s/{i}" for i in out]
    assert dataset.outline().count == len(out)
    assert dataset.outline().shape == (1, 12)
    np.testing.assert_array_equal(torch.stack([s.data[0] for s in samples]).numpy(), x[out].astype(np.float32))
    assert [s.label for s in samples] == [1 - i % 2 for i in out]
    assert dataset.training().count == 40 - len(out)


def test_a_key_may_name_one_part(tmp_path):
    path = saved(tmp_path, x_train=series(5, 9), x_test=series(7, 9), y_test=[0, 1] * 3 + [0])
    dataset = TimeSeries(path, series_key="x_test", labels_key="y_test", held_out=1)
    assert dataset.open().count == 7
    assert dataset.training() is None


def test_channels_may_be_last_and_masks_are_read(tmp_path):
    x, mask = series(6, 9, 2), np.arange(54).reshape(6, 9) % 4 == 0
    path = saved(tmp_path, x=x, truth=mask)
    dataset = TimeSeries(path, labels_key=None, channels_last=True, mask_key="truth", held_out=1)
    assert dataset.outline().shape == (2, 9)
    samples = all_samples(dataset.open())
    np.testing.assert_array_equal(samples[4].data.numpy(), x[4].T.astype(np.float32))
    np.testing.assert_array_equal(samples[4].mask.numpy(), mask[4])
    assert samples[4].mask.dtype == torch.bool
    assert samples[4].label is None


def test_each_row_of_a_table_is_a_series(tmp_path):
    lines = ["kind,who,t0,t1,t2,remark"] + [f"{'ab'[i % 2]},p{i},{i},{i / 2},{-i},fine" for i in range(30)]
    path = tmp_path / "s.csv"
    path.write_text("\n".join(lines))
    dataset = TimeSeries(str(path), label_column="kind", id_column="who", ignore=("remark",))
    samples = [*all_samples(dataset.open()), *all_samples(dataset.training())]
    assert dataset.outline().shape == (1, 3)
    assert dataset.outline().count == dataset.open().count == sum(is_held_out(f"p{i}", 0.25, 0) for i in range(30))
    assert len(samples) == 30
    for sample in samples:
        i = int(sample.id.removeprefix("s/p"))
        assert sample.data.tolist() == [[float(i), i / 2, float(-i)]]
        assert sample.label == i % 2


@pytest.mark.parametrize(
    ("arrays", "values", "kind", "message"),
    [
        (
            {"z": series(3, 4)},
            {},
            MismatchError,
            r"dataset\.series_key: .*no array of this name \(got 'x'\)\n.*arrays: z",
        ),
        ({"x": series(3, 4)}, {}, MismatchError, r"dataset\.labels_key: .*no array of this name \(got 'y'\)"),
        (
            {"x": series(3, 4), "y": [0, 1]},
            {},
            MismatchError,
            r"array 'y' must have shape \[3\], one label a series, or \[3, classes\] \(got \[2\]\)",
        ),
        ({"x": series(3)}, {}, MismatchError, r"array 'x' must be \[series, channels, steps\] or .* \(got \[3\]\)"),
        ({"x": np.zeros((0, 4))}, {}, MismatchError, r"and not empty \(got \[0, 4\]\)"),
        (
            {"x": np.array([[0, 1], [2, np.nan]]), "y": [0, 1]},
            {},
            ResourceError,
            r"dataset\.series_key: .*s\.npz, x\[1\]: channel 0, step 1 is not a finite number \(got nan\)",
        ),
        ({"x": np.array([[0, 1e39]]), "y": [0]}, {}, ResourceError, r"x\[0\]: channel 0, step 1 is not a finite"),
        ({"x": np.array([["a"]]), "y": [0]}, {}, MismatchError, r"dataset\.series_key: .*the series are not numbers"),
        (
            {"x_train": series(3, 4), "x_test": series(3, 5), "y_train": [0, 1, 0], "y_test": [0, 1, 0]},
            {},
            MismatchError,
            r"the parts differ in \[channels, steps\]",
        ),
        (
            {"x": series(3, 4), "y": [0, 1, 2]},
            {"classes": ("no", "yes")},
            MismatchError,
            r"dataset\.labels_key: .*x\[2\]: the label is not one of the 2 classes \(got '2'\)",
        ),
        ({"x": series(3, 4), "y": [0, 1, 0.5]}, {}, MismatchError, r"x\[2\]: a label must be a class name"),
        ({"x": series(3, 4), "y": [0, 1, 0]}, {"mask_key": "m"}, MismatchError, r"dataset\.mask_key: .*no array"),
        (
            {"x": series(3, 4), "y": [0, 1, 0], "m": np.zeros((3, 1, 4))},
            {"mask_key": "m"},
            MismatchError,
            r"array 'm' must be \[series, steps\], \[3, 4\] \(got \[3, 1, 4\]\)",
        ),
        ({"x": series(3, 4), "y": [0, 1, 0]}, {"held_out": 0.01}, ResourceError, r"dataset\.held_out: none of the 3"),
    ],
)
def test_invalid_arrays_raise_with_the_reason(tmp_path, arrays, values, kind, message):
    path = saved(tmp_path, **arrays)
    with pytest.raises(kind, match=message):
        TimeSeries(path, **{"held_out": 1, **values}).open()


@pytest.mark.parametrize(
    ("text", "values", "message"),
    [
        ("label,a,b\n", {}, r"dataset\.path: .*s\.csv has a header but no rows"),
        ("label,a,b\n0,1,\n", {}, r"s\.csv, line 2, column 'b': a step must be a finite number \(got ''\)"),
        ("label,a,b\n0,1,2\n1,x,2\n", {}, r"s\.csv, line 3, column 'a': a step must be a finite number \(got 'x'\)"),
        ("label,a,b\n0,1,nan\n", {}, r"line 2, column 'b': a step must be a finite number \(got 'nan'\)"),
        ("kind,a\n0,1\n", {}, r"dataset\.label_column: .*no such column \(got 'label'\)"),
        ("label,a\n0,1\n", {"ignore": ("b",)}, r"dataset\.ignore: .*no such column \(got 'b'\)"),
        ("label,a\n0,1\n", {"ignore": ("a",)}, r"dataset\.path: .*has no columns of steps"),
        ("label,a\n0,1\n", {"id_column": "who"}, r"dataset\.id_column: .*no such column \(got 'who'\)"),
    ],
)
def test_invalid_rows_raise_with_the_reason(tmp_path, text, values, message):
    path = tmp_path / "s.csv"
    path.write_text(text)
    with pytest.raises(UserError, match=message):
        TimeSeries(str(path), held_out=1, **values).open()


class Trap:
    """What a pickle runs when it is read."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def test_objects_in_arrays_are_not_unpickled(tmp_path):
    trap = tmp_path / "sprung"
    path = saved(tmp_path, x=np.array([Trap(trap)], dtype=object), y=[0])
    for ask in (TimeSeries(path).open, TimeSeries(path).outline, TimeSeries(path).training):
        with pytest.raises(ResourceError, match=r"array 'x' contains Python objects"):
            ask()
    with pytest.raises(ResourceError, match="Object arrays cannot be loaded"):  # though nobody had looked before
        NpzFile("dataset.path", Path(path), {"x": (1,)}).read("dataset.series_key", "x")
    (tmp_path / "p.npz").write_bytes(pickle.dumps(Trap(trap)))
    with pytest.raises(ResourceError, match=r"dataset\.path: .*p\.npz cannot be read as arrays"):
        TimeSeries(str(tmp_path / "p.npz")).open()
    assert not trap.exists()


def test_a_damaged_archive_raises(tmp_path):
    path = saved(tmp_path, x=series(30, 40), y=[0, 1] * 15)
    data = bytearray((tmp_path / "s.npz").read_bytes())
    data[1000] ^= 255
    (tmp_path / "s.npz").write_bytes(data)
    with pytest.raises(ResourceError, match=r"dataset\.path: .*s\.npz cannot be read as arrays: Bad CRC"):
        TimeSeries(path).open()
    with zipfile.ZipFile(tmp_path / "z.npz", "w") as archive:
        archive.writestr("x.npy", b"no array")
    with pytest.raises(ResourceError, match="cannot be read as arrays"):
        TimeSeries(str(tmp_path / "z.npz")).outline()
    with pytest.raises(ResourceError, match=r"dataset\.path: no such file \(got '.*gone\.npz'\)"):
        TimeSeries(str(tmp_path / "gone.npz")).outline()


def test_the_outline_reads_headers_only_and_does_not_import_torch(tmp_path):
    path = saved(tmp_path, x_test=np.zeros((20_000, 500), dtype=np.float32), x_train=np.zeros((2, 500)), y_test=[0])
    code = f"""
import sys
from xaiexp.builtin.datasets.time_series import TimeSeries
print(TimeSeries({path!r}).outline().count, "torch" in sys.modules)
"""
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout == "20000 False\n"
    started = time.perf_counter()
    TimeSeries(path).outline()
    assert time.perf_counter() - started < 1


def test_the_ecg_series_of_the_kit(kit):
    dataset = TimeSeries(str(kit / "arrays" / "two_lead_ecg.npz"))
    assert dataset.outline().count == dataset.open().count == 1139
    assert dataset.outline().shape == (1, 82)
    assert dataset.training().count == 23
    assert dataset.open().class_names == ("1", "2")
    with np.load(kit / "arrays" / "two_lead_ecg.npz") as file:
        assert [s.label + 1 for s in dataset.open().read(0, 1139)] == file["y_test"].tolist()
        np.testing.assert_array_equal(dataset.training().read(4, 5)[0].data.numpy(), file["x_train"][4])
