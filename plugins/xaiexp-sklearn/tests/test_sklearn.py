"""Estimators from files, compared with direct calls of their libraries."""

from __future__ import annotations

import logging
import pickle
import subprocess
import sys
from dataclasses import replace

import pytest

pytest.importorskip("xaiexp_sklearn", reason="the distribution xaiexp-sklearn is not installed")

import joblib
import numpy as np
import pandas as pd
import torch
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC
from skops import io
from xaiexp_sklearn.model import Sklearn

import xaiexp
from xaiexp.plugin import LoadContext, MismatchError, ParameterError, ResourceError, Sample, UserError
from xaiexp.testing import check

from .fitted_tables import COLUMNS, table

X, TWO, THREE = table()
FRAME = pd.DataFrame(X, columns=list(COLUMNS))
ROWS = torch.from_numpy(X[:7]).float()


class Sums:
    """A class of the user: not known to skops."""

    n_features_in_ = 8

    def predict(self, rows):
        return rows.sum(axis=1)


def saved(tmp_path, estimator, name="model.skops"):
    path = tmp_path / name
    if path.suffix == ".skops":
        io.dump(estimator, path)
    elif path.suffix in (".joblib", ".pkl"):
        (joblib.dump if path.suffix == ".joblib" else lambda each, file: file.write_bytes(pickle.dumps(each)))(
            estimator, path
        )
    else:
        estimator.save_model(str(path))
    return str(path)


def load(path, trust=(), **parameters):
    return Sklearn(path=path, **parameters).load(LoadContext(None, trust))


def boosted(y=TWO):
    return GradientBoostingClassifier(n_estimators=5, random_state=0).fit(X, y)


def same(network, want):
    got = network.module(ROWS)
    torch.testing.assert_close(got.double(), torch.as_tensor(np.asarray(want)).double(), rtol=1e-5, atol=1e-6)
    assert network.classes == (1 if got.ndim == 1 else got.shape[1])


@pytest.mark.parametrize("suffix", ["skops", "joblib", "pkl"])
def test_probabilities_of_a_classifier(tmp_path, suffix):
    names = np.array(["low", "middle", "high"])[THREE]
    fitted = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, names)
    network = load(saved(tmp_path, fitted, f"m.{suffix}"), trust=("pickle",))
    same(network, fitted.predict_proba(X[:7]))
    assert (network.task, network.class_names, network.modality) == (
        "probabilities",
        ("high", "low", "middle"),
        "table",
    )
    assert network.module(ROWS).dtype == torch.float32
    assert network.module(ROWS.double()).dtype == torch.float64


@pytest.mark.parametrize(
    ("fit", "task", "note"),
    [
        (lambda: boosted(TWO), "binary", "log-odds"),
        (lambda: boosted(THREE), "multiclass", "log-odds"),
        (lambda: LogisticRegression().fit(X, THREE), "multiclass", "log-odds"),
        (lambda: OneVsRestClassifier(LogisticRegression()).fit(X, np.eye(3, dtype=int)[THREE]), "multilabel", None),
        (lambda: LinearSVC(random_state=0).fit(X, TWO), "binary", None),
    ],
)
def test_margins(tmp_path, fit, task, note, caplog):
    fitted = fit()
    network = load(saved(tmp_path, fitted), scores="margin")
    same(network, fitted.decision_function(X[:7]))
    assert network.task == task
    if note:
        assert network.facts["margin"] == note
        assert not caplog.records


def test_a_margin_that_is_no_log_odds_is_told(tmp_path, caplog):
    fitted = OneVsRestClassifier(LogisticRegression()).fit(X, THREE)
    with caplog.at_level(logging.WARNING, "xaiexp"):
        network = load(saved(tmp_path, fitted), scores="margin")
    assert network.facts["margin"] == "not the log-odds of the predicted probabilities"
    assert "use output=logit" in caplog.text


@pytest.mark.parametrize("values", [X[:, 0], X[:, :2]], ids=["one", "two"])
def test_values_of_a_regressor(tmp_path, values):
    fitted = LinearRegression().fit(X, values)
    network = load(saved(tmp_path, fitted))
    same(network, fitted.predict(X[:7]))
    assert (network.task, network.class_names) == ("regression", ())


