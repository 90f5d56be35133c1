"""``python -m xaiexp`` is the program ``xaiexp``."""

from __future__ import annotations

import sys

from xaiexp.cli.app import main

if __name__ == "__main__":
    sys.exit(main())
