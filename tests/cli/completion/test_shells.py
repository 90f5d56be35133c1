"""Completion in real shells under a pseudo-terminal: what is typed, Tab, and what then stands on the line."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from xaiexp.cli.completion.shells import SCRIPTS

pexpect = pytest.importorskip("pexpect", reason="pexpect drives the shells")

PROMPT = "READY> "
STARTS = {
    "bash": (["--norc", "--noprofile", "-i"], "PS1='READY> '; bind 'set enable-bracketed-paste off'"),
    "zsh": (["-f", "-i"], "PROMPT='READY> '; unsetopt prompt_sp prompt_cr zle_bracketed_paste 2>/dev/null; true"),
    "fish": (["--no-config", "-i"], "function fish_prompt; echo -n 'READY> '; end"),
}
LINES = [
    ("pl", "a\t", "plan "),
    ("plugin", "\t", "plugins "),
    ("precision=b", "\t", "precision=bf16"),
    ("'method=[integ", "\t", "method=[integrated_gradients"),  # zsh expands brackets that are not quoted
    ("method=[occlusion] method.occlusion.str", "\t", "method.occlusion.strides="),
    ("experiment=tabular_d", "\t", "experiment=tabular_decision"),
    ("dataset=image_folder dataset.root=phot", "\t", "dataset.root=photos"),
    ("show integrated_g", "\t", "show integrated_gradients"),
    ("plugins check built", "\t", "plugins check builtin"),
]


@pytest.fixture(params=sorted(SCRIPTS))
def shell(request, tmp_path):
    """A shell with the completion of the program, in a folder with a folder ``photos``."""
    program = shutil.which(request.param)
    if program is None:
        pytest.skip(f"{request.param} is not installed")
    (tmp_path / "photos").mkdir()
    (tmp_path / "script").write_text(SCRIPTS[request.param])
    env = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "HOME": str(tmp_path),
        "TERM": "dumb" if request.param != "fish" else "xterm",
    }
    arguments, start = STARTS[request.param]
    child = pexpect.spawn(
        program, arguments, env=env, cwd=str(tmp_path), encoding="utf-8", timeout=60, dimensions=(50, 200)
    )
    child.sendline(start)
    child.sendline(f"source {tmp_path / 'script'}; echo LOA''DED")
    child.expect("LOADED")
    child.expect(PROMPT)
    yield child
    child.close(force=True)


@pytest.mark.heavy
def test_what_is_typed_is_completed_and_nothing_else_is_printed(shell):
    for typed, tab, expected in LINES:
        shell.send(f"xaiexp {typed}{tab}")
        shell.expect_exact(expected.strip()[-6:])
        assert "Traceback" not in shell.before
        assert "not found" not in shell.before
        shell.sendcontrol("u")
        shell.send("\r")
        shell.expect(PROMPT)