def test_all_rows_go_in_one_call_as_float64(tmp_path):
    fitted, calls = LinearRegression().fit(X, X[:, 0]), []
    module = replace(load(saved(tmp_path, fitted)).module, scores=lambda rows: calls.append(rows) or rows.sum(axis=1))
    module(torch.rand(500, 8))
    assert [(rows.shape, rows.dtype) for rows in calls] == [((500, 8), np.float64)]


@pytest.mark.parametrize("suffix", ["json", "ubj", "skops"])
@pytest.mark.parametrize("y", [TWO, THREE], ids=["two", "three"])
def test_xgboost(tmp_path, suffix, y):
    library = pytest.importorskip("xgboost", reason="xgboost is not installed")
    fitted = library.XGBClassifier(n_estimators=4, n_jobs=1).fit(FRAME, y)
    path = saved(tmp_path, fitted, f"m.{suffix}")
    same(load(path), fitted.predict_proba(FRAME[:7]))
    margin = load(path, scores="margin")
    same(margin, fitted.predict(FRAME[:7], output_margin=True))
    assert margin.task == ("binary" if y is TWO else "multiclass")
    assert margin.facts["margin"] == "log-odds"
    assert margin.feature_names == COLUMNS
    assert "xgboost" in margin.identity
    values = library.XGBRegressor(n_estimators=4, n_jobs=1).fit(X, X[:, 0])
    network = load(saved(tmp_path, values, f"r.{suffix}"))
    same(network, values.predict(X[:7]))
    assert network.task == "regression"


def test_a_booster_that_returns_no_probabilities_is_refused(tmp_path):
    library = pytest.importorskip("xgboost", reason="xgboost is not installed")
    data = library.DMatrix(X, label=TWO)
    booster = library.train({"objective": "binary:logitraw", "nthread": 1}, data, 4)
    path = saved(tmp_path, booster, "raw.json")
    with pytest.raises(MismatchError, match=r"not probabilities in 0..1 .*\n  model.scores=margin"):
        load(path)
    same(load(path, scores="margin"), booster.predict(data, output_margin=True)[:7])


@pytest.mark.parametrize("suffix", ["txt", "skops"])
@pytest.mark.parametrize("y", [TWO, THREE], ids=["two", "three"])
def test_lightgbm(tmp_path, suffix, y):
    library = pytest.importorskip("lightgbm", reason="lightgbm is not installed")
    fitted = library.LGBMClassifier(n_estimators=4, n_jobs=1, verbose=-1).fit(
        pd.DataFrame(X, columns=list("abcdefgh")), y
    )
    path = saved(tmp_path, fitted if suffix == "skops" else fitted.booster_, f"m.{suffix}")
    same(load(path), fitted.predict_proba(pd.DataFrame(X[:7], columns=list("abcdefgh"))))
    margin = load(path, scores="margin")
    same(margin, fitted.booster_.predict(X[:7], raw_score=True))
    assert margin.facts["margin"] == "log-odds"
    assert margin.feature_names == tuple("abcdefgh")
    values = library.train({"objective": "regression", "verbose": -1, "num_threads": 1}, library.Dataset(X, X[:, 0]), 4)
    network = load(saved(tmp_path, values, "r.txt"))
    same(network, values.predict(X[:7]))
    assert (network.task, network.feature_names) == ("regression", ())


def test_an_objective_of_the_user_is_refused(tmp_path):
    library = pytest.importorskip("lightgbm", reason="lightgbm is not installed")
    objective = lambda scores, data: (scores - data.get_label(), np.ones_like(scores))  # noqa: E731  # in one line
    parameters = {"objective": objective, "verbose": -1, "num_threads": 1}
    booster = library.train(parameters, library.Dataset(X, X[:, 0]), 2)
    with pytest.raises(MismatchError, match="does not say what its values are"):
        load(saved(tmp_path, booster, "own.txt"))


