"""The columns of a table in the order that a model expects."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

import torch

from xaiexp.core.samples import Sample, Source
from xaiexp.errors import MismatchError, nearest

__all__ = ["with_columns"]

log = logging.getLogger("xaiexp")


def with_columns(dataset: str, source: Source, expected: Sequence[str]) -> Source:
    """The source with the elements that a model expects, in its order.

    Args:
        dataset: its name.
        source: of rows ``[F]``; unchanged where it does not name its elements.
        expected: names of the elements that the model expects; empty where it does not know names.

    Raises:
        MismatchError: the dataset has no element of a name that the model expects, or two.
    """
    have = source.feature_names
    if not have or not expected or tuple(expected) == tuple(have):
        return source
    missing = [name for name in expected if name not in have]
    twice = [name for name in expected if have.count(name) > 1]
    if missing or twice:
        wrong = (missing or twice)[0]
        raise MismatchError(
            f"dataset.{dataset}",
            f"{'lacks' if missing else 'repeats'} {len(missing or twice)} of the {len(expected)} columns that the "
            "model was trained on",
            got=wrong,
            nearest=nearest(wrong, have),
            hint=f"columns: {', '.join(have)}",
        )
    order = [have.index(name) for name in expected]
    left_out = len(have) - len(order)
    log.info(
        "dataset.%s: columns are put into the order of the model%s",
        dataset,
        f", {left_out} that it does not use are left out" if left_out else "",
    )

    def chosen(sample: Sample) -> Sample:
        mask = sample.mask
        return replace(sample, data=sample.data[order], mask=None if mask is None else torch.as_tensor(mask)[order])

    return replace(
        source,
        read=lambda start, stop: [chosen(sample) for sample in source.read(start, stop)],
        feature_names=tuple(expected),
        columns=tuple(source.columns[i] for i in order) if source.columns else (),
    )
