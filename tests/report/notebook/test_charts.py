"""Charts of a result as charts of Altair."""

from __future__ import annotations

import pytest
import written_studies

import xaiexp
from xaiexp.errors import UnknownName, UserError


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    return xaiexp.load(written_studies.write_study(tmp_path_factory.mktemp("study") / "s"))


def _rows(chart):
    return chart.to_dict()["data"]["values"]


def test_the_means_of_all_metrics_by_default(result):
    rows = _rows(result.plot_metrics())
    assert {row["metric"] for row in rows} == set(written_studies.METRICS)
    summary = result.summary.set_index(["metric", "method", "baseline"])["mean"]
    for row in rows:
        method, _, baseline = row["cell"].partition(" / ")
        assert row["mean"] == pytest.approx(summary[row["metric"], method, baseline or "none"])


@pytest.mark.parametrize("kind", ["means", "letters", "win_rates", "differences", "cost", "nemenyi"])
def test_one_metric_in_every_way(result, kind):
    assert _rows(result.plot_metrics("insertion", kind))


def test_what_is_not_there_is_named(result):
    with pytest.raises(UnknownName, match="insertion"):
        result.plot_metrics("insertio")
    with pytest.raises(UnknownName, match="win_rates"):
        result.plot_metrics("insertion", "win_rate")
    with pytest.raises(UserError, match="has no letters to show"):
        result.plot_metrics("sparseness", "letters")
    with pytest.raises(UserError, match="of one metric"):
        result.plot_metrics(kind="letters")
    with pytest.raises(UnknownName, match="sign_agreement"):
        result.plot_agreement("sign_agreemen")


def test_curves_are_of_the_metrics_that_kept_them(result):
    with pytest.raises(UserError, match="no metric of this study kept curves"):
        result.plot_curves()


def test_a_matrix_of_agreement_has_the_scale_of_its_measure(result):
    assert len(_rows(result.plot_agreement())) == 20
    params = result.plot_agreement("sign_agreement").to_dict()["params"]
    assert {"name": "limit", "value": 1.0} in params


def test_a_sweep_shows_one_metric_across_its_studies(tmp_path):
    for name in ("one", "two"):
        written_studies.write_study(tmp_path / name, model=name)
    sweep = xaiexp.load(tmp_path)
    rows = _rows(sweep.plot_metrics("insertion"))
    assert {row["group"] for row in rows} == {"one", "two"}
    with pytest.raises(UserError, match="not of a sweep"):
        sweep.plot_agreement()


def test_a_chart_that_was_changed_is_still_shown_without_a_network(result):
    changed = result.plot_metrics().properties(title="changed")
    shown = changed._repr_mimebundle_()
    assert "changed" in shown["image/svg+xml"]
    assert "text/html" not in shown
    (specification,) = (value for name, value in shown.items() if name.startswith("application/vnd.vegalite.v"))
    assert specification == changed.to_dict()
