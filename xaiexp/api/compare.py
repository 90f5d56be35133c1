"""``xaiexp.compare``: a study of the user's own network and tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn

from xaiexp.api.examples import batch_of
from xaiexp.api.execute import execute
from xaiexp.api.functions import Axes, Module, evaluated, in_read_order, offers_of
from xaiexp.api.inputs import Inputs, Layout
from xaiexp.api.own import OwnFeatures, labels_of, own_model, own_tensors
from xaiexp.api.prompts.attributions import refuse_prompts
from xaiexp.api.prompts.own import own_prompts
from xaiexp.api.result import Result
from xaiexp.api.run import result_of
from xaiexp.config.build import settings_of
from xaiexp.contract.component import parts, plain_parameters
from xaiexp.contract.kinds import Component, Dataset, Features, Model, Output
from xaiexp.contract.registry import OWN, Registry, installed
from xaiexp.core.batches import Batch
from xaiexp.core.vocabulary import Task
from xaiexp.engine.guard import tensors_of
from xaiexp.engine.progress import Meter
from xaiexp.errors import MismatchError, ParameterError
from xaiexp.inference.outputs import head_of
from xaiexp.inference.passes import Passes
from xaiexp.plan.study import DEFAULT_FEATURES, Study, check_label
from xaiexp.results.foreign_folder import refuse_foreign
from xaiexp.store.files import ensure_writable
from xaiexp.store.fingerprints import fingerprint
from xaiexp.tracking.addresses import prepare

if TYPE_CHECKING:
    from xaiexp.contract.kinds import Agreement, Baseline, Callback, Method, Metric, Panel, Tracker

__all__ = ["Given", "compare"]

Given = str | tuple[str, Mapping[str, Any]] | Component
"""A component: its name, ``("integrated_gradients", {"n_steps": 20})``, or an instance."""

_PROBED = 4  # examples by whose scores and gradients a network is known, beside its weights


def compare(
    model: Module,
    inputs: Inputs,
    targets: Any = None,
    *,
    methods: Sequence[Given] | Mapping[str, Given],
    metrics: Sequence[Given] | Mapping[str, Given] = ("deletion", "insertion", "infidelity"),
    baselines: Sequence[Given | float] | Mapping[str, Given | float] | None = None,
    agreements: Sequence[Given] | Mapping[str, Given] = ("rank_correlation",),
    trackers: Sequence[Given] | Mapping[str, Given] = (),
    callbacks: Sequence[Given] | Mapping[str, Given] = (),
    panels: Sequence[Given] | Mapping[str, Given] = (),
    target: str | int | Sequence[str | int] | None = None,
    output: Given | None = None,
    task: Task | None = None,
    axes: Axes | None = None,
    explained: str | int | None = None,
    feature_mask: Inputs | str | Features | None = None,
    context: Mapping[str, Tensor] | None = None,
    masks: Inputs | None = None,
    class_names: Sequence[str] = (),
    feature_names: Sequence[str] = (),
    tokenizer: Any = None,
    folder: str | Path | None = None,
    quiet: bool = False,
    **settings: Any,
) -> Result:
    """Compare explanations of your own network on your own tensors: a whole study, with the files that a study leaves.

    Baselines that read the distribution of the data (``mean``, ``dataset_sample``) take it from ``inputs``. Components
    see tensors as they are given, so that ``zero`` is 0 for the network. The module is left as it was.

    A second comparison finds attributions and scores in the store by the network's weights, by its class and by its
    scores and gradients on the first four examples (8 passes that the record does not count), and by the content of the
    tensors. Where a callable has no tensors, or a component comes from no plugin, nothing is known that would tell one
    version from another: such a comparison has a store of its own, in its folder.

    Args:
        model: a ``torch.nn.Module``, or a callable ``(inputs, **context) -> [N, K]`` or ``[N]``.
        inputs: float ``[N, *shape]``; or several tensors, as for :func:`xaiexp.attribute`.
        targets: the truth, which is explained by default: class indices ``[N]``; values, floats ``[N]``; several labels
            an example, bool ``[N, K]``. None where it is not known.
        methods, metrics, baselines, agreements, trackers, callbacks, panels: components, each a name, a pair of name
            and parameters, or an instance; a mapping gives them labels. A number is a constant baseline; by default the
            baseline is ``zero``, and ``mean`` for prompts.
        target: what is explained, as the root key of a study: ``"label"``, ``"predicted"``, a class by index or name, a
            list of these, or ``"all"``. By default the label where ``targets`` are classes, otherwise the prediction.
        output: which scalars of the model are explained; by default the numbers that the model returns.
        task: what these numbers are, see :func:`xaiexp.attribute`.
        axes: names of the axes, as ``"NTF"``, where the shape alone does not tell.
        explained: of several inputs, which one; or ``"all"``.
        feature_mask: registered features by name, or integers that broadcast to one input. By default pixels of images,
            columns of tables, steps of series, tokens of texts.
        context: further tensors ``[N, ...]`` for the model.
        masks: ground truth, bool, for metrics of localisation.
        class_names, feature_names: for tables and pages.
        tokenizer: of a generative language model of transformers, the ``model``. Then ``inputs`` are prompts: texts,
            token ids, or messages. ``targets`` are their continuations, by default what the model writes; of candidates
            the class indices that are true. ``target`` says what of them is explained, as for a study of ``causal_lm``.
        folder: of the results; a new one below ``outputs`` by default.
        quiet: show no progress.
        settings: further root keys of a study: ``seed``, ``examples``, ``precision``, ``report``, ``store``.

    Raises:
        UserError: whatever is wrong with the request.

    >>> import xaiexp
    >>> net = lambda rows: rows @ torch.tensor([[1.0], [2.0]])
    >>> maps = ["input_x_gradient", ("exact_shapley", {}), "random"]
    >>> result = xaiexp.compare(net, torch.ones(2, 2), methods=maps, task="regression", quiet=True)  # doctest: +SKIP
    """
    registry = installed()
    if baselines is None:
        baselines = ("zero",) if tokenizer is None else ("mean",)
    lists = {
        kind: _labelled(registry, kind, given)
        for kind, given in (
            ("method", methods),
            ("baseline", baselines),
            ("metric", metrics),
            ("agreement", agreements),
            ("tracker", trackers),
            ("callback", callbacks),
            ("panel", panels),
        )
    }
    chosen: Output | None = None if output is None else _built(registry, "output", output)
    path = Path(folder) if folder is not None else Path("outputs") / datetime.now().strftime("%Y-%m-%d/%H-%M-%S-%f")
    refuse_foreign(path, "folder")
    ensure_writable(path, "folder")
    with evaluated(model):
        network: Model
        data: Dataset
        if tokenizer is not None:
            network, data = own_prompts(model, tokenizer, inputs, targets, class_names)
            features, device = (
                _named_features(registry, feature_mask),
                next(cast("nn.Module", model).parameters()).device,
            )
            explained_by_default = "predicted"
        else:
            refuse_prompts(inputs, None)
            mask = feature_mask if not isinstance(feature_mask, str | Features) else None
            batch, layout = batch_of(
                inputs, axes=axes, explained=explained, feature_mask=mask, context=context, masks=masks
            )
            lists["method"] = {label: in_read_order(method, layout) for label, method in lists["method"].items()}
            layout.axes.known  # noqa: B018 -- raises where the axes are not known
            features = _features(registry, feature_mask, batch, layout)
            labels = labels_of(targets, len(batch))
            content = fingerprint(
                {"inputs": batch.inputs, **{f"context {name}": tensor for name, tensor in batch.context.items()}},
                layout.axes.name, labels, tuple(class_names), tuple(feature_names),
                None if batch.masks is None else fingerprint({"masks": batch.masks}),
            )  # fmt: skip
            data = own_tensors(content, batch, layout, labels, class_names, feature_names)
            probed = _behaviour(model, batch, layout, chosen)
            network = own_model(model, batch, layout, probed, offers_of(model), class_names=tuple(class_names))
            device, explained_by_default = batch.device, _target(labels.each, labels.task)
        used = [
            features,
            *([] if chosen is None else [chosen]),
            *(c for each in lists.values() for c in each.values()),
        ]
        known = bool(tensors_of(model)) and all(
            registry.plugin_of(part) is not OWN
            for each in used
            for part in (each, *parts(each))
            if part is not features
        )
        values = {
            "target": explained_by_default if target is None else target,
            "task": task,
            "examples": None,
            "device": str(device),
            **({} if known else {"store": str(path / "store")}),
            **settings,
        }
        if isinstance(values["target"], list):
            values["target"] = tuple(values["target"])
        study = Study(
            network,
            data,
            features,
            lists["method"],
            lists["baseline"],
            lists["metric"],
            lists["agreement"],
            settings_of(values),
            chosen,
            lists["tracker"],
            lists["callback"],
            lists["panel"],
        )
        study.settings.refuse_undivided()
        if study.trackers:
            prepare(study.trackers, study.settings.tracking)
        with Meter(study.describe(), quiet=quiet) as meter:
            outcome = execute(study, _configuration(study, values), path, registry, meter)
    return result_of(outcome, study)


def _labelled(registry: Registry, kind: str, given: Any) -> dict[str, Any]:
    """The components of one kind by label; a second one of the same name gets a number behind its label."""
    if isinstance(given, str | Component) or not isinstance(given, Mapping | Sequence):
        raise ParameterError(f"{kind}s", "must be a list or a mapping of components", got=given, hint=f"as [{given!r}]")
    if isinstance(given, Mapping):
        built = {str(label): _built(registry, kind, each, str(label)) for label, each in given.items()}
    else:
        built = {}
        for each in given:
            component = _built(registry, kind, each)
            label, number = component.name, 2
            while label in built:
                label, number = f"{component.name}_{number}", number + 1
            built[label] = component
    for label in built:
        check_label(kind, label)
    return built


def _built(registry: Registry, kind: str, given: Any, label: str = "") -> Any:
    where = f"{kind}.{label}" if label else None
    if isinstance(given, Component):
        if given.kind != kind:
            raise MismatchError(where or f"{kind}s", f"is no {kind} but of the kind {given.kind}", got=given)
        return given
    if kind == "baseline" and isinstance(given, int | float) and not isinstance(given, bool):
        return registry.build("baseline", "constant", {"value": given}, where)
    if isinstance(given, str):
        return registry.build(kind, given, {}, where)
    if (
        isinstance(given, tuple | list)
        and len(given) == 2
        and isinstance(given[0], str)
        and isinstance(given[1], Mapping)
    ):
        return registry.build(kind, given[0], given[1], where)
    what = "must be a name, (name, {parameter: value}), or an instance"
    raise ParameterError(where or f"{kind}s", what, got=given)


def _features(registry: Registry, given: Any, batch: Batch, layout: Layout) -> Features:
    if isinstance(given, Features):
        return given
    if given is not None and not isinstance(given, str):
        return OwnFeatures.of(batch.features, fingerprint({"mask": batch.features.index}))
    usual = (
        "element" if layout.axes.known == "series" and len(layout.shape) > 2 else DEFAULT_FEATURES[layout.axes.known]
    )
    features: Features = registry.build("features", given or usual, {})
    return features


def _named_features(registry: Registry, given: Any) -> Features:
    """Features of prompts: by name, tokens by default."""
    if isinstance(given, Features):
        return given
    if given is not None and not isinstance(given, str):
        hint = "token, word, sentence or slot"
        raise ParameterError("feature_mask", "of prompts are features by name", got=given, hint=hint)
    features: Features = registry.build("features", given or DEFAULT_FEATURES["text"], {})
    return features


def _target(labels: Sequence[Any], task: str | None) -> str:
    return "label" if labels and task != "regression" else "predicted"


def _behaviour(model: Module, batch: Batch, layout: Layout, output: Output | None) -> str:
    """A hash of the weights of a network, and of its scores and gradients on the first examples.

    Equal weights in other code, as after an edit of ``forward`` in a notebook, give other results.
    """
    part = batch.rows(torch.arange(min(_PROBED, len(batch)), device=batch.device))
    read = head_of if output is None else output.read
    if isinstance(model, nn.Module):
        model.requires_grad_(False)
    handle = Passes(model, batch.device, read=read, call_layout=None if layout.plain else layout.call).bind(part)
    found = {"scores": handle.logits()}
    part.targets.copy_(found["scores"].argmax(dim=1))
    try:
        found["gradients"] = handle.gradients()
    except Exception:  # it offers no gradients; the study says what this means for its cells
        found["gradients"] = found["scores"].new_zeros(0)
    weights = {f"weights {name}": tensor for name, tensor in tensors_of(model).items()}
    return fingerprint(found | weights, type(model).__module__, type(model).__qualname__)


def _configuration(study: Study, values: Mapping[str, Any]) -> dict[str, Any]:
    """What the folder keeps of the request; a study of own tensors cannot be rebuilt from it."""

    def plain(component: Component) -> dict[str, Any]:
        return {"name": component.name, **plain_parameters(component)}

    lists: dict[str, Mapping[str, Method | Baseline | Metric | Agreement | Tracker | Callback | Panel]] = {
        "method": study.methods,
        "baseline": study.baselines,
        "metric": study.metrics,
        "agreement": study.agreements,
        "tracker": study.trackers,
        "callback": study.callbacks,
        "panel": study.panels,
    }
    return {
        "own_tensors": True,
        "model": plain(study.model),
        "dataset": plain(study.dataset),
        "features": plain(study.features),
        "output": None if study.output is None else plain(study.output),
        **{kind: {label: plain(each) for label, each in listed.items()} for kind, listed in lists.items()},
        **values,
    }
