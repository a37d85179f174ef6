"""Speech to text, and which language it is: Whisper by faster-whisper and CTranslate2."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ..audio import RATE, Clip, Samples, open_clip
from ..packing import pack, round_up
from ..protocol import WorkerError, bad, number_of, primary
from ..recognition.decoder import Decoder, Search, Segment
from ..schedule import Cost
from .base import Call, Context, Done, Engine, Job, attempt
from .silero import Silero

if TYPE_CHECKING:
    from faster_whisper import WhisperModel

MAX_CHUNK_SECONDS = 30.0
_WINDOW = 30 * RATE
_MAX_WINDOWS = 4
_CANDIDATES = 5

_FULL = 3000
_MARGIN = 200
# More in one call won nothing on a CPU, and made cancelling slower.
_BATCH = 4

_COMPRESSION_LIMIT = 2.4
_LOGPROB_LIMIT = -1.0


class Whisper(Engine):
    """transcribe and detect_language."""

    revision = 2

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
        self._decoder = Decoder(self._whisper, self._sizes(), _MARGIN)
        self._full = Decoder(self._whisper, (_FULL,))

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

    def grouped(self, jobs: Sequence[Job]) -> Iterator[tuple[Call, list[Job]]]:
        """Chunks of one language and about one length go through the model together.

        What has to be told the language first, and what is faulty, goes by itself.
        """
        together: defaultdict[str, list[tuple[Job, int]]] = defaultdict(list)
        for job in jobs:
            frames = _frames(job) if job.task == "transcribe" else None
            if frames is None:
                yield partial(self._alone, job), [job]
            else:
                together[primary(job.item["language"])].append((job, frames))
        count = sum(len(chunks) for chunks in together.values())
        most = max(1, min(_BATCH, -(-count // self.width)))
        for language, chunks in together.items():
            lengths = [self._window(frames) for _, frames in chunks]
            for batch in pack(lengths, _BATCH * _FULL, most, self._sizes()):
                members = [chunks[index][0] for index in batch.items]
                yield partial(self._together, language, members), members

    def _sizes(self) -> tuple[int, ...]:
        """Lengths of sound, frames of 10 ms, that this model was measured to do well on."""
        given = self.model.raw.get("windows") or ()
        return (*(round(seconds * 100) for seconds in given if seconds < 30), _FULL)

    def _window(self, frames: int) -> int:
        return round_up(frames + _MARGIN, self._sizes())

    def _together(self, language: str, jobs: list[Job], done: Done) -> None:
        """A call of several chunks, on one core."""
        cancel = jobs[0].cancel
        with self.context.cores.hold(1, cancel):
            clips: list[tuple[Job, Samples, float]] = []
            for job in jobs:
                clip = attempt(partial(self._read, job))
                if isinstance(clip, WorkerError):
                    done(job, clip)
                else:
                    clips.append((job, *clip))
            if not clips:
                return
            cost = Cost(1)

            def text() -> list[dict[str, Any]]:
                self.ready()
                with self.context.account.running(cost):
                    return self._texts([samples for _, samples, _ in clips], language, jobs[0])

            outputs = attempt(text)
        if isinstance(outputs, WorkerError) and len(clips) > 1:
            for job, _, _ in clips:  # Whichever it was, it fails alone.
                self._alone(job, done)
            return
        whole = sum(seconds for _, _, seconds in clips)
        for index, (job, _, seconds) in enumerate(clips):
            job.cost.cpu += cost.cpu * (seconds / whole if whole else 1 / len(clips))
            done(job, outputs if isinstance(outputs, WorkerError) else outputs[index])

    def _read(self, job: Job) -> tuple[Samples, float]:
        with open_clip(job.item) as clip:
            return _short(clip).read(), clip.seconds

    def _transcribe(self, clip: Clip, job: Job) -> dict[str, Any]:
        _short(clip)
        language = job.item.get("language")
        if language is not None and not isinstance(language, str):
            raise bad("language is not a string")
        if language is None:
            language = self._detect(clip, job)["language"]
        return self._texts([clip.read()], primary(language), job)[0]

    def _texts(self, clips: Sequence[Samples], language: str, job: Job) -> list[dict[str, Any]]:
        """What is said in each clip; all are of one language."""
        if language not in self._whisper.supported_languages:
            raise WorkerError("unsupported_language", f"{self.model.name} has no {language!r}")
        heard = [index for index, samples in enumerate(clips) if len(samples)]
        found = self._recognise([clips[index] for index in heard], language, job)
        outputs: list[dict[str, Any]] = [
            {"language": language, "segments": [], "attempts": 0} for _ in clips
        ]
        for index, (segments, attempts) in zip(heard, found, strict=True):
            seconds = len(clips[index]) / RATE
            outputs[index]["segments"] = [_segment(segment, seconds) for segment in segments]
            outputs[index]["attempts"] = attempts
        return outputs

    def _recognise(
        self, clips: Sequence[Samples], language: str, job: Job
    ) -> list[tuple[list[Segment], int]]:
        """Beam search; where it loops or is unsure, twice more, and the best is kept.

        Then it sees a full window, and then repetition is held down.

        Whisper's own way out is to sample at rising temperatures. CTranslate2 seeds its random
        numbers once per thread, so that would make the text depend on what was recognised
        before; and a resumed run has to give the same bytes as an unbroken one.
        """
        plain = Search(
            beam=int(number_of(job.options, "beam", 5, 1, 10)),
            words=job.options.get("words") is not False,
        )
        held = replace(plain, repetition_penalty=1.1, no_repeat=3, patience=2.0)
        spectrograms = [self._decoder.features(samples) for samples in clips]
        tried = [[s] for s in self._decoder.recognise(spectrograms, language, plain, job.cancel)]
        for decoder, search in ((self._full, plain), (self._full, held)):
            again = [
                index
                for index, results in enumerate(tried)
                if any(_doubtful(segment) for segment in results[-1])
                and (search is held or self._window(spectrograms[index].shape[-1] - 1) < _FULL)
            ]
            if again:
                chosen = [spectrograms[index] for index in again]
                more = decoder.recognise(chosen, language, search, job.cancel)
                for index, segments in zip(again, more, strict=True):
                    tried[index].append(segments)
        return [(max(results, key=_worth), len(results)) for results in tried]


def _short(clip: Clip) -> Clip:
    if clip.seconds > MAX_CHUNK_SECONDS + 0.001:
        raise bad(f"the chunk has {clip.seconds:.3f} s; {MAX_CHUNK_SECONDS:.0f} are allowed")
    return clip


def _frames(job: Job) -> int | None:
    """Frames of 10 ms of a chunk that can go with others; None for all else."""
    if not isinstance(job.item.get("language"), str):
        return None
    try:
        with open_clip(job.item) as clip:
            return round(clip.seconds * 100) if clip.seconds <= MAX_CHUNK_SECONDS else None
    except WorkerError:
        return None


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
