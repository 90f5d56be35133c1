"""The model ``sklearn``: an estimator of scikit-learn, XGBoost or LightGBM on rows of a table."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from xaiexp.plugin import Encoded, LoadContext, MismatchError, Model, Network, ResourceError, Sample, Task, file_hash
from xaiexp_sklearn.estimators import Estimator, RowScores
from xaiexp_sklearn.model_files import Format, format_of, read_estimator

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Sklearn"]

log = logging.getLogger("xaiexp")

_DISTRIBUTIONS = {"xgboost": ("xgboost-cpu", "xgboost")}


@dataclass(frozen=True)
class Sklearn(Model):
    """An estimator on rows ``[N, F]`` of a table: a black box without gradients.

    Args:
        path: path of the file.
        format: format of the file; ``auto`` tells it by the suffix. Files of joblib and pickle run code when they are
            read: they need ``trust=[pickle]``.
        scores: ``prediction`` explains class probabilities, or the values of a regressor. ``margin`` explains the
            scores before the link function: log-odds of boosted trees, or ``decision_function``.
        feature_names: names of the columns, in the order of the estimator, as the dataset spells them; empty takes
            those in the file.
        class_names: by index; empty takes those in the file.
    """

    summary = "an estimator of scikit-learn, XGBoost or LightGBM; no gradients"
    source = "the user's own file"
    modality = "table"

    path: str
    format: Format = "auto"
    scores: Literal["prediction", "margin"] = "prediction"
    feature_names: tuple[str, ...] = ()
    class_names: tuple[str, ...] = ()

    @property
    def offers(self) -> frozenset[str]:
        """Trees, except for ONNX; a method for trees raises ``Unsupported`` for an estimator without them."""
        return frozenset[str]() if format_of(self.path, self.format) == "onnx" else frozenset({"trees"})

    def fingerprint(self) -> str:
        """A hash of the file; empty if it cannot be read."""
        try:
            return file_hash(Path(self.path).expanduser())
        except OSError:
            return ""

    def load(self, context: LoadContext) -> Network:
        """The network; its module is a :class:`xaiexp_sklearn.estimators.RowScores`, or a session of ONNX Runtime.

        Raises:
            ParameterError: the file may run code and is not trusted, or its format is not known.
            ResourceError: the file is missing or damaged, or a library is not installed.
            MismatchError: the estimator has no such scores, or another number of columns or classes.
        """
        kind = format_of(self.path, self.format)
        try:
            content = file_hash(Path(self.path).expanduser())
        except OSError as missing:
            raise ResourceError("model.path", f"cannot be read: {missing.strerror}", got=self.path) from None
        if kind == "onnx":
            return self._onnx(context, content)
        estimator = read_estimator(self.path, kind, context.trust)
        function = estimator.margin if self.scores == "margin" else estimator.prediction
        if function is None:
            other = "prediction" if self.scores == "margin" else "margin"
            raise MismatchError(
                "model.scores", f"{type(estimator.fitted).__name__} has no such function", got=self.scores,
                hint=f"model.scores={other}",
            )  # fmt: skip
        module = RowScores(
            estimator.fitted, function, probabilities=bool(estimator.classes) and self.scores == "prediction"
        )
        names = self._feature_names(estimator)
        outputs, note = self._outputs(module, estimator)
        libraries = ", ".join(f"{name} {_version(name)}" for name in estimator.libraries)
        return self._network(
            Network(
                module,
                partial(_encoded, estimator.features),
                "table",
                classes=outputs,
                class_names=estimator.classes,
                identity=f"sklearn {content} {self.scores} {libraries}",
                facts={
                    "weights": self.path,
                    "estimator": type(estimator.fitted).__name__,
                    "runtime": libraries,
                    **note,
                },
                task=_task(estimator, self.scores, outputs),
                feature_names=names,
            )
        )

    def _network(self, network: Network) -> Network:
        """The network with the names of the classes that the user gives."""
        if not self.class_names:
            return network
        expected = 2 if network.classes == 1 else network.classes
        if expected not in (None, len(self.class_names)):
            raise MismatchError("model.class_names", f"the model has {expected} classes", got=len(self.class_names))
        return replace(network, class_names=self.class_names)

    def _feature_names(self, estimator: Estimator) -> tuple[str, ...]:
        """The names of the columns, checked."""
        names = self.feature_names or estimator.feature_names
        if self.feature_names and estimator.features not in (None, len(names)):
            raise MismatchError(
                "model.feature_names", f"the estimator has {estimator.features} columns", got=len(self.feature_names)
            )
        return names

    def _outputs(self, module: RowScores, estimator: Estimator) -> tuple[int | None, dict[str, str]]:
        """The number of outputs, and facts about them, from a few rows; None where the number of columns is unknown.

        Raises:
            MismatchError: the margin has not one column for each class.
        """
        import numpy as np
        import torch

        if estimator.features is None:
            return None, {}
        probe = torch.from_numpy(np.random.default_rng(0).normal(size=(16, estimator.features)))
        scores = module(probe)
        outputs = 1 if scores.ndim == 1 else scores.shape[1]
        classes = len(estimator.classes)
        if not classes:
            return outputs, {}
        if outputs != classes and not (outputs == 1 and classes == 2 and self.scores == "margin"):
            raise MismatchError(
                "model.scores",
                f"{type(estimator.fitted).__name__} returns {outputs} scores for {classes} classes",
                got=self.scores,
                hint="model.scores=prediction" if self.scores == "margin" else "",
            )
        if self.scores == "prediction" or estimator.prediction is None:
            return outputs, {}
        if _is_log_odds(scores.double().numpy(), estimator.prediction(probe.numpy())):
            return outputs, {"margin": "log-odds"}
        log.warning("model.sklearn: the margin is not the log-odds of the predicted probabilities: use output=logit")
        return outputs, {"margin": "not the log-odds of the predicted probabilities"}

    def _onnx(self, context: LoadContext, content: str) -> Network:
        """The network of a table in ONNX format, run by the plugin xaiexp-onnx."""
        import torch

        try:
            import onnxruntime
            from xaiexp_onnx.model import Onnx
        except ImportError:
            raise ResourceError(
                "model.path", "needs xaiexp-onnx, which is not installed", hint="pip install 'xaiexp-sklearn[onnx]'"
            ) from None
        if self.scores == "margin":
            raise MismatchError(
                "model.scores",
                "an ONNX file returns what was exported",
                got="margin",
                hint="model=onnx model.modality=table explains any output of the file",
            )
        path = str(Path(self.path).expanduser())
        try:
            outputs = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]).get_outputs()
        except Exception as broken:  # its errors have no common base class
            reason = str(broken).splitlines()[0][:200]
            raise ResourceError("model.path", f"{path} cannot be read as an ONNX model: {reason}") from None
        floats = [node.name for node in outputs if node.type in ("tensor(float)", "tensor(double)")]
        maps = [node.name for node in outputs if node.type.startswith("seq(")]
        if len(floats) != 1:
            hint = "export it with options={'zipmap': False}" if maps else "model=onnx model.output=NAME"
            raise MismatchError(
                "model.path", "the file must have one output of numbers", got=[n.name for n in outputs], hint=hint
            )
        classifier = len(outputs) > 1
        network = Onnx(path=path, modality="table", output=floats[0]).load(context)
        session = network.module
        return self._network(
            replace(
                network,
                module=RowScores(session, lambda rows: session(torch.from_numpy(rows)).numpy(), classifier),
                identity=f"sklearn {content} onnxruntime {onnxruntime.__version__}",
                task="probabilities" if classifier else "regression",
                feature_names=self.feature_names,
            )
        )


def _task(estimator: Estimator, scores: str, outputs: int | None) -> Task:
    """What the scores are."""
    if not estimator.classes:
        return "regression"
    if scores == "prediction":
        return "probabilities"
    if estimator.multilabel:
        return "multilabel"
    return "binary" if outputs == 1 else "multiclass"


def _is_log_odds(margin: np.ndarray[Any, Any], probabilities: Any) -> bool:
    """Whether softmax or the logistic function of a margin gives the probabilities ``[N, K]``."""
    import numpy as np
    from scipy.special import expit, softmax

    given = expit(margin) if margin.ndim == 1 else softmax(margin, axis=1)
    wanted = np.asarray(probabilities)
    wanted = wanted[:, 1] if margin.ndim == 1 else wanted
    return given.shape == wanted.shape and bool(np.allclose(given, wanted, atol=1e-4))


def _encoded(features: int | None, samples: Sequence[Sample]) -> Encoded:
    """Rows of a table as they are.

    Raises:
        MismatchError: an example is no row, or has another number of columns.
    """
    import torch

    rows = []
    for sample in samples:
        row = sample.data
        if not isinstance(row, torch.Tensor) or row.ndim != 1 or features not in (None, len(row)):
            raise MismatchError(
                "dataset",
                f"example {sample.id!r} must be a row of {'any number of' if features is None else features} columns",
                got=list(row.shape) if isinstance(row, torch.Tensor) else type(row).__name__,
            )
        rows.append(row.float())
    masks = [None if sample.mask is None else torch.as_tensor(sample.mask).bool() for sample in samples]
    given = [mask for mask in masks if mask is not None]
    stacked = torch.stack([torch.zeros_like(given[0]) if mask is None else mask for mask in masks]) if given else None
    return Encoded(torch.stack(rows), masks=stacked)


def _version(library: str) -> str:
    """The version of a library, whichever distribution provides it."""
    for name in _DISTRIBUTIONS.get(library, (library,)):
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    return "unknown"
