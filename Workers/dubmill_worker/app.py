"""The HTTP side: health, capabilities and batches."""

from __future__ import annotations

import asyncio
import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from . import PROTOCOL, __version__
from .batch import Runner
from .engines.registry import Engines
from .log import log
from .protocol import MAX_BODY_BYTES, WorkerError, bad, parse_batch
from .schedule import Cancel


def build_app(engines: Engines) -> Starlette:
    """The application over these engines."""
    # Batches wait for cores in their threads, so there are many more of them than cores.
    pool = ThreadPoolExecutor(64, thread_name_prefix="batch")

    async def health(request: Request) -> Response:
        return JSONResponse(
            {
                "protocol": PROTOCOL,
                "worker": "dubmill-worker",
                "version": __version__,
                "pid": os.getpid(),
                "status": getattr(request.app.state, "status", "ready"),
            }
        )

    async def capabilities(_: Request) -> Response:
        tasks = await run_in_threadpool(engines.capabilities)
        return JSONResponse({"protocol": PROTOCOL, "tasks": tasks})

    async def batch(request: Request) -> Response:
        try:
            parsed = parse_batch(await _body(request))
            engine = engines.engine(parsed.task, parsed.model)
        except WorkerError as error:
            return JSONResponse({"error": error.body()}, status_code=400)
        return BatchResponse(Runner(engine, parsed, engines.account), pool)

    return Starlette(
        routes=[
            Route("/v1/health", health),
            Route("/v1/capabilities", capabilities),
            Route("/v1/batch", batch, methods=["POST"]),
        ],
        exception_handlers={404: _not_found, 405: _not_found},
    )


async def _not_found(request: Request, error: Exception) -> Response:
    status = getattr(error, "status_code", 404)
    message = f"{request.method} {request.url.path} is not part of protocol {PROTOCOL}"
    return JSONResponse({"error": bad(message).body()}, status_code=status)


async def _body(request: Request) -> bytes:
    """The request's body, refused as soon as it grows too large."""
    pieces = bytearray()
    try:
        async for piece in request.stream():
            pieces += piece
            if len(pieces) > MAX_BODY_BYTES:
                raise bad(f"the body has more than {MAX_BODY_BYTES} bytes")
    except ClientDisconnect as error:
        raise bad("the client left before the request ended") from error
    return bytes(pieces)


class BatchResponse(Response):
    """Streams a batch's results line by line, and stops the batch when the client leaves."""

    media_type = "application/x-ndjson"

    def __init__(self, runner: Runner, pool: ThreadPoolExecutor) -> None:
        super().__init__()
        self._runner = runner
        self._pool = pool

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the batch in the pool and send each line as it comes."""
        loop = asyncio.get_running_loop()
        lines: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        cancel = Cancel()

        def emit(line: dict[str, Any] | None) -> None:
            loop.call_soon_threadsafe(lines.put_nowait, line)

        work = loop.run_in_executor(self._pool, self._run, emit, cancel)
        leaving = asyncio.create_task(_left(receive))
        headers = [(b"content-type", b"application/x-ndjson"), (b"cache-control", b"no-store")]
        try:
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            while True:
                line = asyncio.create_task(lines.get())
                await asyncio.wait({line, leaving}, return_when=asyncio.FIRST_COMPLETED)
                if not line.done():
                    line.cancel()
                    break
                value = line.result()
                if value is None:
                    await send({"type": "http.response.body", "body": b"", "more_body": False})
                    break
                text = json.dumps(value, ensure_ascii=False, allow_nan=False) + "\n"
                await send({"type": "http.response.body", "body": text.encode(), "more_body": True})
        except OSError:
            pass  # The client left while a line was being sent.
        finally:
            cancel.set()
            leaving.cancel()
        await work

    def _run(self, emit: Any, cancel: Cancel) -> None:
        started = time.monotonic()
        runner = self._runner
        fields = {"batch_task": runner.batch.task, "batch_model": runner.batch.model}
        try:
            finished = runner.run(emit, cancel)
            log(
                "info",
                "batch finished" if finished else "batch cancelled",
                **fields,
                batch_items=len(runner.batch.items),
                batch_errors=runner.errors,
                elapsed_seconds=round(time.monotonic() - started, 3),
                cpu_seconds=round(runner.cpu, 3),
            )
        except Exception as error:  # The boundary of a batch: nothing else would report it.
            log("error", "batch broke", **fields, reason=f"{type(error).__name__}: {error}")
        finally:
            emit(None)


async def _left(receive: Receive) -> None:
    """Return when the client has closed the connection."""
    while (await receive())["type"] != "http.disconnect":
        pass
