"""The file of rules: what each is about, whose values, and the thresholds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml

from xaiexp.core.parameters import Range, check
from xaiexp.errors import ParameterError, ResourceError, UnknownName, nearest

__all__ = ["Rule", "Rules", "read_rules"]

_SUBJECTS = ("metric", "agreement", "share", "completeness", "model")
_HEAD = ("confidence", "family", "rules")


@dataclass(frozen=True)
class Rule:
    """A threshold for the mean of one quantity. Exactly one of the first five fields is given.

    Args:
        metric: label of a metric of the study, or one of its auxiliary values (``deletion.shift``).
        agreement: label of a measure of agreement.
        share: of the attribution that lies in the ground-truth ``mask``, on the ``columns`` or on the ``tokens`` that
            ``names`` lists: sum of the magnitudes there over the sum of all magnitudes, by example, in 0..1.
        completeness: ``error``: how far the attributions are from adding up, relative to f(x) - f(reference); a
            thousandth of the unit of the score counts as rounding.
        model: ``accuracy`` on the explained examples, in 0..1.
        names: of columns or tokens, for ``share``.
        cell: ``METHOD / BASELINE`` (the method alone where it has one cell); by default every cell that is no control.
        cells: the two cells of an ``agreement``; by default every pair of cells that are no controls.
        at_least, at_most: the thresholds; one of them or both.
        by: one check for each ``class`` of the label, each ``predicted`` class, or each entry of a column of the
            dataset's file; by default one check over all examples.
        groups: which of them; by default all.
        margin: the smallest distance from the threshold that matters, in the unit of the quantity: the number of
            examples that would decide is for this distance, otherwise for the observed one.
        name: how reports call the rule; by default what it says.
    """

    metric: str | None = None
    agreement: str | None = None
    share: Literal["mask", "columns", "tokens"] | None = None
    completeness: Literal["error"] | None = None
    model: Literal["accuracy"] | None = None
    names: tuple[str, ...] = ()
    cell: str | None = None
    cells: tuple[str, ...] = ()
    at_least: float | None = None
    at_most: float | None = None
    by: str | None = None
    groups: tuple[str, ...] = ()
    margin: Annotated[float, Range(0, exclusive=True)] | None = None
    name: str = ""

    @property
    def subject(self) -> str:
        """Which of the five quantities it is about."""
        return next(name for name in _SUBJECTS if getattr(self, name) is not None)

    @property
    def thresholds(self) -> str:
        """The thresholds in words."""
        known = (("at least", self.at_least), ("at most", self.at_most))
        return " and ".join(f"{words} {value:g}" for words, value in known if value is not None)


@dataclass(frozen=True)
class Rules:
    """The rules of a file.

    Args:
        rules: at least one.
        confidence: of the interval of each check.
        family: over what the confidence holds: ``each`` check by itself, or ``all`` checks of a study together
            (Bonferroni).
        where: the file, for messages.
    """

    rules: tuple[Rule, ...]
    confidence: Annotated[float, Range(0.5, 1, exclusive=True)] = 0.95
    family: Literal["each", "all"] = "each"
    where: str = "rules"

    def place(self, number: int) -> str:
        """How messages name a rule, counted from 0."""
        return f"{self.where}: rule {number + 1}"


def read_rules(path: Path) -> Rules:
    """Read a file of rules (YAML, or JSON, which is YAML).

    Raises:
        UserError: it is missing or damaged, a key is unknown, a rule is about nothing or has no threshold.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ResourceError("gate --rules", f"cannot be read ({error.strerror})", got=str(path)) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ResourceError(str(path), f"is not YAML ({' '.join(str(error).split())})") from None
    where = str(path)
    if not isinstance(content, Mapping) or not isinstance(content.get("rules"), list) or not content["rules"]:
        raise ParameterError(where, "has no rules", hint="as  rules: [{metric: deletion, at_most: 0.4}]")
    _refuse_unknown(where, content, _HEAD)
    head = {key: value for key, value in content.items() if key != "rules"}
    checked = check(where, _Head, head)
    rules = [_rule(f"{where}: rule {i + 1}", values) for i, values in enumerate(content["rules"])]
    return Rules(tuple(rules), where=where, **checked)


@dataclass(frozen=True)
class _Head:
    confidence: Annotated[float, Range(0.5, 1, exclusive=True)] = 0.95
    family: Literal["each", "all"] = "each"


def _rule(where: str, values: Any) -> Rule:
    if not isinstance(values, Mapping):
        raise ParameterError(where, "must hold keys and values", got=values, hint="as {metric: deletion, at_most: 0.4}")
    _refuse_unknown(where, values, [each.name for each in fields(Rule)])
    rule = Rule(**check(where, Rule, {str(key): value for key, value in values.items()}))
    about = [name for name in _SUBJECTS if getattr(rule, name) is not None]
    if len(about) != 1:
        what = f"must be about one of {', '.join(_SUBJECTS)}"
        raise ParameterError(where, what, got=", ".join(about) or "none")
    if rule.at_least is None and rule.at_most is None:
        raise ParameterError(where, "has no threshold", hint="at_least: NUMBER, or at_most: NUMBER")
    low, high = rule.at_least, rule.at_most
    if low is not None and high is not None and low > high:
        raise ParameterError(where, "at_least is above at_most, so that nothing passes", got=[low, high])
    if bool(rule.names) != (rule.share in ("columns", "tokens")):
        hint = "as {share: columns, names: [age, fare], at_most: 0.2}"
        raise ParameterError(where, "names go with a share of columns or tokens, and only with it", hint=hint)
    if rule.cells and (rule.agreement is None or len(rule.cells) != 2):
        raise ParameterError(where, "cells are the two of an agreement", got=list(rule.cells))
    if rule.cell is not None and (rule.agreement is not None or rule.model is not None):
        raise ParameterError(where, "has no cell of its own", hint="cells: [A, B]" if rule.agreement else "")
    if rule.groups and rule.by is None:
        raise ParameterError(where, "groups need a by", hint="by: class, by: predicted, or by: COLUMN")
    return rule


def _refuse_unknown(where: str, values: Mapping[Any, Any], known: Any) -> None:
    for key in values:
        if key not in known:
            hint = f"keys: {', '.join(known)}"
            raise UnknownName(where, f"no such key {str(key)!r}", nearest=nearest(str(key), known), hint=hint)
