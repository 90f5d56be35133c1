"""`xaiexp store`: what lies there, whether it is whole, and what is removed once that was confirmed."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from xaiexp.cli import app as cli
from xaiexp.store.objects import Store

KEYS = [f"{number:040x}" for number in range(3)]


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = Store(Path("outputs/store"))
    for key in KEYS:
        made.put(key, {"a": torch.ones(1000)}, "attributions")
    os.utime(made.path(KEYS[0]), (1_000_000_000, 1_000_000_000))
    return made


def damaged(store):
    content = bytearray(store.path(KEYS[1]).read_bytes())
    content[-1] ^= 1
    store.path(KEYS[1]).write_bytes(content)


def kept(store):
    return [key for key in KEYS if store.path(key).exists()]


def test_size_number_and_age_are_shown_without_torch(store):
    code = (
        "import sys; from xaiexp.cli.app import main; code = main(['store']); sys.exit('torch' in sys.modules or code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("outputs/store: 3 files, 12.6 kB\n")
    assert re.search(r"attributions +3 +12\.6 kB +2001-09-09 \d\d:\d\d +20[2-9]\d-", done.stdout)


def test_damaged_objects_are_named_and_end_with_1(store, capsys):
    assert cli.main(["store", "verify"]) == cli.DONE
    assert capsys.readouterr().out == "outputs/store: 3 files, 12.6 kB, 0 damaged\n"
    damaged(store)
    assert cli.main(["store", "verify"]) == cli.FAILED
    first, *others = capsys.readouterr().out.splitlines()
    assert first == f"{store.path(KEYS[1])}: has another content than was written"
    assert others[0].endswith("1 damaged")
    assert kept(store) == KEYS


@pytest.mark.parametrize(
    ("words", "left"), [(["--older-than", "1"], KEYS[1:]), (["--damaged"], [KEYS[0], KEYS[2]]), (["--all"], [])]
)
def test_what_is_asked_for_is_removed(store, words, left, capsys):
    damaged(store)
    assert cli.main(["store", "prune", *words, "--yes"]) == cli.DONE
    assert kept(store) == left
    out = capsys.readouterr().out
    removed = 3 - len(left)
    assert out.splitlines()[0].startswith(
        f"outputs/store: {removed} files, {4.2 * removed:.1f} kB: {removed} attributions"
    )
    assert out.splitlines()[-1] == f"removed {removed} files"


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(("answer", "left"), [("y\n", 0), ("yes\n", 0), ("n\n", 3), ("\n", 3), ("all\n", 3)])
def test_nothing_is_removed_without_a_yes(store, monkeypatch, answer, left):
    monkeypatch.setattr(sys, "stdin", Terminal(answer))
    assert cli.main(["store", "prune", "--all"]) == cli.DONE
    assert len(kept(store)) == left


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["prune"], "store prune: say what to remove\n  --older-than DAYS, --damaged or --all\n"),
        (
            ["prune", "--all"],
            "store prune: asks before it removes, and there is no terminal\n  --yes: without asking\n",
        ),
        (["--all"], "store: only prune removes files\n  xaiexp store prune [--yes] ...\n"),
        (["prune", "--older-than", "-1"], "store prune: --older-than must be at least 0 (got -1.0)\n"),
        (["prune", "--older-than", "nan"], "store prune: --older-than must be at least 0 (got nan)\n"),
        (["prune", "--older-than", "x"], "store: argument --older-than: invalid float value: 'x'\n"),
        (["--store", "nowhere"], "store: there is none (got 'nowhere')\n  a study makes it; --store DIR: another\n"),
        (["verfy"], "store: argument action: invalid choice: 'verfy'"),
    ],
)
def test_a_wrong_request_removes_nothing_and_is_told_in_two_lines(store, words, message, capsys):
    assert cli.main(["store", *words]) == cli.WRONG
    err = capsys.readouterr().err
    assert err.startswith(message)
    assert len(err.splitlines()) <= 2
    assert kept(store) == KEYS


def test_a_store_that_is_a_link_is_shown_and_not_pruned(store, capsys):
    Path("link").symlink_to("outputs/store")
    assert cli.main(["store", "--store", "link"]) == cli.DONE
    assert cli.main(["store", "prune", "--all", "--yes", "--store", "link"]) == cli.WRONG
    assert capsys.readouterr().err.startswith("store prune: does not follow a link (got 'link')\n  if that is a store:")
    assert kept(store) == KEYS
