"""The documentation site: every relative link holds, and every component has a page with all that it says of itself."""

from __future__ import annotations

import html
import importlib
import re
import sys
from pathlib import Path

import pytest

from xaiexp.contract.documentation import described
from xaiexp.contract.registry import installed

ROOT = Path(__file__).parents[2]
WRITTEN = sorted(
    path.relative_to(ROOT)
    for pattern in ("*.md", "docs/**/*.md", "plugins/*.md", "plugins/*/*.md", "benchmarks/*.md")
    for path in ROOT.glob(pattern)
)
OURS = [cls for cls in installed().classes() if installed().plugin_of(cls).distribution == "xaiexp"]


@pytest.fixture(scope="module")
def scripts():
    """The modules in docs/ by their names."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "docs"))
        yield importlib.import_module
        for path in (ROOT / "docs").glob("*.py"):
            sys.modules.pop(path.stem, None)


@pytest.fixture(scope="module")
def pages(scripts):
    return scripts("component_pages").component_pages()


def without_code(text):
    return re.sub(r"^```.*?^```|`[^`\n]*`", "", text, flags=re.DOTALL | re.MULTILINE)


def heading_ids(text):
    """The ids of the headings, as MkDocs and code hosts make them of plain titles."""
    titles = re.findall(r"^#+ (.+)$", without_code(text), flags=re.MULTILINE)
    return {re.sub(r"[^\w\s-]", "", title).strip().lower().replace(" ", "-") for title in titles}


@pytest.mark.parametrize("file", WRITTEN, ids=str)
def test_relative_links_of_written_pages_hold(file, pages):
    made = {*pages, "reference/python.md"}
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", without_code((ROOT / file).read_text(encoding="utf-8"))):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = (ROOT / file).parent.joinpath(path).resolve() if path else ROOT / file
        in_docs = target.is_relative_to(ROOT / "docs")
        if in_docs and target.relative_to(ROOT / "docs").as_posix() in made and file.parts[0] == "docs":
            continue  # made when the site is built, and linked by pages of the site alone
        if not target.exists() or (anchor and anchor not in heading_ids(target.read_text(encoding="utf-8"))):
            broken.append(link)
    assert broken == []


def test_a_broken_link_is_seen(pages, tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    (tmp_path / "page.md").write_text("# A title\n[here](#a-title) and [there](nowhere.md)\n")
    with pytest.raises(AssertionError, match=r"nowhere\.md"):
        test_relative_links_of_written_pages_hold(Path("page.md"), pages)
    (tmp_path / "page.md").write_text("# A title\n[here](#another)\n")
    with pytest.raises(AssertionError, match="#another"):
        test_relative_links_of_written_pages_hold(Path("page.md"), pages)


@pytest.mark.parametrize("cls", OURS, ids=lambda cls: f"{cls.kind}-{cls.name}")
def test_every_component_has_a_page_that_says_all(cls, pages):
    page = pages[f"reference/{cls.kind}/{cls.name}.md"]
    about = described(cls)
    plain = html.unescape(page.replace("\\", ""))
    said = [about.summary, about.source, *about.paragraphs, *about.facts, *about.needs]
    said += [part for each in about.parameters for part in (f"`{each.name}`", each.type, each.default, each.meaning)]
    assert [each for each in said if each.replace("\\", "") not in plain] == []
    assert f"[`{cls.name}`]({cls.kind}/{cls.name}.md)" in pages[f"reference/{cls.kind}.md"]


def test_markup_in_a_docstring_is_shown_as_it_is_written(scripts):
    markdown = pytest.importorskip("markdown")
    text = "x_k * y_k < [0, 1] and a|b, but `x_k` is code"
    shown = markdown.markdown(scripts("component_pages").escaped(text))
    assert shown == "<p>x_k * y_k &lt; [0, 1] and a|b, but <code>x_k</code> is code</p>"


@pytest.mark.parametrize(
    ("page", "link", "want"),
    [
        ("index.md", "claims.md", "claims.md"),
        ("choose.md", "../benchmarks/README.md", "benchmarks.md"),
        ("tutorials/plugin.md", "../plugins.md", "../plugins.md"),
        ("tutorials/plugin.md", "../../plugins", "../packages.md"),
        ("contributing.md", "ARCHITECTURE.md", "architecture.md"),
        ("architecture.md", "docs/claims.md", "claims.md"),
        ("packages/xaiexp-onnx.md", "../../README.md", "../index.md"),
        ("faq.md", "https://example.org/docs/claims.md", "https://example.org/docs/claims.md"),
        ("faq.md", "claims.md#families", "claims.md#families"),
    ],
)
def test_links_of_the_repository_become_links_of_the_site(scripts, page, link, want):
    linked = scripts("repository_pages").linked
    assert linked(f"see [this]({link}).\n", page) == f"see [this]({want}).\n"
    assert linked(f"```\n[this]({link})\n```\n", page) == f"```\n[this]({link})\n```\n"


def test_llms_txt_lists_every_page_once(scripts):
    pytest.importorskip("mkdocs")
    text = scripts("building").llms_text("What it is.", {"a.md": "# First\n", "reference/method/b.md": "# second\n"})
    assert text.startswith("# xaiexp\n\n> What it is.\n")
    assert re.findall(r"^- .*$", text, flags=re.MULTILINE) == ["- [First](a.md)", "- [second](reference/method/b.md)"]
