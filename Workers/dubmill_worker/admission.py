"""How much of a batch a card takes: tried, learnt, and remembered.

What a batch needs is known only by trying: it depends on the model, the card, the runtime and
who else is there. So a batch that runs out of memory is halved and tried again, what was too much
is written down for that model on that card, and the next batch is cut before it is tried.
"""

from __future__ import annotations

import json
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from .models.store import write_durably
from .protocol import WorkerError

Item = TypeVar("Item")
Result = TypeVar("Result")

_WORDS = ("out of memory", "failed to allocate", "cannot allocate", "can't allocate", "bad_alloc")


def out_of_memory(error: BaseException) -> bool:
    """Whether that is what an error means, whichever runtime raised it."""
    if isinstance(error, WorkerError):
        return error.code == "out_of_memory"
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    text = str(error).lower()
    return any(words in text for words in _WORDS) or "alloc_failed" in text


class Limits:
    """What was learnt, by model and card: a small JSON file under the data folder.

    `good` is the dearest batch that went through, `bad` the cheapest that did not; both in the
    unit of the engine (frames, tokens). Several workers may share the file: each writes it whole,
    and what one learnt and another overwrote is learnt again.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._known: dict[str, dict[str, int]] = {}
        if path is not None:
            self._known = _read(path)

    def allowed(self, model: str, card: str) -> int | None:
        """The dearest batch that may be tried; None where nothing was ever too much."""
        with self._lock:
            known = self._known.get(f"{model}@{card}", {})
        bad = known.get("bad")
        if bad is None:
            return None
        # Between the two nobody knows; the middle is tried, so that the limit is found.
        good = min(known.get("good", 0), bad - 1)
        return max(1, (good + bad) // 2) if bad - good > max(1, bad // 8) else max(1, good)

    def went(self, model: str, card: str, cost: int) -> None:
        """A batch of that cost went through."""
        self._note(model, card, "good", cost, max)

    def failed(self, model: str, card: str, cost: int) -> None:
        """A batch of that cost ran out of memory."""
        self._note(model, card, "bad", cost, min)

    def _note(
        self, model: str, card: str, field: str, cost: int, better: Callable[[int, int], int]
    ) -> None:
        with self._lock:
            known = self._known.setdefault(f"{model}@{card}", {})
            before = known.get(field)
            known[field] = cost if before is None else better(before, cost)
            if field == "bad":
                known["good"] = min(known.get("good", 0), cost - 1)
            elif cost >= known.get("bad", cost + 1):
                # It went through after all: somebody else had the memory then.
                del known["bad"]
            if self._path is not None and known.get(field) != before:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                text = json.dumps(self._known, indent=1, sort_keys=True)
                write_durably(self._path, text.encode())


def _read(path: Path) -> dict[str, dict[str, int]]:
    """The file's limits. What cannot be read is as good as nothing: it is learnt again."""
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {
        str(key): {f: v for f, v in value.items() if f in ("good", "bad") and isinstance(v, int)}
        for key, value in found.items()
        if isinstance(value, dict)
    }


class Admission:
    """Runs batches of one model on one card within what was learnt."""

    def __init__(self, limits: Limits, model: str, card: str) -> None:
        self._limits = limits
        self._model = model
        self._card = card
        self.halved = 0
        """How often a batch ran out of memory and was cut."""

    def run(
        self,
        items: Sequence[Item],
        cost: Callable[[Sequence[Item]], int],
        compute: Callable[[Sequence[Item]], Sequence[Result]],
        recover: Callable[[], None] | None = None,
    ) -> list[Result | WorkerError]:
        """The results in order, one for each item.

        An item that finds no memory by itself gets the WorkerError `out_of_memory`; the others
        are not touched by it. All other errors go through. `recover` is called after a failure,
        for the runtime to give back what it holds.
        """
        if not items:
            return []
        units = cost(items)
        allowed = self._limits.allowed(self._model, self._card)
        if len(items) > 1 and allowed is not None and units > allowed:
            return self._halves(items, cost, compute, recover)
        try:
            results = list(compute(items))
        except Exception as error:
            if not out_of_memory(error):
                raise
            reason = str(error) or "no memory is left"
        else:
            self._limits.went(self._model, self._card, units)
            return list(results)
        # Behind the except clause: the traceback there still holds the batch's tensors.
        if recover is not None:
            recover()
        self._limits.failed(self._model, self._card, units)
        if len(items) == 1:
            return [WorkerError("out_of_memory", f"{self._model} on {self._card}: {reason}")]
        self.halved += 1
        return self._halves(items, cost, compute, recover)

    def _halves(
        self,
        items: Sequence[Item],
        cost: Callable[[Sequence[Item]], int],
        compute: Callable[[Sequence[Item]], Sequence[Result]],
        recover: Callable[[], None] | None,
    ) -> list[Result | WorkerError]:
        middle = (len(items) + 1) // 2
        return [
            *self.run(items[:middle], cost, compute, recover),
            *self.run(items[middle:], cost, compute, recover),
        ]

    def warm(
        self,
        samples: Sequence[Sequence[Item]],
        cost: Callable[[Sequence[Item]], int],
        compute: Callable[[Sequence[Item]], Sequence[Any]],
        recover: Callable[[], None] | None = None,
    ) -> list[float]:
        """Run one batch of each length, longest first, before the model says that it is ready.

        Kernels are chosen and compiled and memory is taken then, and not in somebody's first
        batch; and the limit is learnt. Returns the seconds of each.
        """
        seconds = []
        for batch in sorted(samples, key=cost, reverse=True):
            started = time.perf_counter()
            self.run(batch, cost, compute, recover)
            seconds.append(time.perf_counter() - started)
        return seconds


