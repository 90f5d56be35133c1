"""Functions for notebooks and scripts: one attribution, one metric, one agreement, without a study."""

from __future__ import annotations

import contextlib
import math
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

import torch
from torch import Tensor, nn

from xaiexp.api.axes import check_modality
from xaiexp.api.examples import batch_of
from xaiexp.api.inputs import Inputs, Layout
from xaiexp.api.prompts.attributions import PromptRequest, attribute_prompts, refuse_prompts
from xaiexp.api.references import references_of
from xaiexp.contract.kinds import KINDS, Agreement, Baseline, Component, Features, Method, Metric, Output, offered
from xaiexp.contract.registry import installed
from xaiexp.core.batches import Batch
from xaiexp.core.draws import Draws
from xaiexp.core.explanations import Explanation, Scores
from xaiexp.core.feature_map import FeatureMap
from xaiexp.core.parameters import per_axis
from xaiexp.core.vocabulary import Task
from xaiexp.engine.cell_state import TOLERANCE
from xaiexp.engine.checks.model_check import checked_model
from xaiexp.engine.checks.seen_networks import SeenNetwork, seen_network
from xaiexp.engine.comparison import agree_all, agree_jointly, group_maps
from xaiexp.engine.explainer import attributed, completeness_error, rebound
from xaiexp.engine.guard import untouched
from xaiexp.engine.readout import readout_of, task_of
from xaiexp.errors import MismatchError, UnknownName, Unsupported, nearest
from xaiexp.inference.outputs import head_of
from xaiexp.inference.passes import Handle, Passes

__all__ = ["agree", "attribute", "components", "evaluated", "in_read_order", "offers_of", "score"]

Module = nn.Module | Callable[..., Tensor]
Axes = str | Mapping[str, str | None] | Sequence[str | None]
References = str | float | Tensor | Baseline | Mapping[str, Any] | Sequence[Any]


