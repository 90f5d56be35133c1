"""A page: its scripts and policy, texts as texts, and how its file is written; pictures as files."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path

import pytest
from documents import Opened
from parsed_page import Page
from PIL import Image
from written_studies import CELLS, NAIVE, write_study

import xaiexp.report
from xaiexp.errors import ResourceError
from xaiexp.report import build, export_images
from xaiexp.report.page import viewer

SCRIPTS = re.compile(r"<script(?: type=\"module\")?>(.*?)</script>", re.DOTALL)


@pytest.fixture(params=["image", "text", "table", "series"])
def modality(request):
    return request.param


def policy(source: str) -> dict[str, str]:
    (content,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', source)
    return dict(rule.strip().split(" ", 1) for rule in content.replace("&#39;", "'").split(";"))


def test_the_page_runs_its_own_scripts_alone_and_loads_nothing(tmp_path):
    source = build([write_study(tmp_path / "s")], tmp_path / "report.html").read_text(encoding="utf-8")
    scripts = SCRIPTS.findall(source)
    assert len(scripts) == 2
    digests = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in scripts]
    assert policy(source) == {
        "default-src": "'none'",
        "script-src": " ".join(f"'sha256-{digest}'" for digest in digests),
        "style-src": "'unsafe-inline'",
        "img-src": "data: blob:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    head = source.partition("</head>")[0]
    assert head.index("Content-Security-Policy") < head.index("<title>")  # before the first text of a study


def test_markup_loads_nothing(tmp_path, modality):
    page = Page(build([write_study(tmp_path / "s", modality)], tmp_path / "r.html").read_text(encoding="utf-8"))
    for tag, attributes in page.tags:
        assert tag not in {"link", "iframe", "object", "embed", "base", "form", "img"}
        assert not {"src", "href", "srcset", "data", "action", "poster"} & set(attributes)
        assert not any(name.startswith("on") for name in attributes)


def test_text_from_the_data_is_escaped(tmp_path, modality):
    folder = write_study(tmp_path / "s", modality, model="<img src=x>", cells=[*CELLS, ("<u>m</u>", '"b"')])
    out = build([folder], tmp_path / "report.html", title="<title>&")
    page = Page(out.read_text(encoding="utf-8"))
    assert not {tag for tag, _ in page.tags} & {"u", "i", "img"}
    assert [attributes.get("type") for tag, attributes in page.tags if tag == "script"] == [
        "application/octet-stream",
        None,
        "module",
    ]
    text = json.dumps(Opened(out).fields, ensure_ascii=False)
    assert all(words in text for words in (NAIVE, "<img src=x>", "<u>m</u>", "<i>not html</i>"))


def test_without_scripts_the_page_still_says_its_verdicts(tmp_path):
    out = build([write_study(tmp_path / "s")], tmp_path / "r.html")
    text = Page(out.read_text(encoding="utf-8")).text
    for verdict in Opened(out).study.answer.verdicts:
        assert verdict.brief in text


def test_studies_of_one_name_are_told_apart_by_their_folders(tmp_path):
    shown = Opened(build([write_study(tmp_path / "one"), write_study(tmp_path / "two")], tmp_path / "r.html"))
    assert [study.folder for study in shown.document.studies] == ["one", "two"]
    assert len({study.name for study in shown.document.studies}) == 1


def test_page_of_many_noisy_images_is_small(tmp_path):
    cells = [(f"method_{k}", "zero") for k in range(12)]
    folder = write_study(tmp_path / "s", side=224, examples=24, cells=cells)
    assert build([folder], tmp_path / "r.html").stat().st_size < 8 * 2**20


def test_no_string_of_a_script_ends_it(tmp_path, monkeypatch):
    monkeypatch.setattr("xaiexp.report.page.viewer", lambda: 'const a = "</script><img>", b = "<!--";')
    source = build([write_study(tmp_path / "s")], tmp_path / "r.html").read_text(encoding="utf-8")
    assert SCRIPTS.findall(source)[1] == 'const a = "<\\/script><img>", b = "<\\!--";'


def test_the_compiled_viewer_is_part_of_the_package():
    assert "xai-page" in viewer()
    names = {"http://www.w3.org/2000/svg", "https://vega.github.io/schema/vega-lite"}  # of XML and JSON, not loaded
    assert {re.sub(r"/v[\d.]+json$", "", found) for found in re.findall(r"https?://[^\s\"'`]+", viewer())} <= names


def test_equal_studies_give_equal_bytes(tmp_path, modality):
    folder = write_study(tmp_path / "s", modality)
    a = build([folder], tmp_path / "a.html").read_bytes()
    b = build([folder], tmp_path / "new" / "b.html").read_bytes()
    assert a == b


def test_report_is_written_atomically(tmp_path, monkeypatch):
    folder, out = write_study(tmp_path / "s"), tmp_path / "out" / "report.html"
    build([folder], out)
    before = out.read_bytes()

    def full(self, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(ResourceError, match="cannot be written") as caught:
        build([folder], out, title="another")
    assert "No space left on device" in str(caught.value)
    assert out.read_bytes() == before
    assert [file.name for file in out.parent.iterdir()] == ["report.html"]


def test_report_without_study_is_a_user_error(tmp_path):
    with pytest.raises(ResourceError, match="no study"):
        build([], tmp_path / "r.html")
    with pytest.raises(ResourceError, match="holds no study"):
        build([tmp_path], tmp_path / "r.html")
    assert not (tmp_path / "r.html").exists()


def test_report_is_readable_by_others(tmp_path):
    out = build([write_study(tmp_path / "s")], tmp_path / "r.html")
    assert out.stat().st_mode & 0o777 == 0o644


def test_templates_are_part_of_the_package():
    names = {file.name for file in (Path(xaiexp.report.__file__).parent / "templates").iterdir()}
    assert names == {"notebook.html", "page.html"}


def test_images_are_exported_as_files(tmp_path, modality):
    folder = write_study(tmp_path / "s", modality, examples=2)
    before = {file.name for file in folder.iterdir()}
    files = export_images(folder)
    assert {file.name for file in folder.iterdir()} - before == {"pictures"}
    assert all(file.is_file() for file in files)
    names = [file.relative_to(folder / "pictures").as_posix() for file in files]
    figures = [name for name in names if name.endswith(".svg")]
    assert figures == ["metrics/intervals.svg", "agreement/rank_correlation.svg", "agreement/sign_agreement.svg"]
    ending = {"image": "png", "series": "png"}.get(modality)
    cells = ["saliency", "integrated_gradients_zero", "integrated_gradients_blur", "occlusion_zero", "random"]
    expected = [f"examples/{i}_example_{i}/{name}.{ending}" for i in range(2) for name in cells] if ending else []
    assert [name for name in names[3:] if "input" not in name] == expected
    if modality == "image":
        with Image.open(folder / "pictures/examples/0_example_0/occlusion_zero.png") as image:
            assert image.size == (224, 224)


def test_names_from_the_data_cannot_leave_the_folder_of_images(tmp_path):
    folder = write_study(tmp_path / "s", examples=1)
    file = folder / "gallery" / "gallery.json"
    described = json.loads(file.read_text(encoding="utf-8"))
    described["examples"][0]["name"] = "../../../evil /\\:*?.jpg"
    described["examples"][0]["maps"][0]["method"] = "../up"
    file.write_text(json.dumps(described), encoding="utf-8")
    for file in export_images(folder):
        assert file.resolve().is_relative_to(folder / "pictures")
        assert not set(file.name) & set(' /\\:*?"')
