"""A certificate of a study: one file of SHA-256 hashes of its results, code, weights and data.

It has the form of an in-toto statement (version 1): ``subject`` lists the results with their digests, ``predicate``
what they were made from. It carries no signature: whoever hands it over may sign the file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from xaiexp.api.outcomes import ReadAgain
from xaiexp.core.ids import CellId
from xaiexp.engine.guard import tensors_of
from xaiexp.errors import MismatchError, ResourceError, UserError
from xaiexp.results.identity import code_files, installed_version
from xaiexp.store.fingerprints import named_paths
from xaiexp.trust.finished import Finished
from xaiexp.trust.verify.changes import Change

__all__ = ["PREDICATE", "STATEMENT", "certificate", "compared", "read_certificate"]

STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "urn:xaiexp:study-certificate:1"

_RESULTS = (
    "config.yaml", "record.json", "cells.parquet", "scores.parquet", "agreement.parquet", "examples.parquet",
    "curves.parquet", "summary.csv", "verdicts.csv", "comparisons.csv",
)  # fmt: skip

Entry = dict[str, Any]


def certificate(study: Finished) -> dict[str, Any]:
    """The statement about a finished study, as an object of JSON.

    Model and data are read again, which costs no pass where they are as they were. Of the paths of files only the
    last part is kept.

    Raises:
        UserError: they cannot be read any more, or are others than those of the study.
    """
    read, known = study.again, study.record.weights
    if known is not None and read.loaded.weights_fingerprint != known.fingerprint:
        what = "the weights are others now than when the study ran, so that there is nothing to certify"
        raise MismatchError("verify --certify", what, got=str(study.folder))
    return _statement(study, list(_weights(read)), [_inputs(read)])


def _statement(study: Finished, weights: list[Entry], inputs: list[Entry]) -> dict[str, Any]:
    record = study.record
    return {
        "_type": STATEMENT,
        "subject": [*_files(study.folder), *_maps(study)],
        "predicateType": PREDICATE,
        "predicate": {
            "study": {"id": record.id, "started": record.started, "seed": record.study.seed},
            "code": [*_code(study), *_commit(study)],
            "weights": [*weights, *_named("file", study.record.model.parameters)],
            "data": [*inputs, *_named("file", study.record.dataset.parameters)],
            "versions": dict(record.versions),
        },
    }


def read_certificate(path: Path) -> dict[str, Any]:
    """Read a certificate.

    Raises:
        ResourceError: it is missing or damaged, or another kind of statement.
    """
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise ResourceError("verify --certificate", f"cannot be read ({error.strerror})", got=str(path)) from None
    except ValueError as error:
        raise ResourceError(str(path), f"is damaged, not valid JSON ({error})") from None
    if not isinstance(content, dict) or content.get("_type") != STATEMENT:
        raise ResourceError(str(path), "is no in-toto statement", hint="xaiexp verify DIR --certify FILE writes one")
    if content.get("predicateType") != PREDICATE:
        raise ResourceError(str(path), "is a statement about something else", got=content.get("predicateType"))
    return content


def compared(stated: Mapping[str, Any], study: Finished) -> list[Change]:
    """What is not as the certificate says: results, code, weights, data."""
    try:
        read = study.now
        now = _statement(study, list(_weights(read)), [_inputs(read)])
    except UserError as error:  # they cannot be read any more, which is named beside what else changed
        reason = str(error).splitlines()[0]
        now = _statement(study, [_entry("tensors", reason)], [_entry("inputs", reason)])
    changes = []
    before, after = dict(_entries(stated)), dict(_entries(now))
    for name, digest in before.items():
        if after.get(name) != digest:
            changes.append(Change(name, digest, after.get(name, "missing")))
    changes += [Change(name, "not certified", digest) for name, digest in after.items() if name not in before]
    return changes


def _entries(stated: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """All digests of a statement by what they are of."""
    predicate = stated.get("predicate")
    predicate = predicate if isinstance(predicate, Mapping) else {}
    for part in ("subject", "code", "weights", "data"):
        listed = stated.get("subject") if part == "subject" else predicate.get(part)
        for entry in listed if isinstance(listed, list) else []:
            if isinstance(entry, Mapping) and isinstance(entry.get("digest"), Mapping):
                kind = "result" if part == "subject" else part
                yield f"{kind} {entry.get('name')}", next(map(str, entry["digest"].values()), "")


def _entry(name: str, digest: str, kind: str = "sha256", **more: str) -> Entry:
    return {"name": name, **more, "digest": {kind: digest}}


def _file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _files(folder: Path) -> Iterator[Entry]:
    for name in _RESULTS:
        if (folder / name).is_file():
            yield _entry(name, _file(folder / name))


def _maps(study: Finished) -> Iterator[Entry]:
    """The attributions of every cell that the store has."""
    for cell in study.done:
        try:
            values = study.result.attributions(cell.method, cell.baseline)
        except UserError:  # the store has been emptied since
            continue
        yield _entry(_name_of(cell), _tensors({"attributions": values}))


def _name_of(cell: CellId) -> str:
    return f"attributions of {cell}"


def _tensors(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 over names, types, shapes and bytes, in the order of the names."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name}|{tensor.dtype}|{tuple(tensor.shape)}|".encode())
        if tensor.numel():
            digest.update(tensor.flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _code(study: Finished) -> Iterator[Entry]:
    """The Python files of every plugin that the study uses."""
    for name in sorted({plugin.distribution for plugin in study.record.plugins}):
        digest = hashlib.sha256()
        for place, file in code_files(name):
            digest.update(f"{place}|{_file(file)}\n".encode())
        yield _entry(name, digest.hexdigest(), version=installed_version(name))


def _commit(study: Finished) -> Iterator[Entry]:
    if study.record.git is not None and study.record.git.commit:
        yield _entry("commit of the working folder", study.record.git.commit, "gitCommit")


def _weights(read: ReadAgain) -> Iterator[Entry]:
    yield _entry("tensors", _tensors(tensors_of(read.loaded.network.module)))


def _inputs(read: ReadAgain) -> Entry:
    """The inputs as the model reads them, and the ids of the examples."""
    digest = hashlib.sha256()
    for chunk in read.chunks:
        digest.update("\n".join(chunk.batch.ids).encode())
        digest.update(_tensors({"inputs": chunk.batch.inputs, **chunk.batch.context}).encode())
    return _entry("inputs", digest.hexdigest())


def _named(kind: str, parameters: Mapping[str, Any]) -> Iterator[Entry]:
    """The files that the parameters of a component name, and those in folders."""
    for path in named_paths(parameters):
        files = sorted(each for each in path.rglob("*") if each.is_file()) if path.is_dir() else [path]
        for file in files:
            name = file.relative_to(path.parent).as_posix() if path.is_dir() else path.name
            yield _entry(f"{kind} {name}", _file(file))
