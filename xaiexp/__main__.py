"""``python -m xaiexp`` is the program ``xaiexp``."""

from __future__ import annotations

import os
import sys

__all__ = ["main"]


def main() -> int:
    """Run the program, or answer a shell that completes a line, for which it must start fast."""
    if "_XAIEXP_COMPLETE" in os.environ:
        from xaiexp.cli.completion.answer import answer

        return answer()
    from xaiexp.cli.app import main as application

    return application()


if __name__ == "__main__":
    sys.exit(main())
