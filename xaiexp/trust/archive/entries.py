"""The entries of an archive: one a version of the model."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from typing import Any

import numpy as np

from xaiexp.core.ids import CellId
from xaiexp.core.json_parts import Part, read_part
from xaiexp.core.record import MetricFacts
from xaiexp.errors import MismatchError, ParameterError, ResourceError
from xaiexp.store.files import file_name
from xaiexp.trust.archive.objects import add_json, add_maps, read_json
from xaiexp.trust.archive.places import Place
from xaiexp.trust.finished import Finished
from xaiexp.trust.gate.checks import Check
from xaiexp.trust.gate.decisions import interval

__all__ = ["Entry", "GateFacts", "Value", "add", "entries"]


@dataclass(frozen=True)
class Value(Part):
    """A mean with its 95 % interval.

    Args:
        name: of the metric, or ``accuracy``.
        cell: method and baseline; empty for the accuracy.
        mean, low, high: None where undefined.
        n: examples.
    """

    name: str = ""
    cell: str = ""
    mean: float | None = None
    low: float | None = None
    high: float | None = None
    n: int = 0


@dataclass(frozen=True)
class GateFacts(Part):
    """What a check of ``xaiexp gate`` found: the rule, ``passes``, ``fails`` or ``undecided``, and the numbers."""

    rule: str = ""
    status: str = ""
    finding: str = ""


@dataclass(frozen=True)
class Entry(Part):
    """One version of the model.

    Args:
        version: its name in the archive.
        date: ISO 8601.
        alias: of the model registry, or empty.
        model: component and, of a registry, the registered model.
        weights: fingerprint.
        probe: name of the object with the examples, their inputs' hash, columns and tokens.
        modality: of the inputs.
        maps: cell to the name of the object with its maps.
        values: metrics and accuracy.
        gates: checks.
        study, started: id of the study, and when it ran.
        number: in the order in which entries were added, from 1.
    """

    version: str = ""
    date: str = ""
    alias: str = ""
    model: str = ""
    weights: str = ""
    probe: str = ""
    modality: str = ""
    maps: Mapping[str, str] = field(default_factory=dict)
    values: tuple[Value, ...] = ()
    gates: tuple[GateFacts, ...] = ()
    study: str = ""
    started: str = ""
    number: int = 0


def entries(place: Place) -> list[Entry]:
    """All entries by date, those of one date in the order in which they were added.

    Raises:
        ResourceError: one is damaged.
    """
    found = []
    for name in place.names("entries"):
        try:
            values = json.loads(place.read(name))
        except ValueError:
            raise ResourceError(f"{place.where}/{name}", "is damaged, not valid JSON") from None
        entry: Entry = read_part(Entry, values)
        found.append(entry)
    return sorted(found, key=lambda entry: (entry.date, entry.number))


def add(
    place: Place,
    study: Finished,
    *,
    version: str | None = None,
    alias: str | None = None,
    on: str | None = None,
    checks: Sequence[Check] = (),
) -> tuple[Entry, bool]:
    """Add a finished study as a version of its model.

    Args:
        place: of the archive.
        study: finished.
        version: by default that of the model registry, or the first digits of the fingerprint of the weights.
        alias: by default that of the address in the model registry.
        on: date; by default that of the study.
        checks: of ``xaiexp gate``.

    Returns:
        The entry, and whether it is new.

    Raises:
        MismatchError: the probe set is another one than that of the archive, or another content has this version.
    """
    known = entries(place)
    named, registered, given = _registered(study)
    version = version or named or (study.record.weights.fingerprint[:8] if study.record.weights else "")
    if not version:
        raise ParameterError("archive --version", "the model has no version of its own", hint="--version NAME")
    probe = _probe(study)
    if known:
        _refuse_other_probe(place, probe, known[0], version)
    entry = Entry(
        version=version,
        date=_date(on, study.record.started[:10]),
        alias=alias or given,
        model=registered or study.record.model.name,
        weights=study.record.weights.fingerprint if study.record.weights else "",
        probe=add_json(place, probe),
        modality=study.record.study.modality,
        maps={str(cell): _maps(place, study, cell) for cell in study.explaining},
        values=tuple(_values(study)),
        gates=tuple(GateFacts(check.name, check.status, check.finding) for check in checks),
        study=study.record.id,
        started=study.record.started,
    )
    same = next((each for each in known if each.version == version), None)
    if same is not None:
        if _content(same) == _content(entry):
            return same, False
        what = "is in the archive with other maps or values"
        raise MismatchError("archive --version", what, got=version, hint="--version NAME: another one")
    entry = replace(entry, number=max((each.number for each in known), default=0) + 1)
    place.write(f"entries/{file_name(version)}.json", json.dumps(entry.to_mapping(), indent=1).encode() + b"\n")
    return entry, True


def _content(entry: Entry) -> dict[str, Any]:
    """What makes an entry another one: neither when it was added, nor the study that it is from."""
    return {k: v for k, v in asdict(entry).items() if k not in ("number", "study", "started", "gates", "date", "alias")}


def _date(given: str | None, otherwise: str) -> str:
    text = given or otherwise
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise ParameterError("archive --date", "must be a date", got=text, hint="as 2026-01-31") from None


def _registered(study: Finished) -> tuple[str, str, str]:
    """Version, address and alias in a model registry; empty where there is none."""
    address = str((study.record.model_facts or {}).get("registered_model", ""))
    asked = str(study.record.model.parameters.get("uri", ""))
    alias = asked.partition("@")[2] if asked.startswith("models:/") else ""
    return (f"v{address.rpartition('/')[2]}" if address else ""), address, alias


def _probe(study: Finished) -> dict[str, Any]:
    """The examples, a hash of their inputs as the model reads them, and the names of their features."""
    digest = hashlib.sha256()
    for chunk in study.again.chunks:
        digest.update(chunk.batch.inputs.detach().cpu().contiguous().float().numpy().tobytes())
    text = study.record.study.modality == "text"
    return {
        "examples": study.examples["example"].tolist(),
        "inputs": digest.hexdigest(),
        "columns": list(study.feature_names),
        "tokens": study.tokens if text else [],
    }


def _refuse_other_probe(place: Place, probe: dict[str, Any], first: Entry, version: str) -> None:
    known = read_json(place, first.probe)
    if known == probe:
        return
    if known["examples"] != probe["examples"]:
        what = f"the archive keeps explanations of {len(known['examples'])} fixed examples; these are others"
    else:
        what = "the inputs of the fixed examples are others than in the archive (data, or how the model encodes them)"
    hint = "the same dataset, examples and example_seed for every version; or --to another archive"
    raise MismatchError("archive add", what, got=version, hint=hint)


def _maps(place: Place, study: Finished, cell: CellId) -> str:
    values = study.result.attributions(cell.method, cell.baseline)
    return add_maps(place, values.detach().cpu().float().numpy())


def _values(study: Finished) -> list[Value]:
    """Metrics of cells that are no controls, and the accuracy."""
    found = []
    names = {str(cell) for cell in study.explaining}
    for row in study.result.summary.to_dict("records"):
        cell = str(CellId(row["method"], row["baseline"]))
        facts = study.record.metrics.get(row["metric"], MetricFacts())
        if cell in names and facts.higher_is_better is not None:
            mean, low, high = (_number(row[key]) for key in ("mean", "low", "high"))
            found.append(Value(row["metric"], cell, mean, low, high, int(row["n"])))
    wrong = study.examples["wrong"].to_numpy(dtype=np.float64)
    right = 1 - wrong[wrong >= 0]
    if len(right):
        ends = interval(right, 0.95, (0.0, 1.0), study.record.study.seed or 0)
        mean, low, high = (_number(end) for end in ends)
        found.append(Value("accuracy", "", mean, low, high, len(right)))
    return found


def _number(value: Any) -> float | None:
    number = float(value)
    return number if np.isfinite(number) else None
