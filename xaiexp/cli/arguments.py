"""Argument parsing of the tools: argparse, with errors in the form of :class:`xaiexp.errors.UserError`."""

from __future__ import annotations

import argparse
from typing import NoReturn

from xaiexp.errors import UserError

__all__ = ["ToolParser"]


class ToolParser(argparse.ArgumentParser):
    """The parser of a tool; ``prog`` is ``xaiexp`` and the tool's words, ``description`` what it does, in one line."""

    def error(self, message: str) -> NoReturn:
        """Refuse the arguments.

        Raises:
            UserError: always, with the usage as its hint.
        """
        usage = " ".join(self.format_usage().removeprefix("usage: ").split())
        raise UserError(self.prog.removeprefix("xaiexp "), message, hint=usage)
