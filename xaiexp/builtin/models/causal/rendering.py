"""From the messages of a prompt to the text that a language model reads, and where its parts are in that text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from xaiexp.core.prompts import Message, Prompt
from xaiexp.errors import MismatchError

__all__ = ["Chat", "Place", "Rendered", "prompt_of", "rendered"]

Chat = Literal["auto", "template", "raw", "messages"]

_MARK = "\u2402{}\u2403"  # a text that no message contains


@dataclass(frozen=True)
class Place:
    """Where a part of a prompt is.

    Args:
        start, stop: its characters in the rendered text.
        origin: of its first character in the text of the prompt.
        slot: of the part.
    """

    start: int
    stop: int
    origin: int
    slot: str


@dataclass(frozen=True)
class Rendered:
    """The text that a model reads.

    Args:
        text: all of it.
        places: of the parts that belong to a slot, in their order.
        templated: whether a chat template made it; special tokens are then part of the text.
    """

    text: str
    places: tuple[Place, ...]
    templated: bool


def prompt_of(data: Any, example: str) -> Prompt:
    """The prompt of an example: a text is one message.

    Raises:
        MismatchError: it is neither a text nor a prompt, or has no characters.
    """
    prompt = Prompt.of(data) if isinstance(data, str) else data
    if not isinstance(prompt, Prompt):
        raise MismatchError(
            "dataset", f"example {example!r} is a {type(data).__name__}; a language model expects texts or prompts"
        )
    if not prompt.text.strip():
        raise MismatchError("dataset", f"the prompt of example {example!r} is empty", got=prompt.text)
    return prompt


def rendered(prompt: Prompt, tokenizer: Any, chat: Chat, example: str) -> Rendered:
    """The text of a prompt, by the chat template of the tokenizer or as it is.

    Args:
        prompt: its messages.
        tokenizer: of the model.
        chat: ``template`` or ``raw``; ``auto`` uses the template for messages and where the tokenizer has one,
            ``messages`` for messages only.
        example: its id, for messages.

    Raises:
        MismatchError: there is no template, it raises, or it changes the messages; or messages are to be read raw.
    """
    has_template = bool(getattr(tokenizer, "chat_template", None))
    if chat == "template" or (chat == "auto" and has_template) or (chat != "raw" and prompt.is_chat):
        if not has_template:
            raise MismatchError(
                "model.chat",
                "the tokenizer of the model has no chat template"
                + (f", and example {example!r} consists of messages" if prompt.is_chat else ""),
                got=chat,
                hint="model.chat=raw with one text a prompt, or a model that was tuned for chats",
            )
        return _templated(prompt, tokenizer, example)
    if prompt.is_chat:
        raise MismatchError(
            "model.chat", f"example {example!r} consists of messages, which a raw prompt does not have", got=chat
        )
    return Rendered(prompt.text, tuple(_places(prompt, [0])), templated=False)


def _templated(prompt: Prompt, tokenizer: Any, example: str) -> Rendered:
    texts = [message.text for message in prompt.messages]
    marked = _applied(prompt.messages, [_MARK.format(i) for i in range(len(texts))], tokenizer, example)
    text, starts, place = "", [], 0
    for i, each in enumerate(texts):
        mark = _MARK.format(i)
        at = marked.find(mark, place)
        if at < 0:
            raise MismatchError(
                "model.chat", f"the chat template leaves out a message of example {example!r}", got=each
            )
        text += marked[place:at]
        starts.append(len(text))
        text, place = text + each, at + len(mark)
    text += marked[place:]
    if text != _applied(prompt.messages, texts, tokenizer, example):
        stripped = [message.text.strip() for message in prompt.messages]
        hint = "remove white space at both ends of messages" if stripped != texts else "use model.chat=raw"
        raise MismatchError(
            "model.chat", f"the chat template changes the messages of example {example!r}", got=texts[0], hint=hint
        )
    return Rendered(text, tuple(_places(prompt, starts)), templated=True)


def _applied(messages: tuple[Message, ...], texts: list[str], tokenizer: Any, example: str) -> str:
    given = [{"role": message.role or "user", "content": text} for message, text in zip(messages, texts, strict=True)]
    try:
        return str(tokenizer.apply_chat_template(given, tokenize=False, add_generation_prompt=True))
    except Exception as broken:  # Jinja and templates raise errors of many types
        reason = next((line.strip() for line in str(broken).splitlines() if line.strip()), type(broken).__name__)
        raise MismatchError(
            "model.chat", f"the chat template does not take example {example!r}: {reason[:200]}"
        ) from None


def _places(prompt: Prompt, starts: list[int]) -> Iterator[Place]:
    origin = 0
    for message, start in zip(prompt.messages, starts, strict=True):
        at = start
        for part in message.parts:
            if part.slot and part.text:
                yield Place(at, at + len(part.text), origin, part.slot)
            at, origin = at + len(part.text), origin + len(part.text)
