"""Functions for notebooks and scripts: one attribution, one metric, one agreement, without a study."""

from __future__ import annotations

import contextlib
import hashlib
import math
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from xaiexp.contract.kinds import KINDS, Agreement, Baseline, Component, Method, Metric, offered
from xaiexp.contract.registry import installed
from xaiexp.core.batches import Background, Batch
from xaiexp.core.draws import Draws
from xaiexp.core.explanations import Explanation, Scores
from xaiexp.core.feature_map import FeatureMap
from xaiexp.core.vocabulary import Modality, Output
from xaiexp.engine.cell_state import TOLERANCE
from xaiexp.engine.checks.model_check import checked_model
from xaiexp.engine.comparison import agree_all, agree_jointly, group_maps
from xaiexp.engine.explainer import attributed, completeness_error, rebound, referenced
from xaiexp.engine.guard import untouched
from xaiexp.errors import MismatchError, UnknownName, Unsupported, nearest
from xaiexp.inference.passes import Handle, Passes

__all__ = ["agree", "attribute", "components", "score"]

Module = nn.Module | Callable[..., Tensor]


def attribute(
    model: Module,
    inputs: Tensor,
    method: str | Method,
    /,
    *,
    target: int | Tensor | None = None,
    baseline: str | float | Tensor | Baseline = "zero",
    seed: int = 0,
    feature_mask: Tensor | None = None,
    background: Tensor | None = None,
    context: Mapping[str, Tensor] | None = None,
    output: Output = "logit",
    batch_budget: int | None = None,
    **params: Any,
) -> Tensor:
    """Attributions of one method for a batch of inputs.

    Args:
        model: any ``torch.nn.Module`` or callable, ``[N, ...] -> [N, classes]`` or ``[N]``. A module is run in
            eval mode and left as it was.
        inputs: ``[N, *shape]``, float.
        method: a registered name, or a component.
        target: class index, one per example (``[N]``), or None where the model has a single output.
        baseline: a registered name, a number, or a tensor: ``[*shape]``, ``[1, *shape]``, ``[N, *shape]``, a
            distribution ``[R, *shape]`` shared by all examples, or ``[N, R, *shape]``.
        seed: of the random numbers. They belong to the example's content: the same example draws the same
            numbers alone, in a batch and with other examples.
        feature_mask: as in Captum, integers that broadcast to ``inputs``: elements with one number are one
            feature. Each element then carries the attribution of its feature.
        background: ``[P, *shape]``, examples of the data: what ``mean``, ``uniform`` or ``dataset_sample``
            read. Without it the range of the data is taken as 0..1.
        context: further tensors ``[N, ...]`` for the model, as keyword arguments.
        output: explain the target's ``logit`` (the model's score as it is) or ``probability`` (its softmax).
        batch_budget: rows per pass.
        params: parameters of the method.

    Returns:
        Attributions like ``inputs``; of a method that explains a layer, like the layer's output. A ``UserWarning`` says
        where a method that claims completeness misses f(x) - f(reference) by more than 5 %.

    Raises:
        UserError: an unknown name or a parameter that does not fit; a model whose gradient is not that of its scores, or
            whose scores depend on more than the input.
        Unsupported: the method does not support this model or input.
    """
    component = _component("method", method, params)
    with _evaluated(model):
        handle, draws = _bound(model, inputs, target, feature_mask, background, context, output, batch_budget, seed)
        _check_offer(component, model, handle)
        if not component.control:
            check = checked_model(handle, "gradients" in component.needs)
            check.refuse_unstable()
            check.refuse_gradients()
        reference = _reference(baseline, handle.batch, draws) if component.reads_baseline else None
        elements = attributed(component, handle, reference, draws)
        _warn_of_incompleteness(component, handle, reference, elements)
    if feature_mask is None or component.space == "layer":
        return elements
    features = handle.batch.features
    return features.expand(features.pool(elements))


