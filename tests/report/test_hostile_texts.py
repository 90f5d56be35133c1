"""No text of a study becomes markup: every text of a written study is hostile, and the page stays a page."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd
import pytest
from parsed_page import Page
from written_studies import CELLS, write_study

from xaiexp.report import build

HOSTILE = "\"'></td></svg></style></title><img src=x onerror=alert(1)><script>alert(1)</script>${x}{{ 7*7 }}&lt;"
# What the program itself writes and reads: words of a vocabulary, names of arrays, dates.
STRUCTURE = {"status", "modality", "key", "input", "started", "kind", "space", "higher_is_better", "unit", "output"}


def hostile(value, name=""):
    """Nested values with the hostile text at the end of every text."""
    if isinstance(value, dict):
        return {key: hostile(each, key) for key, each in value.items()}
    if isinstance(value, list):
        return [hostile(each, name) for each in value]
    return f"{value}{HOSTILE}" if isinstance(value, str) and name not in STRUCTURE else value


def write_hostile(folder: Path, modality: str) -> Path:
    cells = [(method, baseline if baseline == "none" else baseline + HOSTILE) for method, baseline in CELLS]
    cells[3] = (cells[3][0] + HOSTILE, cells[3][1])
    write_study(folder, modality, cells=cells, failures={"saliency": ("failed", f"ValueError: {HOSTILE}")})
    for file in (folder / "record.json", folder / "gallery" / "gallery.json"):
        content = hostile(json.loads(file.read_text()))
        if file.name == "record.json":
            known = {"failures": {"x of " + HOSTILE: {"reason": HOSTILE, "place": HOSTILE, "traceback": HOSTILE}}}
            left = {"example": HOSTILE, "reason": HOSTILE}
            content |= known | {"notes": [HOSTILE], "undefined": {HOSTILE: [left]}, "error": HOSTILE, "host": HOSTILE}
            content["data"]["left_out"] = [left]
            content["metrics_left_out"] = {HOSTILE: HOSTILE}
            content["model_facts"] = {HOSTILE: HOSTILE}
        else:
            for example in content["examples"]:
                for shown in example["maps"]:  # cells are named alike in all files
                    shown["method"] = shown["method"].removesuffix(HOSTILE)
                    shown["baseline"] = shown["baseline"].removesuffix(HOSTILE)
        file.write_text(json.dumps(content))
    for name in ("cells", "scores", "agreement"):
        frame = pd.read_parquet(folder / f"{name}.parquet")
        for column in {"model", "dataset", "example"} & set(frame.columns):
            frame[column] = frame[column] + HOSTILE
        frame.to_parquet(folder / f"{name}.parquet")
    (folder / "config.yaml").write_text(f"seed: 0  # {HOSTILE}\n")
    return folder


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("modality", ["image", "text", "table", "series"])
def test_hostile_texts_stay_texts(modality, count, tmp_path):
    folders = [write_hostile(tmp_path / f"s{i}", modality) for i in range(count)]
    page = Page(build(folders, tmp_path / "report.html", title=HOSTILE).read_text(encoding="utf-8"))
    for tag, attributes in page.tags:
        assert tag not in {"script", "iframe", "object", "embed", "base", "form", "link"}, tag
        assert not [name for name in attributes if name.startswith("on")]
        assert tag != "img" or attributes["src"].startswith("data:image/png;base64,")
    assert page.text.count(HOSTILE) > 20
    assert "<script" not in page.source
    assert "49" not in re.findall(r"\$\{x\}(\d+)", page.source)  # texts are no templates


def test_the_page_tells_the_browser_to_run_and_to_load_nothing(tmp_path):
    page = Page(build([write_study(tmp_path / "s")], tmp_path / "report.html").read_text(encoding="utf-8"))
    policies = [
        a["content"] for tag, a in page.tags if tag == "meta" and a.get("http-equiv") == "Content-Security-Policy"
    ]
    rules = dict(rule.strip().split(" ", 1) for rule in policies[0].split(";"))
    assert len(policies) == 1
    assert rules == {
        "default-src": "'none'",
        "style-src": "'unsafe-inline'",
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    head = page.source.partition("</head>")[0]
    assert head.index("Content-Security-Policy") < head.index("<title>")  # before the first text of a study
