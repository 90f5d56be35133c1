"""The schema of an embedded MLflow database: which one is known here, and a new database made from it.

MLflow takes seconds to create a database, since it carries out all its migrations. ``mlflow_schema.sql`` is what they
come to (written by ``.ci/mlflow-schema``); it is used where the installed MLflow expects the same revision.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import sqlite3
import time
from importlib.util import find_spec
from pathlib import Path

from xaiexp.store.files import write_atomically

__all__ = ["SCHEMA", "create", "dumped", "expected_revision", "known_revision", "revision_of"]

SCHEMA = Path(__file__).with_name("mlflow_schema.sql")
_REVISION = re.compile(r"INSERT INTO alembic_version VALUES \('(\w+)'\)")
_NEWER = re.compile(r"^revision(?:: \w+)? = ['\"](\w+)['\"]", re.MULTILINE)
_OLDER = re.compile(r"^down_revision(?:: [^=]+)? = (.*)$", re.MULTILINE)


@functools.cache
def known_revision() -> str:
    """The revision of the schema that is known here."""
    found = _REVISION.search(SCHEMA.read_text(encoding="utf-8"))
    return found.group(1) if found else ""


@functools.cache
def expected_revision() -> str | None:
    """The revision of a database that the installed MLflow expects, read from its migrations without an import."""
    found = find_spec("mlflow")
    if found is None or not found.submodule_search_locations:
        return None
    newer, older = set(), set()
    for file in Path(found.submodule_search_locations[0], "store", "db_migrations", "versions").glob("*.py"):
        content = file.read_text(encoding="utf-8")
        newer.update(_NEWER.findall(content))
        older.update(re.findall(r"\w+", " ".join(_OLDER.findall(content))))
    heads = newer - older
    return heads.pop() if len(heads) == 1 else None


def revision_of(database: sqlite3.Connection) -> str | None:
    """The revision of a database; None where it is none of MLflow."""
    try:
        rows = database.execute("SELECT version_num FROM alembic_version").fetchall()
    except sqlite3.Error:
        return None
    return str(rows[0][0]) if len(rows) == 1 else None


def create(file: Path) -> bool:
    """Create a database as MLflow would; its name appears when it is complete.

    Returns:
        False where the installed MLflow expects another schema than the one known here.
    """
    if expected_revision() != known_revision():
        return False
    now = int(time.time() * 1000)
    default = (0, "Default", str(Path("mlruns/0").resolve()), "active", now, now)  # as MLflow's
    columns = "experiment_id, name, artifact_location, lifecycle_stage, creation_time, last_update_time"
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as database:
        database.executescript(f"BEGIN;\n{SCHEMA.read_text(encoding='utf-8')}\nCOMMIT;")
        database.execute(f"INSERT INTO experiments ({columns}) VALUES (?, ?, ?, ?, ?, ?)", default)  # noqa: S608
        content = database.serialize()
    part = file.with_name(f".{file.name}.{os.getpid()}")
    write_atomically(part, content)
    try:
        os.link(part, file)
    except FileExistsError:  # another process was first
        pass
    except OSError:  # a file system without hard links
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)
    return True


def dumped(database: sqlite3.Connection) -> str:
    """The statements that make a database without experiments, one after the other."""
    kept = "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' ORDER BY rowid"
    statements = [f"{sql};" for (sql,) in database.execute(kept)]
    for table in ("alembic_version", "workspaces"):
        for row in database.execute(f"SELECT * FROM {table}"):  # noqa: S608  # names from this file
            values = ", ".join("NULL" if value is None else f"'{value}'" for value in row)
            statements.append(f"INSERT INTO {table} VALUES ({values});")  # noqa: S608  # text of a file, not run here
    return "\n".join(re.sub(r"[ \t]+$", "", statement, flags=re.MULTILINE) for statement in statements) + "\n"
