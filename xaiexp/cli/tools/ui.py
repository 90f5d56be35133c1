"""``xaiexp ui``: the MLflow UI on the embedded tracking store, on the loopback address only."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from xaiexp.cli.arguments import ToolParser
from xaiexp.errors import ResourceError

__all__ = ["run"]


def run(words: Sequence[str]) -> NoReturn:
    """Replace this process by the server."""
    parser = ToolParser(prog="xaiexp ui", description="The MLflow UI on this project's runs, on the loopback address.")
    parser.add_argument("--port", type=int, default=5000, metavar="N", help="5000 by default")
    arguments = parser.parse_args(list(words))
    from xaiexp.tracking.addresses import STORE, embedded_uri

    if not (STORE / "mlflow.db").is_file():
        raise ResourceError(
            "ui", "there are no runs here yet", got=str(STORE / "mlflow.db"), hint="run a study: xaiexp"
        )
    command = [sys.executable, "-m", "mlflow", "ui", "--backend-store-uri", embedded_uri()]
    command += ["--host", "127.0.0.1", "--port", str(arguments.port), "--workers", "1"]
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    # The address of the runs; MLflow opens its start page with what it has for language models.
    print(f"http://127.0.0.1:{arguments.port}/#/experiments?workflowType=machine_learning")  # noqa: T201
    sys.stdout.flush()
    os.execv(sys.executable, command)  # noqa: S606  # fixed words, no shell; signals then reach the server itself
