"""What an engine is: a model runtime that performs tasks on items."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from ..models.catalogue import Model
from ..models.store import ModelStore
from ..protocol import Cancelled, WorkerError
from ..schedule import Account, Cancel, Cores, Cost

Item = dict[str, Any]


@dataclass(frozen=True)
class Context:
    """What an engine is given."""

    model: Model
    store: ModelStore
    cores: Cores
    account: Account

    @property
    def threads(self) -> int:
        """Cores that the models may use together."""
        return self.cores.count


@dataclass(frozen=True)
class Job:
    """One item on its way through an engine."""

    task: str
    item: Item
    options: dict[str, Any]
    cancel: Cancel
    cost: Cost
    cores: int = 1
    """Cores that it holds."""


Done = Callable[[Job, Any], None]
Call = Callable[[Done], None]


class Engine(ABC):
    """One model behind its runtime. Loaded when first used, once, and kept."""

    revision = 1
    """Raised when the same weights give other results because this code has changed."""

    cores = 0
    """Cores that one call holds; 0 for light calls, which hold none."""

    spare: Mapping[str, int] = {}
    """By task: as many cores, where they are free, for calls that can use more than one."""

    width = 1
    """Items of one batch that run at once."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self._loading = threading.Lock()
        self._loaded = False

    @property
    def model(self) -> Model:
        """The catalogue's entry."""
        return self.context.model

    # What subclasses say

    @abstractmethod
    def perform(self, job: Job) -> dict[str, Any]:
        """Do one item; returns its output. Raises WorkerError or Cancelled."""

    def load(self) -> None:  # noqa: B027
        """Load the weights. Called once, before the first item."""

    def installed(self) -> bool:
        """Whether the model can run here. Loads nothing."""
        return self.context.store.present(self.model)

    def digest(self) -> str | None:
        """SHA-256 of the weights, None when they are not there."""
        return self.context.store.digest(self.model) if self.installed() else None

    def capability(self, task: str) -> dict[str, Any]:
        """What the model offers for a task, as `/v1/capabilities` says it."""
        return {"languages": list(self.model.languages)}

    # What all engines share

    def describe(self, task: str) -> dict[str, Any]:
        """One entry of `/v1/capabilities`. Loads no weights."""
        installed = self.installed()
        common = {
            "model": self.model.name,
            "engine": self.model.engine,
            "installed": installed,
            "digest": self.digest() if installed else None,
            "revision": self.revision,
            "draft": self.model.draft,
        }
        return common | self.capability(task)

    def ready(self) -> None:
        """Load the weights unless they are loaded. Raises WorkerError `model_missing`."""
        with self._loading:
            if self._loaded:
                return
            if not self.installed():
                raise WorkerError("model_missing", self.missing())
            self.load()
            self._loaded = True

    def missing(self) -> str:
        """What to tell whoever asks for the model when it is not installed."""
        source = self.model.source
        if source.kind == "apt":
            return f"{self.model.name} is not installed: apt-get install {' '.join(source.apt)}"
        if self.model.pullable:
            return f"{self.model.name} is not installed: dubmill models pull {self.model.name}"
        return f"{self.model.name} is not installed: {self.model.reason or 'see models list'}"

    def run(self, job: Job) -> dict[str, Any]:
        """Do one item, holding the cores that it needs, and count what it costs."""
        if self.cores == 0:
            self.ready()
            return self.counted(job, 1)
        most = max(self.cores, self.spare.get(job.task, 0))
        with self.context.cores.hold(most, job.cancel, least=self.cores) as granted:
            self.ready()
            return self.counted(replace(job, cores=granted), granted)

    def counted(self, job: Job, weight: int) -> dict[str, Any]:
        """Perform an item as a running call of that weight."""
        cost = Cost(weight)
        try:
            with self.context.account.running(cost):
                return self.perform(job)
        finally:
            job.cost.cpu += cost.cpu

    def grouped(self, jobs: Sequence[Job]) -> Iterator[tuple[Call, list[Job]]]:
        """The calls that do these jobs, each with the jobs that it does.

        A call is given what to do with a job's output or WorkerError; it may raise Cancelled.
        Here every job is a call of its own.
        """
        for job in jobs:
            yield partial(self._alone, job), [job]

    def _alone(self, job: Job, done: Done) -> None:
        done(job, attempt(lambda: self.run(job)))

    def close(self) -> None:  # noqa: B027
        """End what the engine has started. Called when the worker ends."""


def attempt(call: Callable[[], Any]) -> Any:
    """The call's value, or the WorkerError that it ended with; Cancelled goes through.

    Whatever else an engine raises becomes `internal`, so that one item cannot end a batch.
    """
    try:
        return call()
    except (WorkerError, Cancelled) as error:
        if isinstance(error, Cancelled):
            raise
        return error
    except MemoryError as error:
        return WorkerError("out_of_memory", str(error) or "no memory is left")
    except Exception as error:  # The boundary of an item.
        if "allocate" in str(error).lower() or "out of memory" in str(error).lower():
            return WorkerError("out_of_memory", str(error))
        return WorkerError("internal", f"{type(error).__name__}: {error}")
