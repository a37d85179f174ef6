"""SVOX Pico by py-nanotts: quick and clear, one voice a language, 16 kHz."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import queue
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from ..protocol import WorkerError
from ..speech.shape import shorten_pauses
from .base import Context, Job
from .speaker import Speaker, Spoken

RATE = 16_000

_VOICES = {
    "de": ["de-DE"],
    "en": ["en-US", "en-GB"],
    "es": ["es-ES"],
    "fr": ["fr-FR"],
    "it": ["it-IT"],
}

_QUIET_DB = -43.0
"""Pico's pauses are not silent: they hold its vocoder's noise, 46 to 60 dB under its speech."""

_LONGEST_PAUSE = 0.35
"""Seconds. Pico rests about a second at every comma and full stop, whatever its speed."""


@cache
def lingware() -> Path | None:
    """The folder of Pico's voices, inside the package; None when it is not installed."""
    found = importlib.util.find_spec("py_nanotts")
    if found is None or not found.submodule_search_locations:
        return None
    folder = Path(found.submodule_search_locations[0]) / "lang"
    return folder if folder.is_dir() else None


class Child:
    """One living pico_child."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def speak(self, request: dict[str, Any]) -> tuple[bytes, float]:
        """PCM (16-bit, 16 kHz) of a text and the CPU seconds it took.

        Raises WorkerError `internal` when Pico crashes on it.
        """
        process = self._living()
        if process.stdin is None or process.stdout is None:
            raise WorkerError("internal", "pico has no pipes")
        try:
            process.stdin.write(json.dumps(request).encode() + b"\n")
            process.stdin.flush()
            head = json.loads(process.stdout.readline())
            pcm = process.stdout.read(head["bytes"])
        except (OSError, ValueError) as error:
            self.close()
            raise WorkerError("internal", f"pico's process ended: {error}") from error
        if head["status"] != 0:
            raise WorkerError("internal", f"pico crashed (status {head['status']})")
        return pcm, float(head["cpu"])

    def _living(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self.close()
            root = str(Path(__file__).resolve().parents[2])
            rest = os.environ.get("PYTHONPATH")
            self._process = subprocess.Popen(
                [sys.executable, "-m", "dubmill_worker.engines.pico_child"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=os.environ | {"PYTHONPATH": f"{root}:{rest}" if rest else root},
            )
        return self._process

    def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()


class Pico(Speaker):
    """synthesize with Pico."""

    revision = 1
    width = 2

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._children = [Child() for _ in range(self.width)]
        self._free: queue.SimpleQueue[Child] = queue.SimpleQueue()
        for child in self._children:
            self._free.put(child)

    @property
    def sample_rate(self) -> int:
        """16 kHz."""
        return RATE

    def installed(self) -> bool:
        """Whether the package with the voices is there."""
        return lingware() is not None

    def digest(self) -> str | None:
        """SHA-256 over the voices."""
        folder = lingware()
        return None if folder is None else _digest(folder)

    def voices(self) -> dict[str, list[str]]:
        """One voice a language, two for English."""
        return _VOICES

    def close(self) -> None:
        """End the processes."""
        for child in self._children:
            child.close()

    def speak(self, text: str, language: str, voice: str, pace: float, job: Job) -> Spoken:
        """Say a text in a process of its own, and shorten the rests."""
        # Pico rests a second before inverted marks, which add nothing to its melody.
        plain = text.replace("¿", "").replace("¡", "")
        child = self._free.get()
        try:
            pcm, cpu = child.speak({"text": plain, "voice": voice, "speed": pace})
        finally:
            self._free.put(child)
        self.context.account.add(job.cost, cpu)
        samples = np.frombuffer(pcm, dtype="<i2").astype(np.float32) / 32768.0
        shortened = shorten_pauses(samples, RATE, _LONGEST_PAUSE / pace, _QUIET_DB)
        return Spoken(shortened, RATE, _QUIET_DB)


@cache
def _digest(folder: Path) -> str:
    total = hashlib.sha256()
    for path in sorted(folder.glob("*.bin")):
        total.update(f"{path.name}\n".encode() + path.read_bytes())
    return total.hexdigest()
