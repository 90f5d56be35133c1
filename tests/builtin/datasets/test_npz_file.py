"""Archives of arrays that claim more than they hold are refused before memory is taken."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest

from xaiexp.builtin.datasets.npz_file import open_npz
from xaiexp.errors import ResourceError

GIB = 1 << 30


def header(shape, dtype="<f4"):
    """The first bytes of an array file that claims this shape."""
    text = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    text += b" " * (-(len(text) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text


def archive(path, content, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as file:
        file.writestr("x.npy", content)
    return path


def refused(path, message):
    """The archive is refused with this message, and little memory is taken."""
    tracemalloc.start()
    try:
        with pytest.raises(ResourceError, match=message) as said:
            open_npz("dataset.path", path)
        assert tracemalloc.get_traced_memory()[1] < 1 << 24
    finally:
        tracemalloc.stop()
    assert len(str(said.value).splitlines()) <= 2


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize(
    ("shape", "dtype"),
    [((1 << 40,), "<f4"), ((3,), "<f4"), ((10**9, 10**9, 10**9), "<f8"), ((2,), "<U1000000"), ((-2, -1), "<f4")],
)
def test_a_header_that_claims_more_than_the_file_holds_is_refused(tmp_path, shape, dtype, compression):
    path = archive(tmp_path / "a.npz", header(shape, dtype) + b"\0" * 8, compression)
    refused(path, r"dataset\.path: .*a\.npz: the header of array 'x' claims .* bytes; the file holds 8")


def test_an_array_that_would_expand_a_thousand_times_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as file, file.open("x.npy", "w") as member:
        member.write(header((GIB // 8,), "|u1"))
        for _ in range(1 << 4):
            member.write(bytes(1 << 23))
    # A bomb of gigabytes would take seconds to write: its size is told in the directory of the archive.
    content = (tmp_path / "a.npz").read_bytes()
    size = struct.pack("<I", len(header((GIB // 8,), "|u1")) + (1 << 27))
    (tmp_path / "b.npz").write_bytes(content.replace(size, struct.pack("<I", GIB)))
    assert open_npz("dataset.path", tmp_path / "a.npz").shapes == {"x": (GIB // 8,)}  # 128 MiB of zeros are no bomb
    refused(tmp_path / "b.npz", r"array 'x' would expand from \d+ bytes to 1073741824, as in a zip bomb\n  if it is ri")


def test_a_directory_that_claims_more_than_the_file_is_refused(tmp_path):
    content = header((2,)) + b"\0" * 8
    data = archive(tmp_path / "a.npz", content).read_bytes()
    sizes = struct.pack("<II", len(content), len(content))
    for claim in (struct.pack("<II", len(content), GIB), struct.pack("<II", GIB, GIB)):
        (tmp_path / "b.npz").write_bytes(data.replace(sizes, claim))
        refused(tmp_path / "b.npz", r"b\.npz is damaged: array 'x' is larger than the file")


def test_an_encrypted_archive_is_refused(tmp_path):
    data = bytearray(archive(tmp_path / "a.npz", header((2,)) + b"\0" * 8).read_bytes())
    data[6] |= 1  # in the header of the member
    data[data.index(b"PK\x01\x02") + 8] |= 1  # in the directory
    (tmp_path / "a.npz").write_bytes(data)
    refused(tmp_path / "a.npz", "cannot be read as arrays: .*encrypted")


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_arrays_of_numpy_are_read(tmp_path, save):
    arrays = {"a": np.arange(6.0).reshape(2, 3), "b": np.zeros((0, 3)), "c": np.array(["x", "yz"]), "d": np.float32(2)}
    save(tmp_path / "a.npz", **arrays)
    file = open_npz("dataset.path", tmp_path / "a.npz")
    assert file.shapes == {"a": (2, 3), "b": (0, 3), "c": (2,), "d": ()}
    for key, value in arrays.items():
        np.testing.assert_array_equal(file.read("dataset.key", key), value)


def test_python_objects_are_refused(tmp_path):
    written = io.BytesIO()
    np.savez(written, x=np.array([{"a": 1}], dtype=object))
    (tmp_path / "a.npz").write_bytes(written.getvalue())
    refused(tmp_path / "a.npz", r"a\.npz: array 'x' contains Python objects")
