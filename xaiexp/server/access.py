"""Who may ask the server: a page of its own, with its token, on this machine."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse

__all__ = ["BODY", "HEADER", "Access", "hosts"]

BODY = 16_000_000
"""Bytes of a request at most."""

HEADER = "X-Xaiexp-Token"

_READING = ("GET", "HEAD")
_OPEN = ("/",)
"""Paths that need no token: the page without any study."""

_HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
}

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


def hosts(port: int) -> frozenset[str]:
    """The values of the header ``Host`` that name this server; any other may be a name that leads here by DNS."""
    return frozenset(f"{name}:{port}" for name in ("127.0.0.1", "localhost", "[::1]"))


class Access:
    """Refuses a request before its body is read, and sets the headers that no answer goes without.

    Args:
        application: answers the requests that are let through.
        token: that a request must carry.
        allowed: see :func:`hosts`.
    """

    def __init__(self, application: Application, token: str, allowed: frozenset[str]) -> None:
        self._application, self._token, self._allowed = application, token.encode(), allowed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] == "lifespan":
            await self._application(scope, receive, send)
            return
        if scope["type"] != "http":
            return  # there are no web sockets here

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = _with_headers(message.get("headers") or [])
            await send(message)

        refusal = self._refusal(scope["method"], scope["path"], Headers(scope=scope))
        if refusal is not None:
            status, words = refusal
            await PlainTextResponse(words, status, {"Connection": "close"})(scope, receive, send_with_headers)
            return
        read = 0

        async def receive_within_limit() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body") or b"")
            if read > BODY:
                raise HTTPException(413, _too_large())
            return message

        await self._application(scope, receive_within_limit, send_with_headers)

    def _refusal(self, method: str, path: str, headers: Mapping[str, str]) -> tuple[int, str] | None:
        """Status and reason of a request that is not let through."""
        host = headers.get("host", "").lower()
        if host not in self._allowed:
            return 403, "Host: this server answers to the loopback address alone"
        origin = headers.get("origin")
        own = f"http://{host}"
        if origin is not None and origin.lower() != own:
            return 403, "Origin: requests come from this server's own page alone"
        if origin is None and method not in _READING:
            return 403, "Origin: is missing, and must be this server's own"
        if path not in _OPEN or method not in _READING:
            given = headers.get(HEADER.lower(), "").encode("utf-8", "surrogateescape")
            if not hmac.compare_digest(given, self._token):
                return 403, f"{HEADER}: open the address that xaiexp view printed"
        length = headers.get("content-length", "0")
        if len(length) > 12 or not length.isascii() or not length.isdigit() or int(length) > BODY:
            return 413, _too_large()
        return None


def _with_headers(given: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """The headers of an answer with ours, where it has none of its own of the same name."""
    known = {name.lower() for name, _ in given}
    ours = [(name.lower().encode(), value.encode()) for name, value in _HEADERS.items()]
    return [*given, *(pair for pair in ours if pair[0] not in known)]


def _too_large() -> str:
    return f"the request has more than {BODY:,} bytes"
