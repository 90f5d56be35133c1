"""Every command of README and tutorials runs, in the order of the page; all other studies in the pages compose."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pandas as pd
import pytest

import xaiexp.cli.app as cli
from xaiexp.config.build import to_study
from xaiexp.config.compose import composed
from xaiexp.contract.registry import installed

ROOT = Path(__file__).parents[2]
RUN = [
    ROOT / "README.md",
    *(ROOT / "docs" / f"{name}.md" for name in ("python", "precomputed", *cli.TRUST)),
    *sorted((ROOT / "docs" / "tutorials").glob("*.md")),
]
QUICK = ("notebook", "precomputed")  # within 30 s
READ = sorted({*RUN, *(ROOT / "docs").glob("*.md")})
BLOCK = re.compile(r"^```(bash|python)\n(.*?)^```", flags=re.DOTALL | re.MULTILINE)
INSTALL = "uv pip install --editable "
# What stands for a name of the reader's own.
PLACEHOLDER = re.compile(r"\b[A-Z]{3,}\b|\.\.\.|\[verify")


def steps(page):
    """The blocks of a page, in their order: the language and the text."""
    return [(language, text) for language, text in BLOCK.findall(page.read_text(encoding="utf-8"))]


def lines(page):
    """All command lines of a page that start a study or its plan, without their comments."""
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    found = re.findall(r"^(?: {4})?(xaiexp .*)$", text, flags=re.MULTILINE)
    found += re.findall(r"`(xaiexp [^`\n]*)`", text)
    return list(dict.fromkeys(found))


def installed_at(project, site):
    """Write what an editable install of a plugin leaves on the path, as there is no network here."""
    about = tomllib.loads((project / "pyproject.toml").read_text())["project"]
    info = site / f"{about['name'].replace('-', '_')}-{about['version']}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {about['name']}\nVersion: {about['version']}\n")
    points = about["entry-points"]["xaiexp"]
    (info / "entry_points.txt").write_text("[xaiexp]\n" + "".join(f"{k} = {v}\n" for k, v in points.items()))
    for module in project.glob("*"):
        if module.is_dir() or module.suffix == ".py":
            (site / module.name).symlink_to(module)


def run_page(page, folder):
    """Run all blocks of a page; the first that fails ends it, with what it printed."""
    site = folder / "site"
    site.mkdir()
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    env = {**os.environ, "PATH": programs, "PYTHONPATH": str(site), "COLUMNS": "120", "MPLBACKEND": "agg"}
    code = "".join(text for language, text in steps(page) if language == "python")
    commands = [
        line for language, text in steps(page) if language == "bash" for line in text.splitlines() if line.strip()
    ]
    calls = [["bash", "-euo", "pipefail", "-c", line] for line in commands] + [[sys.executable, "-c", code]] * bool(
        code
    )
    for call in calls:
        if call[-1].startswith(INSTALL):
            installed_at(folder / call[-1].removeprefix(INSTALL), site)
            continue
        done = subprocess.run(call, cwd=folder, env=env, capture_output=True, text=True, timeout=600, check=False)
        assert done.returncode == 0, f"{call[-1]}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"


def needs_kit(page):
    return "kit/" in "".join(text for _, text in steps(page))


@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    "page",
    [page if page.stem in QUICK else pytest.param(page, marks=pytest.mark.heavy) for page in RUN],
    ids=lambda page: page.stem,
)
def test_every_command_of_the_page_runs(page, workplace, request):
    assert steps(page)
    if needs_kit(page):
        (workplace / "kit").symlink_to(request.getfixturevalue("kit"))
    run_page(page, workplace)


def test_the_first_study_of_language_models_finds_what_its_page_says(workplace, capsys):
    """The page itself is heavy; its first command runs here on half of the examples, in this process."""
    page = ROOT / "docs" / "tutorials" / "language_models.md"
    command = next(text for language, text in steps(page) if language == "bash")
    _, *words = shlex.split(command)
    assert "examples=16" in words
    words = ["examples=8" if word == "examples=16" else word for word in words]
    assert cli.main([*words, "report=false", "tracking.uri=off"]) == cli.DONE
    assert "chefer" in capsys.readouterr().out
    scores = pd.read_parquet(workplace / "outputs" / "recall" / "scores.parquet")
    found = scores[scores["metric"] == "pointing_game"].groupby("method")["value"].mean()
    assert set(found.index) == {"saliency", "feature_ablation", "chefer", "recency", "random"}
    assert found[["saliency", "chefer"]].min() > 0.8  # chance is one word in four
    assert found[["recency", "random"]].max() < 0.7


def test_a_command_that_fails_is_told(tmp_path):
    (tmp_path / "page.md").write_text("```bash\nxaiexp show nothing_of_this_name\n```\n")
    with pytest.raises(AssertionError, match="no component has this name"):
        run_page(tmp_path / "page.md", tmp_path)


@pytest.mark.parametrize("page", READ, ids=lambda page: page.stem)
def test_every_study_in_the_page_composes(page, workplace, request):
    if needs_kit(page):
        (workplace / "kit").symlink_to(request.getfixturevalue("kit"))
    seen = []
    for line in lines(page):
        words = shlex.split(line, comments=True)[1:]
        if PLACEHOLDER.search(" ".join(words)):
            continue
        tool = words[0] if words and "=" not in words[0] and not words[0].startswith("-") else None
        assert tool is None or tool in cli.TOOLS, line
        overrides = [word for word in words if "=" in word and not word.startswith("--")]
        if tool not in (None, "plan") or "-m" in words or "method=[mine,saliency,random]" in words:
            continue
        study = to_study(composed(overrides), installed())
        assert study.methods, line
        seen.append(line)
    assert seen or page.name not in ("README.md", "command_line.md", "first_study.md", "paper_study.md")
