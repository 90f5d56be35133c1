"""Hands events to every page that listens."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Mapping
from typing import Any

__all__ = ["Events"]

_WAITING = 256
"""Events that wait for a listener at most; one that reads none of them is dropped."""


class Events:
    """Listeners, each with a queue of its own. Events may be published from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listeners: dict[asyncio.Queue[str | None], asyncio.AbstractEventLoop] = {}
        self._closed = False

    def __len__(self) -> int:
        return len(self._listeners)

    def publish(self, event: Mapping[str, Any]) -> None:
        """Give an event to all listeners."""
        self._give(json.dumps(event, allow_nan=False))

    def close(self) -> None:
        """End all listeners."""
        self._closed = True
        self._give(None)

    def _give(self, text: str | None) -> None:
        with self._lock:
            for queue, loop in list(self._listeners.items()):
                try:
                    loop.call_soon_threadsafe(self._put, queue, text)
                except RuntimeError:  # its loop has ended
                    self._listeners.pop(queue, None)

    def _put(self, queue: asyncio.Queue[str | None], text: str | None) -> None:
        if queue.qsize() >= _WAITING:
            text = None  # a listener that does not read is ended, and may come back
        queue.put_nowait(text)

    async def listen(self, first: Mapping[str, Any], every: float = 15.0) -> AsyncIterator[bytes]:
        """The events as lines of server-sent events, with a comment whenever nothing happened for a while.

        Args:
            first: the event that a new listener gets.
            every: seconds between comments.
        """
        queue: asyncio.Queue[str | None] = asyncio.Queue()
        with self._lock:
            self._listeners[queue] = asyncio.get_running_loop()
        try:
            yield _line(json.dumps(first, allow_nan=False))
            while not self._closed:
                try:
                    text = await asyncio.wait_for(queue.get(), every)
                except TimeoutError:
                    yield b": still here\n\n"
                    continue
                if text is None:
                    return
                yield _line(text)
        finally:
            with self._lock:
                self._listeners.pop(queue, None)


def _line(text: str) -> bytes:
    return f"data: {text}\n\n".encode()
