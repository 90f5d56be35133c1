"""``xaiexp ui``: the MLflow UI on the embedded tracking store, on the loopback address only."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from xaiexp.cli.arguments import ToolParser
from xaiexp.errors import ResourceError

__all__ = ["addresses", "run"]


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
    for line in addresses(STORE / "mlflow.db", arguments.port):
        print(line)  # noqa: T201
    sys.stdout.flush()
    os.execv(sys.executable, command)  # noqa: S606  # fixed words, no shell; signals then reach the server itself


def addresses(file: Path, port: int) -> list[str]:
    """Where the runs of every experiment are shown; MLflow's start page has what it offers for language models."""
    server = f"http://127.0.0.1:{port}"
    query = (
        "SELECT DISTINCT experiment_id, experiments.name FROM experiments JOIN runs USING (experiment_id) ORDER BY 1"
    )
    try:
        with contextlib.closing(sqlite3.connect(file)) as database:
            found = database.execute(query).fetchall()
    except sqlite3.Error:  # MLflow says what is wrong with it
        return [server]
    return [f"{name}: {server}/#/experiments/{number}/runs?workflowType=machine_learning" for number, name in found]
