"""The hooks by which MkDocs builds the site: pages from the registry and of other folders, and ``llms.txt``."""

from __future__ import annotations

import re
from pathlib import Path

from component_pages import component_pages
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from python_page import python_page
from repository_pages import linked, outside_pages

_markdown: dict[str, str] = {}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are no files of docs/."""
    pages = {**outside_pages(), **component_pages(), "reference/python.md": python_page()}
    for path, text in pages.items():
        files.append(File.generated(config, path, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, **_: object) -> str:
    """Mend the links, and keep the text for llms.txt."""
    text = linked(markdown, page.file.src_uri)
    _markdown[page.file.src_uri] = text
    return text


def on_post_build(config: MkDocsConfig) -> None:
    """Write every page as Markdown beside its HTML, and llms.txt, which lists them."""
    site = Path(config.site_dir)
    for path, text in _markdown.items():
        (site / path).parent.mkdir(parents=True, exist_ok=True)
        (site / path).write_text(text, encoding="utf-8")
    (site / "llms.txt").write_text(llms_text(config.site_description or "", _markdown), encoding="utf-8")


def llms_text(description: str, pages: dict[str, str]) -> str:
    """The list of all pages, in the form of llms.txt: a title, a summary, sections of links.

    Args:
        description: of the site, in one sentence.
        pages: path to Markdown.
    """
    lines = ["# xaiexp", "", f"> {description}", ""]
    sections: dict[str, list[str]] = {}
    for path, text in pages.items():
        parts = path.split("/")
        section = f"Components: {parts[1]}" if len(parts) > 2 else parts[0].capitalize() if len(parts) > 1 else "Pages"
        title = re.search(r"^# (.+)$", text, flags=re.MULTILINE)
        sections.setdefault(section, []).append(f"- [{title[1] if title else path}]({path})")
    for section, links in sections.items():
        lines += [f"## {section}", "", *links, ""]
    return "\n".join(lines)
