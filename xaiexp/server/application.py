"""The routes of the server."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NoReturn

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from xaiexp.errors import ParameterError, UserError
from xaiexp.report.page import live_page
from xaiexp.server.access import Access
from xaiexp.server.changes import parsed
from xaiexp.server.form import form
from xaiexp.server.workplace import Workplace

__all__ = ["application"]

_JSON = 1_000_000
"""Bytes of a request in JSON at most."""

_BYTES = "application/octet-stream"


def application(work: Workplace, allowed: frozenset[str]) -> Access:
    """The application of a workplace.

    Args:
        work: what it serves.
        allowed: values of the header ``Host``, see :func:`xaiexp.server.access.hosts`.
    """
    html, policy = live_page()

    async def page(_: Request) -> Response:
        return HTMLResponse(html, headers={"Content-Security-Policy": f"{policy}; frame-ancestors 'none'"})

    async def the_document(_: Request) -> Response:
        return Response(work.document, media_type=_BYTES)

    async def a_document(request: Request) -> Response:
        return Response(await run_in_threadpool(work.result, request.path_params["job"]), media_type=_BYTES)

    async def events(_: Request) -> Response:
        return StreamingResponse(work.events.listen(work.known()), media_type="text/event-stream")

    async def parameters(request: Request) -> Response:
        shown, cell = work.study(_place(request)), request.query_params.get("cell", "")
        return JSONResponse(await run_in_threadpool(form, shown, cell, work.registry))

    async def explain(request: Request) -> Response:
        change = parsed(await _body(request))
        job = await run_in_threadpool(work.explain, change)
        return JSONResponse({"job": job.to_mapping()}, 202)

    async def equivalent(request: Request) -> Response:
        change = parsed(await _body(request))
        return JSONResponse({"command": await run_in_threadpool(work.equivalent, change)})

    async def stop(request: Request) -> Response:
        body = await _body(request)
        name = body.get("job") if isinstance(body, dict) else None
        return JSONResponse({"stopped": isinstance(name, str) and work.jobs.stop(name)})

    async def add_input(request: Request) -> Response:
        kind = request.headers.get("content-type", "").partition(";")[0].strip()
        if kind == "application/json":
            add: Callable[[Any, int], Any] = work.add_words
            content: Any = await _body(request)
        else:
            add, content = work.add_image, await request.body()
        own = await run_in_threadpool(add, content, _place(request))
        return JSONResponse({"input": own.id, "kind": own.kind}, 201)

    async def preset(request: Request) -> Response:
        body = await _body(request)
        if not isinstance(body, dict):
            raise ParameterError("request", "must be an object")
        name, change = body.pop("name", None), parsed(body)
        file = await run_in_threadpool(work.save, name, change)
        return JSONResponse({"file": file.as_posix(), "command": f"xaiexp experiment={file.stem}"}, 201)

    routes = [
        Route("/", page),
        Route("/document", the_document),
        Route("/document/{job}", a_document),
        Route("/events", events),
        Route("/parameters", parameters),
        Route("/explain", explain, methods=["POST"]),
        Route("/command", equivalent, methods=["POST"]),
        Route("/stop", stop, methods=["POST"]),
        Route("/input", add_input, methods=["POST"]),
        Route("/preset", preset, methods=["POST"]),
    ]
    answering = Starlette(routes=routes, exception_handlers={UserError: _refused})
    answering.router.redirect_slashes = False
    return Access(answering, work.token, allowed)


def _place(request: Request) -> int:
    """The place of the study that a request names; -1 where it is no number."""
    study = request.query_params.get("study", "0")
    return int(study) if study.isascii() and study.isdigit() and len(study) < 9 else -1


async def _refused(_: Request, error: Exception) -> Response:
    """A wrong request, in the words of the command line."""
    where = error.where if isinstance(error, UserError) else ""
    return JSONResponse({"error": str(error), "where": where}, 422)


async def _body(request: Request) -> Any:
    """The JSON of a request.

    Raises:
        HTTPException: it is too long.
        ParameterError: it is no JSON, or holds NaN or infinite numbers.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise ParameterError("request", "must be JSON", hint="Content-Type: application/json")
    content = await request.body()
    if len(content) > _JSON:
        raise HTTPException(413, f"the request has more than {_JSON:,} bytes")
    try:
        return json.loads(content, parse_constant=_no_number)
    except RecursionError:
        raise ParameterError("request", "is nested too deep") from None
    except ValueError:  # UnicodeDecodeError among them
        raise ParameterError("request", "is no JSON of finite numbers") from None


def _no_number(text: str) -> NoReturn:
    raise ValueError(text)
