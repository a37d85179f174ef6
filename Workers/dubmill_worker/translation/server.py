"""A server that speaks OpenAI's chat protocol: one request, its limits respected."""

from __future__ import annotations

import hashlib
import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from ..protocol import WorkerError
from ..schedule import Cancel

_ANSWER_SECONDS = 120.0
_LONGEST_WAIT = 300.0
"""Seconds that an item waits in all for a server that takes no more requests."""
_FAILURES = 3
"""Tries at a server that fails."""
_LONGEST_PAUSE = 30.0
_LARGEST_ANSWER = 4 << 20


@dataclass(frozen=True)
class ChatServer:
    """Where a model answers, and what opens it."""

    url: str
    model: str
    key: str | None = field(default=None, repr=False)
    parallel: int = 4

    @classmethod
    def at(cls, url: str, model: str, key: str | None = None, parallel: int = 4) -> ChatServer:
        """A server by the root of its URLs: `https://host/v1`, with or without its last part.

        Raises ValueError for what is no such URL.
        """
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("--chat-url is not an http or https URL")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError("--chat-url holds a user, a password or a query; keys go into a file")
        if not model:
            raise ValueError("--chat-model is missing")
        if key is not None and not (key.isascii() and key.isprintable() and key.strip() == key):
            raise ValueError("the key of the chat server is not printable ASCII")
        if not 1 <= parallel <= 64:
            raise ValueError(f"--chat-parallel is {parallel}; give 1 to 64")
        root = url.rstrip("/")
        if not root.endswith("/chat/completions"):
            root += "/chat/completions" if root.endswith("/v1") else "/v1/chat/completions"
        return cls(root, model, key, parallel)

    @property
    def digest(self) -> str:
        """What stands for the weights, which nobody can see: the address and the model's name."""
        return hashlib.sha256(f"{self.url}\n{self.model}".encode()).hexdigest()


class Refused(Exception):
    """A status of 400 and above."""

    def __init__(self, status: int, body: bytes, after: str | None) -> None:
        super().__init__(status)
        self.status = status
        self.after = after
        self.message = f"status {status}"
        self.parameter = ""
        with suppress(ValueError, AttributeError):
            error = json.loads(body).get("error", {})
            self.message = str(error.get("message") or self.message)[:300]
            self.parameter = str(error.get("param") or "")


