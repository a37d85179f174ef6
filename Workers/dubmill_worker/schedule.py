"""Who may use how many cores when, and what it cost.

Heavy calls (Whisper, language models, Kokoro) hold cores while they compute, first come first
served, so that together they never run more threads than there are cores. Light calls hold none.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from .protocol import Cancelled

_POLL_SECONDS = 0.1


class Cancel:
    """Set when the client has gone. Engines look at it between steps."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def set(self) -> None:
        """Ask the work to stop."""
        self._event.set()

    @property
    def is_set(self) -> bool:
        """Whether the work was asked to stop."""
        return self._event.is_set()

    def check(self) -> None:
        """Raise Cancelled if the work was asked to stop."""
        if self._event.is_set():
            raise Cancelled


class Cores:
    """A first-in-first-out counter of free cores.

    A large request is not overtaken by small ones: only the head of the queue may enter.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._free = count
        self._queue: deque[object] = deque()
        self._changed = threading.Condition()

    @contextmanager
    def hold(self, wanted: int, cancel: Cancel, least: int | None = None) -> Iterator[int]:
        """Hold `wanted` cores (at most all there are) for the block; yields how many.

        With `least` it takes what is free once that many are, instead of waiting for all.
        Raises Cancelled when the client goes while this waits.
        """
        wanted = max(1, min(wanted, self.count))
        enough = wanted if least is None else max(1, min(least, wanted))
        ticket = object()
        with self._changed:
            self._queue.append(ticket)
            try:
                while self._queue[0] is not ticket or self._free < enough:
                    self._changed.wait(_POLL_SECONDS)
                    cancel.check()
                granted = min(wanted, self._free)
                self._free -= granted
            finally:
                self._queue.remove(ticket)
                self._changed.notify_all()
        try:
            yield granted
        finally:
            with self._changed:
                self._free += granted
                self._changed.notify_all()


@dataclass(eq=False)
class Cost:
    """What one call has used so far: seconds of CPU, and the share it has in what runs now."""

    weight: float
    cpu: float = 0.0


class Account:
    """Attributes the process's CPU seconds to the calls that run.

    The runtimes compute in threads of their own, so a call cannot read its cost from its own
    thread. At every entry and exit the CPU time since the last one is divided among the calls
    that were running, in proportion to the cores each holds. The sum is exact, the division is
    an estimate. Child processes report what they used with `add`.
    """

    def __init__(self, clock: Callable[[], float] = time.process_time) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._last = clock()
        self._running: list[Cost] = []

    def _settle(self) -> None:
        now = self._clock()
        total = sum(cost.weight for cost in self._running)
        for cost in self._running:
            cost.cpu += (now - self._last) * cost.weight / total
        self._last = now

    @contextmanager
    def running(self, cost: Cost) -> Iterator[None]:
        """Count the block as a running call of that cost."""
        with self._lock:
            self._settle()
            self._running.append(cost)
        try:
            yield
        finally:
            with self._lock:
                self._settle()
                self._running.remove(cost)

    def add(self, cost: Cost, seconds: float) -> None:
        """Add what a child process used on behalf of a call."""
        with self._lock:
            cost.cpu += seconds
