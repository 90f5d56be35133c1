from __future__ import annotations

import pytest

from xaiexp.errors import ResourceError
from xaiexp.store.files import ensure_writable, write_atomically


def test_a_file_is_written_with_its_folders_and_readable_by_others(tmp_path):
    path = tmp_path / "a" / "b" / "file.json"
    write_atomically(path, b"content")
    assert path.read_bytes() == b"content"
    assert path.stat().st_mode & 0o777 == 0o644


def test_a_file_is_replaced_and_no_temporary_file_remains(tmp_path):
    path = tmp_path / "file"
    for content in (b"old", b"new"):
        write_atomically(path, content)
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failed_write_keeps_the_old_file_and_removes_the_temporary_one(tmp_path):
    path = tmp_path / "file"
    write_atomically(path, b"old")
    with pytest.raises(TypeError):
        write_atomically(path, "not bytes")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_writable_folder_is_created_and_left_empty(tmp_path):
    ensure_writable(tmp_path / "a" / "b", "store")
    assert list((tmp_path / "a" / "b").iterdir()) == []


def test_a_folder_that_cannot_be_created_is_reported_with_its_option(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ResourceError, match=r"^store: cannot be written"):
        ensure_writable(tmp_path / "file" / "folder", "store")
