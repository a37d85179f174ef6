"""Which engine runs which model."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from ..models.catalogue import TASKS, Catalogue, Model
from ..models.store import ModelStore
from ..protocol import WorkerError, bad
from ..schedule import Account, Cores
from ..translation.server import ChatServer
from .base import Context, Engine


def _silero(context: Context, _: Engines) -> Engine:
    from .silero import Silero

    return Silero(context)


def _whisper(context: Context, engines: Engines) -> Engine:
    from .silero import Silero
    from .whisper import Whisper

    silero = engines.by_name("silero-vad")
    return Whisper(context, silero if isinstance(silero, Silero) else None)


def _llama(context: Context, _: Engines) -> Engine:
    from .llama import Llama

    return Llama(context)


def _apertium(context: Context, _: Engines) -> Engine:
    from .apertium import Apertium

    return Apertium(context)


def _pico(context: Context, _: Engines) -> Engine:
    from .pico import Pico

    return Pico(context)


def _kokoro(context: Context, _: Engines) -> Engine:
    from .kokoro import Kokoro

    return Kokoro(context)


def _espeak(context: Context, _: Engines) -> Engine:
    from .espeak import Espeak

    return Espeak(context)


def _deepfilter(context: Context, _: Engines) -> Engine:
    from .deepfilter import DeepFilter

    return DeepFilter(context)


def _voiceprint(context: Context, _: Engines) -> Engine:
    from .voiceprint import Voiceprint

    return Voiceprint(context)


def _dnsmos(context: Context, _: Engines) -> Engine:
    from .dnsmos import Dnsmos

    return Dnsmos(context)


def _chat(context: Context, engines: Engines) -> Engine:
    from .chat import Chat

    assert engines.chat is not None
    return Chat(context, engines.chat)


_BUILDERS: dict[str, Callable[[Context, Engines], Engine]] = {
    "silero": _silero,
    "faster-whisper": _whisper,
    "llama.cpp": _llama,
    "apertium": _apertium,
    "pico": _pico,
    "kokoro": _kokoro,
    "espeak-ng": _espeak,
    "deepfilternet": _deepfilter,
    "voiceprint": _voiceprint,
    "dnsmos": _dnsmos,
    "chat": _chat,
}
"""By the catalogue's `engine`. Modules are imported when first asked for: some are large."""


class Engines:
    """All engines of this worker, each built once."""

    def __init__(
        self,
        catalogue: Catalogue,
        store: ModelStore,
        threads: int,
        chat: ChatServer | None = None,
    ) -> None:
        if chat is not None:
            from .chat import entry

            catalogue = catalogue.adding(entry(chat))
        self.catalogue = catalogue
        self.chat = chat
        self.store = store
        self.cores = Cores(threads)
        self.account = Account()
        self._built: dict[str, Engine] = {}
        self._lock = threading.RLock()

    def by_name(self, name: str) -> Engine | None:
        """The engine of that model; None where the catalogue or the code has none."""
        model = self.catalogue.get(name)
        if model is None or model.engine not in _BUILDERS:
            return None
        with self._lock:
            engine = self._built.get(name)
            if engine is None:
                context = Context(model, self.store, self.cores, self.account)
                engine = self._built[name] = _BUILDERS[model.engine](context, self)
            return engine

    def engine(self, task: str, name: str) -> Engine:
        """The engine for a request.

        Raises WorkerError `bad_request` for a task or a model that this worker does not have.
        """
        if task not in TASKS:
            raise bad(f"task {task!r} is unknown; this worker does {', '.join(TASKS)}")
        model = self.catalogue.get(name)
        if model is None or task not in model.tasks:
            known = [m.name for m in self.catalogue.models.values() if task in m.tasks]
            raise bad(f"{name!r} does not {task}; these do: {', '.join(known)}")
        engine = self.by_name(name)
        if engine is None:
            raise WorkerError("model_missing", f"{name}: {model.reason}")
        return engine

    def capabilities(self) -> dict[str, list[dict[str, Any]]]:
        """By task, what each model that this worker can run offers. Loads no weights."""
        return {
            task: [
                engine.describe(task)
                for model in self.catalogue.models.values()
                if task in model.tasks and (engine := self.by_name(model.name)) is not None
            ]
            for task in TASKS
        }

    def close(self) -> None:
        """End what the engines have started."""
        with self._lock:
            for engine in self._built.values():
                engine.close()


def externally_installed(model: Model) -> bool | None:
    """For models that no pull installs, whether they are there; None for all others."""
    if model.engine == "apertium":
        from .apertium import installed_pairs

        return bool(installed_pairs())
    if model.engine == "espeak-ng":
        from .espeak import installed

        return installed()
    if model.engine == "pico":
        from .pico import lingware

        return lingware() is not None
    if model.engine == "deepfilternet":
        from .deepfilter import bundle

        return bundle() is not None
    return None