def attribute(
    model: Module,
    inputs: Inputs,
    method: str | Method,
    /,
    *,
    target: int | Tensor | str | Sequence[str] | None = None,
    baseline: References | None = None,
    seed: int = 0,
    axes: Axes | None = None,
    explained: str | int | None = None,
    feature_mask: Inputs | str | Features | None = None,
    background: Any = None,
    context: Mapping[str, Tensor] | None = None,
    output: str | Output | None = None,
    task: Task | None = None,
    batch_budget: int | None = None,
    tokenizer: Any = None,
    per_token: bool = False,
    **params: Any,
) -> Any:
    """Attributions of one method for a batch of inputs.

    Args:
        model: any ``torch.nn.Module`` or callable, ``[N, ...] -> [N, classes]`` or ``[N]``. A module is run in
            eval mode and left as it was.
        inputs: float ``[N, *shape]``, in the units of the model. Or several tensors: a dict by the names of the model's
            arguments, or a tuple by their position; ``explained`` says which are explained.
        method: a registered name, or a component.
        target: class index, one per example (``[N]``), or None where the model has a single output.
        baseline: a registered name, a number, or a tensor; by default ``"zero"``. One reference for all examples:
            ``[*shape]`` or ``[1, *shape]``; one for each: ``[N, *shape]``, as in Captum. A distribution of R for all:
            ``[1, R, *shape]`` or, where R is not N, ``[R, *shape]``; for each: ``[N, R, *shape]``. A method that
            reads distributions refuses ``[N, *shape]``, which may be either. Attributions are relative to the mean over
            a distribution.
        seed: of the random numbers. They belong to the example's content: the same example draws the same
            numbers alone, in a batch and with other examples.
        axes: what the axes of ``inputs`` mean: ``"NF"`` (a table), ``"NCHW"`` (images), ``"NCT"`` (series: channels,
            steps), ``"NTF"`` (series of a ``batch_first`` network: steps, features of a step), ``"NTD"`` (texts:
            tokens, embedding), ``"NCDHW"`` (volumes). Two axes are ``"NF"`` and four ``"NCHW"`` unless it says
            otherwise; three or five are not assumed to be anything, and what depends on them asks for ``axes``.
        explained: of several inputs, the name or position of the one that is explained, the others ride along with each
            example; or ``"all"``: all of them are one map of features.
        feature_mask: as in Captum, integers that broadcast to ``inputs``: elements with one number are one
            feature. Or registered features by name (``"step"``, ``"pixel"``, ``"token"``). Each element then carries
            the attribution of its feature.
        background: ``[P, *shape]``, examples of the data: what ``mean``, ``uniform`` or ``dataset_sample``
            read. Without it the range of the data is taken as 0..1. Of one explained among several inputs: its
            examples, or those of all inputs.
        context: further tensors ``[N, ...]`` for the model, as keyword arguments.
        output: which scalars of the model are explained: a registered name such as ``logit``, ``probability`` or
            ``segmentation``, or a component; by default the numbers that the model returns.
        task: what these numbers are: ``multiclass``, ``binary``, ``multilabel``, ``regression`` or ``probabilities``.
            Rows of numbers in [0, 1] that sum to 1 are noticed as probabilities, and several other numbers are taken
            for the logits of a softmax. A single number needs ``task`` where a probability is asked for.
        batch_budget: rows per pass.
        tokenizer: of a generative language model of transformers, the ``model``. Then ``inputs`` is a prompt: a text,
            token ids ``[T]``, messages with role and content, or a list of these. ``target`` is its continuation, a
            text as it stands after the prompt (or one for each prompt); without one the model writes it. ``explained``
            says what of it: ``"sequence"`` (the default), ``"next"``, ``"span(A,B)"`` of its tokens, a text in it,
            ``"contrast(a,b)"`` or ``"candidates([a,b])"``. The score is the sum of the log-probabilities. By default,
            ``baseline`` is the mean embedding of the vocabulary; ``background`` are prompts to average in its place,
            ``feature_mask`` is ``"word"``, ``"sentence"`` or ``"slot"``.
        per_token: whether each token of the span is explained by itself.
        params: parameters of the method; those with one number an axis in the order of ``inputs``.

    Where all of several inputs are explained, ``axes``, ``feature_mask``, ``background`` and a ``baseline`` of tensors
    are given as ``inputs`` are, a dict or tuple with one entry each.

    Returns:
        Attributions like the explained input, in its order of axes; a dict or tuple of them where all are explained. Of
        a method that explains a layer, like the layer's output. Of a prompt ``[T]``, a number for each of its tokens,
        or ``[L, T]`` with ``per_token``; a list of these for several prompts. A ``UserWarning`` says where a method
        that claims completeness misses f(x) - f(reference) by more than 5 %.

    Raises:
        UserError: an unknown name, or a parameter or tensor that does not fit; a model whose gradient is not that of
            its scores, or whose scores depend on more than the input.
        Unsupported: the method does not support this model or input.

    >>> import torch, xaiexp
    >>> model = lambda series: series.mean(dim=1) @ torch.tensor([1.0, 2.0])  # steps, then features: [N, T, F] -> [N]
    >>> series, data = torch.ones(1, 4, 2), torch.zeros(5, 4, 2)
    >>> xaiexp.attribute(model, series, "feature_ablation", baseline="mean", background=data, axes="NTF")[0, 0]
    tensor([0.2500, 0.5000])
    >>> both = lambda wide, deep: wide.sum(dim=1) * deep.sum(dim=1)
    >>> inputs = {"wide": torch.ones(1, 2), "deep": torch.full((1, 3), 2.0)}
    >>> xaiexp.attribute(both, inputs, "saliency", explained="wide")
    tensor([[6., 6.]])
    """
    component: Method = _component("method", method, params)
    if tokenizer is not None:
        chosen = None if output is None else _component("output", output, {})
        request = PromptRequest(
            *(target, explained, baseline, feature_mask, background, chosen, batch_budget, seed, per_token)
        )
        with evaluated(model):
            return attribute_prompts(model, inputs, component, tokenizer, request)
    refuse_prompts(inputs, target)
    of_class = cast("int | Tensor | None", target)  # texts are refused
    baseline = "zero" if baseline is None else baseline
    own = {"axes": axes, "explained": explained, "feature_mask": feature_mask, "background": background}
    with evaluated(model):
        batch, layout = batch_of(inputs, context=context, **own)
        component = in_read_order(component, layout)
        handle, draws, seen = _bound(model, batch, layout, of_class, output, task, batch_budget, seed)
        _check_offer(component, model, layout)
        reference = references_of(baseline, batch, layout, draws, component) if component.reads_baseline else None
        if not component.control:
            _check_model(handle, "gradients" in component.needs, seen)
        elements = attributed(component, handle, reference, draws)
        _warn_of_incompleteness(component, handle, reference, elements)
    if component.space == "layer":
        return elements
    features = batch.features
    return layout.returned(elements if feature_mask is None else features.expand(features.pool(elements)))


