"""The leaves of an ensemble of decision trees, each as a box: an interval for every column that its path splits."""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from xaiexp.plugin import Unsupported

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

__all__ = ["Leaves", "leaves_of"]


@dataclass(frozen=True)
class Leaves:
    """An ensemble as a sum over leaves: ``f(x) = constant + sum of values[l] over the leaves l that contain x``.

    A leaf contains x if ``low[i] < x[column[i]] <= high[i]`` for each of its intervals i. Leaves without an interval,
    of trees that do not split, are left out, as are the constants of an ensemble: both cancel in differences.

    Args:
        values: float64 ``[L, K]``, what a leaf adds to the K outputs.
        leaf: int64 ``[P]``, the leaf of each interval, ascending; every leaf has one.
        column: int64 ``[P]``, its column.
        low, high: float64 ``[P]``.
        float32: whether rows are rounded to float32 before they are compared.
    """

    values: Array
    leaf: Array
    column: Array
    low: Array
    high: Array
    float32: bool


@dataclass(frozen=True)
class _Tree:
    """One tree as arrays over its nodes, the first of which is the root.

    Args:
        left, right: the children of each node; unused at leaves.
        is_leaf: whether a node is a leaf.
        column, threshold: of the split: rows with ``x <= threshold`` go left.
        value: ``[nodes, K]``, what each node adds if it is a leaf.
    """

    left: Array
    right: Array
    is_leaf: Array
    column: Array
    threshold: Array
    value: Array


@functools.lru_cache(maxsize=4)
def leaves_of(estimator: Any) -> Leaves:
    """The leaves of a fitted ensemble of scikit-learn, XGBoost or LightGBM.

    Raises:
        Unsupported: the estimator is no such ensemble, or has splits other than thresholds.
    """
    names = [f"{cls.__module__.partition('.')[0]}.{cls.__name__}" for cls in type(estimator).__mro__]
    reader = next((_READERS[name] for name in names if name in _READERS), None)
    if reader is None:
        raise Unsupported(f"explains ensembles of decision trees, not {type(estimator).__name__}")
    trees, float32 = reader(estimator)
    return _collected(trees, float32)


def _collected(trees: Iterator[_Tree], float32: bool) -> Leaves:
    """The leaves of all trees."""
    import numpy as np

    values: list[Array] = []
    intervals: list[tuple[int, int, float, float]] = []
    for tree in trees:
        pending: list[tuple[int, dict[int, tuple[float, float]]]] = [(0, {})]
        while pending:
            node, box = pending.pop()
            if tree.is_leaf[node]:
                if box:
                    intervals += [(len(values), column, low, high) for column, (low, high) in box.items()]
                    values.append(tree.value[node])
                continue
            column, threshold = int(tree.column[node]), float(tree.threshold[node])
            low, high = box.get(column, (-math.inf, math.inf))
            pending.append((int(tree.right[node]), {**box, column: (max(low, threshold), high)}))
            pending.append((int(tree.left[node]), {**box, column: (low, min(high, threshold))}))
    if not values:
        raise Unsupported("no tree of the ensemble has a split")
    leaf, columns, lows, highs = zip(*intervals, strict=True)
    return Leaves(
        np.stack(values).astype(np.float64),
        np.array(leaf),
        np.array(columns),
        np.array(lows, dtype=np.float64),
        np.array(highs, dtype=np.float64),
        float32,
    )


def _sklearn_tree(tree: Any, scale: float, normalize: bool, output: int | None = None, outputs: int = 1) -> _Tree:
    """A tree of scikit-learn.

    Args:
        tree: ``estimator.tree_``.
        scale: factor of its values.
        normalize: whether the values of a leaf are divided by their sum (class counts to probabilities).
        output: the only output that the tree adds to; None where it has all of them.
        outputs: the number of outputs of the ensemble.
    """
    import numpy as np

    value = tree.value.reshape(len(tree.value), -1)
    if normalize:
        if tree.n_outputs > 1:
            raise Unsupported("the classifier has several outputs, each with its own classes")
        value = value / value.sum(axis=1, keepdims=True)
    value = value * scale
    if output is not None:
        column = value[:, 0]
        value = np.zeros((len(value), outputs))
        value[:, output] = column
    return _Tree(tree.children_left, tree.children_right, tree.children_left < 0, tree.feature, tree.threshold, value)


def _single_tree(estimator: Any) -> tuple[Iterator[_Tree], bool]:
    normalize = hasattr(estimator, "classes_")
    return iter([_sklearn_tree(estimator.tree_, 1.0, normalize)]), True


def _forest(estimator: Any) -> tuple[Iterator[_Tree], bool]:
    """The mean of trees."""
    normalize, scale = hasattr(estimator, "classes_"), 1 / len(estimator.estimators_)
    return (_sklearn_tree(each.tree_, scale, normalize) for each in estimator.estimators_), True


def _gradient_boosting(estimator: Any) -> tuple[Iterator[_Tree], bool]:
    """A sum of trees, one an output and iteration."""
    outputs, scale = estimator.estimators_.shape[1], estimator.learning_rate
    return (
        _sklearn_tree(tree.tree_, scale, False, output, outputs)
        for iteration in estimator.estimators_
        for output, tree in enumerate(iteration)
    ), True


