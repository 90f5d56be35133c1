"""Argument parsing of the tools: argparse, with errors in the form of :class:`xaiexp.errors.UserError`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from xaiexp.errors import ResourceError, UserError

__all__ = ["ToolParser", "add_folders", "check_folders"]


class ToolParser(argparse.ArgumentParser):
    """The parser of a tool; ``prog`` is ``xaiexp`` and the tool's words, ``description`` what it does, in one line."""

    def error(self, message: str) -> NoReturn:
        """Refuse the arguments.

        Raises:
            UserError: always, with the usage as its hint.
        """
        usage = " ".join(self.format_usage().removeprefix("usage: ").split())
        raise UserError(self.prog.removeprefix("xaiexp "), message, hint=usage)


def add_folders(parser: argparse.ArgumentParser) -> None:
    """Add the argument ``folders``: one or more folders of studies or sweeps."""
    parser.add_argument("folders", nargs="+", metavar="DIR", type=Path, help="of studies, or of sweeps")


def check_folders(tool: str, folders: Sequence[Path]) -> None:
    """Refuse folders that do not exist.

    Args:
        tool: for the message.
        folders: of :func:`add_folders`.

    Raises:
        ResourceError: naming the first one.
    """
    for folder in folders:
        if not folder.is_dir():
            raise ResourceError(tool, "no such folder", got=str(folder))
