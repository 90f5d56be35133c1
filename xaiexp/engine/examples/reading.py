"""Reads and encodes samples; one that cannot be read or encoded does not stop the others."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from xaiexp.core.samples import Encoded, Network, Sample, Source
from xaiexp.errors import MismatchError, ResourceError, UserError

__all__ = ["Errors", "encode_samples", "encoded_rows", "read_samples"]

Errors = list[tuple[str, Exception]]
"""Examples, by id or by row, with what is wrong with them."""


def read_samples(where: str, source: Source, rows: Sequence[int], errors: Errors) -> dict[int, Sample]:
    """The samples that can be read, by row and in the order of ``rows``; consecutive rows are read at once.

    Args:
        where: the dataset, for messages.
        source: opened.
        rows: numbers of samples, none of them twice.
        errors: those that cannot be read are added, as ``row N``.

    Raises:
        MismatchError: the source gives another number of samples than it was asked for.
    """
    ascending = sorted(rows)
    found: dict[int, Sample] = {}
    for _, run in itertools.groupby(enumerate(ascending), key=lambda place: place[1] - place[0]):
        consecutive = [row for _, row in run]
        start, stop = consecutive[0], consecutive[-1] + 1
        found |= _read_range(where, source, start, stop, errors)
    return {row: found[row] for row in rows if row in found}


def _read_range(where: str, source: Source, start: int, stop: int, errors: Errors) -> dict[int, Sample]:
    """The samples ``start`` to ``stop - 1`` that can be read."""
    try:
        samples = list(source.read(start, stop))
    except Exception as error:  # whatever a dataset raises for one example is the fault of that example
        if stop - start == 1:
            errors.append((f"row {start}", error))
            return {}
        by_row = (_read_range(where, source, row, row + 1, errors) for row in range(start, stop))
        return {row: sample for found in by_row for row, sample in found.items()}
    if len(samples) != stop - start:
        raise MismatchError(where, f"was asked for {stop - start} samples from row {start}", got=len(samples))
    return dict(zip(range(start, stop), samples, strict=True))


def encode_samples(
    where: str, network: Network, samples: Sequence[Sample], errors: Errors
) -> tuple[list[Sample], Encoded | None]:
    """The samples that can be encoded as finite inputs, with their encoding; None where there are none.

    Args:
        where: the dataset, for messages.
        network: encodes them.
        samples: read.
        errors: those that cannot be encoded are added, by id.

    Raises:
        UserError: each sample can be encoded by itself, but not all of them together.
    """
    kept = list(samples)
    if not kept:
        return [], None
    try:
        encoded = network.encode(kept)
    except Exception as error:  # whatever an encoder raises for one example is the fault of that example
        kept = [sample for sample in samples if _encodes(network, sample, errors)]
        if not kept:
            return [], None
        if len(kept) == len(samples):
            if isinstance(error, UserError):
                raise
            raise MismatchError(where, f"the model cannot encode its examples together ({error})") from error
        encoded = network.encode(kept)
    encoded = _with_context(where, encoded, kept)
    finite = torch.stack(
        [
            values.isfinite().reshape(len(values), -1).all(dim=1)
            for values in (encoded.inputs, *encoded.context.values())
            if values.is_floating_point()
        ]
    ).all(dim=0)
    if bool(finite.all()):
        return kept, encoded
    errors += [
        (sample.id, ResourceError(where, "contains NaN or infinite values", got=sample.id))
        for sample, fine in zip(kept, finite.tolist(), strict=True)
        if not fine
    ]
    rows = finite.nonzero().squeeze(1)
    if not len(rows):
        return [], None
    return [kept[i] for i in rows.tolist()], encoded_rows(encoded, rows)


def _with_context(where: str, encoded: Encoded, samples: Sequence[Sample]) -> Encoded:
    """The encoding with the further inputs of the samples.

    Raises:
        MismatchError: samples differ in the names or shapes of these, or the encoder gives a tensor of the same name.
    """
    names = list(samples[0].context)
    for sample in samples:
        if list(sample.context) != names:
            raise MismatchError(
                where, f"example {sample.id!r} has other further inputs than the first", got=list(sample.context)
            )
    given = {}
    for name in names:
        parts = [sample.context[name] for sample in samples]
        if len({tuple(part.shape) for part in parts}) > 1:
            raise MismatchError(
                where, f"the further input {name!r} has several shapes", got=sorted({tuple(p.shape) for p in parts})
            )
        given[name] = torch.stack(parts)
    if taken := set(given) & set(encoded.context):
        raise MismatchError(where, "the model itself sets a further input of this name", got=sorted(taken))
    return replace(encoded, context={**encoded.context, **given}) if given else encoded


def _encodes(network: Network, sample: Sample, errors: Errors) -> bool:
    try:
        network.encode([sample])
    except Exception as error:
        errors.append((sample.id, error))
        return False
    return True


def encoded_rows(encoded: Encoded, rows: Tensor) -> Encoded:
    """The encoding of the examples ``rows`` (int64 ``[M]``)."""

    def selected(tensor: torch.Tensor | None) -> torch.Tensor | None:
        return None if tensor is None else tensor[rows]

    return replace(
        encoded,
        inputs=encoded.inputs[rows],
        context={k: v[rows] for k, v in encoded.context.items()},
        masks=selected(encoded.masks),
        removable=selected(encoded.removable),
        words=selected(encoded.words),
        sentences=selected(encoded.sentences),
        slots=selected(encoded.slots),
        tokens=tuple(encoded.tokens[i] for i in rows.tolist()) if encoded.tokens else (),
        starts=tuple(encoded.starts[i] for i in rows.tolist()) if encoded.starts else (),
        continuations=tuple(encoded.continuations[i] for i in rows.tolist()) if encoded.continuations else (),
    )