@pytest.mark.parametrize("zipmap", [False, True])
def test_onnx(tmp_path, zipmap):
    pytest.importorskip("xaiexp_onnx", reason="the distribution xaiexp-onnx is not installed")
    skl2onnx = pytest.importorskip("skl2onnx", reason="skl2onnx is not installed")
    fitted = RandomForestClassifier(n_estimators=4, random_state=0).fit(X, THREE)
    path = tmp_path / "m.onnx"
    options = {id(fitted): {"zipmap": zipmap}}
    path.write_bytes(skl2onnx.to_onnx(fitted, X[:1].astype(np.float32), options=options).SerializeToString())
    model = Sklearn(path=str(path), class_names=["a", "b", "c"])
    assert model.offers == frozenset()
    if zipmap:
        with pytest.raises(MismatchError, match=r"export it with options=\{'zipmap': False\}"):
            load(str(path))
        return
    network = model.load(LoadContext(None))
    same(network, fitted.predict_proba(X[:7]))
    assert (network.task, network.class_names) == ("probabilities", ("a", "b", "c"))
    with pytest.raises(MismatchError, match="an ONNX file returns what was exported"):
        load(str(path), scores="margin")
    values = LinearRegression().fit(X, X[:, 0])
    path.write_bytes(skl2onnx.to_onnx(values, X[:1].astype(np.float32)).SerializeToString())
    network = load(str(path))
    same(network, values.predict(X[:7])[:, None])
    assert network.task == "regression"


@pytest.mark.parametrize("name", ["m.joblib", "m.pkl"])
@pytest.mark.parametrize("trust", [(), ("sklearn",), ("pickles",), ("joblib",)])
def test_pickled_files_are_not_read_without_trust(tmp_path, name, trust):
    class Attack:
        def __reduce__(self):
            return (open, (str(tmp_path / "was_run"), "w"))

    path = saved(tmp_path, Attack(), name) if name == "m.pkl" else saved(tmp_path, boosted(), name)
    with pytest.raises(ParameterError, match=r"runs the code in it.*\n.*skops.io.dump.*'trust=\[pickle\]'"):
        load(path, trust=trust)
    assert not (tmp_path / "was_run").exists()


def test_types_in_a_skops_file_are_trusted_by_module(tmp_path):
    path = saved(tmp_path, Sums())
    module = Sums.__module__
    with pytest.raises(ParameterError, match=rf"types that are not trusted.*\n.*'trust=\[.*{module.split('.')[-1]}\]'"):
        load(path)
    same(load(path, trust=(module,)), X[:7].sum(axis=1))


@pytest.mark.parametrize(
    ("content", "name", "kind", "message"),
    [
        (None, "none.skops", ResourceError, "cannot be read"),
        (b"no archive", "m.skops", ResourceError, "is not a skops file"),
        (b"no model", "m.txt", ResourceError, "model of LightGBM"),
        (b"no model", "m.json", ResourceError, "model of XGBoost"),
        (b"no model", "m.joblib", ResourceError, "cannot be unpickled"),
        (b"no model", "m.onnx", ResourceError, "ONNX model"),
        (b"", "m.bin", ParameterError, "does not tell the format"),
    ],
)
def test_files_that_cannot_be_read_are_named(tmp_path, content, name, kind, message):
    library = {".txt": "lightgbm", ".json": "xgboost", ".onnx": "xaiexp_onnx"}.get(name[name.index(".") :])
    if library:
        pytest.importorskip(library, reason=f"{library} is not installed")
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=message) as caught:
        load(str(path), trust=("pickle",))
    assert isinstance(caught.value, kind)


@pytest.mark.parametrize(
    ("fit", "parameters", "message"),
    [
        (lambda: StandardScaler().fit(X), {}, "holds no fitted estimator"),
        (lambda: LinearSVC(random_state=0).fit(X, TWO), {}, r"no such function .*\n  model.scores=margin"),
        (
            lambda: LinearRegression().fit(X, TWO),
            {"scores": "margin"},
            r"no such function .*\n  model.scores=prediction",
        ),
        (
            lambda: SVC(decision_function_shape="ovo").fit(X, np.arange(160) % 4),
            {"scores": "margin"},
            "returns 6 scores",
        ),
        (lambda: RandomForestClassifier(n_estimators=2).fit(X, np.stack([TWO, TWO], 1)), {}, "several outputs"),
        (boosted, {"class_names": ["a"]}, "the model has 2 classes"),
        (boosted, {"feature_names": ["a"]}, "the estimator has 8 columns"),
    ],
)
def test_estimators_that_do_not_fit_are_refused(tmp_path, fit, parameters, message):
    with pytest.raises(MismatchError, match=message):
        load(saved(tmp_path, fit()), **parameters)


