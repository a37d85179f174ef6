"""Who speaks: Resemblyzer's d-vector (Wan et al. 2018), computed by numpy.

The network is three small recurrent layers: torch, which its package asks for, would be the
largest thing in the environment.
"""

from __future__ import annotations

import io
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..audio import RATE, Samples, open_clip
from ..protocol import WorkerError, bad
from ..speech.pitch import fundamental, median_pitch
from .base import Engine, Job

Floats = NDArray[np.float32]

WINDOW_SECONDS = 1.6
"""What the network hears at once; it was trained on windows of that length."""

_FRAMES = 160
_HOP = 160
_WIDTH = 400
_BANDS = 40
_LEVEL = 10 ** (-30 / 20)
_MOST_SPANS = 256


class Voiceprint(Engine):
    """embed: a direction in 256 dimensions for every span; the same voice lies close together."""

    width = 1

    def load(self) -> None:
        """Read the weights."""
        path = self.context.store.folder(self.model.name) / self.model.source.files[0].path
        self._weights = read_weights(path)
        self._bands = mel_bands()
        turn = np.arange(_WIDTH) / _WIDTH
        self._hann = (0.5 - 0.5 * np.cos(2 * np.pi * turn)).astype(np.float32)

    def perform(self, job: Job) -> dict[str, Any]:
        """`{dimensions, spans: [{vector, pitch}]}`, one for each span, in order.

        `pitch` is the median fundamental in Hz, null where hardly anything is voiced.
        """
        spans = _spans(job.item)
        with open_clip(job.item) as clip:
            samples = clip.read()
        if not spans:
            return {"dimensions": 256, "spans": []}
        parts = [samples[first:last] for first, last in spans]
        if any(len(part) < RATE // 10 for part in parts):
            raise bad("a span is shorter than 0.1 s or lies outside the audio")
        track, times = fundamental(samples, RATE)
        job.cancel.check()
        vectors = self._vectors(parts, job)
        told = []
        for (first, last), vector in zip(spans, vectors, strict=True):
            inside = (times >= first / RATE) & (times < last / RATE)
            told.append(
                {
                    "vector": [round(float(v), 5) for v in vector],
                    "pitch": median_pitch(track[inside]),
                }
            )
        return {"dimensions": 256, "spans": told}

    def _vectors(self, parts: list[Samples], job: Job) -> Floats:
        layer = np.stack([self._mel(part) for part in parts])
        for index in range(3):
            job.cancel.check()
            layer = self._recurrent(layer, index)
        weights = self._weights
        out = np.maximum(0, layer[:, -1] @ weights["linear.weight"].T + weights["linear.bias"])
        length = np.linalg.norm(out, axis=1, keepdims=True)
        if not (length > 0).all():
            raise WorkerError("bad_audio", "there is no voice in one of the spans")
        return np.asarray(out / length, dtype=np.float32)

    def _mel(self, samples: Samples) -> Floats:
        """Power in 40 mel bands every 10 ms for 1.6 s; what is shorter is repeated."""
        level = float(np.sqrt(np.mean(samples**2)))
        louder = max(1.0, _LEVEL / max(level, 1e-6))
        wanted = round(WINDOW_SECONDS * RATE)
        padded = np.zeros(wanted + _WIDTH, dtype=np.float32)
        # Said again, a short word sounds more like its speaker than followed by silence does.
        kept = np.resize(samples, wanted)
        padded[_WIDTH // 2 : _WIDTH // 2 + wanted] = kept * louder
        frames = np.lib.stride_tricks.sliding_window_view(padded, _WIDTH)[::_HOP][:_FRAMES]
        power = np.abs(np.fft.rfft(frames * self._hann, axis=1)) ** 2
        return np.asarray(power @ self._bands, dtype=np.float32)

    def _recurrent(self, given: Floats, index: int) -> Floats:
        """One LSTM layer over `[span][frame][feature]`."""
        weights = self._weights
        bias = weights[f"lstm.bias_ih_l{index}"] + weights[f"lstm.bias_hh_l{index}"]
        driven = given @ weights[f"lstm.weight_ih_l{index}"].T + bias
        across = np.ascontiguousarray(weights[f"lstm.weight_hh_l{index}"].T)
        hidden = np.zeros((len(given), 256), dtype=np.float32)
        cell = np.zeros_like(hidden)
        out = np.zeros((len(given), given.shape[1], 256), dtype=np.float32)
        for frame in range(given.shape[1]):
            gates = driven[:, frame] + hidden @ across
            enter, forget, new, leave = np.split(gates, 4, axis=1)
            cell = _open(forget) * cell + _open(enter) * np.tanh(new)
            hidden = _open(leave) * np.tanh(cell)
            out[:, frame] = hidden
        return out


def _open(gate: Floats) -> Floats:
    """The logistic function, which by way of tanh never overflows."""
    return np.asarray(0.5 + 0.5 * np.tanh(0.5 * gate), dtype=np.float32)


def _spans(item: dict[str, Any]) -> list[tuple[int, int]]:
    given = item.get("spans")
    if not isinstance(given, list) or len(given) > _MOST_SPANS:
        raise bad(f"spans is not a list of at most {_MOST_SPANS}")
    spans = []
    for span in given:
        numbers = isinstance(span, list) and len(span) == 2
        if not numbers or not all(isinstance(v, int | float) and v >= 0 for v in span):
            raise bad(f"the span {span!r} is not [start, end] in seconds")
        spans.append((round(span[0] * RATE), round(span[1] * RATE)))
    return spans


def mel_bands(width: int = _WIDTH, bands: int = _BANDS) -> Floats:
    """Slaney's mel bands (librosa's default): `[frequency][band]`, each of equal area.

    `width` is the samples of a transform at 16 kHz.
    """
    step = np.log(6.4) / 27

    def mel(hertz: float) -> float:
        return hertz * 3 / 200 if hertz < 1000 else 15 + float(np.log(hertz / 1000) / step)

    mels = np.linspace(0, mel(RATE / 2), bands + 2)
    edges = np.where(mels < 15, mels * 200 / 3, 1000 * np.exp(step * (mels - 15)))
    away = edges[:, None] - np.fft.rfftfreq(width, 1 / RATE)[None]
    wide = np.diff(edges)
    bands = np.maximum(0, np.minimum(-away[:-2] / wide[:-1, None], away[2:] / wide[1:, None]))
    bands *= (2 / (edges[2:] - edges[:-2]))[:, None]
    return np.ascontiguousarray(bands.T, dtype=np.float32)


class _Reader(pickle.Unpickler):
    """Reads a torch checkpoint of the old form and builds nothing but numbers in dictionaries."""

    def persistent_load(self, pid: Any) -> Any:
        """A storage, by its key: its numbers come later in the file."""
        return pid[2]

    def find_class(self, module: str, name: str) -> Any:
        """The three names that such a file needs; all others are refused."""
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return lambda storage, offset, shape, *_: (storage, offset, shape)
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) in {("torch", "FloatStorage"), ("torch", "LongStorage")}:
            return name
        raise pickle.UnpicklingError(f"{module}.{name} is not to be had here")


def read_weights(path: Path) -> dict[str, Floats]:
    """The network's arrays, by name. Raises WorkerError `internal` for a file of another form."""
    stream = io.BytesIO(path.read_bytes())
    try:
        for _ in range(3):  # A magic number, a version, sizes.
            pickle.Unpickler(stream).load()
        state = _Reader(stream).load()["model_state"]
        storages: dict[str, Floats] = {}
        for key in pickle.Unpickler(stream).load():
            count = int(np.frombuffer(stream.read(8), "<i8")[0])
            storages[key] = np.frombuffer(stream.read(4 * count), "<f4")
    except (pickle.UnpicklingError, KeyError, IndexError, EOFError, ValueError) as error:
        raise WorkerError("internal", f"{path} is no checkpoint of this kind: {error}") from error
    return {
        name: storages[key][offset : offset + int(np.prod(shape))].reshape(shape)
        for name, (key, offset, shape) in state.items()
        if name.startswith(("lstm.", "linear."))
    }
