"""Continuations that a language model writes: once, kept with their settings."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from xaiexp.builtin.models.random_state import seeded_random_state
from xaiexp.core.keys import digest
from xaiexp.store.files import write_atomically

__all__ = ["Settings", "Writer"]


@dataclass(frozen=True)
class Settings:
    """How a continuation is written.

    Args:
        max_new_tokens: at most; fewer where the model ends the text.
        temperature: 0 takes the most probable token each time; above, tokens are drawn.
        seed: of the draws, with the prompt.
    """

    max_new_tokens: int
    temperature: float = 0.0
    seed: int = 0


@dataclass
class Writer:
    """Writes the continuation of one prompt at a time, so that none depends on the others.

    Args:
        model: the language model.
        tokenizer: its tokenizer.
        settings: how it writes.
        folder: where continuations are kept; None keeps them in memory.
        identity: what decides the text beside the prompt and the settings; called once, when something is written.
    """

    model: Any
    tokenizer: Any
    settings: Settings
    folder: Path | None
    identity: Callable[[], str]
    _known: dict[str, list[int]] = field(default_factory=dict)
    _identity: str = ""

    def __call__(self, prompt: Sequence[int]) -> list[int]:
        """Token ids of the continuation, without the token that ends a text."""
        self._identity = self._identity or self.identity()
        key = digest([self._identity, list(prompt), asdict(self.settings)])
        if key not in self._known:
            kept = self._read(key)
            self._known[key] = self._written(prompt, key) if kept is None else kept
        return self._known[key]

    def _read(self, key: str) -> list[int] | None:
        if self.folder is None:
            return None
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            return [int(i) for i in json.loads(self._file(key).read_text(encoding="utf-8"))["ids"]]
        return None

    def _file(self, key: str) -> Path:
        return Path(str(self.folder)) / f"{key}.json"

    def _written(self, prompt: Sequence[int], key: str) -> list[int]:
        ids = self._generated(prompt)
        if self.folder is not None:
            content = {
                "prompt": self.tokenizer.decode(list(prompt)),
                "prompt_ids": list(prompt),
                "text": self.tokenizer.decode(ids),
                "ids": ids,
                "settings": asdict(self.settings),
                "model": self._identity,
            }
            self.folder.mkdir(parents=True, exist_ok=True)
            write_atomically(self._file(key), json.dumps(content, indent=1, ensure_ascii=False).encode())
        return ids

    def _generated(self, prompt: Sequence[int]) -> list[int]:
        given = torch.tensor([list(prompt)], device=self.model.get_input_embeddings().weight.device)
        options: dict[str, Any] = {"do_sample": False, "temperature": None, "top_p": None, "top_k": None}
        if self.settings.temperature > 0:
            options = {"do_sample": True, "temperature": self.settings.temperature, "top_p": 1.0, "top_k": 0}
        seed = int(digest([self.settings.seed, list(prompt)])[:8], 16) % (2**31)
        ends = {self.tokenizer.eos_token_id, *_listed(getattr(self.model.generation_config, "eos_token_id", None))}
        with seeded_random_state(seed), torch.no_grad():
            out = self.model.generate(
                given,
                attention_mask=torch.ones_like(given),
                max_new_tokens=self.settings.max_new_tokens,
                pad_token_id=self.tokenizer.pad_token_id or self.tokenizer.eos_token_id or 0,
                eos_token_id=sorted(end for end in ends if end is not None) or None,
                num_beams=1,
                **options,
            )[0].tolist()
        encodes = bool(getattr(self.model.config, "is_encoder_decoder", False))
        written = out[1:] if encodes else out[len(prompt) :]
        stop = next((k for k, token in enumerate(written) if token in ends), len(written))
        return [int(token) for token in written[:stop]]


def _listed(value: Any) -> list[int]:
    return list(value) if isinstance(value, list | tuple) else [] if value is None else [int(value)]
