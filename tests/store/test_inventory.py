"""The files of a store by kind, and that nothing else is ever removed."""

from __future__ import annotations

import os
import time
from collections import Counter

import pytest
import torch
from safetensors.torch import save_file

from xaiexp.store.inventory import EARLIER, LEFTOVERS, LISTS, MODELS, UNREADABLE, damage, inventory, remove
from xaiexp.store.objects import Store
from xaiexp.store.tensor_files import write_tensors

KEYS = [f"{number:040x}" for number in range(8)]
KINDS = ["attributions", "attributions", "predictions", "scores", "model checks"]


@pytest.fixture
def store(tmp_path):
    """A store with an object of every kind, and files of others that it must not touch."""
    made = Store(tmp_path / "store")
    for key, kind in zip(KEYS, KINDS, strict=False):
        made.put(key, {"a": torch.ones(3)}, kind)
    made.put_cell_keys(KEYS[0], KEYS[:2])
    write_tensors(made.folder / "models" / "net-ab12.safetensors", {"w": torch.ones(2)}, {})
    save_file({"a": torch.ones(1)}, made.path(KEYS[5]))
    made.path(KEYS[6]).write_bytes(b"torn")
    outside = tmp_path / "outside"
    (outside / "deep").mkdir(parents=True)
    for path in (
        outside / f"{KEYS[0]}.safetensors",
        outside / "deep" / "thesis.tex",
        made.folder / "brought.json",
        made.folder / "notes.txt",
        made.folder / "objects" / "00" / "notes.txt",
        made.folder / "objects" / f"{KEYS[0]}.safetensors",
        made.folder / "models" / "net-ab12.lock",
        made.folder / "objects" / "00" / f".{KEYS[0]}.safetensors.abcd1234",  # of a writer at work
    ):
        path.write_text("theirs")
    made.path(KEYS[7]).symlink_to(outside / f"{KEYS[0]}.safetensors")
    (made.folder / "objects" / "ff").symlink_to(outside)
    killed = made.folder / "plans" / "00" / f".{KEYS[0]}.json.abcd1234"
    killed.write_text("half")
    os.utime(killed, (time.time() - 7200,) * 2)
    moved = made.folder / "objects" / "00" / f".{KEYS[0]}.safetensors.abcd1234.damaged"
    moved.mkdir()
    (moved / "link").symlink_to(outside)
    return made


def test_files_are_counted_by_what_they_say_that_they_hold(store):
    found = Counter(file.kind for file in inventory(store.folder))
    expected = {LISTS: 1, MODELS: 1, EARLIER: 1, UNREADABLE: 1, LEFTOVERS: 2}
    assert found == expected | Counter(KINDS)
    for file in inventory(store.folder):
        status = file.path.lstat()
        assert (file.size, file.modified) == (status.st_size, status.st_mtime)


def test_damage_is_found_and_named(store):
    assert Counter(damage(file) != "" for file in inventory(store.folder)) == {True: 3, False: 8}
    content = bytearray(store.path(KEYS[3]).read_bytes())
    content[-1] ^= 1
    store.path(KEYS[3]).write_bytes(content)
    store.path(KEYS[2]).write_bytes(store.path(KEYS[1]).read_bytes())
    reasons = {file.path.stem: damage(file) for file in inventory(store.folder)}
    assert reasons[KEYS[3]] == "has another content than was written"
    assert reasons[KEYS[2]] == "is the file of another object"
    assert reasons[KEYS[1]] == ""


def test_nothing_outside_of_the_store_and_no_file_of_others_is_removed(store, tmp_path):
    def others():
        return {
            path: path.read_text()
            for path in tmp_path.rglob("*")
            if path.is_file() and "theirs" in path.read_text(errors="replace")
        }

    before = others()
    assert len(before) >= 8
    assert remove(inventory(store.folder)) == 11
    assert others() == before
    assert list(inventory(store.folder)) == []


@pytest.mark.parametrize("room", ["objects", "plans", "models"])
def test_a_room_that_is_a_link_is_not_entered(store, tmp_path, room):
    (store.folder / room).rename(tmp_path / "moved")
    (store.folder / room).symlink_to(tmp_path / "moved")
    assert not [file for file in inventory(store.folder) if room in file.path.parts]


def test_a_link_that_took_the_place_of_a_file_meanwhile_is_left(store, tmp_path):
    files = [file for file in inventory(store.folder) if file.path == store.path(KEYS[1])]
    files[0].path.unlink()
    files[0].path.symlink_to(tmp_path / "outside")
    assert remove(files) == 0
    assert (tmp_path / "outside" / "deep" / "thesis.tex").exists()


def test_the_objects_of_git_are_no_store(tmp_path):
    (tmp_path / ".git" / "objects" / "ab").mkdir(parents=True)
    (tmp_path / ".git" / "objects" / "ab" / KEYS[1][2:]).write_text("")
    assert list(inventory(tmp_path / ".git")) == []


def test_an_empty_folder_holds_nothing(tmp_path):
    assert list(inventory(tmp_path)) == []
