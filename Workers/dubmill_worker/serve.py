"""The process: listens on a Unix socket until its parent goes or it is told to stop."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from contextlib import suppress
from pathlib import Path

import uvicorn

from . import __version__
from .app import build_app
from .engines.registry import Engines
from .log import log
from .models.catalogue import Catalogue
from .models.store import ModelStore

_CANNOT_LISTEN = 1


def serve(path: Path, store: ModelStore, catalogue: Catalogue, threads: int) -> int:
    """Answer until stdin reaches its end or a signal comes. Returns the exit status."""
    try:
        listener = listen(path)
    except OSError as error:
        log("error", "cannot listen", socket_path=str(path), reason=str(error))
        return _CANNOT_LISTEN
    identity = path.stat().st_ino
    engines = Engines(catalogue, store, threads)
    leave_with_parent(path, identity, engines)
    config = uvicorn.Config(
        build_app(engines),
        log_config=None,
        access_log=False,
        lifespan="off",
        http="h11",
        loop="asyncio",
        timeout_graceful_shutdown=1,
    )
    # uvicorn stops at these signals and then raises them again, for whoever handled them before.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    log(
        "info",
        "worker ready",
        worker_version=__version__,
        worker_socket=str(path),
        worker_threads=threads,
        worker_pid=os.getpid(),
    )
    try:
        uvicorn.Server(config).run(sockets=[listener])
    finally:
        remove(path, identity)
        engines.close()
    # The runtimes' threads may still be computing for nobody; do not wait for them.
    sys.stderr.flush()
    os._exit(0)


def listen(path: Path) -> socket.socket:
    """A socket that only its owner can open. A socket that nobody answers is replaced.

    Raises OSError when another worker answers there or the path cannot be used.
    """
    if path.is_socket():
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(str(path))
            except ConnectionRefusedError:
                path.unlink()
            else:
                raise OSError(f"another process answers at {path}")
    listener = socket.socket(socket.AF_UNIX)
    before = os.umask(0o177)
    try:
        listener.bind(str(path))
    finally:
        os.umask(before)
    path.chmod(0o600)
    listener.listen(128)
    listener.setblocking(False)
    return listener


def remove(path: Path, identity: int) -> None:
    """Remove the socket, unless another worker has put its own there."""
    with suppress(OSError):
        if path.stat().st_ino == identity:
            path.unlink()


def leave_with_parent(path: Path, identity: int, engines: Engines) -> None:
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
        remove(path, identity)
        engines.close()
        os._exit(0)

    threading.Thread(target=watch, name="parent", daemon=True).start()