def score(
    model: Module,
    inputs: Inputs,
    attributions: Inputs,
    metric: str | Metric,
    /,
    *,
    target: int | Tensor | None = None,
    baseline: References = "zero",
    seed: int = 0,
    multiplied_by_inputs: bool = True,
    signed: bool = True,
    method: str | Method | None = None,
    axes: Axes | None = None,
    explained: str | int | None = None,
    feature_mask: Inputs | str | Features | None = None,
    background: Inputs | None = None,
    context: Mapping[str, Tensor] | None = None,
    masks: Inputs | None = None,
    output: str | Output | None = None,
    task: Task | None = None,
    batch_budget: int | None = None,
    **params: Any,
) -> Tensor:
    """The values of one metric for given attributions.

    Args:
        attributions: as :func:`attribute` gives them: like the explained input, or like ``inputs`` where all are
            explained. With ``feature_mask`` every element carries its feature's attribution.
        metric: a registered name, or a component.
        baseline: the reference that the attributions were made with. ``[N, *shape]`` is one for each example, unless
            ``method`` reads distributions.
        multiplied_by_inputs: whether they are contributions in units of the output (integrated gradients), or
            sensitivities per unit of input (plain gradients).
        signed: whether their sign means anything; a metric that reads signs is NaN where not.
        method: what made them, for metrics that explain perturbed inputs again (``sensitivity_max``).
        masks: bool ``[N, H, W]`` of images (``[N, T]`` of series and texts, ``[N, F]`` of tables, ``[N, D, H, W]`` of
            volumes), what matters, for metrics of localisation; one for each where all inputs are explained.
        params: parameters of the metric; the other arguments are those of :func:`attribute`.

    Returns:
        ``[N]``, NaN where undefined.

    Raises:
        UserError: an unknown name, or a parameter or tensor that does not fit.
        Unsupported: the metric does not support this model or input.
    """
    component: Metric = _component("metric", metric, params)
    again: Method | None = None if method is None else _component("method", method, {})
    own = {"axes": axes, "explained": explained, "feature_mask": feature_mask, "background": background}
    with evaluated(model):
        batch, layout = batch_of(inputs, context=context, masks=masks, **own)
        again = again and in_read_order(again, layout)
        given = layout.tensors(attributions, "attributions", str(len(batch)))
        if len(given[0]) != len(batch):
            raise MismatchError(
                "attributions", f"must have the shape of inputs, {len(batch)} examples", got=list(given[0].shape)
            )
        handle, draws, _ = _bound(model, batch, layout, target, output, task, batch_budget, seed)
        check_modality(component, layout.axes)
        elements = layout.rows(given).detach().to(batch.inputs)
        if feature_mask is not None:
            elements = elements / batch.features.expand(batch.features.sizes.expand(len(batch), -1)).to(elements)
        explanation = Explanation(
            method="given",
            baseline="given",
            elements=elements,
            features=batch.features,
            signed=signed,
            complete=False,
            multiplied_by_inputs=multiplied_by_inputs,
            reference=references_of(baseline, batch, layout, draws, again),
        )
        if again is not None:
            explanation = rebound(explanation, again, handle, draws)
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
def evaluated(model: Module) -> Iterator[None]:
    """Eval mode; afterwards the module is as before. Enables gradients inside ``torch.inference_mode`` too."""
    with torch.inference_mode(False), untouched(model):
        if isinstance(model, nn.Module):
            model.eval()
        yield


