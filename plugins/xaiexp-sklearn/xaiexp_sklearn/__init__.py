"""A plugin for xaiexp: estimators of scikit-learn, XGBoost and LightGBM on tables, and interventional TreeSHAP.

``model.py`` and ``tree_shap.py`` hold the components, ``model_files.py`` reads files, ``estimators.py`` says what an
estimator returns, ``tree_leaves.py`` reads the trees of an ensemble, and ``interventional.py`` holds the formula.
"""

from __future__ import annotations

from xaiexp.plugin import Component, hookimpl
from xaiexp_sklearn.model import Sklearn
from xaiexp_sklearn.tree_shap import TreeShap

__all__ = ["xaiexp_components"]


@hookimpl
def xaiexp_components() -> list[type[Component]]:
    """The model and the method."""
    return [Sklearn, TreeShap]