def _histogram_boosting(estimator: Any) -> tuple[Iterator[_Tree], bool]:
    iterations = estimator._predictors  # noqa: SLF001  # no public attribute holds the trees
    outputs = len(iterations[0])

    def trees() -> Iterator[_Tree]:
        for iteration in iterations:
            for output, predictor in enumerate(iteration):
                nodes = predictor.nodes
                if bool(nodes["is_categorical"].any()):
                    raise Unsupported("the trees split categories, not thresholds")
                yield _Tree(
                    nodes["left"], nodes["right"], nodes["is_leaf"].astype(bool), nodes["feature_idx"],
                    nodes["num_threshold"], _one_output(nodes["value"], output, outputs),
                )  # fmt: skip

    return trees(), False


def _xgboost(estimator: Any) -> tuple[Iterator[_Tree], bool]:
    """Trees of XGBoost, which compare ``x < threshold`` in float32, with the weights of dropped trees (DART)."""
    import numpy as np

    booster = estimator.get_booster() if hasattr(estimator, "get_booster") else estimator
    best = booster.attributes().get("best_iteration")
    if hasattr(estimator, "get_booster") and best is not None:
        booster = booster[: int(best) + 1]
    learner = json.loads(booster.save_raw("json"))["learner"]
    content = learner["gradient_booster"]
    if content["name"] == "gblinear":
        raise Unsupported("explains ensembles of decision trees, not a linear booster")
    weights = content.get("weight_drop")
    model = content.get("gbtree", content)["model"]
    outputs = max(
        1, int(learner["learner_model_param"]["num_class"]), int(learner["learner_model_param"]["num_target"])
    )

    def trees() -> Iterator[_Tree]:
        for number, tree in enumerate(model["trees"]):
            if any(tree["split_type"]) or int(tree["tree_param"]["size_leaf_vector"]) > 1:
                raise Unsupported("the trees split categories or have vectors in their leaves")
            left = np.array(tree["left_children"])
            condition = np.array(tree["split_conditions"], dtype=np.float32)
            value = condition.astype(np.float64) * (1.0 if weights is None else weights[number])
            below = np.nextafter(condition, np.float32(-np.inf)).astype(np.float64)
            yield _Tree(
                left, np.array(tree["right_children"]), left < 0, np.array(tree["split_indices"]), below,
                _one_output(value, model["tree_info"][number], outputs),
            )  # fmt: skip

    return trees(), True


def _lightgbm(estimator: Any) -> tuple[Iterator[_Tree], bool]:
    """Trees of LightGBM; raw scores are their sum, also in a random forest, whose predictions are their mean."""
    booster = getattr(estimator, "booster_", estimator)
    model = booster.dump_model()
    outputs = int(model["num_tree_per_iteration"])
    return (
        _lightgbm_tree(tree["tree_structure"], number % outputs, outputs)
        for number, tree in enumerate(model["tree_info"])
    ), False


def _lightgbm_tree(root: dict[str, Any], output: int, outputs: int) -> _Tree:
    """A tree of LightGBM from nested mappings."""
    import numpy as np

    nodes: list[tuple[int, int, bool, int, float, float]] = []
    pending: list[tuple[dict[str, Any], int, int]] = [(root, -1, 0)]
    while pending:
        content, parent, side = pending.pop()
        number = len(nodes)
        if parent >= 0:
            before = list(nodes[parent])
            before[side] = number
            nodes[parent] = tuple(before)  # type: ignore[assignment]  # of the same length
        if "leaf_value" in content:
            if "leaf_coeff" in content:
                raise Unsupported("the trees have linear models in their leaves")
            nodes.append((-1, -1, True, 0, 0.0, float(content["leaf_value"])))
            continue
        if content["decision_type"] != "<=":
            raise Unsupported("the trees split categories, not thresholds")
        nodes.append((-1, -1, False, int(content["split_feature"]), float(content["threshold"]), 0.0))
        pending += [(content["right_child"], number, 1), (content["left_child"], number, 0)]
    left, right, is_leaf, column, threshold, value = map(np.array, zip(*nodes, strict=True))
    return _Tree(left, right, is_leaf, column, threshold, _one_output(value, output, outputs))


def _one_output(value: Array, output: int, outputs: int) -> Array:
    """Values ``[nodes]`` as ``[nodes, K]`` that add to one output."""
    import numpy as np

    out = np.zeros((len(value), outputs))
    out[:, output] = value
    return out


_Reader = Callable[[Any], tuple[Iterator[_Tree], bool]]

_READERS: dict[str, _Reader] = {
    "sklearn.DecisionTreeClassifier": _single_tree,
    "sklearn.DecisionTreeRegressor": _single_tree,
    "sklearn.ForestClassifier": _forest,
    "sklearn.ForestRegressor": _forest,
    "sklearn.GradientBoostingClassifier": _gradient_boosting,
    "sklearn.GradientBoostingRegressor": _gradient_boosting,
    "sklearn.HistGradientBoostingClassifier": _histogram_boosting,
    "sklearn.HistGradientBoostingRegressor": _histogram_boosting,
    "xgboost.Booster": _xgboost,
    "xgboost.XGBModel": _xgboost,
    "lightgbm.Booster": _lightgbm,
    "lightgbm.LGBMModel": _lightgbm,
}