def _warn_of_incompleteness(method: Method, handle: Handle, reference: Tensor | None, elements: Tensor) -> None:
    """Warn as a study does where a method misses the completeness that it claims."""
    if not method.complete or method.space == "neuron" or reference is None:
        return
    # A method that asked for the scores at its one reference spares the pass.
    at_reference = handle.scores(reference[:, 0]) if reference.shape[1] == 1 else handle.scores(reference).mean(dim=1)
    change = handle.scores() - at_reference
    missed = completeness_error(elements, change)
    violated = int((missed > TOLERANCE).sum())
    if violated:
        warnings.warn(
            f"{method.name}: completeness violated by more than {TOLERANCE:.0%} on {violated} of {len(missed)} "
            f"examples (worst {float(missed.max()):.0%})",
            stacklevel=3,
        )


def in_read_order(method: Method, layout: Layout) -> Method:
    """The method, its parameters with one number an axis in the order that components read."""
    values = {name: getattr(method, name) for name in per_axis(type(method))}
    lists = {name: value for name, value in values.items() if isinstance(value, tuple)}
    if lists and layout.joint:
        name, numbers = next(iter(lists.items()))
        what = "gives one number for each axis of an input, and several inputs are explained as one map"
        raise MismatchError(name, what, got=numbers)
    return replace(method, **{name: layout.axes.per_axis(value) for name, value in lists.items()}) if lists else method


def _bound(
    model: Module,
    batch: Batch,
    layout: Layout,
    target: int | Tensor | None,
    output: str | Output | None,
    task: Task | None,
    budget: int | None,
    seed: int,
) -> tuple[Handle, Draws, SeenNetwork]:
    """The handle, the draws, and what is known of the network: one that was seen before makes no pass here."""
    chosen = None if output is None else _component("output", output, {})
    read = head_of if chosen is None else chosen.read
    call = None if layout.plain else layout.call
    context = tuple((name, tensor.dtype, tensor.shape[1:]) for name, tensor in batch.context.items())
    rows = (batch.shape, batch.inputs.dtype, batch.device, context)
    seen = seen_network(model, (rows, repr(layout), repr(chosen), task))
    handle = Passes(model, batch.device, batch_budget=budget, read=read, call_layout=call).bind(batch)
    head = handle.logits() if seen.readout is None else None
    columns = seen.columns if head is None else head.shape[1]
    batch.targets.copy_(_targets(target, len(batch), columns))
    if head is not None:
        seen.columns = columns
        seen.readout = readout_of(chosen, task_of(task, None, None, False, head), columns, {})
    handle = handle.with_batch(batch, seen.readout)
    if head is not None:
        handle.preset_logits(head)
    return handle, Draws(seed, batch.ids, batch.device), seen


def _check_model(handle: Handle, gradients: bool, seen: SeenNetwork) -> None:
    """Check the network at a few examples, unless that found nothing before.

    Raises:
        MismatchError: its scores are not determined by the input, or its gradients do not mean anything.
    """
    if seen.stable and (seen.differentiable or not gradients):
        return
    check = checked_model(handle, gradients)
    check.refuse_unstable()
    seen.stable = True
    check.refuse_gradients()
    seen.differentiable = seen.differentiable or gradients


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


def offers_of(model: Module) -> frozenset[str]:
    """What methods may use of a network, see :attr:`xaiexp.plugin.Model.offers`."""
    offers = {"gradients"}
    if isinstance(model, nn.Module):
        offers.add("modules")
        if any(isinstance(m, nn.Conv2d) for m in model.modules()):
            offers.add("convolutions")
        if any("Attention" in type(m).__name__ for m in model.modules()):
            offers.add("attention")
    if hasattr(model, "estimator"):
        offers.add("trees")
    return frozenset(offers)


def _check_offer(method: Method, model: Module, layout: Layout) -> None:
    lacking = sorted(method.needs - offered(offers_of(model)))
    if lacking:
        raise Unsupported(f"{method.name} needs {', '.join(lacking)}, which this model does not offer")
    check_modality(method, layout.axes)
