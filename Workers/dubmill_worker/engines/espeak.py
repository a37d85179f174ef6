"""espeak-ng, a program: about a hundred languages, robotic; and phonemes for Kokoro."""

from __future__ import annotations

import hashlib
import io
import re
import resource
import shutil
import subprocess
import threading
from functools import cache
from pathlib import Path

import numpy as np
import soundfile

from ..protocol import WorkerError
from .base import Job
from .speaker import Speaker, Spoken

RATE = 22_050
_WORDS_PER_MINUTE = 165
_TIMEOUT_SECONDS = 60
_PREFERRED = {"en": "en-us", "es": "es", "fr": "fr-fr", "pt": "pt-br", "zh": "cmn", "vi": "vi"}
_ARTIFICIAL = frozenset({"jbo", "qya", "sjn", "piqd", "py", "qdb", "lfn", "io", "ia"})


@cache
def installed() -> bool:
    """Whether the program is there."""
    return shutil.which("espeak-ng") is not None


def run(arguments: list[str], text: str) -> bytes:
    """Run espeak-ng on a text; returns what it writes to stdout.

    Raises WorkerError `internal` when it fails.
    """
    try:
        done = subprocess.run(
            ["espeak-ng", "-b", "1", *arguments, "--stdin"],
            input=text.encode() + b"\n",
            capture_output=True,
            timeout=_TIMEOUT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise WorkerError("internal", f"espeak-ng: {error}") from error
    if done.returncode != 0:
        said = done.stderr.decode("utf-8", "replace").strip()
        raise WorkerError("internal", f"espeak-ng ended with {done.returncode}: {said}")
    return done.stdout


@cache
def voices() -> dict[str, list[str]]:
    """By primary language and by full tag, the voices, the default first."""
    if not installed():
        return {}
    listed = subprocess.run(["espeak-ng", "--voices"], capture_output=True, text=True, check=False)
    found: dict[str, list[str]] = {}
    for line in listed.stdout.splitlines()[1:]:
        fields = line.split()
        if len(fields) < 4:
            continue
        tag = fields[1].lower()
        main = tag.split("-", 1)[0]
        if main in _ARTIFICIAL:
            continue
        found.setdefault("zh" if main == "cmn" else main, []).append(tag)
        if main == "nb":
            found.setdefault("no", []).append(tag)
    for main, tags in found.items():
        preferred = _PREFERRED.get(main, main)
        tags.sort(key=lambda tag: (tag != preferred, tag))
    return found


@cache
def data_digest() -> str:
    """SHA-256 over the program's version and its data."""
    version = subprocess.run(["espeak-ng", "--version"], capture_output=True, check=False).stdout
    total = hashlib.sha256(version)
    match = re.search(rb"Data at:\s*(\S+)", version)
    if match:
        for path in sorted(Path(match.group(1).decode()).rglob("*")):
            if path.is_file():
                total.update(f"{path.name}\n".encode() + path.read_bytes())
    return total.hexdigest()


class Espeak(Speaker):
    """synthesize with espeak-ng; what it says is a draft."""

    width = 2

    @property
    def sample_rate(self) -> int:
        """22.05 kHz."""
        return RATE

    def installed(self) -> bool:
        """Whether the program is there."""
        return installed()

    def digest(self) -> str | None:
        """SHA-256 over version and data."""
        return data_digest() if installed() else None

    def voices(self) -> dict[str, list[str]]:
        """All that the program lists, but invented languages."""
        return voices()

    def speak(self, text: str, language: str, voice: str, pace: float, job: Job) -> Spoken:
        """Say a text with its own rate."""
        speed = str(round(_WORDS_PER_MINUTE * pace))
        with _ChildSeconds() as used:
            wav = run(["-v", voice, "-s", speed, "--stdout"], text)
        self.context.account.add(job.cost, used.seconds)
        # Written to a pipe, the header's length is wrong: take all that follows it.
        header = wav.find(b"data")
        if header < 0:
            raise WorkerError("internal", "espeak-ng wrote no WAV")
        body = wav[header + 8 :]
        samples, _ = soundfile.read(
            io.BytesIO(body[: len(body) // 2 * 2]),
            dtype="float32",
            samplerate=RATE,
            channels=1,
            format="RAW",
            subtype="PCM_16",
            endian="LITTLE",
        )
        return Spoken(np.asarray(samples, dtype=np.float32), RATE)


class _ChildSeconds:
    """CPU seconds of the child processes that end within the block; one block at a time."""

    _lock = threading.Lock()

    def __enter__(self) -> _ChildSeconds:
        self._lock.acquire()
        self._before = self._now()
        self.seconds = 0.0
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = self._now() - self._before
        self._lock.release()

    @staticmethod
    def _now() -> float:
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime
