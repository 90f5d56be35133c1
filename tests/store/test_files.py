from __future__ import annotations

import os
from pathlib import Path

import pytest

from xaiexp.errors import ResourceError
from xaiexp.store.files import ensure_writable, move_aside, write_atomically


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


def test_content_and_name_are_on_the_disk_before_and_after_the_file_is_replaced(tmp_path, monkeypatch):
    events, fsync, replace = [], os.fsync, Path.replace

    def flushed(descriptor):
        place = Path(f"/proc/self/fd/{descriptor}").readlink()
        events.append("folder" if place == tmp_path else f"{place.stat().st_size} bytes")
        fsync(descriptor)

    def replaced(self, target):
        events.append("rename")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", flushed)
    monkeypatch.setattr(Path, "replace", replaced)
    write_atomically(tmp_path / "file", b"content")
    assert events == ["7 bytes", "rename", "folder"]


def test_a_file_system_that_cannot_flush_folders_is_no_error(tmp_path, monkeypatch):
    fsync = os.fsync

    def refuse(descriptor):
        if Path(f"/proc/self/fd/{descriptor}").readlink() == tmp_path:
            raise OSError(22, "Invalid argument")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", refuse)
    write_atomically(tmp_path / "file", b"content")
    assert (tmp_path / "file").read_bytes() == b"content"


def test_a_folder_in_the_way_is_moved_aside_with_its_content_and_a_file_or_a_link_is_not(tmp_path):
    for number in range(2):  # each gets a name of its own
        (tmp_path / "a" / "inside").mkdir(parents=True)
        move_aside(tmp_path / "a")
        aside = sorted(tmp_path.glob(".a.*.damaged"))
        assert len(aside) == number + 1
        assert all((folder / "inside").is_dir() for folder in aside)
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to(aside[0])
    for name in ("file", "link", "missing"):
        move_aside(tmp_path / name)
    assert (tmp_path / "file").exists()
    assert (tmp_path / "link").is_symlink()
