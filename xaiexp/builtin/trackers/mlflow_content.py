"""What MLflow gets of a study in forms of its own: keys, tags, tables, pictures and the description."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from xaiexp.contract.tracked_content import shown_tables, verdict_lines
from xaiexp.contract.tracker import TrackedCell

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "MAX_TAG_LENGTH",
    "description",
    "images",
    "key_of",
    "letters",
    "link_to",
    "logged_tables",
    "tables_tag",
]

MAX_TAG_LENGTH = 5000
_MAX_KEY_LENGTH = 250
_ILLEGAL = re.compile(r"[^\w\-. :]")


def key_of(name: str) -> str:
    """A key with the characters and the length that MLflow accepts, and no ``/``, by which its charts are grouped."""
    return _ILLEGAL.sub("_", name)[:_MAX_KEY_LENGTH]


def letters(cell: TrackedCell) -> dict[str, str]:
    """The letters of a cell by metric, as tags."""
    found = {f"letters.{row['metric']}": row["letters"] for row in cell.summary}
    return {name: value for name, value in found.items() if isinstance(value, str) and value}


def description(verdicts: pd.DataFrame) -> str:
    """The verdicts in brief as Markdown, which MLflow shows as the description of the run."""
    lines = [f"- **{metric}**: {text.replace('<', '&lt;')}" for metric, text in verdict_lines(verdicts)]
    return "\n".join(lines)[:MAX_TAG_LENGTH]


def link_to(model: Mapping[str, Any]) -> str:
    """A link in Markdown from a run to the registered model that it studied, on the same server; empty for others.

    Args:
        model: the facts of the network, from the record.
    """
    registered = model.get("registered_model")
    if not isinstance(registered, str):
        return ""
    name, _, version = registered.removeprefix("models:/").rpartition("/")
    return f"Model: [{name}, version {version}](#/models/{quote(name, safe='')}/versions/{version})\n\n"


def logged_tables(tables: Mapping[str, pd.DataFrame]) -> dict[str, bytes]:
    """The tables as files that MLflow shows, as ``mlflow.log_table`` writes them."""
    return {
        f"tables/{name}.json": frame.to_json(orient="split", index=False, date_format="iso").encode()
        for name, frame in shown_tables(tables).items()
    }


def tables_tag(files: Iterable[str]) -> dict[str, str]:
    """The tag by which MLflow knows which files are tables; none for none."""
    listed = [{"path": file, "type": "table"} for file in files]
    return {"mlflow.loggedArtifacts": json.dumps(listed)} if listed else {}


def images(maps: Mapping[str, Path], time: int) -> dict[str, bytes]:
    """The maps of a cell as files of MLflow's image grid: the step is the number of the example.

    ``mlflow.log_image`` puts a random identifier where the name of the example is here, so that an image that is sent
    again replaces itself. The grid shows the file ``compressed``, and the other one when it is enlarged; these pictures
    are small, so both are the same.
    """
    files = {}
    for step, (example, picture) in enumerate(maps.items()):
        name = f"images/map+step+{step}+timestamp+{time}+{example}"
        files[f"{name}.png"] = files[f"{name}+compressed.png"] = picture.read_bytes()
    return files
