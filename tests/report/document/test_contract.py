"""The parts of a document in Python and in TypeScript have the same fields."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from xaiexp.report.document import parts

TYPES = Path(__file__).parents[3] / "viewer" / "src" / "document" / "types.ts"


def interfaces() -> dict[str, list[str]]:
    text = re.sub(r"/\*.*?\*/", "", TYPES.read_text(encoding="utf-8"), flags=re.DOTALL)
    return {
        name: re.findall(r"^  (\w+)\??:", body, flags=re.MULTILINE)
        for name, body in re.findall(r"export interface (\w+) \{\n(.*?)\n\}", text, flags=re.DOTALL)
    }


@pytest.mark.skipif(not TYPES.is_file(), reason="viewer/ is part of a checkout, not of a distribution")
def test_the_viewer_reads_the_fields_that_are_written():
    written = {
        name: [field.name for field in dataclasses.fields(getattr(parts, name))]
        for name in parts.__all__
        if dataclasses.is_dataclass(getattr(parts, name))
    }
    assert interfaces() == written
