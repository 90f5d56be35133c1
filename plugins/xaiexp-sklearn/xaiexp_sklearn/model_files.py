"""Reads estimators from files; a file that can run code is read only where the study trusts it."""

from __future__ import annotations

import logging
import warnings
import zipfile
from pathlib import Path
from typing import Any, Literal

from xaiexp.plugin import ParameterError, ResourceError
from xaiexp_sklearn.estimators import Estimator, lightgbm_booster, sklearn_estimator, xgboost_booster

__all__ = ["Format", "format_of", "read_estimator"]

log = logging.getLogger("xaiexp")

Format = Literal["auto", "skops", "onnx", "xgboost", "lightgbm", "pickle"]

_SUFFIXES = {
    ".skops": "skops",
    ".onnx": "onnx",
    ".json": "xgboost",
    ".ubj": "xgboost",
    ".txt": "lightgbm",
    ".joblib": "pickle",
    ".pickle": "pickle",
    ".pkl": "pickle",
}

# Types that skops does not trust by itself. They hold numbers and the text of a model, and reading them calls no other
# code than that of their library.
_DATA_TYPES = frozenset(
    {
        "collections.OrderedDict",
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
        "sklearn.tree._tree.Tree",
        "lightgbm.basic.Booster",
        "lightgbm.sklearn.LGBMClassifier",
        "lightgbm.sklearn.LGBMRegressor",
        "xgboost.core.Booster",
        "xgboost.sklearn.XGBClassifier",
        "xgboost.sklearn.XGBRegressor",
        "xgboost.sklearn.XGBRFClassifier",
        "xgboost.sklearn.XGBRFRegressor",
    }
)


def format_of(path: str, given: Format) -> str:
    """The format of a file; ``auto`` tells it by the suffix.

    Raises:
        ParameterError: no format has this suffix.
    """
    if given != "auto":
        return given
    suffix = Path(path).suffix.lower()
    if suffix not in _SUFFIXES:
        raise ParameterError(
            "model.path",
            "does not tell the format by its suffix",
            got=path,
            hint=f"known: {', '.join(_SUFFIXES)}; otherwise model.format=skops, onnx, xgboost, lightgbm or pickle",
        )
    return _SUFFIXES[suffix]


def read_estimator(path: str, kind: str, trust: tuple[str, ...]) -> Estimator:
    """The estimator in a file of the format ``skops``, ``xgboost``, ``lightgbm`` or ``pickle``.

    Args:
        path: of a file that exists.
        kind: the format.
        trust: entries of the study. ``pickle`` permits pickled files. Of a skops file, types of a module that an entry
            names, or that lies below one, may be created.

    Raises:
        ParameterError: the file may run code, and the study does not trust it.
        ResourceError: the file is damaged, or a library is not installed.
    """
    file = str(Path(path).expanduser())
    if kind == "xgboost":
        return xgboost_booster(file)
    if kind == "lightgbm":
        return lightgbm_booster(file)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fitted = _from_skops(file, trust) if kind == "skops" else _from_pickle(file, trust)
    for message in dict.fromkeys(str(warning.message) for warning in caught):
        log.warning("model.path: %s: %s", path, message)
    return sklearn_estimator(fitted)


def _from_skops(path: str, trust: tuple[str, ...]) -> Any:
    """The object in a skops file, whose types are all known or trusted."""
    from skops import io

    try:
        unknown = [name for name in io.get_untrusted_types(file=path) if name not in _DATA_TYPES]
    except zipfile.BadZipFile:
        raise ResourceError("model.path", f"{path} is not a skops file") from None
    except Exception as broken:  # a damaged file may raise anything
        raise ResourceError("model.path", f"{path} cannot be read by skops: {_first_line(broken)}") from None
    refused = [name for name in unknown if not _trusted(name.rpartition(".")[0], trust)]
    if refused:
        needed = dict.fromkeys([*trust, *(name.rpartition(".")[0] for name in refused)])
        raise ParameterError(
            "model.path",
            f"{path} creates objects of types that are not trusted",
            got=refused,
            hint=f"to trust their modules: 'trust=[{','.join(needed)}]'",
        )
    try:
        return io.load(path, trusted=[*unknown, *_DATA_TYPES])
    except Exception as broken:
        raise ResourceError("model.path", f"{path} cannot be read by skops: {_first_line(broken)}") from None


def _from_pickle(path: str, trust: tuple[str, ...]) -> Any:
    """The object in a file of joblib or pickle, which the study must trust."""
    import joblib

    if "pickle" not in trust:
        raise ParameterError(
            "model.path",
            "reading a pickled file runs the code in it, and pickled files are not trusted",
            got=path,
            hint="save it with skops.io.dump(estimator, 'model.skops'); if you made this file: 'trust=[pickle]'",
        )
    try:
        return joblib.load(path)
    except Exception as broken:  # a damaged file may raise anything
        raise ResourceError("model.path", f"{path} cannot be unpickled: {_first_line(broken)}") from None


def _trusted(module: str, trust: tuple[str, ...]) -> bool:
    return any(module == prefix or module.startswith(f"{prefix}.") for prefix in trust if prefix)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
