"""Makes a document of studies, within a size."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

from xaiexp.report.document import parts
from xaiexp.report.document.across import across_part
from xaiexp.report.document.binary import Binary, pack
from xaiexp.report.document.examples import example_bytes
from xaiexp.report.document.study import Room, study_part
from xaiexp.report.studies import StudyFolder

__all__ = ["BYTES", "FORMAT", "document"]

FORMAT = 1
"""Of the document; the viewer reads this one alone."""

BYTES = 4_400_000
"""How many bytes the maps and pictures of a page take at most, before compression."""

FEWEST = 3
"""How many examples of a study are shown however large they are."""

ROWS = 20_000
"""How many scores of a cell and metric over all studies."""

AGREEMENT = 2_000_000
"""How many bytes of agreement by example over all studies."""


def document(studies: Sequence[StudyFolder], title: str | None = None, every: bool = False) -> bytes:
    """The packed document of one or several studies. Equal studies give equal bytes.

    Args:
        studies: at least one.
        title: of the page; by default the name of the study or the number of studies.
        every: whether nothing is left out, however large the page becomes.
    """
    binary, count = Binary(), len(studies)
    contents, omitted = [], []
    for study in studies:
        chosen = _fitting(study, BYTES // count) if not every else study.gallery.examples
        limit = 10**9 if every else max(200, ROWS // count)
        room = Room(limit, chosen, 10**12 if every else AGREEMENT // count)
        content, missing = study_part(study, room, binary)
        contents.append(content)
        omitted += [f"{study.name}: {words}" if count > 1 else words for words in missing]
    if omitted:
        folders = " ".join(study.path.name for study in studies[:3]) + (" ..." if count > 3 else "")
        omitted.append(f"The page with all that was kept: xaiexp report {folders} --all")
    return pack(
        parts.Document(
            format=FORMAT,
            title=title or (f"{count} studies compared" if count > 1 else contents[0].name),
            version=version("xaiexp"),
            studies=tuple(contents),
            across=across_part(studies) if count > 1 else None,
            omitted=tuple(omitted),
        ),
        binary,
    )


def _fitting(study: StudyFolder, size: int) -> Sequence[dict[str, Any]]:
    """The first examples, as many as fit."""
    kept: list[dict[str, Any]] = []
    for example in study.gallery.examples:
        size -= example_bytes(study, example)
        if size < 0 and len(kept) >= FEWEST:
            break
        kept.append(example)
    return kept
