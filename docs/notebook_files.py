"""Pages with Python code as notebooks: prose and code become cells, to be run in JupyterLab."""

from __future__ import annotations

import json
import re
from pathlib import Path

__all__ = ["notebook", "notebooks"]

HERE = Path(__file__).parent
PAGES = ("tutorials/notebook.md", "python.md")
_CODE = re.compile(r"^```python\n(.*?)^```\n?", flags=re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\[([^\]]+)\]\((?!https?:)[^)]+\)")


def notebooks() -> dict[str, str]:
    """Path below ``docs/`` to the text of the notebook, for every page that is one too."""
    return {f"notebooks/{Path(page).stem}.ipynb": notebook((HERE / page).read_text("utf-8")) for page in PAGES}


def notebook(markdown: str) -> str:
    """A page as a notebook of format 4.5 without outputs. Relative links, which lead nowhere from it, become text."""
    cells = []
    for number, part in enumerate(_CODE.split(markdown)):
        text = part.strip("\n") if number % 2 else _LINK.sub(r"\1", part).strip()
        if not text:
            continue
        cell: dict[str, object] = {"id": f"cell-{len(cells)}", "metadata": {}, "source": text.splitlines(keepends=True)}
        if number % 2:
            cells.append({"cell_type": "code", "execution_count": None, "outputs": [], **cell})
        else:
            cells.append({"cell_type": "markdown", **cell})
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    content = {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"
