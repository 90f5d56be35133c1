"""What MLflow gets of a study, in its own forms: parameters, numbers, tables, pictures and the description."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from xaiexp.contract.tracker import TrackedCell
from xaiexp.core.ids import CellId, MetricId
from xaiexp.core.record import ComponentFacts, PassCount, Record
from xaiexp.statistics.frames import mean_agreement, rows

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "MAX_TAG_LENGTH",
    "cell_metrics",
    "cell_parameters",
    "description",
    "flattened",
    "images",
    "key_of",
    "letters",
    "link_to",
    "logged_tables",
    "steps",
    "study_metrics",
    "tables_tag",
]

MAX_TAG_LENGTH = 5000
_MAX_KEY_LENGTH = 250
_ILLEGAL = re.compile(r"[^\w\-. :]")
_COSTS = ("forward_passes", "backward_passes", "seconds", "peak_memory_bytes")
_STUDY = ["model", "dataset", "seed"]
_PERFORMANCE = ("accuracy", "chance", "macro_f1", "exact_match", "r2", "mean_absolute_error")


def key_of(name: str) -> str:
    """A key with the characters and the length that MLflow accepts, and no ``/``, by which its charts are grouped."""
    return _ILLEGAL.sub("_", name)[:_MAX_KEY_LENGTH]


def flattened(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Nested mappings as dotted keys with texts; values that are no text are written as JSON."""
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            yield from flattened(value, f"{name}.")
        else:
            yield name, value if isinstance(value, str) else json.dumps(value, default=str)


def cell_parameters(record: Record, cell: CellId) -> dict[str, str]:
    """The parameters of a child run: method and baseline by label, what they are, and the facts of the study."""
    found: dict[str, Any] = {"method": cell.method, "baseline": cell.baseline}
    for kind, facts in (("method", record.methods.get(cell.method)), ("baseline", record.baselines.get(cell.baseline))):
        if isinstance(facts, ComponentFacts):
            found |= {f"{kind}.name": facts.name, **{f"{kind}.{k}": v for k, v in facts.parameters.items()}}
    return {key: value for key, value in flattened({**found, **record.study.to_mapping()}) if value}


def cell_metrics(cell: TrackedCell) -> dict[str, float]:
    """The numbers of a child run: the mean of every metric, without auxiliary values, and the costs."""
    means = {str(row["metric"]): float(row["mean"]) for row in cell.summary}
    costs = {name: float(cell.row[name]) for name in _COSTS}
    return {name: mean for name, mean in means.items() if not MetricId.parse(name).part} | costs


def letters(cell: TrackedCell) -> dict[str, str]:
    """The letters of a cell by metric, as tags."""
    found = {f"letters.{row['metric']}": row["letters"] for row in cell.summary}
    return {name: value for name, value in found.items() if isinstance(value, str) and value}


def steps(curve: Sequence[float]) -> list[tuple[int, float]]:
    """The points of a curve by the share of the features in percent; of several within a percent, the first."""
    last = max(len(curve) - 1, 1)
    points: dict[int, float] = {}
    for number, value in enumerate(curve):
        points.setdefault(round(100 * number / last), value)
    return list(points.items())


def study_metrics(record: Record, statuses: Iterable[str]) -> dict[str, float]:
    """The numbers of the run of a study: how good the model is, what it cost, how many cells came to what end."""
    counted = list(statuses)
    found = {f"cells_{status}": float(counted.count(status)) for status in ("done", "failed", "skipped")}
    if record.performance is not None:
        known = {name: getattr(record.performance, name) for name in _PERFORMANCE}
        found |= {name: float(value) for name, value in known.items() if value is not None}
    if (passes := record.passes) is not None:
        each = [passes.attributions, passes.predictions_and_references, *passes.metrics.values()]
        counts = [count or PassCount() for count in each]
        found["forward_passes"] = float(sum(count.forward for count in counts))
        found["backward_passes"] = float(sum(count.backward for count in counts))
    if record.seconds is not None:
        found["seconds"] = record.seconds
    return found


def description(verdicts: pd.DataFrame) -> str:
    """The verdicts in brief as Markdown, which MLflow shows as the description of the run."""
    lines = []
    for row in rows(verdicts):
        brief = row.get("brief")
        text = brief if isinstance(brief, str) and brief else str(row["verdict"])
        lines.append(f"- **{row['metric']}**: {text.replace('<', '&lt;')}")
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
    """The tables as files that MLflow shows, as ``mlflow.log_table`` writes them; those without rows are left out."""
    known = {name: tables[name] for name in ("summary", "verdicts", "comparisons", "cells") if name in tables}
    shown = {name: frame.drop(columns=_STUDY, errors="ignore") for name, frame in known.items()}
    if "summary" in shown:
        shown = {"means": _means(shown["summary"]), **shown}
    if "agreement" in tables:
        shown["agreement"] = mean_agreement(tables["agreement"])
    return {
        f"tables/{name}.json": frame.to_json(orient="split", index=False, date_format="iso").encode()
        for name, frame in shown.items()
        if len(frame)
    }


def _means(summary: pd.DataFrame) -> pd.DataFrame:
    """A row a cell, a column a metric."""
    import pandas as pd

    cells: dict[CellId, dict[str, Any]] = {}
    for row in rows(summary):
        if not MetricId.parse(str(row["metric"])).part:
            cell = CellId(str(row["method"]), str(row["baseline"]))
            cells.setdefault(cell, {"method": cell.method, "baseline": cell.baseline})[str(row["metric"])] = row["mean"]
    return pd.DataFrame(list(cells.values()))


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
