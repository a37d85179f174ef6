"""Speech to text, and which language it is: Whisper by faster-whisper and CTranslate2."""

from __future__ import annotations

import os
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np

from ..audio import RATE, Clip, Samples, open_clip
from ..protocol import WorkerError, bad, number_of, primary
from .base import Context, Engine, Job
from .silero import Silero

if TYPE_CHECKING:
    from faster_whisper import WhisperModel
    from faster_whisper.transcribe import Segment

MAX_CHUNK_SECONDS = 30.0
_WINDOW = 30 * RATE
_MAX_WINDOWS = 4
_CANDIDATES = 5

_COMPRESSION_LIMIT = 2.4
_LOGPROB_LIMIT = -1.0


class Whisper(Engine):
    """transcribe and detect_language."""

    def __init__(self, context: Context, silero: Silero | None = None) -> None:
        super().__init__(context)
        self._silero = silero
        self.cores = 1
        self.width = context.threads
        self.spare = {"detect_language": min(context.threads, _MAX_WINDOWS)}

    def load(self) -> None:
        """Load the weights as int8. Never reaches for the network."""
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
        from faster_whisper import WhisperModel

        folder = self.context.store.folder(self.model.name)
        self._whisper: WhisperModel = WhisperModel(
            str(folder),
            device="cpu",
            compute_type="int8",
            # Chunks side by side on a core each: nothing waits at barriers, all cores stay busy.
            cpu_threads=1,
            num_workers=self.context.threads,
            local_files_only=True,
        )

    def perform(self, job: Job) -> dict[str, Any]:
        """Do the task that the job names."""
        with open_clip(job.item) as clip:
            if job.task == "detect_language":
                return self._detect(clip, job)
            return self._transcribe(clip, job)

    # Language

    def _detect(self, clip: Clip, job: Job) -> dict[str, Any]:
        """The language of the speech, weighed over up to four windows spread through it."""
        windows = self._windows(clip, job)
        if not windows:
            raise WorkerError("bad_audio", "there is no speech to tell the language of")
        votes: defaultdict[str, float] = defaultdict(float)
        total = 0.0

        def languages(window: Samples) -> list[tuple[str, float]]:
            job.cancel.check()
            return self._languages(window)

        with ThreadPoolExecutor(job.cores, thread_name_prefix="window") as pool:
            found = list(pool.map(languages, windows))
        for window, shares in zip(windows, found, strict=True):
            weight = len(window) / RATE
            for language, probability in shares:
                votes[language] += weight * probability
            total += weight
        ranked = sorted(((p / total, lang) for lang, p in votes.items()), reverse=True)
        candidates = [[lang, round(p, 4)] for p, lang in ranked[:_CANDIDATES]]
        return {
            "language": candidates[0][0],
            "probability": candidates[0][1],
            "candidates": candidates,
        }

    def _languages(self, window: Samples) -> list[tuple[str, float]]:
        whisper = self._whisper
        if not whisper.model.is_multilingual:
            return [("en", 1.0)]
        from faster_whisper.audio import pad_or_trim

        features = whisper.feature_extractor(window)
        encoded = whisper.encode(pad_or_trim(features, whisper.feature_extractor.nb_max_frames))
        found = whisper.model.detect_language(encoded)[0]
        return [(token[2:-2], float(probability)) for token, probability in found]

    def _windows(self, clip: Clip, job: Job) -> list[Samples]:
        """Up to four windows of at most 30 s of speech, from all over the clip."""
        spans = _given_spans(job.item, clip.frames)
        if spans is None:
            if self._silero is not None and self._silero.installed():
                spans = self._silero.spans(clip, job.cancel)
            else:
                spans = [(0, clip.frames)]
        total = sum(last - first for first, last in spans)
        if total == 0:
            return []
        count = min(_MAX_WINDOWS, max(1, round(total / _WINDOW)))
        windows = []
        for index in range(count):
            skip = index * total // count
            take = min(_WINDOW, (index + 1) * total // count - skip)
            windows.append(_gather(clip, spans, skip, take))
        return windows

    # Text

    def _transcribe(self, clip: Clip, job: Job) -> dict[str, Any]:
        if clip.seconds > MAX_CHUNK_SECONDS + 0.001:
            raise bad(f"the chunk has {clip.seconds:.3f} s; {MAX_CHUNK_SECONDS:.0f} are allowed")
        language = job.item.get("language")
        if language is not None and not isinstance(language, str):
            raise bad("language is not a string")
        if language is None:
            language = self._detect(clip, job)["language"]
        language = primary(language)
        if language not in self._whisper.supported_languages:
            raise WorkerError("unsupported_language", f"{self.model.name} has no {language!r}")
        samples = clip.read()
        if not len(samples):
            return {"language": language, "segments": [], "attempts": 0}
        segments, attempts = self._recognise(samples, language, job)
        return {
            "language": language,
            "segments": [_segment(s, clip.seconds) for s in segments],
            "attempts": attempts,
        }

    def _recognise(self, samples: Samples, language: str, job: Job) -> tuple[list[Segment], int]:
        """Beam search; where it loops or is unsure, once more with repetition held down.

        Whisper's own way out is to sample at rising temperatures. CTranslate2 seeds its random
        numbers once per thread, so that would make the text depend on what was recognised
        before; and a resumed run has to give the same bytes as an unbroken one.
        """
        first = self._search(samples, language, job)
        if not any(_doubtful(segment) for segment in first):
            return first, 1
        second = self._search(
            samples, language, job, repetition_penalty=1.1, no_repeat_ngram_size=3, patience=2.0
        )
        return max((first, second), key=_worth), 2

    def _search(self, samples: Samples, language: str, job: Job, **more: Any) -> list[Segment]:
        segments, _ = self._whisper.transcribe(
            samples,
            language=language,
            beam_size=int(number_of(job.options, "beam", 5, 1, 10)),
            temperature=[0.0],
            word_timestamps=job.options.get("words") is not False,
            condition_on_previous_text=False,
            vad_filter=False,
            **more,
        )
        found = []
        for segment in segments:  # A generator: each step decodes one window.
            job.cancel.check()
            found.append(segment)
        return found


def _given_spans(item: dict[str, Any], frames: int) -> list[tuple[int, int]] | None:
    """The item's `segments` as spans of samples, in order, or None where there are none."""
    segments = item.get("segments")
    if segments is None:
        return None
    try:
        spans = [(round(float(a) * RATE), round(float(b) * RATE)) for a, b in segments]
    except (TypeError, ValueError) as error:
        raise bad(f"segments is not an array of [start, end]: {error}") from error
    return sorted((max(0, a), min(frames, b)) for a, b in spans if min(frames, b) > max(0, a))


def _gather(clip: Clip, spans: list[tuple[int, int]], skip: int, take: int) -> Samples:
    """`take` samples of speech after the first `skip`, joined across the pauses."""
    pieces = []
    for first, last in spans:
        length = last - first
        if skip >= length:
            skip -= length
            continue
        piece = clip.read(first + skip, min(length - skip, take))
        pieces.append(piece)
        take -= len(piece)
        skip = 0
        if take <= 0:
            break
    return np.concatenate(pieces) if pieces else np.zeros(0, dtype=np.float32)


def _doubtful(segment: Segment) -> bool:
    looping = segment.compression_ratio > _COMPRESSION_LIMIT
    return bool(looping or segment.avg_logprob < _LOGPROB_LIMIT)


def _worth(segments: list[Segment]) -> tuple[bool, float]:
    """How good a result is: first whether it repeats itself, then how sure the model was."""
    if not segments:
        return (False, float("-inf"))
    loops = any(segment.compression_ratio > _COMPRESSION_LIMIT for segment in segments)
    return (not loops, sum(segment.avg_logprob for segment in segments) / len(segments))


def _segment(segment: Segment, seconds: float) -> dict[str, Any]:
    def at(value: float) -> float:
        return round(min(max(float(value), 0.0), seconds), 3)

    return {
        "start": at(segment.start),
        "end": at(segment.end),
        "text": segment.text.strip(),
        "avg_logprob": round(float(segment.avg_logprob), 4),
        "no_speech_prob": round(float(segment.no_speech_prob), 4),
        "compression_ratio": round(float(segment.compression_ratio), 3),
        "words": [
            {
                "text": word.word,
                "start": at(word.start),
                "end": at(word.end),
                "probability": round(float(word.probability), 4),
            }
            for word in segment.words or []
        ],
    }
