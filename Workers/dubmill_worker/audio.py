"""Audio files in and out: mono in, 16 kHz for most; a finished mono WAV out."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from .protocol import WorkerError, bad

RATE = 16_000
"""Hz of all audio that the recognisers read."""

Samples = NDArray[np.float32]

_RAW = {"f32le": "FLOAT", "s16le": "PCM_16"}


class Clip:
    """An open span of an audio file, read block by block: mono Float32, −1…1."""

    def __init__(
        self, file: soundfile.SoundFile, first: int, frames: int, path: str, rate: int = RATE
    ) -> None:
        self._file = file
        self._first = first
        self._path = path
        self.rate = rate
        self.frames = frames

    @property
    def before(self) -> int:
        """How many frames the file holds before the span."""
        return self._first

    @property
    def seconds(self) -> float:
        """Length of the span."""
        return self.frames / self.rate

    def read(self, first: int = 0, frames: int | None = None) -> Samples:
        """Samples from `first`, counted from the start of the span; all that follow by default.

        Negative counts reach what the file holds before the span: `before` frames.
        Raises WorkerError `bad_audio` where the file ends early or holds no numbers.
        """
        wanted = self.frames - first if frames is None else min(frames, self.frames - first)
        try:
            self._file.seek(self._first + first)
            block: Samples = self._file.read(max(0, wanted), dtype="float32")
        except (RuntimeError, soundfile.SoundFileError) as error:
            raise WorkerError("bad_audio", f"{self._path}: {error}") from error
        if len(block) != max(0, wanted):
            raise WorkerError("bad_audio", f"{self._path}: ends early, {len(block)} of {wanted}")
        if not np.isfinite(block).all():
            raise WorkerError("bad_audio", f"{self._path}: holds samples that are not numbers")
        return block

    def blocks(self, frames: int) -> Iterator[Samples]:
        """The whole span in blocks of `frames`; the last may be shorter."""
        for first in range(0, self.frames, frames):
            yield self.read(first, frames)


@contextmanager
def open_clip(item: dict[str, Any], rate: int = RATE) -> Iterator[Clip]:
    """Open what an item's `audio` names: `{path, start?, end?, encoding?}`.

    `start` and `end` are seconds and choose a part. `encoding` is f32le or s16le for headerless
    files. `rate` is what the file has to have, Hz. Raises WorkerError: `bad_request` for a
    malformed field, `bad_audio` for a file that cannot be read or is not mono at that rate.
    """
    audio = item.get("audio")
    if not isinstance(audio, dict) or not isinstance(audio.get("path"), str):
        raise bad("audio is missing or has no path")
    path = audio["path"]
    if not Path(path).is_absolute():
        raise bad(f"audio.path {path!r} is not absolute")
    with _open(path, audio.get("encoding"), rate) as file:
        if file.samplerate != rate or file.channels != 1:
            found = f"{file.samplerate} Hz, {file.channels} channels"
            raise WorkerError("bad_audio", f"{path}: is {found}; {rate} Hz mono is needed")
        first, last = _span(audio, file.frames, path, rate)
        yield Clip(file, first, last - first, path, rate)


def _open(path: str, encoding: object, rate: int) -> soundfile.SoundFile:
    if encoding is not None and encoding not in _RAW:
        raise bad(f"audio.encoding {encoding!r} is unknown; {', '.join(_RAW)} or absent")
    try:
        if encoding is None:
            return soundfile.SoundFile(path)
        return soundfile.SoundFile(
            path,
            samplerate=rate,
            channels=1,
            format="RAW",
            subtype=_RAW[str(encoding)],
            endian="LITTLE",
        )
    except (OSError, RuntimeError, soundfile.SoundFileError) as error:
        raise WorkerError("bad_audio", f"{path}: {error}") from error


def _span(audio: dict[str, Any], frames: int, path: str, rate: int) -> tuple[int, int]:
    bounds = []
    for field, default in (("start", 0.0), ("end", frames / rate)):
        value = audio.get(field, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
            raise bad(f"audio.{field} is not a number of seconds")
        bounds.append(round(value * rate))
    first, last = bounds[0], min(bounds[1], frames)
    if first > last:
        raise WorkerError("bad_audio", f"{path}: the span {bounds} lies outside its {frames}")
    return first, last


def output_path(item: dict[str, Any]) -> Path:
    """Where an item wants its result: `output.path`. Raises WorkerError `bad_request`."""
    output = item.get("output")
    if not isinstance(output, dict) or not isinstance(output.get("path"), str):
        raise bad("output is missing or has no path")
    path = Path(output["path"])
    if not path.is_absolute():
        raise bad(f"output.path {str(path)!r} is not absolute")
    return path


def write_wav(path: Path, samples: Samples, rate: int) -> None:
    """Write a mono 16-bit WAV under a temporary name, then rename it.

    Raises WorkerError `bad_request` when the file cannot be written there.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    pcm = np.clip(np.rint(samples * 32767.0), -32768, 32767).astype(np.int16)
    try:
        with temporary.open("wb") as stream:
            soundfile.write(stream, pcm, rate, format="WAV", subtype="PCM_16")
            stream.flush()
        temporary.rename(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise bad(f"output.path {path}: {error}") from error


@contextmanager
def wav_writer(path: Path, rate: int) -> Iterator[soundfile.SoundFile]:
    """A mono WAV of 32-bit floats, written block by block under a temporary name, then renamed.

    Raises WorkerError `bad_request` when the file cannot be written there.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with soundfile.SoundFile(temporary, "w", rate, 1, "FLOAT", format="WAV") as file:
            yield file
        temporary.rename(path)
    except (OSError, soundfile.SoundFileError) as error:
        raise bad(f"output.path {path}: {error}") from error
    finally:
        temporary.unlink(missing_ok=True)
