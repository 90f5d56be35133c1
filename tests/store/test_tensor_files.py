"""A file of tensors is used only as it was written, whatever happened to it."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file

from xaiexp.store.tensor_files import Damaged, read_tensors, write_tensors

TENSORS = {
    "a": torch.arange(6.0).view(2, 3),
    "b": torch.tensor([1.0, -0.0], dtype=torch.bfloat16),
    "c": torch.zeros(0, 2),
    "d": torch.tensor(3),
}
METADATA = {"key": "ab12", "kind": "scores"}


def same(tensors):
    return tensors.keys() == TENSORS.keys() and all(
        torch.equal(tensors[name], tensor) and tensors[name].dtype == tensor.dtype for name, tensor in TENSORS.items()
    )


def test_what_was_written_is_read(tmp_path):
    write_tensors(tmp_path / "file", TENSORS, METADATA)
    tensors, metadata = read_tensors(tmp_path / "file")
    assert same(tensors)
    assert metadata == METADATA


def test_no_flipped_bit_of_any_byte_gives_other_tensors_or_metadata(tmp_path):
    path = tmp_path / "file"
    write_tensors(path, TENSORS, METADATA)
    content = path.read_bytes()
    found = 0
    for place in range(len(content)):
        for bit in (0, 5, 7):
            altered = bytearray(content)
            altered[place] ^= 1 << bit
            path.write_bytes(altered)
            try:
                tensors, metadata = read_tensors(path)
            except Damaged:
                found += 1
            else:  # a byte that says nothing, such as the order of the header
                assert same(tensors), (place, bit)
                assert metadata == METADATA, (place, bit)
    assert found > 0.95 * 3 * len(content)


def test_no_cut_off_file_is_read(tmp_path):
    path = tmp_path / "file"
    write_tensors(path, TENSORS, METADATA)
    content = path.read_bytes()
    for length in range(len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(Damaged):
            read_tensors(path)


def test_what_is_wrong_is_said(tmp_path):
    path = tmp_path / "file"
    with pytest.raises(FileNotFoundError):
        read_tensors(path)
    save_file(TENSORS, path)
    with pytest.raises(Damaged, match=r"^has no checksum$"):
        read_tensors(path)
    path.write_bytes(b"")
    with pytest.raises(Damaged, match=r"^cannot be read \(.*too small"):
        read_tensors(path)
    path.unlink()
    path.mkdir()
    with pytest.raises(Damaged, match=r"^is a folder$"):
        read_tensors(path)


def test_a_folder_in_the_place_of_the_file_is_moved_aside(tmp_path):
    (tmp_path / "file" / "theirs").mkdir(parents=True)
    write_tensors(tmp_path / "file", TENSORS, METADATA)
    assert same(read_tensors(tmp_path / "file")[0])
    (aside,) = tmp_path.glob(".file.*.damaged")
    assert (aside / "theirs").is_dir()
