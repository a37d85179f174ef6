"""Rule-based translation: one living Apertium process per pair."""

from __future__ import annotations

import hashlib
import os
import re
import select
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from ..protocol import WorkerError, primary, text_of
from ..schedule import Cancel
from .base import Context, Engine, Job

_DATA = Path("/usr/share/apertium")

_ALPHA3 = {"eng": "en", "spa": "es", "cat": "ca", "ita": "it", "por": "pt", "fra": "fr"}

_PIVOTS: dict[tuple[str, str], str] = {
    ("fr", "pt"): "es",
    ("pt", "fr"): "es",
    ("fr", "it"): "es",
    ("it", "fr"): "es",
    ("it", "pt"): "es",
    ("pt", "it"): "es",
    ("ca", "pt"): "es",
    ("pt", "ca"): "es",
    ("ca", "fr"): "es",
    ("fr", "ca"): "es",
    ("ca", "it"): "es",
    ("it", "ca"): "es",
}
"""Pairs without rules of their own that go by way of a close third language. Always drafts."""

_DRAFT_LANGUAGES = frozenset({"en"})
"""Pairs with one of these are drafts: the languages are too far apart for these rules."""

_MARK = re.compile(r"(?<!\w)([*#@])(?=\w)")
_TIMEOUT_SECONDS = 30.0


@cache
def installed_pairs() -> dict[tuple[str, str], str]:
    """The pairs whose rules are installed, each with the name of its mode."""
    if shutil.which("apertium") is None:
        return {}
    found = {}
    for mode in sorted((_DATA / "modes").glob("*.mode")):
        match = re.fullmatch(r"([a-z]{2,3})-([a-z]{2,3})", mode.stem)
        if match:
            source, target = (_ALPHA3.get(code, code) for code in match.groups())
            found[source, target] = mode.stem
    return found


def route(source: str, target: str) -> list[tuple[str, str]] | None:
    """The legs from one language to another: one, two by way of a third, or None."""
    pairs = installed_pairs()
    if (source, target) in pairs:
        return [(source, target)]
    middle = _PIVOTS.get((source, target))
    if middle and (source, middle) in pairs and (middle, target) in pairs:
        return [(source, middle), (middle, target)]
    return None


def is_draft(legs: list[tuple[str, str]]) -> bool:
    """Whether what comes out has to be called a draft."""
    return len(legs) > 1 or bool(_DRAFT_LANGUAGES & set(legs[0]))


def pipeline(mode: str) -> str:
    """The mode's programs as a shell pipeline in which every part flushes at null bytes.

    `apertium -z` is not enough: the deformatter and gawk in its script hold text back until
    their input ends.
    """
    stages = (_DATA / "modes" / f"{mode}.mode").read_text(encoding="utf-8").strip().split("|")
    parts = []
    for stage in stages:
        program, _, arguments = stage.strip().partition(" ")
        # $1 is how to write unknown words (-g: with their marks), $2 an option of the tagger.
        parts.append(f"{program} -z {arguments.replace('$1', '-g').replace('$2', '')}")
    return " | ".join(parts)


_SPECIAL = re.compile(r"([\\\[\]{}^$/@<>*])")
_SENTENCE_ENDS = (".", "!", "?", "…", ":", ";")


def escaped(text: str) -> str:
    """A text as Apertium's stream takes it, ending like a sentence."""
    stop = "" if text.endswith(_SENTENCE_ENDS) else "."
    return _SPECIAL.sub(r"\\\1", text) + stop + "[]"


def unescaped(answer: str, text: str) -> str:
    """The answer to `text` without escapes, and without the full stop that was added."""
    answer = re.sub(r"(?<!\\)\[[^\]]*\]", "", answer).rstrip()
    if not text.endswith(_SENTENCE_ENDS):
        answer = answer.removesuffix(".")
    return re.sub(r"\\(.)", r"\1", answer)


