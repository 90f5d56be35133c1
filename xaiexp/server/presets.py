"""Saves a configuration as a preset of the project."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from xaiexp.config.compose import composed
from xaiexp.contract.registry import Registry
from xaiexp.errors import ResourceError, UserError
from xaiexp.server.command_line import command, overrides_of, preset_of

__all__ = ["FOLDER", "save"]

FOLDER = Path("conf", "experiment")
"""Where the presets of a project lie, below the working directory."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


def save(name: object, values: Mapping[str, Any], base: Mapping[str, Any], registry: Registry) -> Path:
    """Write ``conf/experiment/NAME.yaml``, and read it back as the program would.

    Args:
        name: of the preset.
        values: the configuration.
        base: see :func:`~xaiexp.server.command_line.overrides_of`.
        registry: of the components.

    Returns:
        The file.

    Raises:
        UserError: the name is none, is taken, or the folder leads elsewhere.
    """
    if not isinstance(name, str) or _NAME.fullmatch(name) is None:
        what = "must be 1 to 64 letters, digits, - and _, the first a letter or digit"
        raise UserError("preset", what, got=name)
    if FOLDER.resolve() != Path.cwd().resolve() / FOLDER:
        raise ResourceError("preset", "the folder of the presets is a link that leads elsewhere", got=str(FOLDER))
    file = FOLDER / f"{name}.yaml"
    about = f"Saved from the page of a study. Repeat it: xaiexp experiment={name}\nThe same without this file:\n"
    about += f"  {command(overrides_of(values, base, registry))}".replace("\r", " ").replace("\n", " ")
    text = preset_of(values, base, registry, about)
    try:
        FOLDER.mkdir(parents=True, exist_ok=True)
        with file.open("x", encoding="utf-8") as stream:  # never over another file, also where two save at once
            stream.write(text)
    except FileExistsError:
        raise ResourceError("preset", "there is a preset of this name", got=name, hint="choose another name") from None
    except OSError as error:
        raise ResourceError("preset", f"cannot be written ({error.strerror or error})", got=str(file)) from None
    try:
        composed([f"experiment={name}"])
    except UserError:
        file.unlink(missing_ok=True)
        raise
    return file
