"""Answers a shell: the candidates for the line up to the cursor, one a line. It never prints anything else."""

from __future__ import annotations

import os
import shlex
import sys

__all__ = ["LINE", "answer"]

LINE = "_XAIEXP_COMPLETE"
"""The environment variable that holds the line up to the cursor."""


def answer() -> int:
    """Print the candidates for the line in :data:`LINE`."""
    try:
        from xaiexp.cli.completion.candidates import candidates
        from xaiexp.cli.completion.index import load

        line = os.environ[LINE]
        sys.stdout.write("".join(f"{word}\n" for word in candidates(words(line), load())))
    except BaseException:  # a prompt shows no error: there is nothing to complete then
        return 1
    return 0


def words(line: str) -> list[str]:
    """The words of a line after the program; the last is the one at the cursor, which may be empty.

    >>> words("xaiexp 'method=[oc"), words("xaiexp plan seed=1 ")
    (['method=[oc'], ['plan', 'seed=1', ''])
    """
    for closing in ("", "'", '"'):
        try:
            found = shlex.split(line + closing)
        except ValueError:
            continue
        ended = not closing and line[-1:].isspace()
        after = found[_program(found) :]
        return [*after, ""] if ended or not after else after
    return [""]


def _program(found: list[str]) -> int:
    """How many words the program itself is: ``xaiexp``, ``uv run xaiexp``, ``python -m xaiexp``."""
    return next((i + 1 for i, word in enumerate(found) if word.rsplit("/", 1)[-1] == "xaiexp"), 1)
