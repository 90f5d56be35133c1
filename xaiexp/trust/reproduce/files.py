"""The files of a published result: found in given folders or downloaded, and always verified."""

from __future__ import annotations

import hashlib
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from xaiexp.core.publications import Publication, PublishedFile
from xaiexp.errors import ResourceError
from xaiexp.store.files import ensure_writable, write_atomically

__all__ = ["found_files"]

_SECONDS = 30.0


def found_files(publication: Publication, folders: Sequence[Path], cache: Path) -> dict[str, Path]:
    """The files of a publication by name.

    Args:
        publication: that needs them.
        folders: in which they are looked for first, by their name.
        cache: where downloaded files are kept.

    Raises:
        ResourceError: a file is missing and cannot be downloaded, or its content is another one.
    """
    for folder in folders:
        if not folder.is_dir():
            raise ResourceError("reproduce --data", "no such folder", got=str(folder))
    return {file.name: _found(publication, file, folders, cache) for file in publication.files}


def _found(publication: Publication, file: PublishedFile, folders: Sequence[Path], cache: Path) -> Path:
    others = []
    for place in (*folders, cache):
        path = place / file.name
        if path.is_file():
            if _digest(path.read_bytes()) == file.sha256:
                return path
            others.append(path)
    if others:
        what = f"is not the file that {publication.name} was published with: another SHA-256"
        raise ResourceError(str(others[0]), what, hint=f"expected {file.sha256}, {file.size:,} bytes")
    if not file.address:
        what = f"{publication.name} needs {file.name} ({file.about or 'a file'}), which has no address of its own"
        raise ResourceError("reproduce", what, hint="--data FOLDER, with this file in it")
    return _downloaded(publication, file, cache)


def _downloaded(publication: Publication, file: PublishedFile, cache: Path) -> Path:
    hint = f"get {file.address}, then --data FOLDER"
    try:
        with urllib.request.urlopen(file.address, timeout=_SECONDS) as answer:  # noqa: S310  # stated by a plugin
            content = answer.read(file.size + 1)
    except (OSError, urllib.error.URLError, ValueError) as error:
        reason = str(getattr(error, "reason", error)) or type(error).__name__
        what = f"{publication.name} needs {file.name}, which cannot be downloaded ({reason})"
        raise ResourceError("reproduce", what, hint=hint) from None
    if len(content) != file.size or _digest(content) != file.sha256:
        what = f"is not the file that {publication.name} was published with: another size or SHA-256"
        raise ResourceError(file.address, what, hint=f"expected {file.sha256}, {file.size:,} bytes; or --data FOLDER")
    ensure_writable(cache, "reproduce")
    write_atomically(cache / file.name, content)
    return cache / file.name


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