class Pace:
    """When the server may be asked again; what it says to one holds for all."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._not_before = 0.0

    def hold(self, seconds: float) -> None:
        """Ask nothing for so long."""
        with self._lock:
            self._not_before = max(self._not_before, self._clock() + seconds)

    def left(self) -> float:
        """Seconds until something may be asked."""
        with self._lock:
            return max(0.0, self._not_before - self._clock())

    def wait(self, cancel: Cancel) -> float:
        """Wait until something may be asked; how long that was. Raises Cancelled."""
        started = self._clock()
        while (left := self.left()) > 0:
            time.sleep(min(left, 0.05))
            cancel.check()
        return self._clock() - started


class ChatClient:
    """Asks a server, at most so often as it lets us."""

    def __init__(self, server: ChatServer, pace: Pace | None = None) -> None:
        self.server = server
        self.pace = pace or Pace()
        self._places = threading.BoundedSemaphore(server.parallel)
        # What this server turned out not to know, by OpenAI's name.
        self._unknown: set[str] = set()

    def complete(self, request: dict[str, Any], cancel: Cancel) -> dict[str, Any]:
        """The server's answer to a request.

        Waits where it says so (429 and 503, Retry-After), tries again where it fails, and leaves
        out parameters that it does not take. Raises WorkerError or Cancelled.
        """
        waited, failures = 0.0, 0
        while True:
            waited += self.pace.wait(cancel)
            try:
                with self._place(cancel):
                    # While this one waited for its place, another may have been told to wait.
                    if self.pace.left() == 0:
                        return self._send(self._known(request), cancel)
                continue
            except Refused as refused:
                if refused.status in (429, 503):
                    pause = _after(refused.after)
                    failures += 1
                    pause = min(_LONGEST_PAUSE, 2.0 ** (failures - 1)) if pause is None else pause
                    if waited + pause > _LONGEST_WAIT:
                        raise self._gone(f"takes no more requests: {refused.message}") from refused
                    self.pace.hold(pause)
                    continue
                if refused.status in (400, 422) and self._forget(refused, request):
                    continue
                if refused.status < 500:
                    raise self._wrong(refused) from refused
                reason = refused.message
            except (OSError, http.client.HTTPException, ValueError) as error:
                cancel.check()
                reason = f"{type(error).__name__}: {error}"
            failures += 1
            if failures >= _FAILURES:
                raise self._gone(reason)
            self.pace.hold(min(_LONGEST_PAUSE, 0.25 * 2.0**failures))

    def _gone(self, reason: str) -> WorkerError:
        return WorkerError("internal", f"{self.server.model} at {self.server.url}: {reason}")

    def _wrong(self, refused: Refused) -> WorkerError:
        place = f"{self.server.model} at {self.server.url}"
        if refused.status in (401, 403):
            reason = "does not accept the key; set DUBMILL_CHAT_KEY"
            return WorkerError("model_missing", f"{place} {reason} ({refused.status})")
        if refused.status == 404:
            return WorkerError("model_missing", f"{place} is not there: {refused.message}")
        return WorkerError("bad_request", f"{place}: {refused.message}")

    def _known(self, request: dict[str, Any]) -> dict[str, Any]:
        known = {name: value for name, value in request.items() if name not in self._unknown}
        if "max_tokens" in self._unknown and "max_completion_tokens" not in self._unknown:
            known["max_completion_tokens"] = request["max_tokens"]
        return known

    def _forget(self, refused: Refused, request: dict[str, Any]) -> bool:
        """Note that the server does not take a parameter which can be left out."""
        optional = (set(request) | {"max_completion_tokens"}) - {"model", "messages"}
        name = refused.parameter
        if name not in optional or name in self._unknown:
            return False
        self._unknown.add(name)
        return True

    @contextmanager
    def _place(self, cancel: Cancel) -> Iterator[None]:
        while not self._places.acquire(timeout=0.05):
            cancel.check()
        try:
            yield
        finally:
            self._places.release()

    def _send(self, request: dict[str, Any], cancel: Cancel) -> dict[str, Any]:
        parts = urlsplit(self.server.url)
        assert parts.hostname is not None
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        connection = kind(parts.hostname, parts.port, timeout=_ANSWER_SECONDS)
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self.server.key:
            headers["Authorization"] = f"Bearer {self.server.key}"
        with _closed_when(cancel, connection):
            connection.request("POST", parts.path, json.dumps(request).encode(), headers)
            response = connection.getresponse()
            body = response.read(_LARGEST_ANSWER)
        if response.status >= 400:
            raise Refused(response.status, body, response.getheader("Retry-After"))
        answer = json.loads(body)
        if not isinstance(answer, dict):
            raise ValueError("the answer is not a JSON object")
        return answer


@contextmanager
def _closed_when(cancel: Cancel, connection: http.client.HTTPConnection) -> Iterator[None]:
    """Close the connection when the client has gone, so that the server stops as well."""
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.05):
            if cancel.is_set and connection.sock is not None:
                with suppress(OSError):
                    connection.sock.shutdown(2)
                return

    watcher = threading.Thread(target=watch, name="chat-cancel", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        connection.close()
    cancel.check()


def _after(text: str | None) -> float | None:
    """Seconds of a Retry-After field: a number, or a date (RFC 9110, section 10.2.3)."""
    if text is None:
        return None
    with suppress(ValueError):
        return max(0.0, float(text))
    with suppress(TypeError, ValueError):
        return max(0.0, (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds())
    return None
