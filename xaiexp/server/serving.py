"""Runs the server on the loopback address until it is interrupted."""

from __future__ import annotations

import signal
import socket
import webbrowser
from collections.abc import Callable, Sequence
from pathlib import Path

import uvicorn

from xaiexp.errors import ResourceError
from xaiexp.server.access import hosts
from xaiexp.server.application import application
from xaiexp.server.workplace import Workplace

__all__ = ["listening", "serve"]

_LAST = 30.0
"""Seconds that the thread of the jobs has to end."""

LOOPBACK = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))


def listening(port: int) -> list[socket.socket]:
    """Sockets on both loopback addresses, that of version 6 where the machine has it.

    Args:
        port: 0 takes a free one.

    Raises:
        ResourceError: the port is taken.
    """
    sockets: list[socket.socket] = []
    for family, address in LOOPBACK:
        opened = socket.socket(family, socket.SOCK_STREAM)
        try:
            if family == socket.AF_INET6:
                opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            opened.bind((address, port))
        except OSError as error:
            opened.close()
            if sockets:  # the machine has no version 6, or another program has this port there
                continue
            hint = "choose another one: --port N"
            raise ResourceError(
                "view --port", f"cannot be used ({error.strerror or error})", got=port, hint=hint
            ) from None
        port = opened.getsockname()[1]
        opened.listen(128)
        sockets.append(opened)
    return sockets


def serve(
    folders: Sequence[Path],
    port: int,
    trust: Sequence[str],
    say: Callable[[str], None],
    browser: bool,
) -> None:
    """Serve the page over some studies until an interruption.

    Args:
        folders: of the studies.
        port: see :func:`listening`.
        trust: module prefixes whose factories the studies may name.
        say: gets the address, which holds the token.
        browser: whether the address is opened in the browser.

    Raises:
        UserError: a folder is no study, or the port is taken.
    """
    sockets = listening(port)
    work = Workplace(folders, trust)
    number = sockets[0].getsockname()[1]
    config = uvicorn.Config(
        application(work, hosts(number)),
        log_level="critical",
        access_log=False,
        server_header=False,
        date_header=False,
        ws="none",
        lifespan="off",
        proxy_headers=False,
        timeout_graceful_shutdown=1,
        limit_concurrency=100,
    )
    address = f"http://127.0.0.1:{number}/#token={work.token}"
    server = _Server(config, work)
    before = {sign: signal.signal(sign, server.handle_exit) for sign in (signal.SIGINT, signal.SIGTERM)}
    try:
        say(address)
        if browser:
            webbrowser.open(address)
        server.run(sockets=sockets)
    finally:
        work.close()
        for opened in sockets:
            opened.close()
        work.jobs.wait(_LAST)  # a thread that is inside torch when the interpreter ends takes the program down
        for sign, handler in before.items():
            signal.signal(sign, handler)


class _Server(uvicorn.Server):
    """Ends the listeners of events first, which would otherwise keep their connections."""

    def __init__(self, config: uvicorn.Config, work: Workplace) -> None:
        super().__init__(config)
        self._work = work

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End what was begun, then the connections."""
        self._work.close()
        await super().shutdown(sockets)
