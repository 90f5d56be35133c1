"""Language models as functions of the embeddings of a prompt: log-probabilities of continuations, in one pass."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["TeacherForced", "TeacherForcedDecoder"]


class TeacherForced(nn.Module):
    """A decoder-only language model over prompts that are padded on either side.

    The scores are linear in the log-probabilities of the tokens of C continuations, each given the prompt and its own
    earlier tokens. The prompt alone is an input; the continuations ride along as token ids. Padding is moved to the
    left of the prompt, so that continuations follow it, and positions are counted from its first token. A token whose
    embedding is NaN is deleted: the tokens after it move up, so that positions shift. Where none is left, the prompt is
    the one token ``empty``.

    The module path and name of this class are part of the keys of the store.

    Args:
        model: a causal language model of transformers.
        empty: id of the token that stands for an empty prompt.
    """

    def __init__(self, model: nn.Module, empty: int) -> None:
        super().__init__()
        self.model = model
        self.empty = empty
        accepted = inspect.signature(model.forward).parameters
        self._keeps = "logits_to_keep" in accepted
        self._places = "position_ids" in accepted
        self._options = {"use_cache": False} if "use_cache" in accepted else {}

    def forward(self, inputs: Tensor, attention_mask: Tensor, continuation: Tensor, spans: Tensor) -> dict[str, Tensor]:
        """Scores of B prompts.

        Args:
            inputs: embeddings of the prompts, float ``[B, T, D]``.
            attention_mask: int64 ``[B, T]``, 0 at padding.
            continuation: token ids of C continuations a prompt, int64 ``[B, C, L]``, -1 after their ends.
            spans: float ``[B, K, C * L]``, the weight of every token in each of K scores.

        Returns:
            ``logits``, the scores ``[B, K]``, and ``tokens``, float ``[B, K]``, the number of tokens that each counts
            (of the first continuation of a contrast).
        """
        inputs, present = self._on_the_left(inputs, attention_mask)
        log_probabilities = self._log_probabilities(inputs, present, continuation)
        return _combined(log_probabilities, spans)

    def _on_the_left(self, inputs: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """The prompts without their deleted tokens, after their padding, and where there are tokens."""
        deleted = inputs.detach()[..., 0].isnan()
        kept = present * ~deleted
        if bool(kept[:, -1].all()) and bool((kept.diff(dim=1) >= 0).all()):  # the padding is on the left already
            return inputs, kept
        inputs = torch.where(deleted.unsqueeze(-1), 0.0, inputs)
        order = kept.argsort(dim=1, stable=True)
        inputs = inputs.gather(1, order.unsqueeze(-1).expand_as(inputs))
        return self._with_a_token(inputs, kept.gather(1, order))

    def _with_a_token(self, inputs: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """The prompts, with the token that begins a text in place of an empty one."""
        nothing = present.sum(dim=1) == 0
        if not bool(nothing.any()):
            return inputs, present
        first = self._embedded(torch.tensor([self.empty], device=inputs.device)).to(inputs.dtype)
        last = torch.arange(inputs.shape[1], device=inputs.device) == inputs.shape[1] - 1
        place = nothing[:, None] & last
        return torch.where(place.unsqueeze(-1), first, inputs), present | place.to(present.dtype)

    def _embedded(self, ids: Tensor) -> Tensor:
        model: Any = self.model
        embedded: Tensor = model.get_input_embeddings()(ids)
        return embedded

    def _log_probabilities(self, inputs: Tensor, present: Tensor, continuation: Tensor) -> Tensor:
        """Log-probabilities ``[B, C, L]`` of the tokens of the continuations; 0 after their ends."""
        rows, count, length = continuation.shape
        known, ids = continuation >= 0, continuation.clamp(min=0)
        if length == 1:  # every continuation is scored at the last token of the prompt
            logits = self._logits(inputs, present, 1)[:, 0]
            found = functional.log_softmax(logits, dim=-1).gather(1, ids[:, :, 0]).unsqueeze(-1)
            return found.masked_fill(~known, 0.0)
        earlier = self._embedded(ids[..., :-1].flatten(0, 1)).to(inputs.dtype)
        whole = torch.cat([inputs.repeat_interleave(count, dim=0), earlier], dim=1)
        seen = torch.cat(
            [present.repeat_interleave(count, dim=0), known[..., :-1].flatten(0, 1).to(present.dtype)], dim=1
        )
        logits = self._logits(whole, seen, length)
        chosen = logits.gather(2, ids.flatten(0, 1).unsqueeze(-1)).squeeze(-1) - logits.logsumexp(dim=-1)
        return chosen.view(rows, count, length).masked_fill(~known, 0.0)

    def _logits(self, inputs: Tensor, present: Tensor, last: int) -> Tensor:
        """Logits ``[B, last, V]`` at the last positions, at least in float32."""
        model: Any = self.model
        options: dict[str, Any] = dict(self._options)
        if self._keeps:
            options["logits_to_keep"] = last
        if self._places:
            options["position_ids"] = (present.cumsum(dim=1) - 1).clamp(min=0)
        weight = model.get_input_embeddings().weight
        out = model(inputs_embeds=inputs.to(weight.dtype), attention_mask=present, return_dict=True, **options)
        logits: Tensor = out.logits[:, -last:].to(inputs.device)  # a model may lie on several devices
        return logits if logits.dtype == torch.float64 else logits.float()


class TeacherForcedDecoder(nn.Module):
    """A language model with an encoder, which reads the prompt, and a decoder, which writes the continuation.

    As :class:`TeacherForced`, but the padding stays, and no token can be deleted.

    Args:
        model: a sequence-to-sequence language model of transformers.
        start: id of the token that the decoder starts with.
    """

    def __init__(self, model: nn.Module, start: int) -> None:
        super().__init__()
        self.model = model
        self.start = start

    def forward(self, inputs: Tensor, attention_mask: Tensor, continuation: Tensor, spans: Tensor) -> dict[str, Tensor]:
        """See :meth:`TeacherForced.forward`."""
        model: Any = self.model
        rows, count, length = continuation.shape
        known, ids = continuation >= 0, continuation.clamp(min=0).flatten(0, 1)
        written = torch.cat([torch.full_like(ids[:, :1], self.start), ids[:, :-1]], dim=1)
        out = model(
            inputs_embeds=inputs.repeat_interleave(count, dim=0),
            attention_mask=attention_mask.repeat_interleave(count, dim=0),
            decoder_input_ids=written,
            use_cache=False,
            return_dict=True,
        )
        logits = out.logits.to(inputs.device).float()
        chosen = logits.gather(2, ids.unsqueeze(-1)).squeeze(-1) - logits.logsumexp(dim=-1)
        return _combined(chosen.view(rows, count, length).masked_fill(~known, 0.0), spans)


def _combined(log_probabilities: Tensor, spans: Tensor) -> dict[str, Tensor]:
    spans = spans.to(log_probabilities.dtype)
    scores = (spans * log_probabilities.flatten(1).unsqueeze(1)).sum(dim=2)
    return {"logits": scores, "tokens": (spans > 0).sum(dim=2).to(scores.dtype)}