@dataclass
class _Resident:
    loaded: Any
    size: int
    unload: Callable[[Any], None]
    users: int = 0


class Card:
    """Models that share a card; who was used longest ago goes when another has no room.

    `capacity` is bytes. A model in use is never taken away. Loading happens under one lock: two
    models that load at once would each see the room that the other is about to take.
    """

    def __init__(self, name: str, capacity: int) -> None:
        self.name = name
        self.capacity = capacity
        self.evicted: list[str] = []
        self._models: OrderedDict[str, _Resident] = OrderedDict()
        self._changed = threading.Condition()

    @property
    def used(self) -> int:
        """Bytes of the models that are loaded."""
        return sum(resident.size for resident in self._models.values())

    @property
    def resident(self) -> list[str]:
        """Names of the models that are loaded, the one used longest ago first."""
        with self._changed:
            return list(self._models)

    @contextmanager
    def using(
        self,
        name: str,
        size: int,
        load: Callable[[], Any],
        unload: Callable[[Any], None],
        patience: float = 600.0,
    ) -> Iterator[Any]:
        """The loaded model, for the block; it is loaded where it is not.

        Waits at most `patience` seconds for models in use to become free. Raises WorkerError
        `out_of_memory` where it does not fit even so.
        """
        with self._changed:
            resident = self._models.get(name)
            if resident is None:
                resident = self._load(name, size, load, unload, patience)
            resident.users += 1
            self._models.move_to_end(name)
        try:
            yield resident.loaded
        finally:
            with self._changed:
                resident.users -= 1
                self._changed.notify_all()

    def _load(
        self,
        name: str,
        size: int,
        load: Callable[[], Any],
        unload: Callable[[Any], None],
        patience: float,
    ) -> _Resident:
        if size > self.capacity:
            raise WorkerError(
                "out_of_memory",
                f"{name} needs {size} bytes; {self.name} has {self.capacity}",
            )
        while True:
            while self.used + size > self.capacity:
                self._room(name, patience)
                known = self._models.get(name)
                if known is not None:  # Somebody loaded it while this waited.
                    return known
            try:
                loaded = load()
            except Exception as error:
                # What models hold is an estimate; the card has the last word.
                if not out_of_memory(error) or not self._models:
                    raise
            else:
                resident = self._models[name] = _Resident(loaded, size, unload)
                return resident
            self._room(name, patience)
            known = self._models.get(name)
            if known is not None:
                return known

    def _room(self, name: str, patience: float) -> None:
        """Take away the model used longest ago that nobody uses, or wait for one."""
        idle = next((n for n, r in self._models.items() if r.users == 0), None)
        if idle is None:
            if not self._changed.wait(patience):
                raise WorkerError(
                    "out_of_memory", f"{name} finds no room on {self.name}: all models are in use"
                )
            return
        resident = self._models.pop(idle)
        resident.unload(resident.loaded)
        self.evicted.append(idle)

    def close(self) -> None:
        """Unload everything."""
        with self._changed:
            while self._models:
                _, resident = self._models.popitem(last=False)
                resident.unload(resident.loaded)