def score(
    model: Module,
    inputs: Tensor,
    attributions: Tensor,
    metric: str | Metric,
    /,
    *,
    target: int | Tensor | None = None,
    baseline: str | float | Tensor | Baseline = "zero",
    seed: int = 0,
    multiplied_by_inputs: bool = True,
    signed: bool = True,
    method: str | Method | None = None,
    feature_mask: Tensor | None = None,
    background: Tensor | None = None,
    context: Mapping[str, Tensor] | None = None,
    masks: Tensor | None = None,
    output: Output = "logit",
    batch_budget: int | None = None,
    **params: Any,
) -> Tensor:
    """The values of one metric for given attributions.

    Args:
        attributions: like ``inputs``. With ``feature_mask`` every element carries its feature's attribution,
            as :func:`attribute` gives it.
        metric: a registered name, or a component.
        baseline: the reference that the attributions were made with.
        multiplied_by_inputs: whether they are contributions in units of the output (integrated gradients), or
            sensitivities per unit of input (plain gradients).
        signed: whether their sign means anything; a metric that reads signs is NaN where not.
        method: what made them, for metrics that explain perturbed inputs again (``sensitivity_max``).
        masks: bool ``[N, H, W]`` (``[N, T]`` of series, ``[N, F]`` of tables), what matters, for metrics of
            localisation.
        params: parameters of the metric; the other arguments are those of :func:`attribute`.

    Returns:
        ``[N]``, NaN where undefined.
    """
    component = _component("metric", metric, params)
    if attributions.shape != inputs.shape:
        raise MismatchError(
            "attributions", f"must have the shape of inputs, {list(inputs.shape)}", got=list(attributions.shape)
        )
    with _evaluated(model):
        handle, draws = _bound(model, inputs, target, feature_mask, background, context, output, batch_budget, seed)
        batch = handle.batch
        if masks is not None:
            want = [len(batch), *batch.shape[1 if len(batch.shape) > 1 else 0 :]]
            if list(masks.shape) != want:
                raise MismatchError("masks", f"must be {want}, without channels", got=list(masks.shape))
            batch = replace(batch, masks=masks.to(batch.device).bool())
            logits = handle.logits()
            handle = handle.with_batch(batch, output)
            handle.preset_logits(logits)
        elements = attributions.detach().to(batch.inputs)
        if feature_mask is not None:
            elements = elements / batch.features.expand(batch.features.sizes.expand(len(batch), -1)).to(elements)
        reference = _reference(baseline, batch, draws)
        explanation = Explanation(
            method="given",
            baseline="given",
            elements=elements,
            features=batch.features,
            signed=signed,
            complete=False,
            multiplied_by_inputs=multiplied_by_inputs,
            reference=reference,
        )
        if method is not None:
            explanation = rebound(explanation, _component("method", method, {}), handle, draws)
        scored = component.score_all(handle, batch, [explanation], draws.within(f"metric/{component.name}"))
        values = (scored.values if isinstance(scored, Scores) else scored)[0]
    return torch.full_like(values, float("nan")) if component.needs_sign and not signed else values.detach()


def agree(a: Tensor, b: Tensor, measure: str | Agreement, /, **params: Any) -> Tensor:
    """The agreement ``[N]`` of two batches of attributions, each ``[N, ...]``, NaN where undefined."""
    component = _component("agreement", measure, params)
    a, b = torch.as_tensor(a), torch.as_tensor(b)
    if a.shape != b.shape or a.ndim < 2:
        raise MismatchError(
            "attributions", f"must both be [N, ...] of the same shape, the first is {list(a.shape)}", got=list(b.shape)
        )
    d = math.prod(a.shape[1:])
    if not d:
        raise MismatchError("attributions", "must have features to compare", got=list(a.shape))
    features = FeatureMap.from_index(torch.arange(d, device=a.device).view(1, d), tuple(a.shape[1:]))
    both = torch.stack([a.detach().flatten(1), b.detach().flatten(1)])
    maps = group_maps(both if both.dtype == torch.float64 else both.float(), features)
    if component.joint:
        return agree_jointly(component, maps, [True, True]).to(a.device)
    return agree_all(component, maps, [True, True])[0, 1].to(a.device)


def components(kind: str | None = None) -> list[type[Component]]:
    """The component classes that are installed, of one kind or of all, by kind and name.

    Raises:
        UnknownName: no such kind.
    """
    if kind is not None and kind not in KINDS:
        raise UnknownName("components", "no kind has this name", got=kind, nearest=nearest(kind, KINDS))
    return list(installed().classes(kind))


def _component(kind: str, given: Any, params: Mapping[str, Any]) -> Any:
    if isinstance(given, Component):
        if params or given.kind != kind:
            raise MismatchError(kind, "is given as a component, which has its own parameters", got=given)
        return given
    return installed().build(kind, str(given), params)


@contextlib.contextmanager
def _evaluated(model: Module) -> Iterator[None]:
    """Eval mode; afterwards the module is as before. Enables gradients inside ``torch.inference_mode`` too."""
    with torch.inference_mode(False), untouched(model):
        if isinstance(model, nn.Module):
            model.eval()
        yield


def _warn_of_incompleteness(method: Method, handle: Handle, reference: Tensor | None, elements: Tensor) -> None:
    """Warn as a study does where a method misses the completeness that it claims."""
    if not method.complete or method.space == "neuron" or reference is None:
        return
    change = handle.scores() - handle.scores(reference).mean(dim=1)
    missed = completeness_error(elements, change)
    violated = int((missed > TOLERANCE).sum())
    if violated:
        warnings.warn(
            f"{method.name}: completeness violated by more than {TOLERANCE:.0%} on {violated} of {len(missed)} "
            f"examples (worst {float(missed.max()):.0%})",
            stacklevel=3,
        )


