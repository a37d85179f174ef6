"""Translation by an instruct model in GGUF, run by llama.cpp."""

from __future__ import annotations

import os
import queue
import shutil
import tempfile
from pathlib import Path
from typing import Any

from ..protocol import WorkerError
from ..schedule import Cancel
from ..translation.prompt import Message
from .asking import Asking
from .base import Context

_LANES = 4
_CONTEXT_TOKENS = 1536
_SIGN = "\u241e"


class Lane:
    """One instance of the model, and what its cache holds."""

    def __init__(self, server: Any) -> None:
        self.server = server
        self.cached: Message | None = None
        self.first = b""


class Llama(Asking):
    """translate, lines side by side, each in an instance of the model with cores of its own.

    Lines that share an instance would share matrices too: their shapes, and with them the last
    bits of the sums, would depend on which lines meet, and now and then a translation would.
    Threads that share a line meet at a barrier hundreds of times a token. So every line has an
    instance for itself, and finds its cache in the same state.
    """

    revision = 1

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.width = min(context.threads, _LANES)
        self.cores = context.threads // self.width
        self._lanes: queue.SimpleQueue[Lane] = queue.SimpleQueue()

    def load(self) -> None:
        """Load the weights, once a lane; the file's pages are shared."""
        # Its threads meet at a barrier hundreds of times a token. Spinning there while another
        # process has one of the cores made a batch four times slower; sleeping costs nothing
        # measurable when the cores are free. Read when the library is loaded, so set first.
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
        for _ in range(self.width):
            self._lanes.put(Lane(self._server()))

    def _server(self) -> Any:
        """An instance. llama.cpp insists on listening: on a socket that is removed at once."""
        import xllamacpp

        params = xllamacpp.CommonParams()
        params.model.path = str(self.context.store.folder(self.model.name) / "model.gguf")
        params.n_parallel = 1
        params.n_ctx = _CONTEXT_TOKENS
        params.cache_ram_mib = 0
        params.cpuparams.n_threads = self.cores
        params.cpuparams_batch.n_threads = self.cores
        params.sampling.temp = 0.0
        params.warmup = False
        params.verbosity = 0
        params.endpoint_slots = False
        private = Path(tempfile.mkdtemp(prefix="dubmill-"))
        try:
            params.hostnames = [str(private / "llama.sock")]
            return xllamacpp.Server(params)
        except RuntimeError as error:
            raise WorkerError("internal", f"{self.model.name} does not load: {error}") from error
        finally:
            shutil.rmtree(private, ignore_errors=True)

    def ask(
        self, chat: list[Message], limit: int, again: bool, cancel: Cancel
    ) -> tuple[str, bool]:
        """An answer of an instance that nobody else uses meanwhile."""
        lane = self._lanes.get()
        try:
            return self._ask(lane, chat, limit, again, cancel)
        finally:
            self._lanes.put(lane)

    def _settle(self, lane: Lane, chat: list[Message]) -> None:
        """Bring the cache into the one state in which every line of a pair finds it.

        The cache has to end where the line begins. It does when the line before began with
        another byte; otherwise the two would share more than the instruction, and this one would
        be computed in other portions. Then a sign that no line begins with is put in between.
        """
        instruction, first = chat[0], chat[-1]["content"].encode()[:1]
        plain = len(chat) == 2
        known = lane.cached == instruction
        if not (known and plain and lane.first and lane.first != first):
            lane.server.handle_chat_completions(
                {
                    "messages": [instruction, {"role": "user", "content": _SIGN}],
                    "max_tokens": 0,
                    "cache_prompt": known,
                }
            )
        lane.cached = instruction
        # What follows the instruction is not the line when neighbours are in between.
        lane.first = first if plain else b""

    def _ask(
        self, lane: Lane, chat: list[Message], limit: int, again: bool, cancel: Cancel
    ) -> tuple[str, bool]:
        """The model's answer, and whether it came to an end by itself.

        The second time repetition costs a little, or a loop would come out as it did before.
        """
        self._settle(lane, chat)
        pieces: list[str] = []
        reasons: list[str] = []
        failures: list[str] = []

        def receive(chunk: Any) -> bool:
            for part in chunk if isinstance(chunk, list) else [chunk]:
                if "error" in part:
                    failures.append(str(part["error"]))
                    return True
                for choice in part.get("choices", ()):
                    pieces.append(choice.get("delta", {}).get("content") or "")
                    if choice.get("finish_reason"):
                        reasons.append(choice["finish_reason"])
            return cancel.is_set

        request = {
            "messages": chat,
            "max_tokens": limit,
            "temperature": 0.0,
            "top_k": 1,
            "seed": 1,
            "repeat_penalty": 1.1 if again else 1.0,
            "stop": ["\n"],
            "stream": True,
            "cache_prompt": True,
        }
        lane.server.handle_chat_completions(request, receive)
        cancel.check()
        if failures:
            raise WorkerError("internal", f"{self.model.name}: {failures[0]}")
        return "".join(pieces), "length" not in reasons
