"""Pages of the site that lie elsewhere in the repository, and links between all pages as both places need them."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

__all__ = ["OUTSIDE", "ROOT", "linked", "outside_pages"]

ROOT = Path(__file__).parents[1]
# File of the repository to page of the site.
OUTSIDE = {
    "ARCHITECTURE.md": "architecture.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changes.md",
    "benchmarks/README.md": "benchmarks.md",
    "benchmarks/mutations.md": "mutations.md",
    "plugins/README.md": "packages.md",
    **{
        f"plugins/{name}/README.md": f"packages/{name}.md"
        for name in ("xaiexp-captum", "xaiexp-onnx", "xaiexp-quantus", "xaiexp-sklearn", "xaiexp-timm", "xaiexp-zennit")
    },
}
_PAGES = OUTSIDE | {"README.md": "index.md"}
_FILES = {page: file for file, page in OUTSIDE.items()}
_LINK = re.compile(r"(?<=\]\()([^)#\s]+)(?=[)#])")
_FENCE = re.compile(r"(^```.*?^```)", flags=re.DOTALL | re.MULTILINE)


def outside_pages() -> dict[str, str]:
    """Path in the site to Markdown."""
    return {page: (ROOT / file).read_text(encoding="utf-8") for file, page in OUTSIDE.items()}


def linked(markdown: str, page: str) -> str:
    """A page whose relative links, which hold in the repository, hold in the site.

    Args:
        markdown: as in the repository.
        page: its path in the site.
    """
    file = _FILES.get(page, f"docs/{page}")

    def place(match: re.Match[str]) -> str:
        if "://" in match[1] or match[1].startswith("mailto:"):
            return match[1]
        target = posixpath.normpath(posixpath.join(posixpath.dirname(file), match[1]))
        if (ROOT / target).is_dir():
            target = f"{target}/README.md"
        there = _PAGES.get(target, target.removeprefix("docs/"))
        return posixpath.relpath(there, posixpath.dirname(page) or ".")

    parts = _FENCE.split(markdown)
    return "".join(part if i % 2 else _LINK.sub(place, part) for i, part in enumerate(parts))