def _bound(
    model: Module,
    inputs: Tensor,
    target: int | Tensor | None,
    feature_mask: Tensor | None,
    background: Tensor | None,
    context: Mapping[str, Tensor] | None,
    output: Output,
    budget: int | None,
    seed: int,
) -> tuple[Handle, Draws]:
    if not isinstance(inputs, Tensor) or inputs.ndim < 2 or not inputs.is_floating_point() or not len(inputs):
        got = list(inputs.shape) if isinstance(inputs, Tensor) else type(inputs).__name__
        raise MismatchError("inputs", "must be a float tensor [N, ...] of at least one example", got=got)
    inputs = inputs.clone() if inputs.is_inference() else inputs.detach()
    modality: Modality = {2: "table", 4: "image"}.get(len(inputs.shape), "series")  # type: ignore[assignment]  # str narrows to the literal
    n = len(inputs)
    batch = Batch(
        ids=tuple(_content(row) for row in inputs.cpu()),
        inputs=inputs,
        targets=torch.zeros(n, dtype=torch.int64, device=inputs.device),
        features=_features(inputs, feature_mask),
        background=_background(modality, inputs, background),
        context=dict(context or {}),
    )
    handle = Passes(model, inputs.device, batch_budget=budget).bind(batch, output)
    classes = handle.logits().shape[1]
    batch.targets.copy_(_targets(target, n, classes))
    return handle, Draws(seed, batch.ids, inputs.device)


def _targets(target: int | Tensor | None, n: int, classes: int) -> Tensor:
    if target is None:
        if classes != 1:
            raise MismatchError("target", f"must be given: the model has {classes} outputs", hint="target=0, or [N]")
        target = 0
    targets = torch.as_tensor(target)
    if targets.is_floating_point() or targets.is_complex() or targets.dtype == torch.bool:
        raise MismatchError("target", "must be whole numbers", got=str(targets.dtype))
    targets = targets.to(torch.int64)
    if targets.ndim == 0:
        targets = targets.expand(n)
    if tuple(targets.shape) != (n,):
        raise MismatchError("target", f"must be one class or one per example [{n}]", got=list(targets.shape))
    if int(targets.min()) < 0 or int(targets.max()) >= classes:
        raise MismatchError("target", f"the model has {classes} classes, 0 to {classes - 1}", got=targets.tolist()[:8])
    return targets


def _content(row: Tensor) -> str:
    data = row.contiguous().flatten().view(torch.uint8).numpy().data
    return hashlib.blake2b(data, digest_size=8).hexdigest()


def _features(inputs: Tensor, mask: Tensor | None) -> FeatureMap:
    shape = inputs.shape[1:]
    if mask is None:
        count = inputs[0].numel()
        return FeatureMap.from_index(torch.arange(count, device=inputs.device).view(1, *shape), shape)
    try:
        mask = mask.to(inputs.device).expand(mask.shape[0] if mask.ndim == inputs.ndim else 1, *shape)
    except RuntimeError:
        raise MismatchError("feature_mask", f"must broadcast to {list(inputs.shape)}", got=list(mask.shape)) from None
    if len(mask) not in (1, len(inputs)):
        raise MismatchError("feature_mask", f"must broadcast to {list(inputs.shape)}", got=list(mask.shape))
    rows = [torch.unique(row, return_inverse=True)[1] for row in mask]
    return FeatureMap.from_index(torch.stack(rows))


def _background(modality: Modality, inputs: Tensor, examples: Tensor | None) -> Background:
    if examples is None:
        zero = inputs.new_zeros(1)
        return Background(modality, low=zero, high=zero + 1)
    if examples.shape[1:] != inputs.shape[1:] or not len(examples):
        raise MismatchError(
            "background", f"must be [P, {', '.join(map(str, inputs.shape[1:]))}]", got=list(examples.shape)
        )
    pool = examples.detach().to(inputs)
    axes = [0, *range(2, pool.ndim)]
    mean, low, high = (f(pool, dim=axes, keepdim=True)[0] for f in (torch.mean, torch.amin, torch.amax))
    return Background(modality, pool, mean, low, high)


def _reference(baseline: str | float | Tensor | Baseline, batch: Batch, draws: Draws) -> Tensor:
    """References ``[N, R, *shape]``."""
    if isinstance(baseline, str | Baseline):
        return referenced(_component("baseline", baseline, {}), batch, draws)
    shape, n = batch.inputs.shape[1:], len(batch)
    given = torch.as_tensor(baseline).to(batch.inputs)
    if given.ndim <= len(shape):
        with contextlib.suppress(RuntimeError):
            return given.expand(n, 1, *shape)
    elif given.shape[1:] == shape:
        if len(given) in (1, n):
            return given.expand(n, *shape).unsqueeze(1)
        return given.unsqueeze(0).expand(n, -1, *shape)
    elif given.shape[0] == n and given.shape[2:] == shape:
        return given
    raise MismatchError(
        "baseline", f"must be a number or broadcast to {list(batch.inputs.shape)}", got=list(given.shape)
    )


def _check_offer(method: Method, model: Module, handle: Handle) -> None:
    offers = {"gradients"}
    if isinstance(model, nn.Module):
        offers.add("modules")
        if any(isinstance(m, nn.Conv2d) for m in model.modules()):
            offers.add("convolutions")
        if any("Attention" in type(m).__name__ for m in model.modules()):
            offers.add("attention")
    lacking = sorted(method.needs - offered(frozenset(offers)))
    if lacking:
        raise Unsupported(f"{method.name} needs {', '.join(lacking)}, which this model does not offer")
    modality = handle.batch.background.modality
    if modality not in method.modalities:
        raise Unsupported(f"{method.name} is for {', '.join(method.modalities)} inputs")
