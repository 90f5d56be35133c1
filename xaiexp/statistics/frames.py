"""Frames as plain rows, and means of agreement over examples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["AGREEMENT_PAIR", "mean_agreement", "rows"]

AGREEMENT_PAIR = ["method_a", "baseline_a", "method_b", "baseline_b"]


def rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a frame, by column name."""
    return cast("list[dict[str, Any]]", frame.to_dict("records"))


def mean_agreement(agreement: pd.DataFrame) -> pd.DataFrame:
    """The mean over examples of every measure and pair of cells; NaN where no example is defined."""
    means = agreement.groupby(["measure", *AGREEMENT_PAIR], sort=False, observed=True)["value"].mean()
    return means.reset_index()
