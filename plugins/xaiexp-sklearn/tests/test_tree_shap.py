"""TreeSHAP against Shapley values by enumeration, for the ensembles of three libraries."""

from __future__ import annotations

import pytest

pytest.importorskip("xaiexp_sklearn", reason="the distribution xaiexp-sklearn is not installed")

import numpy as np
import torch
from sklearn.ensemble import (
    AdaBoostClassifier,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.tree import DecisionTreeClassifier
from xaiexp_sklearn.estimators import RowScores
from xaiexp_sklearn.interventional import interventional_values
from xaiexp_sklearn.tree_leaves import leaves_of
from xaiexp_sklearn.tree_shap import TreeShap

import xaiexp
from xaiexp.plugin import Unsupported
from xaiexp.testing import conformance

from .fitted_tables import enumerated, table

X, TWO, THREE = table()
SINGLE = np.arange(8)
GROUPED = np.array([0, 1, 2, 3, 3, 4, 0, 1])  # one-hot columns, and other columns that are one feature


def histogram(y):
    fitted = HistGradientBoostingClassifier(max_iter=8, max_leaf_nodes=6, random_state=0).fit(X, y)
    return fitted, fitted.decision_function


def boosted(y):
    fitted = GradientBoostingClassifier(n_estimators=8, random_state=0).fit(X, y)
    return fitted, fitted.decision_function


def forest(cls, y):
    fitted = cls(random_state=0, max_depth=4).fit(X, y)
    return fitted, fitted.predict_proba


def regression(y):
    fitted = RandomForestRegressor(n_estimators=5, max_depth=4, random_state=0).fit(X, y)
    return fitted, fitted.predict


def xgboost(y=TWO, raw=False, **parameters):
    library = pytest.importorskip("xgboost", reason="xgboost is not installed")
    cls = getattr(library, parameters.pop("cls", "XGBClassifier"))
    fitted = cls(**{"n_estimators": 8, "max_depth": 3, "n_jobs": 1, "random_state": 0, **parameters}).fit(X, y)
    margin = lambda rows: fitted.predict(rows, output_margin=True)  # noqa: E731  # one line of two
    return (fitted.get_booster() if raw else fitted), margin


def early_stopped():
    library = pytest.importorskip("xgboost", reason="xgboost is not installed")
    fitted = library.XGBClassifier(n_estimators=40, max_depth=3, early_stopping_rounds=2, n_jobs=1)
    fitted.fit(X[:100], TWO[:100], eval_set=[(X[100:], TWO[100:])], verbose=False)
    assert fitted.best_iteration < 38
    return fitted, lambda rows: fitted.predict(rows, output_margin=True)


def lightgbm(y=TWO, raw=False, **parameters):
    library = pytest.importorskip("lightgbm", reason="lightgbm is not installed")
    settings = {"n_estimators": 8, "num_leaves": 6, "n_jobs": 1, "verbose": -1, "random_state": 0, **parameters}
    fitted = library.LGBMClassifier(**settings).fit(X, y)
    return (fitted.booster_ if raw else fitted), lambda rows: fitted.predict(rows, raw_score=True)


ENSEMBLES = {
    "tree": lambda: forest(DecisionTreeClassifier, THREE),
    "random_forest": lambda: forest(RandomForestClassifier, TWO),
    "extra_trees": lambda: forest(ExtraTreesClassifier, THREE),
    "forest_of_values": lambda: regression(X[:, 0] * X[:, 1]),
    "forest_of_two_values": lambda: regression(X[:, :2]),
    "gradient_boosting": lambda: boosted(TWO),
    "gradient_boosting_3": lambda: boosted(THREE),
    "histogram": lambda: histogram(TWO),
    "histogram_3": lambda: histogram(THREE),
    "xgboost": xgboost,
    "xgboost_3": lambda: xgboost(THREE),
    "xgboost_booster": lambda: xgboost(raw=True),
    "xgboost_dart": lambda: xgboost(booster="dart", rate_drop=0.5),
    "xgboost_forest": lambda: xgboost(cls="XGBRFClassifier"),
    "xgboost_early": early_stopped,
    "lightgbm": lightgbm,
    "lightgbm_3": lambda: lightgbm(THREE),
    "lightgbm_booster": lambda: lightgbm(raw=True),
    "lightgbm_forest": lambda: lightgbm(boosting_type="rf", bagging_freq=1, bagging_fraction=0.5),
}


@pytest.mark.parametrize("name", ENSEMBLES)
@pytest.mark.parametrize("feature", [SINGLE, GROUPED], ids=["columns", "groups"])
def test_values_are_the_shapley_values_of_the_interventional_game(name, feature):
    fitted, score = ENSEMBLES[name]()
    leaves = leaves_of(fitted)
    inputs, references = X[:2], X[40:46].reshape(2, 3, 8)
    largest = 0.0
    for output in range(leaves.values.shape[1]):
        got = interventional_values(leaves, inputs, references, np.full(2, output), feature)
        for i in range(2):
            want = enumerated(score, inputs[i], references[i], feature)[:, output]
            largest = max(largest, np.abs(want).max())
            np.testing.assert_allclose(got[i], want, atol=2e-6 if "xgboost" in name else 1e-12)
    assert largest > 0.05


def test_parts_of_the_leaves_add_up(monkeypatch):
    fitted, _ = boosted(TWO)
    leaves, references = leaves_of(fitted), X[40:52].reshape(4, 3, 8)
    whole = interventional_values(leaves, X[:4], references, np.zeros(4, int), SINGLE)
    monkeypatch.setattr("xaiexp_sklearn.interventional._BLOCK", 200)
    parts = interventional_values(leaves, X[:4], references, np.zeros(4, int), SINGLE)
    np.testing.assert_allclose(parts, whole, rtol=1e-12)


def test_attributions_equal_exact_shapley():
    fitted = GradientBoostingRegressor(n_estimators=8, random_state=0).fit(X, X[:, 0] * X[:, 1])
    model, x = RowScores(fitted, fitted.predict), torch.from_numpy(X[:5])
    options = {"target": None, "baseline": torch.from_numpy(X[40:44])}
    got = xaiexp.attribute(model, x, "tree_shap", **options)
    torch.testing.assert_close(got, xaiexp.attribute(model, x, "exact_shapley", **options), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("function", "fitted", "target", "reason"),
    [
        ("predict_proba", lambda: boosted(TWO)[0], 1, "the trees have 1 outputs, the model 2; .*model.scores=margin"),
        ("predict_proba", lambda: boosted(THREE)[0], 1, "the explained score is not the sum of the trees"),
        ("decision_function", lambda: AdaBoostClassifier().fit(X, TWO), 0, "not AdaBoostClassifier"),
    ],
)
def test_scores_that_are_not_the_sum_of_trees_are_refused(function, fitted, target, reason):
    estimator = fitted()
    model = RowScores(estimator, getattr(estimator, function))
    with pytest.raises(Unsupported, match=reason):
        xaiexp.attribute(model, torch.from_numpy(X[:3]), "tree_shap", target=target, baseline=0.0)


def test_a_model_without_trees_is_refused():
    with pytest.raises(Unsupported, match="needs trees, which this model does not offer"):
        xaiexp.attribute(lambda rows: rows, torch.from_numpy(X[:3]), "tree_shap", target=0)


test_conformance = conformance(TreeShap)
