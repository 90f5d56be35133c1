"""No text of a study becomes markup: every text of a written study is hostile, and the page stays a page."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd
import pytest
from documents import Opened
from parsed_page import Page
from written_studies import CELLS, write_study

from xaiexp.report import build

HOSTILE = "\"'></td></svg></style></title><img src=x onerror=alert(1)><script>alert(1)</script>${x}{{ 7*7 }}&lt;"
MARKUP = {
    *("html", "head", "meta", "title", "style", "body", "main"),
    *("h1", "h2", "p", "ul", "li", "strong", "noscript", "script"),
}
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
    out = build(folders, tmp_path / "report.html", title=HOSTILE)
    page = Page(out.read_text(encoding="utf-8"))
    assert {tag for tag, _ in page.tags} <= MARKUP
    assert [a.get("id", a.get("type")) for tag, a in page.tags if tag == "script"] == [
        "xaiexp-document",
        None,
        "module",
    ]
    for _, attributes in page.tags:
        assert not [name for name in attributes if name.startswith("on")]
    assert HOSTILE in page.text
    assert str(Opened(out).fields).count("onerror=alert(1)") > 20  # all texts are in the data
    summary = page.source.partition('id="xaiexp-document"')[0]
    assert "49" not in re.findall(r"\$\{x\}\{*\s*(\d+)", summary)  # texts are no templates
