"""Runs the items of one batch and reports each as it ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from .engines.base import Call, Engine, Job
from .protocol import Batch, Cancelled, WorkerError
from .schedule import Account, Cancel, Cost

Emit = Callable[[dict[str, Any]], None]


class Runner:
    """One batch on its way through its engine."""

    def __init__(self, engine: Engine, batch: Batch, account: Account) -> None:
        self.engine = engine
        self.batch = batch
        self.errors = 0
        self.cpu = 0.0
        self._account = account
        self._lock = threading.Lock()

    def run(self, emit: Emit, cancel: Cancel) -> bool:
        """Emit a line per item as it ends and a last one for the batch.

        Returns whether it got to the end; a cancelled batch emits no last line.
        """
        started = time.monotonic()
        batch = self.batch
        jobs = [Job(batch.task, i, batch.options, cancel, Cost(1)) for i in batch.items]
        width = max(1, self.engine.width)
        with ThreadPoolExecutor(width, thread_name_prefix="item") as pool:
            running = []
            for call, _ in self.engine.grouped(jobs):
                running.append(pool.submit(self._group, call, emit, cancel))
            for future in running:
                future.result()
        if cancel.is_set:
            return False
        seconds = {"wall": round(time.monotonic() - started, 4), "cpu": round(self.cpu, 4)}
        emit({"done": True, "items": len(jobs), "errors": self.errors, "seconds": seconds})
        return True

    def _group(
        self,
        call: Call,
        emit: Emit,
        cancel: Cancel,
    ) -> None:
        if cancel.is_set:
            return
        started = time.monotonic()

        def done(job: Job, result: Any) -> None:
            wall = time.monotonic() - started
            emit(self._line(job, result, wall))

        try:
            call(done)
        except Cancelled:
            return

    def _line(self, job: Job, result: Any, wall: float) -> dict[str, Any]:
        seconds = {"wall": round(wall, 4), "cpu": round(job.cost.cpu, 4)}
        with self._lock:
            self.cpu += job.cost.cpu
            self.errors += isinstance(result, WorkerError)
        identity = job.item["id"]
        if isinstance(result, WorkerError):
            error = result.body()
            return {"id": identity, "status": "error", "error": error, "seconds": seconds}
        return {"id": identity, "status": "ok", "output": result, "seconds": seconds}
