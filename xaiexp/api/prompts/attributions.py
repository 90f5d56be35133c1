"""Prompts of the user's own language model: what :func:`xaiexp.attribute` and :func:`xaiexp.compare` start from."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import torch
from torch import Tensor, nn

from xaiexp.contract.kinds import Baseline, Features, Method, Output, offered
from xaiexp.contract.registry import installed
from xaiexp.core.batches import Batch
from xaiexp.core.draws import Draws
from xaiexp.core.prompts import Message, Part, Prompt
from xaiexp.core.samples import Encoded, Network, Sample
from xaiexp.core.vocabulary import plural
from xaiexp.engine import targets
from xaiexp.engine.checks.model_check import checked_model
from xaiexp.engine.explainer import attributed, referenced
from xaiexp.engine.loader import background_of
from xaiexp.engine.readout import readout_of
from xaiexp.errors import MismatchError, ParameterError, Unsupported
from xaiexp.inference.outputs import head_of
from xaiexp.inference.passes import Handle, Passes

__all__ = [
    "PromptRequest",
    "attribute_prompts",
    "language_component",
    "language_network",
    "refuse_prompts",
    "samples_of",
]

OFFERS = frozenset({"gradients", "modules", "attention"})


@dataclass(frozen=True)
class PromptRequest:
    """How prompts are explained; see :func:`xaiexp.attribute` for the values.

    Args:
        target: continuations.
        explained: what of them.
        baseline: None for the mean embedding.
        feature_mask: features by name; None for tokens.
        background: prompts that ``mean`` reads; None takes all tokens of the vocabulary.
        per_token: whether each token of the span is explained by itself.
    """

    target: Any = None
    explained: str | int | None = None
    baseline: Any = None
    feature_mask: Any = None
    background: Any = None
    output: Output | None = None
    batch_budget: int | None = None
    seed: int = 0
    per_token: bool = False


def attribute_prompts(
    model: Any, prompts: Any, method: Method, tokenizer: Any, request: PromptRequest
) -> Tensor | list[Tensor]:
    """Attributions of the tokens of prompts: ``[T]`` of one, a list of several; ``[L, T]`` with ``per_token``.

    Raises:
        UserError, Unsupported: as :func:`xaiexp.attribute`.
    """
    samples, single = samples_of(prompts, request.target, tokenizer)
    network = language_network(model, tokenizer)
    wanted = "sequence" if request.explained is None else request.explained
    network, explained = targets.aimed(network, wanted, request.per_token)
    encoded = network.encode(samples)
    batch = _batch(network, encoded, samples, request)
    _check(method, model)
    passes = Passes(
        network.module,
        batch.device,
        batch_budget=request.batch_budget,
        read=head_of if request.output is None else request.output.read,
        judge_reference=network.judge_reference,
        most_rows=network.most_rows,
    )
    whole = passes.bind(batch)
    head = whole.logits()
    readout = readout_of(request.output, network.task, head.shape[1], {})
    maps: list[list[Tensor]] = [[] for _ in samples]
    checked = False
    for rows, chosen in targets.target_passes(targets.resolved(explained, network.class_names), batch, head):
        part = replace(batch.rows(rows), targets=chosen)
        handle = whole.with_batch(part, readout)
        handle.preset_logits(head[rows])
        draws = Draws(request.seed, part.ids, part.device)
        if not checked and not method.control:
            check = checked_model(handle, "gradients" in method.needs)
            check.refuse_unstable()
            check.refuse_gradients()
        checked = True
        for row, values in zip(rows.tolist(), _values(method, handle, draws, request), strict=True):
            maps[row].append(values[: len(encoded.tokens[row])])
    found = [torch.stack(each) if request.per_token else each[0] for each in maps]
    return found[0] if single else found


def refuse_prompts(inputs: Any, target: Any) -> None:
    """Refuse prompts without a tokenizer.

    Raises:
        MismatchError: the inputs are texts, or the target is one.
    """
    texts = isinstance(inputs, str) or (isinstance(inputs, list) and any(isinstance(each, str) for each in inputs))
    if texts or isinstance(target, str):
        what = "inputs" if texts else "target"
        raise MismatchError(
            what, "is a text, and no tokenizer reads it", got=inputs if texts else target, hint="tokenizer=..."
        )


def _values(method: Method, handle: Handle, draws: Draws, request: PromptRequest) -> Iterator[Tensor]:
    """The attribution of every position of each example, ``[T]``: of its feature where features have several tokens."""
    batch, reference = handle.batch, None
    if method.reads_baseline:
        reference = _reference(request.baseline, batch, draws)
    if method.space != "input":
        raise MismatchError("method", f"{method.name} explains no tokens of a prompt", got=method.space)
    elements = attributed(method, handle, reference, draws)
    if request.feature_mask is not None:
        elements = batch.features.expand(batch.features.pool(elements))
        yield from elements[..., 0]
    else:
        yield from elements.sum(dim=2)


def _reference(baseline: Any, batch: Batch, draws: Draws) -> Tensor:
    if baseline is None or isinstance(baseline, str | Baseline):
        named = "mean" if baseline is None else baseline
        component = installed().build("baseline", named, {}) if isinstance(named, str) else named
        if "text" not in component.modalities:
            kinds = ", ".join(map(plural, component.modalities))
            raise Unsupported(f"baseline {component.name!r} is for {kinds}; prompts are texts: use baseline 'mean'")
        return referenced(component, batch, draws)
    value = torch.as_tensor(baseline, dtype=batch.inputs.dtype, device=batch.device)
    if value.ndim > 1 or (value.ndim == 1 and len(value) != batch.inputs.shape[-1]):
        width = batch.inputs.shape[-1]
        raise MismatchError("baseline", f"must be a number or an embedding [{width}]", got=list(value.shape))
    filled = torch.zeros_like(batch.inputs) + value
    return torch.where(batch.features.inside, filled, batch.inputs).unsqueeze(1)


def _batch(network: Network, encoded: Encoded, samples: Sequence[Sample], request: PromptRequest) -> Batch:
    named = request.feature_mask
    if named is not None and not isinstance(named, str | Features):
        raise ParameterError(
            "feature_mask", "of prompts are features by name: token, word, sentence or slot", got=named
        )
    features = named if isinstance(named, Features) else installed().build("features", named or "token", {})
    if "text" not in features.modalities:
        raise MismatchError("feature_mask", "groups no texts", got=features.name, hint="token, word, sentence or slot")
    device = next(cast("nn.Module", network.module).parameters()).device
    background = background_of(encoded, network)
    if request.background is None:
        background = replace(background, mean=_mean_embedding(network))
    else:
        others = [Sample(f"background {i}", each) for i, each in enumerate(request.background)]
        background = background_of(network.encode(others), network)
    return Batch(
        ids=tuple(sample.id for sample in samples),
        inputs=encoded.inputs.to(device),
        targets=torch.zeros(len(samples), dtype=torch.int64, device=device),
        features=features.build(encoded).to(device),
        background=background,
        context={name: tensor.to(device) for name, tensor in encoded.context.items()},
    )


def _mean_embedding(network: Network) -> Tensor:
    table = network.module.model.get_input_embeddings()
    with torch.no_grad():
        every: Tensor = table(torch.arange(table.weight.shape[0], device=table.weight.device))
    return every.float().mean(dim=0).cpu()


def _check(method: Method, model: Any) -> None:
    lacking = sorted(method.needs - offered(OFFERS))
    if lacking:
        raise Unsupported(f"{method.name} needs {', '.join(lacking)}, which a language model does not offer")
    if "text" not in method.modalities:
        kinds = ", ".join(map(plural, method.modalities))
        raise Unsupported(f"{method.name} is for {kinds}; the prompts of {type(model).__name__} are texts")


def language_component(model: Any) -> Any:
    """The class of the model component that reads a language model: ``causal_lm`` or ``seq2seq_lm``.

    Raises:
        MismatchError: it is no language model of transformers.
    """
    config = getattr(model, "config", None)
    if config is None or not hasattr(model, "get_input_embeddings") or not hasattr(model, "generate"):
        raise MismatchError(
            "tokenizer",
            "is for language models of transformers, and the model is none",
            got=type(model).__name__,
            hint="leave tokenizer out, or give the model of AutoModelForCausalLM",
        )
    return installed().get("model", "seq2seq_lm" if getattr(config, "is_encoder_decoder", False) else "causal_lm")


def language_network(model: Any, tokenizer: Any) -> Network:
    """The network of a language model; it is refused where it does not score padded prompts as prompts alone."""
    network: Network = language_component(model).over(model, tokenizer)
    return network


def samples_of(prompts: Any, target: Any, tokenizer: Any) -> tuple[list[Sample], bool]:
    """Prompts of the user as samples, and whether there is only one.

    Args:
        prompts: a text, token ids ``[T]``, messages, or a list of any of these (``[N, T]`` of ids).
        target: the continuation of each or of all: texts; None lets the model write them.
        tokenizer: of the model.

    Raises:
        MismatchError: they are something else, or there are not as many continuations as prompts.
    """
    if isinstance(prompts, Prompt | str) or _is_ids(prompts) or _is_chat(prompts):
        each, single = [prompts], True
    elif (isinstance(prompts, list | tuple) and prompts) or (
        isinstance(prompts, Tensor) and prompts.ndim == 2 and not prompts.is_floating_point()
    ):
        each, single = list(prompts), False
    else:
        got = list(prompts.shape) if isinstance(prompts, Tensor) else type(prompts).__name__
        raise MismatchError(
            "inputs", "with a tokenizer are prompts: a text, token ids [T], messages, or a list of these", got=got
        )
    listed = isinstance(target, list | tuple)
    given = list(target) if listed else [target] * len(each)
    if len(given) != len(each) or not all(text is None or isinstance(text, str) for text in given):
        raise MismatchError(
            "target",
            f"with a tokenizer is the continuation: a text, or one for each of {len(each)} prompts",
            got=len(given) if listed else target,
            hint='target=" Paris"; what of it is explained: explained="span(0,1)"',
        )
    return [_sample(i, one, text, tokenizer) for i, (one, text) in enumerate(zip(each, given, strict=True))], single


def _sample(number: int, given: Any, continuation: str | None, tokenizer: Any) -> Sample:
    if isinstance(given, str):
        prompt = Prompt.of(given)
    elif isinstance(given, Prompt):
        prompt = given
    elif _is_chat(given):
        prompt = Prompt(tuple(Message(str(m["role"]), (Part(str(m["content"]), str(m["role"])),)) for m in given))
    elif _is_ids(given):
        ids = tuple(int(i) for i in given)
        prompt = replace(Prompt.of(tokenizer.decode(list(ids)) or " "), ids=ids)
    else:
        raise MismatchError(
            "inputs", f"prompt {number} is neither a text nor token ids nor messages", got=type(given).__name__
        )
    text = prompt.continuation if continuation is None else continuation
    # Random numbers belong to the content: the same prompt draws the same numbers alone and with others.
    content = hashlib.blake2b(repr((prompt.text, prompt.ids)).encode(), digest_size=8).hexdigest()
    return Sample(content, replace(prompt, continuation=text), name=f"prompt {number}")


def _is_ids(given: Any) -> bool:
    if isinstance(given, Tensor):
        return given.ndim == 1 and not given.is_floating_point() and given.dtype != torch.bool
    return isinstance(given, list | tuple) and bool(given) and all(type(each) is int for each in given)


def _is_chat(given: Any) -> bool:
    return (
        isinstance(given, list | tuple)
        and bool(given)
        and all(isinstance(each, Mapping) and {"role", "content"} <= set(each) for each in given)
    )
