"""``xaiexp completion``: the script that makes a shell complete command lines."""

from __future__ import annotations

from collections.abc import Sequence

from xaiexp.cli.arguments import ToolParser
from xaiexp.cli.completion.shells import SCRIPTS
from xaiexp.cli.exit_codes import DONE

__all__ = ["run"]


def run(words: Sequence[str]) -> int:
    """Print the script of a shell."""
    parser = ToolParser(
        prog="xaiexp completion",
        description='Tab completion. In the start file of the shell: bash and zsh `eval "$(xaiexp completion bash)"` '
        "(or zsh), fish `xaiexp completion fish | source`.",
    )
    parser.add_argument("shell", choices=tuple(SCRIPTS), help="the shell")
    print(SCRIPTS[parser.parse_args(list(words)).shell], end="")  # noqa: T201
    return DONE