@dataclass
class Pipe:
    """A living pipeline of a mode: each text ends with a null byte, and so does each answer."""

    mode: str
    process: subprocess.Popen[bytes] | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)
    starts: int = 0

    def ask(self, text: str, cancel: Cancel) -> str:
        """Translate one text, marks for unknown words included.

        A process that has died is started again once. Raises WorkerError `internal`.
        """
        with self.lock:
            for attempt in (1, 2):
                process = self._living()
                try:
                    return self._exchange(process, text, cancel)
                except (OSError, EOFError) as error:
                    self._end()
                    if attempt == 2:
                        message = f"apertium {self.mode} ended: {error}"
                        raise WorkerError("internal", message) from error
                except BaseException:
                    # An answer may still come; a pipe out of step must not be used again.
                    self._end()
                    raise
        raise AssertionError("unreachable")

    def close(self) -> None:
        """End the process."""
        self._end()

    def cpu(self) -> float:
        """Seconds of CPU that the processes of this pipe have used so far."""
        if self.process is None:
            return 0.0
        return sum(_cpu_of_group(self.process.pid))

    def _living(self) -> subprocess.Popen[bytes]:
        if self.process is None or self.process.poll() is not None:
            self._end()
            self.starts += 1
            self.process = subprocess.Popen(
                ["sh", "-c", pipeline(self.mode)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                env=os.environ | {"LC_ALL": "C.UTF-8"},
            )
        return self.process

    def _end(self) -> None:
        process, self.process = self.process, None
        if process is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with suppress(OSError):
                    stream.close()

    def _exchange(self, process: subprocess.Popen[bytes], text: str, cancel: Cancel) -> str:
        if process.stdin is None or process.stdout is None:
            raise EOFError("no pipes")
        process.stdin.write(escaped(text).encode() + b"\0")
        process.stdin.flush()
        answer = bytearray()
        deadline = time.monotonic() + _TIMEOUT_SECONDS
        while b"\0" not in answer:
            cancel.check()
            ready, _, _ = select.select([process.stdout], [], [], 0.2)
            if not ready:
                if time.monotonic() > deadline:
                    raise WorkerError("internal", f"apertium {self.mode} does not answer")
                continue
            block = os.read(process.stdout.fileno(), 65536)
            if not block:
                raise EOFError("it closed its output")
            answer += block
        return unescaped(bytes(answer).split(b"\0", 1)[0].decode("utf-8", "replace"), text)


def _cpu_of_group(group: int) -> Iterator[float]:
    ticks = os.sysconf("SC_CLK_TCK")
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
        except (OSError, IndexError):
            continue
        if int(fields[2]) == group:
            yield sum(int(value) for value in fields[11:15]) / ticks


class Apertium(Engine):
    """translate, for the pairs whose Debian packages are installed."""

    width = 2

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._pipes: dict[str, Pipe] = {}
        self._lock = threading.Lock()
        self._digest: str | None = None

    def installed(self) -> bool:
        """Whether any pair is there."""
        return bool(installed_pairs())

    def digest(self) -> str | None:
        """SHA-256 over the installed rules."""
        if self._digest is None and self.installed():
            total = hashlib.sha256()
            for path in sorted(_DATA.glob("apertium-*/*")) + sorted(_DATA.glob("modes/*.mode")):
                if path.is_file():
                    total.update(f"{path}\n".encode() + path.read_bytes())
            self._digest = total.hexdigest()
        return self._digest

    def capability(self, task: str) -> dict[str, Any]:
        """Pairs with rules, the pairs among them that are drafts, and the pivots."""
        pairs = sorted(installed_pairs())
        pivots = sorted(p for p in _PIVOTS if p not in pairs and route(*p))
        drafts = [p for p in pairs if is_draft([p])] + pivots
        return {
            "pairs": [list(p) for p in pairs + pivots],
            "drafts": [list(p) for p in drafts],
            "pivots": [[a, _PIVOTS[a, b], b] for a, b in pivots],
        }

    def close(self) -> None:
        """End all processes."""
        with self._lock:
            for pipe in self._pipes.values():
                pipe.close()

    def perform(self, job: Job) -> dict[str, Any]:
        """`{text, engine, attempts, notes, draft}`; unknown words are kept and noted."""
        text = " ".join(text_of(job.item, "text").split())
        source = primary(text_of(job.item, "source"))
        target = primary(text_of(job.item, "target"))
        legs = route(source, target)
        if legs is None:
            pairs = ", ".join("-".join(p) for p in sorted(installed_pairs()))
            message = f"apertium has no rules from {source} to {target}; it has {pairs}"
            raise WorkerError("unsupported_language", message)
        notes = [f"by way of {legs[0][1]}"] if len(legs) > 1 else []
        unknown: list[str] = []
        for leg in legs:
            job.cancel.check()
            if text:
                text = self._translate(leg, text, job)
                unknown += [w for w in unknown_words(text) if w not in unknown]
                text = _MARK.sub("", text)
        if not text:
            raise WorkerError("rejected_output", "the translation is empty")
        if unknown:
            notes.append("unknown words: " + ", ".join(unknown))
        draft = is_draft(legs)
        return {"text": text, "engine": "apertium", "attempts": 1, "notes": notes, "draft": draft}

    def _translate(self, leg: tuple[str, str], text: str, job: Job) -> str:
        mode = installed_pairs()[leg]
        with self._lock:
            pipe = self._pipes.setdefault(mode, Pipe(mode))
        before = pipe.cpu()
        answer = pipe.ask(text, job.cancel)
        self.context.account.add(job.cost, max(0.0, pipe.cpu() - before))
        return " ".join(answer.split())


def unknown_words(text: str) -> list[str]:
    """The words that Apertium marked: unknown (`*`), untranslatable (`@`), not inflected (`#`)."""
    return re.findall(r"(?<!\w)[*#@]([\w'’-]+)", text)
