"""Where people speak: silero-vad's ONNX graph with an exit threshold of its own."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from ..audio import RATE, Clip, open_clip
from ..protocol import number_of
from ..schedule import Cancel
from .base import Engine, Job

FRAME = 512
"""Samples per probability: 32 ms at 16 kHz."""

_CONTEXT = 64
_BLOCK_FRAMES = 512


@dataclass(frozen=True)
class Thresholds:
    """When speech begins and ends.

    `enter` and `leave` are probabilities; the spans are seconds. Nothing is padded.
    """

    enter: float = 0.5
    leave: float = 0.35
    min_speech: float = 0.15
    min_silence: float = 0.2


def find_speech(
    probabilities: Iterable[float], samples: int, thresholds: Thresholds
) -> list[tuple[int, int]]:
    """Spans of speech, in samples, from one probability per frame.

    The rule is silero's own (`get_speech_timestamps`, without its limit on length): speech
    begins with a frame of at least `enter`, and ends where frames first fell under `leave` once
    `min_silence` has passed without one of at least `enter`.
    """
    shortest = thresholds.min_speech * RATE
    silence = thresholds.min_silence * RATE
    spans: list[tuple[int, int]] = []
    start: int | None = None
    end: int | None = None
    for index, probability in enumerate(probabilities):
        now = index * FRAME
        if probability >= thresholds.enter:
            end = None
            if start is None:
                start = now
        elif probability < thresholds.leave and start is not None:
            end = now if end is None else end
            if now - end >= silence:
                if end - start > shortest:
                    spans.append((start, end))
                start = end = None
    if start is not None and samples - start > shortest:
        spans.append((start, samples))
    return spans


class Silero(Engine):
    """detect_speech in constant memory: 16 s at a time, state carried over."""

    width = 2

    def load(self) -> None:
        """Open the graph: one thread, since batches run beside each other."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        path = self.context.store.folder(self.model.name) / self.model.source.files[0].path
        self._session = onnxruntime.InferenceSession(
            str(path), sess_options=options, providers=["CPUExecutionProvider"]
        )

    def perform(self, job: Job) -> dict[str, Any]:
        """`{duration, segments: [[start, end], …]}`, in seconds from the start of the clip."""
        chosen = Thresholds(
            enter=number_of(job.options, "threshold", 0.5, 0.01, 0.99),
            leave=number_of(job.options, "leave_threshold", 0.35, 0.01, 0.99),
            min_speech=number_of(job.options, "min_speech", 0.15, 0.0, 60.0),
            min_silence=number_of(job.options, "min_silence", 0.2, 0.0, 60.0),
        )
        with open_clip(job.item) as clip:
            spans = find_speech(self.probabilities(clip, job.cancel), clip.frames, chosen)
            return {
                "duration": round(clip.seconds, 6),
                "segments": [[round(a / RATE, 4), round(b / RATE, 4)] for a, b in spans],
            }

    def spans(self, clip: Clip, cancel: Cancel) -> list[tuple[int, int]]:
        """Speech in a clip with the default thresholds, in samples."""
        self.ready()
        return find_speech(self.probabilities(clip, cancel), clip.frames, Thresholds())

    def probabilities(self, clip: Clip, cancel: Cancel) -> NDArray[np.float32]:
        """One probability of speech per frame; the last frame is filled up with silence."""
        hidden = np.zeros((1, 1, 128), dtype=np.float32)
        cell = np.zeros((1, 1, 128), dtype=np.float32)
        context = np.zeros(_CONTEXT, dtype=np.float32)
        found: list[NDArray[np.float32]] = []
        for block in clip.blocks(FRAME * _BLOCK_FRAMES):
            cancel.check()
            count = -(-len(block) // FRAME)
            frames = np.zeros((count, _CONTEXT + FRAME), dtype=np.float32)
            padded = np.zeros(count * FRAME, dtype=np.float32)
            padded[: len(block)] = block
            frames[:, _CONTEXT:] = padded.reshape(count, FRAME)
            frames[0, :_CONTEXT] = context
            frames[1:, :_CONTEXT] = frames[:-1, -_CONTEXT:]
            context = frames[-1, -_CONTEXT:].copy()
            values, hidden, cell = self._session.run(
                ["speech_probs", "hn", "cn"], {"input": frames, "h": hidden, "c": cell}
            )
            found.append(values.reshape(-1))
        return np.concatenate(found) if found else np.zeros(0, dtype=np.float32)
