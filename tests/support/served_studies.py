"""A small study behind a server, and requests as its page makes them."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from small_studies import SMALL
from starlette.testclient import TestClient

import xaiexp
from xaiexp.server.access import HEADER, hosts
from xaiexp.server.application import application
from xaiexp.server.serving import listening
from xaiexp.server.workplace import Workplace

TOKEN = "the-token"
CELL = "integrated_gradients / zero"


def small_study(*more: str) -> Path:
    """The folder of a study without metrics, below the working directory."""
    asked = [each for each in SMALL if each != "report=false" or not any(part.startswith("report") for part in more)]
    lists = ["method=[integrated_gradients,saliency]", "metric=[]", "agreement=[]"]
    return xaiexp.run([*asked, *lists, *more], quiet=True).path


def end(work: Workplace) -> None:
    """Close, and wait for the thread, which would go on in the folder of the next test."""
    work.close()
    work.jobs.wait(60)


def client(work: Workplace, **headers: str | None) -> TestClient:
    """Asks as the page does; a header that is None is left out."""
    own = {HEADER: TOKEN, "Origin": "http://127.0.0.1:8000"} | headers
    known = {name: value for name, value in own.items() if value is not None}
    app = application(work, hosts(8000))
    return TestClient(app, base_url="http://127.0.0.1:8000", headers=known, raise_server_exceptions=False)


def explained(work: Workplace, body: dict) -> dict:
    """The job of a change, after its end."""
    answer = client(work).post("/explain", json={"cell": CELL, "example": work.studies[0].examples[0]} | body)
    assert answer.status_code == 202, answer.text
    name = answer.json()["job"]["id"]
    assert work.jobs.known[name].ended.wait(120)
    return work.jobs.known[name].to_mapping()


@contextmanager
def running(work: Workplace) -> Iterator[int]:
    """The port of a server of its own, which ends with the block."""
    sockets = listening(0)
    port = sockets[0].getsockname()[1]
    config = uvicorn.Config(application(work, hosts(port)), log_level="critical", lifespan="off", ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": sockets}, daemon=True)
    thread.start()
    try:
        yield port
    finally:
        end(work)
        server.should_exit = True
        thread.join(20)


class Listener:
    """Reads the events of a server."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self._connection.request("GET", "/events", headers={HEADER: TOKEN})
        self._answer = self._connection.getresponse()
        assert self._answer.status == 200
        self.first = next(self)

    def __next__(self) -> dict:
        while line := self._answer.readline():
            if line.startswith(b"data: "):
                return json.loads(line[6:])
        raise StopIteration

    def until(self, state: str) -> dict:
        """The first job in this state."""
        while (event := next(self))["kind"] != "job" or event["job"]["state"] != state:
            pass
        return event["job"]

    def close(self) -> None:
        self._answer.close()
        self._connection.close()
