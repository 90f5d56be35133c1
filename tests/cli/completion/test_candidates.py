"""The words that may stand at the cursor, of a made-up index and of the installed plugins."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from xaiexp.cli.app import TOOLS
from xaiexp.cli.completion import index as indices
from xaiexp.cli.completion.answer import LINE, words
from xaiexp.cli.completion.candidates import _TOOL_WORDS, FILES, candidates

INDEX = {
    "tools": ["plan", "plugins", "report", "show", "store"],
    "kinds": {
        "model": {"net": {"depth": [], "kind": ["wide", "deep"]}, "other": {"path": []}},
        "method": {"alpha": {"n_steps": [], "mode": ["a", "b"]}, "alpine": {}, "beta": {"flag": ["true", "false"]}},
    },
    "lists": ["method"],
    "keys": {"seed": [], "precision": ["fp32", "bf16"], "store": []},
    "chosen": {"model": ["net"], "method": ["beta"]},
    "presets": {"experiment": ["one", "two"], "hydra/launcher": ["joblib"]},
    "plugins": ["builtin", "theirs"],
}


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("pl", ["plan", "plugins"]),
        ("s", ["show", "store", "seed=", "store="]),
        ("plan s", ["seed=", "store="]),
        ("seed=1 p", ["precision="]),
        ("precision=", ["precision=fp32", "precision=bf16"]),
        ("method=al", ["method=alpha", "method=alpine"]),
        ("method=[al", ["method=[alpha", "method=[alpine"]),
        ("method=[alpha,", ["method=[alpha,alpine", "method=[alpha,beta"]),
        ("'method=[alpha,b", ["method=[alpha,beta"]),
        ("method.", ["method.beta.flag="]),  # that of the default study
        ("method=[alpha] method.", ["method.alpha.n_steps=", "method.alpha.mode="]),
        ("+method@method.mine=alpha method.m", ["method.mine.n_steps=", "method.mine.mode="]),
        ("+method@method.mine=al", ["+method@method.mine=alpha", "+method@method.mine=alpine"]),
        ("method=[alpha] method.alpha.mode=", ["method.alpha.mode=a", "method.alpha.mode=b"]),
        ("model.", ["model.depth=", "model.kind="]),
        ("model=other model.", ["model.path="]),
        ("model=other model.path=", [FILES]),
        ("model.kind=d", ["model.kind=deep"]),
        ("store=x", [FILES]),
        ("experiment=", ["experiment=one", "experiment=two"]),
        ("hydra/l", ["hydra/launcher="]),
        ("hydra/launcher=", ["hydra/launcher=joblib"]),
        ("++se", ["++seed="]),
        ("show al", ["alpha", "alpine"]),
        ("show method=be", ["method=beta"]),
        ("plugins check ", ["builtin", "theirs"]),
        ("store ve", ["verify"]),
        ("report ", [FILES]),
        ("report --", ["--out", "--all", "--help", FILES]),
        ("nothing=", []),
        ("zz", []),
    ],
)
def test_candidates_of_a_line(line, found, tmp_path):
    assert sorted(candidates(words(f"xaiexp {line}"), INDEX, tmp_path)) == sorted(found)


def test_presets_of_the_user_are_read_each_time(tmp_path):
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "mine.yaml").write_text("seed: 1\n")
    assert candidates(["experiment=m"], INDEX, tmp_path) == ["experiment=mine"]


@pytest.mark.parametrize("tool", [tool for tool in TOOLS if tool not in ("plan", "show")])
def test_the_words_of_every_tool_are_those_of_its_help(tool, capsys):
    from xaiexp.cli import app

    assert app.main([tool, "--help"]) == app.DONE
    text = capsys.readouterr().out
    for word in _TOOL_WORDS[tool]:
        assert word == FILES or word in text


def test_every_component_parameter_and_preset_is_found(tmp_path):
    from xaiexp.contract.registry import installed
    from xaiexp.core.parameters import hints

    index = indices.make()
    for cls in installed().classes():
        if cls.kind in index["kinds"]:
            assert f"{cls.kind}={cls.name}" in candidates([f"{cls.kind}={cls.name}"], index, tmp_path)
            where = f"{cls.kind}.{cls.name}" if cls.kind in index["lists"] else cls.kind
            line = [f"{cls.kind}={cls.name}", f"{where}."]
            assert {f"{where}.{name}=" for name in hints(cls)} == set(candidates(line, index, tmp_path))
    assert "experiment=photos" in candidates(["experiment="], index, tmp_path)


def asked(line: str, home: Path, **more: str) -> subprocess.CompletedProcess[str]:
    env = os.environ | {LINE: line, "XDG_CACHE_HOME": str(home)} | more
    return subprocess.run([sys.executable, "-m", "xaiexp"], env=env, capture_output=True, text=True, check=False)


def test_the_program_answers_from_a_kept_index_without_importing_plugins(tmp_path):
    first = asked("xaiexp sho", tmp_path)
    assert first.stdout.splitlines() == ["show"]
    (kept,) = (tmp_path / "xaiexp").iterdir()
    kept.write_text(kept.read_text().replace('"show"', '"shown"'))
    again = asked("xaiexp sho", tmp_path, PYTHONVERBOSE="")
    assert again.stdout.splitlines() == ["shown"]
    code = (
        "import sys; from xaiexp.cli.completion.answer import answer; answer(); "
        "heavy = ('hydra', 'omegaconf', 'torch', 'numpy', 'xaiexp.builtin'); "
        "sys.stderr.write(str([m for m in heavy if m in sys.modules]))"
    )
    env = os.environ | {LINE: "xaiexp sho", "XDG_CACHE_HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert done.stderr == "[]"


@pytest.mark.parametrize("content", ["", "{", "[]", '{"tools": 3}'])
def test_a_damaged_index_prints_nothing_into_the_prompt(tmp_path, content):
    asked("xaiexp pl", tmp_path)
    (kept,) = (tmp_path / "xaiexp").iterdir()
    kept.write_text(content)
    answer = asked("xaiexp pl", tmp_path)
    assert answer.stderr == ""
    assert answer.stdout.splitlines() in ([], ["plan", "plugins"])


@pytest.mark.parametrize(
    "line", ["xaiexp 'a", 'xaiexp "', "xaiexp \\", "", "xaiexp method=[[[,,", "xaiexp ${x", "x\0y"]
)
def test_no_line_raises(line, tmp_path):
    assert isinstance(candidates(words(line), INDEX, tmp_path), list)
