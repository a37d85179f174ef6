"""Kokoro-82M as int8 ONNX, fed with espeak-ng's phonemes: natural, 24 kHz."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import onnxruntime

from ..audio import Samples
from ..protocol import WorkerError
from ..speech.phonemes import clauses, to_kokoro
from ..speech.shape import trim
from . import espeak
from .base import Context, Job
from .speaker import Speaker, Spoken

RATE = 24_000
_MAX_TOKENS = 500
_GAP_SECONDS = 0.18

_ESPEAK = {"en": "en-us", "es": "es", "fr": "fr-fr", "it": "it", "pt": "pt-br"}
# jm_kumo first: Whisper understands it in all these languages, the women's voices hardly in French
# and Portuguese (they were trained on Japanese alone).
_VOICES = ["jm_kumo", "jf_alpha", "jf_gongitsune", "jf_nezumi", "jf_tebukuro"]


class Kokoro(Speaker):
    """synthesize with Kokoro. Each call computes on one core; several run beside each other."""

    cores = 1

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.width = context.threads

    @property
    def sample_rate(self) -> int:
        """24 kHz."""
        return RATE

    def installed(self) -> bool:
        """Whether the weights are there, and espeak-ng, which makes its phonemes."""
        return super().installed() and espeak.installed()

    def missing(self) -> str:
        """What to tell whoever asks for it when it is not installed."""
        if not espeak.installed():
            return "kokoro needs espeak-ng for its phonemes: apt-get install espeak-ng"
        return super().missing()

    def voices(self) -> dict[str, list[str]]:
        """The same five voices in every language. They are Japanese speakers' voices."""
        return dict.fromkeys(_ESPEAK, _VOICES)

    def load(self) -> None:
        """Open the graph, the alphabet and the voices."""
        folder = self.context.store.folder(self.model.name)
        options = onnxruntime.SessionOptions()
        # One core a call: two clips on two cores take 0.6 of the time of one after the other.
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            str(folder / "kokoro-v1.0.int8.onnx"),
            sess_options=options,
            providers=["CPUExecutionProvider"],
        )
        vocabulary: dict[str, Any] = json.loads((folder / "vocab.json").read_text("utf-8"))
        self._letters: dict[str, int] = vocabulary["vocab"]
        with np.load(folder / "voices.npz") as voices:
            self._styles = {name: voices[name] for name in voices.files}

    def speak(self, text: str, language: str, voice: str, pace: float, job: Job) -> Spoken:
        """Say a text; what is longer than the model takes is cut at clauses."""
        style = self._styles.get(voice)
        if style is None:
            raise WorkerError("internal", f"kokoro's weights hold no voice {voice!r}")
        pieces: list[Samples] = []
        gap = np.zeros(round(RATE * _GAP_SECONDS / pace), dtype=np.float32)
        for tokens in self._tokens(text, language):
            job.cancel.check()
            if pieces:
                pieces.append(gap)
            pieces.append(self._infer(tokens, style, pace))
        if not pieces:
            raise WorkerError("rejected_output", f"there is nothing in {text!r} that can be said")
        return Spoken(np.concatenate(pieces), RATE)

    def _tokens(self, text: str, language: str) -> list[list[int]]:
        """The text as the model's letters, in as few runs as it takes them."""
        parts = clauses(text)
        if not parts:
            return []
        # Clauses go in as lines: espeak-ng answers with one line each.
        given = "\n\n".join(clause for clause, _ in parts)
        said = espeak.run(["-v", _ESPEAK[language], "-q", "--ipa", "--tie=^"], given)
        lines = [line.strip() for line in said.decode().splitlines() if line.strip()]
        if len(lines) != len(parts):  # It cut one of them itself; do them one by one.
            lines = [self._ipa(clause, language) for clause, _ in parts]
        runs: list[list[int]] = [[]]
        for ipa, (_, mark) in zip(lines, parts, strict=True):
            letters = to_kokoro(ipa, language) + mark
            tokens = [self._letters[c] for c in letters if c in self._letters]
            for first in range(0, len(tokens), _MAX_TOKENS):
                piece = tokens[first : first + _MAX_TOKENS]
                if len(runs[-1]) + len(piece) + 1 > _MAX_TOKENS:
                    runs.append([])
                if runs[-1]:
                    runs[-1].append(self._letters[" "])
                runs[-1] += piece
        return [run for run in runs if run]

    def _ipa(self, clause: str, language: str) -> str:
        said = espeak.run(["-v", _ESPEAK[language], "-q", "--ipa", "--tie=^"], clause)
        return " ".join(said.decode().split())

    def _infer(self, tokens: list[int], style: Samples, pace: float) -> Samples:
        reference = style[min(len(tokens), len(style)) - 1]
        audio = self._session.run(
            None,
            {
                "tokens": np.array([[0, *tokens, 0]], dtype=np.int64),
                "style": np.asarray(reference, dtype=np.float32).reshape(1, 256),
                "speed": np.array([pace], dtype=np.float32),
            },
        )[0]
        samples, _ = trim(np.asarray(audio, dtype=np.float32).ravel(), RATE)
        return samples
