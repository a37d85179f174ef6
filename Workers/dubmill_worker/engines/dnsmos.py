"""How good a recording sounds: DNSMOS (Reddy et al. 2022), which predicts people's judgement.

Two graphs of Microsoft's speechmos package, computed without its Python code, which needs
librosa. Both hear 9 s at a time; what is shorter is repeated, as they were trained.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
from numpy.polynomial import Polynomial

from ..audio import RATE, Samples, open_clip
from ..protocol import WorkerError, number_of
from .base import Context, Engine, Job
from .voiceprint import Floats, mel_bands

WINDOW = 144_160
"""Samples that the graphs hear at once: 9.01 s."""

LONGEST_SECONDS = 3600.0

_SHORTEST = RATE // 10
_TRANSFORM = 321
_HOP = 160
_FRAMES = 900
_BANDS = 120

# From the graphs' raw scores to the scale of P.835 listening tests, as their authors fitted it.
_SCALES = {
    "speech": Polynomial([0.0052439, 1.22083953, -0.08397278]),
    "background": Polynomial([-0.39604546, 1.60915514, -0.13166888]),
    "overall": Polynomial([0.04602535, 1.11546468, -0.06766283]),
}


class Dnsmos(Engine):
    """quality. One core a clip."""

    cores = 1

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.width = context.threads

    def load(self) -> None:
        """Open both graphs."""
        self._rated = self._graph("sig_bak_ovr.onnx")
        self._p808 = self._graph("model_v8.onnx")
        self._bands = mel_bands(_TRANSFORM, _BANDS)
        turn = np.arange(_TRANSFORM) / _TRANSFORM
        self._hann = (0.5 - 0.5 * np.cos(2 * np.pi * turn)).astype(np.float32)

    def _graph(self, name: str) -> onnxruntime.InferenceSession:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        path = self.context.store.folder(self.model.name) / name
        return onnxruntime.InferenceSession(
            str(path), sess_options=options, providers=["CPUExecutionProvider"]
        )

    def perform(self, job: Job) -> dict[str, Any]:
        """`{mos: {overall, speech, background, p808}, windows}`: means over the clip's windows."""
        step = round(number_of(job.options, "step", 1.0, 0.5, 9.0) * RATE)
        with open_clip(job.item) as clip:
            if clip.frames < _SHORTEST:
                raise WorkerError("bad_audio", "the clip is shorter than 0.1 s")
            if clip.seconds > LONGEST_SECONDS:
                raise WorkerError("bad_audio", f"the clip is longer than {LONGEST_SECONDS:.0f} s")
            # A short clip is doubled until it is long enough, as its authors' own code does.
            short = clip.read() if clip.frames < WINDOW else None
            frames = clip.frames
            while frames < WINDOW:
                frames *= 2
            repeated = None if short is None else np.resize(short, frames)
            judged: list[dict[str, float]] = []
            # Their code hears whole seconds alone, and the last one no less than once.
            for first in range(0, max(1, frames // RATE * RATE - WINDOW + 1), step):
                job.cancel.check()
                if repeated is None:
                    judged.append(self._judge(clip.read(first, WINDOW)))
                else:
                    judged.append(self._judge(repeated[first : first + WINDOW]))
        means = {key: round(float(np.mean([j[key] for j in judged])), 3) for key in judged[0]}
        return {"mos": means, "windows": len(judged)}

    def _judge(self, samples: Samples) -> dict[str, float]:
        heard = np.clip(samples, -1.0, 1.0)
        raw = self._rated.run(None, {"input_1": heard[None]})[0][0]
        found = {
            key: float(np.clip(scale(float(value)), 1.0, 5.0))
            for (key, scale), value in zip(_SCALES.items(), raw, strict=True)
        }
        p808 = self._p808.run(None, {"input_1": self._mel(heard[:-_HOP])[None]})[0][0][0]
        return {
            "overall": found["overall"],
            "speech": found["speech"],
            "background": found["background"],
            "p808": float(np.clip(p808, 1.0, 5.0)),
        }

    def _mel(self, samples: Samples) -> Floats:
        """Decibels under the loudest of 120 mel bands, every 10 ms: librosa's, as in training."""
        padded = np.pad(samples, _TRANSFORM // 2)
        frames = np.lib.stride_tricks.sliding_window_view(padded, _TRANSFORM)[::_HOP][:_FRAMES]
        power = np.abs(np.fft.rfft(frames * self._hann, axis=1)) ** 2 @ self._bands
        decibels = 10 * np.log10(np.maximum(power, 1e-10))
        decibels = np.maximum(decibels - decibels.max(), -80.0)
        return np.asarray((decibels + 40) / 40, dtype=np.float32)
