"""Paired sweeps: the key ``zip`` walks several lists side by side, where a sweep would take their product."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product

from hydra.core.override_parser.types import Override, OverrideType, ValueType

from xaiexp.errors import UserError

__all__ = ["KEY", "is_pairing", "multiplied", "pairings"]

KEY = "zip"
_HINT = "as 'zip={model.arch: [resnet18,resnet50], model.weights: [a.pth,b.pth]}'; further ones: zip.NAME={...}"


def is_pairing(word: str) -> bool:
    """Whether an override is ``zip={...}`` or ``zip.NAME={...}``."""
    key = word.lstrip("+").partition("=")[0]
    return key == KEY or key.startswith(f"{KEY}.")


def pairings(parsed: Sequence[Override]) -> list[list[list[str]]]:
    """The rows of every pairing, each a list of overrides.

    Args:
        parsed: overrides, others included.

    Raises:
        UserError: no mapping of keys to lists, or lists of different lengths.
    """
    return [_rows(each) for each in parsed if is_pairing(str(each.input_line))]


def _rows(override: Override) -> list[list[str]]:
    where, lists = override.key_or_group, override.value()
    if not isinstance(lists, Mapping) or not lists or not all(isinstance(v, list) and v for v in lists.values()):
        raise UserError(where, "must give each key a list", got=str(override.input_line), hint=_HINT)
    lengths = {str(key): len(values) for key, values in lists.items()}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{key}: {length}" for key, length in lengths.items())
        raise UserError(where, "lists have different lengths", got=told, hint="they are walked side by side")
    columns = [[_written(str(key), value) for value in values] for key, values in lists.items()]
    return [list(row) for row in zip(*columns, strict=True)]


def _written(key: str, value: object) -> str:
    element = Override(OverrideType.CHANGE, key, ValueType.ELEMENT, value)  # type: ignore[arg-type]  # of a parsed list
    return f"{key}={element.get_value_element_as_str()}"


def multiplied(jobs: Sequence[Sequence[str]], pairs: Sequence[Sequence[Sequence[str]]]) -> list[list[str]]:
    """Every job with every row of every pairing; the rows of the last one vary fastest.

    >>> multiplied([["a=1"], ["a=2"]], [[["b=1", "c=1"], ["b=2", "c=2"]]])
    [['a=1', 'b=1', 'c=1'], ['a=1', 'b=2', 'c=2'], ['a=2', 'b=1', 'c=1'], ['a=2', 'b=2', 'c=2']]
    """
    return [[*job, *(word for row in rows for word in row)] for job in jobs for rows in product(*pairs)]
