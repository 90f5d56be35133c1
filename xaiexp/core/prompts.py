"""Prompts of generative language models, in data space. Importing this module imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Lexicon", "Message", "Part", "Prompt"]


@dataclass(frozen=True)
class Lexicon:
    """The tokens of a language model by the characters that each adds to a text, such as `` film`` with its space.

    Args:
        pieces: the characters of each of V tokens; empty for special tokens and parts of a character.
        ids: token by characters.
        table: embeddings ``[V, D]`` of the tokens, float32 on the CPU.
    """

    pieces: tuple[str, ...]
    ids: Mapping[str, int]
    table: Tensor

    def tokens(self, embeddings: Tensor) -> list[int]:
        """The tokens with these embeddings ``[T, D]``; -1 for an embedding of no token."""
        found = []
        for row in embeddings.detach().cpu().to(self.table.dtype):
            alike = (self.table[:, 0] == row[0]).nonzero().squeeze(1)
            same = alike[(self.table[alike] == row).all(dim=1)]
            found.append(int(same[0]) if len(same) else -1)
        return found


@dataclass(frozen=True)
class Part:
    """A stretch of a message.

    Args:
        text: its characters.
        slot: the name of what is explained together (``document`` and ``question`` of a template, ``prompt`` of a text
            without one); empty for the text of a template, which belongs to no feature.
    """

    text: str
    slot: str = "prompt"


@dataclass(frozen=True)
class Message:
    """One message of a conversation.

    Args:
        role: ``user``, ``system`` or ``assistant``, as the chat template of the model knows them; empty for a text that
            is no message, which a chat template takes for one of the user.
        parts: whose texts follow each other.
    """

    role: str
    parts: tuple[Part, ...]

    @property
    def text(self) -> str:
        """All characters of the message."""
        return "".join(part.text for part in self.parts)


@dataclass(frozen=True)
class Prompt:
    """What a generative language model is given, and what it goes on with: :attr:`xaiexp.core.samples.Sample.data`.

    Character spans of :attr:`xaiexp.core.samples.Sample.mask` refer to :attr:`text`.

    Args:
        messages: of a conversation; a plain text is one message without a role.
        continuation: the text that is scored; None where the model is to write it.
        ids: the token ids of the prompt, where these are given; empty where the tokenizer of the model makes them.
    """

    messages: tuple[Message, ...]
    continuation: str | None = None
    ids: tuple[int, ...] = ()

    @classmethod
    def of(cls, text: str, continuation: str | None = None) -> Prompt:
        """The prompt of a plain text."""
        return cls((Message("", (Part(text),)),), continuation)

    @property
    def text(self) -> str:
        """All characters of all messages."""
        return "".join(message.text for message in self.messages)

    @property
    def is_chat(self) -> bool:
        """Whether it consists of messages, which only a chat template can put together."""
        return len(self.messages) != 1 or bool(self.messages[0].role)