def test_rows_of_another_number_of_columns_are_refused(tmp_path):
    network = load(saved(tmp_path, boosted()))
    encoded = network.encode([Sample("a", ROWS[0], mask=ROWS[0] > 0), Sample("b", ROWS[1])])
    assert torch.equal(encoded.inputs, ROWS[:2])
    assert torch.equal(encoded.masks, torch.stack([ROWS[0] > 0, torch.zeros(8, dtype=torch.bool)]))
    with pytest.raises(MismatchError, match=r"example 'c' must be a row of 8 columns \(got \[7\]\)"):
        network.encode([Sample("c", ROWS[0, :7])])


def test_the_identity_is_the_content_of_the_file(tmp_path):
    path = saved(tmp_path, boosted())
    before = Sklearn(path=path).fingerprint(), load(path).identity
    other = str(tmp_path / "copy.skops")
    (tmp_path / "copy.skops").write_bytes((tmp_path / "model.skops").read_bytes())
    assert (Sklearn(path=other).fingerprint(), load(other).identity) == before
    saved(tmp_path, boosted(1 - TWO))
    after = Sklearn(path=path).fingerprint(), load(path).identity
    assert after[0] != before[0]
    assert after[1] != before[1]
    assert load(path, scores="margin").identity != after[1]


def study(tmp_path, fitted, *more):
    frame = FRAME.drop(columns=["sex=female", "sex=male"])
    frame.insert(0, "unused", 1.0)
    frame = frame[frame.columns[::-1]]  # the file has other columns, in another order
    frame["sex"] = np.where(X[:, 3] > 0, "female", "male")
    frame["label"] = TWO
    frame.to_csv(tmp_path / "table.csv", index=False)
    return xaiexp.run(
        [
            *("model=sklearn", f"model.path={saved(tmp_path, fitted)}"),
            *("dataset=csv", f"dataset.path={tmp_path / 'table.csv'}", "dataset.label_column=label", "examples=4"),
            *("metric=[]", "agreement=[]", "report=false", "tracking.uri=off", "effort=draft"),
            *more,
        ]
    )


def test_columns_are_ordered_by_name_and_shapley_values_agree(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = study(
        tmp_path,
        GradientBoostingClassifier(n_estimators=5, random_state=0).fit(FRAME, TWO),
        "model.scores=margin",
        "method=[tree_shap,exact_shapley,kernel_shap,integrated_gradients]",
        *("baseline=dataset_sample", "baseline.dataset_sample.n_references=5"),
    )
    cells = result.cells.set_index("method")
    assert cells["status"].to_dict() == {
        **dict.fromkeys(("tree_shap", "exact_shapley", "kernel_shap"), "done"),
        "integrated_gradients": "skipped",
    }
    assert cells["reason"]["integrated_gradients"] == "needs gradients, which model 'sklearn' does not offer"
    trees, exact = result.attributions("tree_shap"), result.attributions("exact_shapley")
    assert trees.shape == (4, 7)  # sex=female and sex=male are one feature
    torch.testing.assert_close(trees, exact, rtol=1e-4, atol=1e-5)
    # With all coalitions sampled the regression is exact.
    torch.testing.assert_close(trees, result.attributions("kernel_shap"), rtol=1e-3, atol=1e-4)


def test_a_column_that_the_dataset_lacks_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fitted = RandomForestRegressor(n_estimators=2).fit(FRAME.rename(columns={"fare": "fares"}), TWO)
    with pytest.raises(MismatchError, match=r"lacks 1 of the 8 columns .*'fares'\)\n  nearest: fare"):
        study(tmp_path, fitted, "method=[random]", "baseline=[]")


@pytest.mark.parametrize("scores", ["prediction", "margin"])
def test_the_model_passes_the_conformance_kit(tmp_path, scores):
    results = check(Sklearn(path=saved(tmp_path, boosted(THREE)), scores=scores))
    assert [str(r) for r in results if r.outcome == "failed"] == []
    ran = {r.check for r in results if r.outcome == "passed"}
    assert {"loads", "encodes", "batch_mates", "offers", "same_weights", "global_randomness"} <= ran


def test_registering_the_plugin_imports_no_heavy_package():
    heavy = ("torch", "numpy", "sklearn", "skops", "xgboost", "lightgbm", "onnxruntime", "pandas", "scipy", "joblib")
    code = (
        "import sys, xaiexp_sklearn; xaiexp_sklearn.xaiexp_components();"
        f"print([m for m in {heavy!r} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
