"""Whether a folder may be written to: it is empty, or an earlier study or sweep left it."""

from __future__ import annotations

from pathlib import Path

from xaiexp.errors import ResourceError

__all__ = ["refuse_foreign"]

_STARTED = frozenset({".hydra", "xaiexp.log"})
"""What Hydra has written before a study writes its record."""


def refuse_foreign(folder: Path, where: str, sweep: bool = False) -> None:
    """Refuse a folder that contains something and is no study.

    Args:
        folder: may be missing.
        where: the option that names it, for the message.
        sweep: whether the folder is one of a sweep, which contains studies.

    Raises:
        ResourceError: files in it would be overwritten.
    """
    names = {file.name for file in folder.iterdir()} if folder.is_dir() else set()
    if not names or (folder / "record.json").is_file() or (names <= _STARTED and _is_ours(folder)):
        return
    if sweep and (
        {"multirun.yaml", "sweep.json"} & names or any((folder / name / "record.json").is_file() for name in names)
    ):
        return
    raise ResourceError(
        where,
        "contains files, and no study",
        got=str(folder),
        hint="choose an empty folder, or one of an earlier study",
    )


def _is_ours(folder: Path) -> bool:
    """Whether the files of Hydra in a folder were written for this program."""
    try:
        return "name: xaiexp" in (folder / ".hydra" / "hydra.yaml").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return not (folder / ".hydra").is_dir()
