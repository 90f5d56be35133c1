"""A component on copies of the files that it names, which a check may edit, and which of them it reads."""

from __future__ import annotations

import functools
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from xaiexp.contract.kinds import Component, Dataset, Model
from xaiexp.core.samples import LoadContext
from xaiexp.store.fingerprints import named_paths
from xaiexp.testing.definition import NotApplicable

__all__ = ["edit", "files_read", "on_linked_files"]

_MOST = 5_000
"""The number of files that are linked."""

_SAMPLES = 24


def on_linked_files(component: Component, folder: Path) -> tuple[Component, list[Path]]:
    """The component with the files and folders that its parameters name replaced by links to them in ``folder``.

    Returns:
        The component, and the links of the files that parameters name themselves; the component itself where it names
        none.

    Raises:
        NotApplicable: it names too many.
    """
    named = {}
    for name, value in component.parameters().items():
        if isinstance(value, str) and (os.sep in value or "." in value) and (paths := named_paths({name: value})):
            named[name] = paths[0].absolute()
    places: dict[Path, Path] = {}
    for number, path in enumerate(sorted(set(named.values()), key=lambda path: (path.is_file(), path))):
        inside = next(
            (place / path.relative_to(top) for top, place in places.items() if path.is_relative_to(top)), None
        )
        places[path] = inside or _linked(path, folder / str(number))
    if not places:
        return component, []
    changed: dict[str, Any] = {name: str(places[path]) for name, path in named.items()}
    return replace(component, **changed), [place for path, place in places.items() if path.is_file()]


def _linked(path: Path, folder: Path) -> Path:
    """Links to a file and those whose names begin like its name, or to all files of a folder."""
    folder.mkdir()
    if path.is_file():
        for file in path.parent.iterdir():
            if file.is_file() and file.name.startswith(path.name):
                (folder / file.name).symlink_to(file)
        return folder / path.name
    count = 0
    for place, _, names in os.walk(path):
        count += len(names)
        if count > _MOST:
            raise NotApplicable(f"names a folder of more than {_MOST:,} files")
        target = folder / path.name / Path(place).relative_to(path)
        target.mkdir()
        for name in names:
            (target / name).symlink_to(Path(place, name))
    return folder / path.name


def files_read(component: Component, folder: Path) -> list[Path]:
    """The links in ``folder`` that a dataset opens to read its first samples, or a model to load its network.

    Files that are opened by other means than Python's are not seen.
    """
    with _opened(folder) as seen:
        if isinstance(component, Dataset):
            source = component.open()
            source.read(0, min(_SAMPLES, source.count))
        elif isinstance(component, Model):
            component.load(LoadContext(folder / "cache"))
    return [path for path in dict.fromkeys(seen) if path.is_symlink()]


def edit(link: Path) -> None:
    """Replace a link by a copy of its file with a further line."""
    file = link.resolve()
    link.unlink()
    shutil.copyfile(file, link)
    with link.open("ab") as copy:
        copy.write(b"\n")


_listeners: list[Callable[[str], None]] = []


@contextmanager
def _opened(folder: Path) -> Iterator[list[Path]]:
    """The files below a folder that Python opens within the block."""
    seen: list[Path] = []

    def listen(path: str) -> None:
        if Path(path).absolute().is_relative_to(folder):
            seen.append(Path(path).absolute())

    _start_hearing()
    _listeners.append(listen)
    try:
        yield seen
    finally:
        _listeners.remove(listen)


@functools.cache
def _start_hearing() -> None:
    """Add the hook, once: Python cannot remove one."""
    sys.addaudithook(_heard)


def _heard(event: str, arguments: tuple[Any, ...]) -> None:
    if _listeners and event == "open" and isinstance(arguments[0], str | os.PathLike):
        for listen in _listeners:
            listen(os.fspath(arguments[0]))
