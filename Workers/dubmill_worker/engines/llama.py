"""Translation by an instruct model in GGUF, run by llama.cpp."""

from __future__ import annotations

import os
import queue
import shutil
import tempfile
from pathlib import Path
from typing import Any

from ..protocol import WorkerError, bad, lines_of, primary, text_of
from ..schedule import Cancel
from ..translation.checks import clean, faults
from ..translation.languages import SCRIPTS, name_of
from ..translation.prompt import REGISTERS, Message, messages
from .base import Context, Engine, Job

_LANES = 4
_CONTEXT_TOKENS = 1536
_MAX_CHARACTERS = 1500
_ATTEMPTS = 2
_SIGN = "\u241e"


class Lane:
    """One instance of the model, and what its cache holds."""

    def __init__(self, server: Any) -> None:
        self.server = server
        self.cached: Message | None = None
        self.first = b""


class Llama(Engine):
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

    def capability(self, task: str) -> dict[str, Any]:
        """Every pair of the model's languages."""
        return {"languages": list(self.model.languages)}

    def perform(self, job: Job) -> dict[str, Any]:
        """`{text, engine, attempts, notes}`; asks twice at most, then `rejected_output`."""
        text = " ".join(text_of(job.item, "text").split())
        source, target = text_of(job.item, "source"), text_of(job.item, "target")
        for language in (source, target):
            if name_of(language) is None or primary(language) not in self.model.languages:
                known = ", ".join(self.model.languages)
                message = f"{self.model.name} does not know {language!r}; it knows {known}"
                raise WorkerError("unsupported_language", message)
        if not text:
            raise WorkerError("rejected_output", "there is no text to translate")
        if not any(c.isalnum() for c in text):
            return {
                "text": text,
                "engine": self.model.name,
                "attempts": 0,
                "draft": False,
                "notes": ["no words"],
            }
        if len(text) > _MAX_CHARACTERS:
            raise bad(f"the line has {len(text)} characters; {_MAX_CHARACTERS} are allowed")
        before, after = lines_of(job.item, "before"), lines_of(job.item, "after")
        register = job.options.get("register", "formal")
        if register not in REGISTERS:
            raise bad(f"register {register!r} is unknown; {', '.join(REGISTERS)}")
        notes: list[str] = []
        wrong: list[str] = []
        for attempt_number in range(1, _ATTEMPTS + 1):
            chat = messages(text, source, target, register, before, after, wrong)
            lane = self._lanes.get()
            try:
                limit = _token_limit(text, source, target)
                answer, finished = self._ask(lane, chat, limit, bool(wrong), job.cancel)
            finally:
                self._lanes.put(lane)
            translation = clean(answer, text)
            wrong = faults(text, translation, source, target)
            if not finished:
                wrong.append("did not end")
            if not wrong:
                return {
                    "text": translation,
                    "engine": self.model.name,
                    "attempts": attempt_number,
                    "draft": self.model.draft,
                    "notes": notes,
                }
            notes.append(f"attempt {attempt_number} rejected: {'; '.join(wrong)}")
        raise WorkerError("rejected_output", f"{'; '.join(wrong)}: {translation!r}")

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


def _token_limit(text: str, source: str, target: str) -> int:
    """Tokens that a translation of this text can need, so that a loop ends early.

    Latin text has about three characters a token, other scripts one or two; a Chinese or
    Japanese character becomes several Latin ones.
    """
    if primary(source) in ("ja", "ko", "th", "zh"):
        share = 2.5
    elif primary(target) in SCRIPTS:
        share = 1.5
    else:
        share = 0.7
    return 24 + round(share * len(text))
