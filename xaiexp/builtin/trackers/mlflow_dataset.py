"""The data of a study as an input of its runs, in the words of ``mlflow.data``."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xaiexp.core.record import DataFacts, Record

__all__ = ["CONTEXT", "DatasetFacts", "dataset_of"]

CONTEXT = {"mlflow.data.context": "explanation"}
"""What the data was used for: the tag of an input."""

_MAX_NAME = 500
_MAX_DIGEST = 36


@dataclass(frozen=True)
class DatasetFacts:
    """A dataset as MLflow keeps it. ``source``, ``schema`` and ``profile`` are JSON.

    Args:
        name: of the component.
        digest: as many characters of the fingerprint of the explained data as MLflow takes.
        source_type: ``local`` for a file or folder, else ``code``.
        source: where it comes from.
        schema: the shape of the inputs.
        profile: how many examples, which, and of which classes.
    """

    name: str
    digest: str
    source_type: str
    source: str
    schema: str | None
    profile: str


def dataset_of(record: Record) -> DatasetFacts | None:
    """The data of a study; None where its fingerprint is not known."""
    data = record.data
    if data is None or not data.fingerprint:
        return None
    source_type, source = _source(record)
    return DatasetFacts(
        name=(record.dataset.name or record.study.dataset or "data")[:_MAX_NAME],
        digest=data.fingerprint[:_MAX_DIGEST],
        source_type=source_type,
        source=json.dumps(source),
        schema=json.dumps(_schema(data)) if data.shape else None,
        profile=json.dumps(_profile(data)),
    )


def _source(record: Record) -> tuple[str, dict[str, Any]]:
    """Type and fields of the source: the first parameter that names a file or folder, else the component."""
    parameters = record.dataset.parameters
    for value in parameters.values():
        if isinstance(value, str) and value and Path(value).exists():
            return "local", {"uri": str(Path(value).resolve())}
    tags = {"mlflow.source.name": "xaiexp", "xaiexp.dataset": record.dataset.name or record.study.dataset}
    tags |= {f"xaiexp.dataset.{key}": str(value) for key, value in parameters.items()}
    return "code", {"tags": tags}


def _schema(data: DataFacts) -> dict[str, Any]:
    """As ``mlflow.data.schema.TensorDatasetSchema`` writes it."""
    tensor = {"dtype": "float32", "shape": [-1, *data.shape]}
    features = json.dumps([{"type": "tensor", "tensor-spec": tensor}])
    return {"mlflow_tensorspec": {"features": features, "targets": None}}


def _profile(data: DataFacts) -> dict[str, Any]:
    known = {"num_rows": data.count, "selection": data.selection, "class_counts": data.class_counts}
    return {key: value for key, value in known.items() if value is not None}
