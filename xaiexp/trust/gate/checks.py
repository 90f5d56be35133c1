"""All checks of a study: each rule for each cell and group that it names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from xaiexp.statistics.significance import MIN_EXAMPLES
from xaiexp.trust.finished import Finished
from xaiexp.trust.gate.decisions import Decision, Status, decide
from xaiexp.trust.gate.quantities import quantities
from xaiexp.trust.gate.rules import Rule, Rules

__all__ = ["Check", "checks_of", "overall"]


@dataclass(frozen=True)
class Check:
    """One rule held against one quantity of one study.

    Args:
        study: the folder.
        rule: of the file.
        title: the quantity, its cell and its group.
        unit: what is counted: ``examples`` or ``clusters``.
        decision: what the examples say.
        failed: why the quantity does not exist although the rule names it; the check then fails.
    """

    study: str
    rule: Rule
    title: str
    unit: str
    decision: Decision
    failed: str = ""

    @property
    def status(self) -> Status:
        """``passes``, ``fails`` or ``undecided``."""
        return "fails" if self.failed else self.decision.status

    @property
    def name(self) -> str:
        """The rule's own name, or what it says."""
        said = f"{self.title}, {self.rule.thresholds}"
        return f"{self.rule.name}: {said}" if self.rule.name else said

    @property
    def finding(self) -> str:
        """What was found, in one line."""
        if self.failed:
            return self.failed
        found = self.decision
        undefined = f", {found.undefined} undefined" if found.undefined else ""
        count = f"{found.n} {self.unit}{undefined}"
        if np.isnan(found.low):
            return f"{_number(found.mean)} from {count}: too few for an interval" if found.n else f"no value ({count})"
        percent = f"{100 * found.confidence:.4g} %"
        return f"{_number(found.mean)} [{_number(found.low)}, {_number(found.high)}] ({percent} interval, {count})"

    @property
    def needed(self) -> str:
        """How many examples would decide; empty where it is decided."""
        found = self.decision
        if self.failed or found.status != "undecided":
            return ""
        if found.needed is None:
            few = f"fewer than {MIN_EXAMPLES} {self.unit} decide nothing"
            return few if np.isnan(found.low) else "the mean is at the threshold: a margin would tell how many decide"
        if found.needed.examples is None:
            return "more than ten million would decide"
        of = "at the distance margin" if self.rule.margin is not None else "if the mean stays where it is"
        low, high = (
            f"{each:,}" if each is not None else "> 10 million" for each in (found.needed.low, found.needed.high)
        )
        return f"about {found.needed.examples:,} {self.unit} would decide {of} (from {low} to {high})"


def checks_of(rules: Rules, studies: Sequence[Finished]) -> list[Check]:
    """Hold studies to rules.

    Raises:
        UserError: a rule names nothing in one of the studies.
    """
    found = []
    for study in studies:
        of_rules = [
            (rule, each) for i, rule in enumerate(rules.rules) for each in quantities(rule, study, rules.place(i))
        ]
        tested = sum(not quantity.failed for _, quantity in of_rules)
        miss = (1 - rules.confidence) / (max(1, tested) if rules.family == "all" else 1)
        unit = "clusters" if study.record.data is not None and study.record.data.clusters else "examples"
        for rule, quantity in of_rules:
            decision = decide(
                quantity.values,
                rule.at_least,
                rule.at_most,
                confidence=1 - miss,
                bounds=quantity.bounds,
                margin=rule.margin,
                seed=study.record.study.seed or 0,
            )
            found.append(Check(str(study.folder), rule, quantity.title, unit, decision, quantity.failed))
    return found


def overall(checks: Sequence[Check]) -> Status:
    """``fails`` where some check fails, otherwise ``undecided`` where some is, otherwise ``passes``."""
    counts = Counter(check.status for check in checks)
    return next((status for status in ("fails", "undecided") if counts[status]), "passes")


def _number(value: float) -> str:
    return f"{value:.4g}"
