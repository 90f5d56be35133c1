"""The layout of the method families."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from xaiexp.builtin import methods

FOLDER = Path(methods.__file__).parent
FAMILIES = sorted(path.name for path in FOLDER.iterdir() if (path / "__init__.py").exists())


@pytest.mark.parametrize("family", FAMILIES)
def test_families_do_not_import_each_other(family):
    imported = set()
    for path in (FOLDER / family).glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            imported |= {name.removeprefix(f"{methods.__name__}.").split(".")[0] for name in names}
    assert imported.isdisjoint(set(FAMILIES) - {family})
