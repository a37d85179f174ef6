"""The process: listens until its parent goes or it is told to stop."""

from __future__ import annotations

import os
import signal
import stat
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from . import __version__
from .access import Guarded
from .app import build_app
from .engines.registry import Engines
from .listener import Port, listen, listen_on_port, remove
from .log import log

_CANNOT_LISTEN = 1


@dataclass(frozen=True)
class Service:
    """Where to answer, and whom."""

    place: Path | Port
    token: str | None = None
    certificate: Path | None = None
    key: Path | None = None
    drain: int = 1
    """Seconds for what was begun, once it is told to stop."""


class Server(uvicorn.Server):
    """A server that says at once when it was told to stop, while it ends what it has begun."""

    def __init__(self, config: uvicorn.Config, stopping: Callable[[], None]) -> None:
        super().__init__(config)
        self._stopping = stopping

    def handle_exit(self, sig: int, frame: Any) -> None:
        """Note the signal down."""
        self._stopping()
        super().handle_exit(sig, frame)


def serve(service: Service, engines: Engines) -> int:
    """Answer until stdin reaches its end or a signal comes. Returns the exit status."""
    place = service.place
    try:
        listener = listen(place) if isinstance(place, Path) else listen_on_port(place)
    except OSError as error:
        log("error", "cannot listen", socket_path=str(place), reason=str(error))
        return _CANNOT_LISTEN
    leave = engines.close
    if isinstance(place, Path):
        identity = place.stat().st_ino
        leave = _removing(place, identity, engines)
    if isinstance(place, Path) or stat.S_ISFIFO(os.fstat(0).st_mode):
        # A worker on a port is often started with nothing on its stdin: nobody holds it then.
        leave_with_parent(leave)
    application = build_app(engines)
    guarded: ASGIApp = Guarded(application, service.token) if service.token else application
    config = uvicorn.Config(
        guarded,
        log_config=None,
        access_log=False,
        lifespan="off",
        http="h11",
        loop="asyncio",
        timeout_graceful_shutdown=service.drain,
        ssl_certfile=service.certificate,
        ssl_keyfile=service.key,
    )
    try:
        config.load()
    except OSError as error:  # ssl.SSLError is one.
        log("error", "cannot use the certificate", reason=str(error))
        return _CANNOT_LISTEN
    # uvicorn stops at these signals and then raises them again, for whoever handled them before.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    announce(service, listener.getsockname(), engines)

    def stopping() -> None:
        application.state.status = "draining"

    try:
        Server(config, stopping).run(sockets=[listener])
    finally:
        leave()
    # The runtimes' threads may still be computing for nobody; do not wait for them.
    sys.stderr.flush()
    os._exit(0)


def announce(service: Service, address: Any, engines: Engines) -> None:
    """Say where it answers, and what is not safe about that."""
    secure = service.certificate is not None
    where = str(service.place)
    if isinstance(service.place, Port):
        host, port = address[:2]
        host = f"[{host}]" if ":" in host else host
        where = f"{'https' if secure else 'http'}://{host}:{port}"
        if not service.place.is_loopback and not secure:
            log("warning", "texts and token travel unencrypted", worker_address=where)
    log(
        "info",
        "worker ready",
        worker_version=__version__,
        worker_socket=where,
        worker_threads=engines.cores.count,
        worker_pid=os.getpid(),
        worker_token=service.token is not None,
    )


def _removing(path: Path, identity: int, engines: Engines) -> Callable[[], None]:
    def leave() -> None:
        remove(path, identity)
        engines.close()

    return leave


def leave_with_parent(leave: Callable[[], None]) -> None:
    """End the process when stdin does: the parent holds its other end and has died.

    Ends at once, without waiting for calls in flight: nobody waits for their results.
    """

    def watch() -> None:
        while True:
            try:
                if not os.read(0, 4096):
                    break
            except InterruptedError:
                continue
            except OSError:
                break
        log("info", "stdin ended, leaving", worker_pid=os.getpid())
        leave()
        os._exit(0)

    threading.Thread(target=watch, name="parent", daemon=True).start()
