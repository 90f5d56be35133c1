"""The folder in which the tests keep trained networks, named by the code that trains them."""

from __future__ import annotations

import ast
import functools
import hashlib
import os
import tempfile
from pathlib import Path

import xaiexp

__all__ = ["trained_networks", "training_code"]

PACKAGE = Path(xaiexp.__file__).parent
TRAINING = "xaiexp.builtin.models.trained"


def training_code() -> list[Path]:
    """The files of the package that trains, and of all that it imports of the built-in components."""
    found: dict[Path, None] = {}
    waiting = list(_file(TRAINING).parent.glob("*.py"))
    while waiting:
        file = waiting.pop()
        if file in found:
            continue
        found[file] = None
        imports = [node for node in ast.walk(ast.parse(file.read_bytes())) if isinstance(node, ast.ImportFrom)]
        modules = [node.module for node in imports if node.module is not None]
        waiting += [_file(module) for module in modules if module.startswith("xaiexp.builtin.")]
    return sorted(found)


def _file(module: str) -> Path:
    place = PACKAGE.joinpath(*module.split(".")[1:])
    return place / "__init__.py" if place.is_dir() else place.with_suffix(".py")


@functools.cache
def trained_networks() -> Path:
    """The folder; networks that other code has trained lie in another one."""
    digest = hashlib.blake2b(digest_size=6)
    for file in training_code():
        digest.update(f"{file.relative_to(PACKAGE)}|".encode() + file.read_bytes())
    folder = Path(tempfile.gettempdir()) / f"xaiexp-tests-{os.getuid()}-models-{digest.hexdigest()}"
    folder.mkdir(exist_ok=True)
    return folder
