"""What to do next: at most four sentences, each from what the study shows."""

from __future__ import annotations

import math

from xaiexp.report.results import summary_of
from xaiexp.report.studies import StudyFolder
from xaiexp.report.verdicts import removal_groups, verdicts_of
from xaiexp.report.wording import number, plural
from xaiexp.results.removals import removal_name
from xaiexp.statistics.frames import rows

__all__ = ["hints"]

MOST = 4
_TOO_MANY_UNDEFINED = 0.1


def hints(study: StudyFolder) -> tuple[str, ...]:
    """Hints for the reader of a study, the most important first."""
    found = [*_failures(study), *_few_examples(study), *_undefined(study), *_one_removal(study)]
    return tuple(found[:MOST])


def _failures(study: StudyFolder) -> list[str]:
    failed = int((study.cells["status"] == "failed").sum())
    return (
        [f"{plural(failed, 'cell')} failed: see the reasons below; the same command computes these alone."]
        if failed
        else []
    )


def _few_examples(study: StudyFolder) -> list[str]:
    """Metrics whose two best cells are not told apart, with the difference that these examples can show."""
    open_metrics = []
    for row in rows(verdicts_of(study)):
        detectable = float(row.get("detectable_difference") or math.nan)
        if detectable > 0 and not row.get("refused") and "not separated" in str(row["verdict"]):
            open_metrics.append((str(row["metric"]), detectable))
    if not open_metrics:
        return []
    metric, size = open_metrics[0]
    count = len(study.scores["example"].unique())
    others = f" (and of {plural(len(open_metrics) - 1, 'other metric')})" if len(open_metrics) > 1 else ""
    return [
        f"The best cells of {metric}{others} are not told apart: {count} {study.unit} show differences from "
        f"{number(size, 2)} on with 80 % power. How many smaller ones take: "
        "xaiexp plan --power DIFFERENCE --pilot DIR, with the folder of this study."
    ]


_SEVERAL = {"image": "mean,blur", "text": "mean,zero", "table": "mean,marginal", "series": "mean,zero"}
"""Two removals of each modality."""


def _undefined(study: StudyFolder) -> list[str]:
    summary = summary_of(study)
    total = summary["n"].astype(float) + summary["undefined"].astype(float)
    some = summary["n"].astype(float) > 0  # a cell without any score is named in the verdict
    many = summary[some & (summary["undefined"].astype(float) > _TOO_MANY_UNDEFINED * total)]
    names = list(dict.fromkeys(str(m) for m in many["metric"] if not study.record.is_auxiliary(str(m))))
    if not names:
        return []
    return [f"Many scores are undefined ({', '.join(names[:3])}): read the range of these means before comparing them."]


def _one_removal(study: StudyFolder) -> list[str]:
    removing = [label for label, facts in study.record.metrics.items() if "removal" in facts.parameters]
    if not removing or removal_groups([study]):
        return []
    used = sorted({removal_name(study.record.metrics[label].parameters["removal"]) for label in removing})
    several = _SEVERAL.get(study.record.study.modality, "mean,zero")
    return [
        f"{', '.join(removing[:3])} removed features in one way ({', '.join(used)}). Whether the order of the cells "
        f"depends on it: repeat with several, such as 'removal=[{several}]'."
    ]
