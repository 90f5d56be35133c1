"""What an estimator returns: predictions and margins of rows of a table, and its classes and columns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from xaiexp.plugin import MismatchError, ResourceError

if TYPE_CHECKING:
    from torch import Tensor

    Function = Callable[[Any], Any]

__all__ = ["Estimator", "RowScores", "lightgbm_booster", "sklearn_estimator", "xgboost_booster"]


@dataclass(frozen=True)
class Estimator:
    """An estimator and the functions that score rows, float64 ``[N, F]``.

    Args:
        fitted: the object of the library; what holds the trees of an ensemble.
        prediction: class probabilities ``[N, K]`` of a classifier, values ``[N]`` or ``[N, K]`` otherwise; None where
            the estimator has none.
        margin: the scores before the link function, ``[N]`` or ``[N, K]``; None where the estimator has none.
        classes: names of the classes; empty for an estimator that is no classifier.
        features: number of columns, None where unknown.
        feature_names: names of the columns, or empty.
        libraries: names of the distributions that decide the scores.
        multilabel: whether the classes are labels that do not exclude each other.
    """

    fitted: Any
    prediction: Function | None
    margin: Function | None
    classes: tuple[str, ...] = ()
    features: int | None = None
    feature_names: tuple[str, ...] = ()
    libraries: tuple[str, ...] = ("scikit-learn",)
    multilabel: bool = False


@dataclass(frozen=True)
class RowScores:
    """The scores of an estimator as a function of tensors: ``[N, F]`` to ``[N, K]`` or ``[N]``.

    The module path and name of this class are part of the keys of the store.

    Args:
        estimator: the fitted object; methods for trees read it.
        scores: of rows, float64 ``[N, F]``.
        probabilities: whether the scores must lie in 0..1.
    """

    estimator: Any
    scores: Function = field(repr=False)
    probabilities: bool = False

    def __call__(self, inputs: Tensor) -> Tensor:
        """Scores of all rows in one call, at least float32, on the device of ``inputs``.

        Raises:
            MismatchError: the estimator does not return one row of numbers for each row of the inputs, or returns
                other values than probabilities where it must.
        """
        import numpy as np
        import torch

        returned = self.scores(inputs.detach().cpu().double().numpy())
        if isinstance(returned, list):
            raise MismatchError(
                "model.path", "the estimator has several outputs, each with its own classes", got=len(returned)
            )
        array = np.asarray(returned)
        if array.ndim not in (1, 2) or len(array) != len(inputs) or array.dtype.kind not in "fiu":
            raise MismatchError(
                "model.path",
                f"the estimator must return numbers [N] or [N, K] for {len(inputs)} rows",
                got=f"{array.dtype} {list(array.shape)}",
            )
        if self.probabilities and not bool(((array >= -1e-6) & (array <= 1 + 1e-6)).all()):
            raise MismatchError(
                "model.scores",
                "the predictions are not probabilities in 0..1",
                got=[float(array.min()), float(array.max())],
                hint="model.scores=margin",
            )
        out = torch.from_numpy(np.ascontiguousarray(array))
        return out.to(inputs.device, torch.promote_types(inputs.dtype, torch.float32))


def sklearn_estimator(fitted: Any) -> Estimator:
    """Any object with ``predict_proba``, ``predict`` or ``decision_function``.

    Estimators of XGBoost and LightGBM give the raw scores of their trees as the margin.

    Raises:
        MismatchError: the object has none of these functions.
    """
    names = tuple(str(name) for name in _attribute(fitted, "feature_names_in_", ()))
    # Objects of the user are not scikit-learn's, so is_classifier() cannot tell.
    classifier = hasattr(fitted, "predict_proba") or hasattr(fitted, "classes_")
    library = type(fitted).__module__.partition(".")[0]
    prediction = getattr(fitted, "predict_proba" if classifier else "predict", None)
    margin = getattr(fitted, "decision_function", None)
    libraries: tuple[str, ...] = ("scikit-learn",)
    if library in ("xgboost", "lightgbm"):
        word = {"xgboost": "output_margin", "lightgbm": "raw_score"}[library]
        libraries = ("scikit-learn", library)

        def margin(rows: Any) -> Any:
            return fitted.predict(rows, **{word: True})

    if prediction is None and margin is None:
        raise MismatchError(
            "model.path", "holds no fitted estimator with predict_proba, predict or decision_function",
            got=type(fitted).__name__,
        )  # fmt: skip
    classes = _attribute(fitted, "classes_", ()) if classifier else ()
    return Estimator(
        fitted,
        _with_names(prediction, names),
        _with_names(margin, names),
        tuple(str(name) for name in classes),
        _attribute(fitted, "n_features_in_", None),
        names,
        libraries,
        multilabel=bool(_attribute(fitted, "multilabel_", False)),
    )


def xgboost_booster(path: str) -> Estimator:
    """A model in XGBoost's own format (JSON or UBJ), saved by a booster or by an estimator.

    Raises:
        ResourceError: the file is damaged, or XGBoost is not installed.
    """
    import json

    xgboost = _imported("xgboost")
    try:
        booster = xgboost.Booster(model_file=path)
        objective = json.loads(booster.save_config())["learner"]["objective"]["name"]
        classifier = objective.partition(":")[0] in ("binary", "multi")
        fitted = (xgboost.XGBClassifier if classifier else xgboost.XGBRegressor)()
        fitted.load_model(path)
    except (xgboost.core.XGBoostError, TypeError, ValueError, KeyError) as broken:
        reason = (str(broken).strip().splitlines() or [type(broken).__name__])[0][:200]
        raise ResourceError("model.path", f"{path} cannot be read as a model of XGBoost: {reason}") from None
    return sklearn_estimator(fitted)


def lightgbm_booster(path: str) -> Estimator:
    """A model in LightGBM's own text format.

    Raises:
        ResourceError: the file is damaged, or LightGBM is not installed.
        MismatchError: it does not say what its values are, because its objective was a function of the user.
    """
    lightgbm = _imported("lightgbm")
    try:
        booster = lightgbm.Booster(model_file=path)
    except lightgbm.basic.LightGBMError as broken:
        raise ResourceError("model.path", f"{path} cannot be read as a model of LightGBM: {broken}") from None
    objective, outputs = _lightgbm_header(path)
    if not objective or objective == "custom":
        raise MismatchError(
            "model.path",
            f"{path} does not say what its values are: it was trained with an objective of the user",
            hint="train with an objective of LightGBM",
        )
    binary = objective in ("binary", "cross_entropy", "xentropy")
    count = 2 if binary else outputs if objective in ("multiclass", "multiclassova") else 0
    names = tuple(booster.feature_name())
    generated = names == tuple(f"Column_{i}" for i in range(len(names)))

    def prediction(rows: Any) -> Any:
        import numpy as np

        values = booster.predict(rows)
        return np.stack([1 - values, values], axis=1) if binary else values

    return Estimator(
        booster,
        prediction,
        lambda rows: booster.predict(rows, raw_score=True),
        tuple(map(str, range(count))),
        booster.num_feature(),
        () if generated else names,
        ("lightgbm",),
    )


def _lightgbm_header(path: str) -> tuple[str, int]:
    """The name of the objective (empty where there is none) and the number of outputs of a LightGBM text file."""
    header: dict[str, str] = {}
    with open(path, encoding="utf-8") as lines:  # noqa: PTH123  # a path as LightGBM takes it
        for line in lines:
            if line.startswith("Tree="):
                break
            key, _, value = line.strip().partition("=")
            header[key] = value
    return header.get("objective", "").partition(" ")[0], int(header.get("num_class", "1"))


def _attribute(fitted: Any, name: str, default: Any) -> Any:
    """An attribute of a fitted estimator; estimators that cannot have it raise different errors."""
    try:
        return getattr(fitted, name, default)
    except Exception:  # a property of a pipeline may raise what its last step raises
        return default


def _with_names(function: Function | None, names: tuple[str, ...]) -> Function | None:
    """The function, called with a data frame where the estimator was fitted to one, so that it finds its columns."""
    if function is None or not names:
        return function

    def named(rows: Any) -> Any:
        import pandas as pd

        return function(pd.DataFrame(rows, columns=list(names)))

    return named


def _imported(name: str) -> Any:
    """A library that is an extra of this distribution.

    Raises:
        ResourceError: it is not installed.
    """
    import importlib

    try:
        return importlib.import_module(name)
    except ImportError:
        raise ResourceError(
            "model.path", f"needs {name}, which is not installed", hint=f"pip install 'xaiexp-sklearn[{name}]'"
        ) from None
