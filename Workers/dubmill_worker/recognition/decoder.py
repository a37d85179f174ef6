"""Whisper over several stretches of speech at once.

What faster-whisper's own batched pipeline leaves out is kept: times within the text, the rule
for silence, and a further look at what lies behind the last word. So a batch gives the text that
its members give one by one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..audio import Samples
from ..packing import round_up
from ..schedule import Cancel

if TYPE_CHECKING:
    from faster_whisper import WhisperModel
    from faster_whisper.tokenizer import Tokenizer

Features = NDArray[np.float32]

_NO_SPEECH = 0.6
_UNSURE = -1.0
_FIRST_TIMESTAMP = 50
_BEFORE = "\"'“¿([{-"
_AFTER = "\"'.。,，!！?？:：”)]}、"


@dataclass(frozen=True)
class Word:
    """A word and its place, seconds."""

    word: str
    start: float
    end: float
    probability: float


@dataclass(frozen=True)
class Segment:
    """A stretch of recognised text, seconds from the start of what was given."""

    start: float
    end: float
    text: str
    avg_logprob: float
    no_speech_prob: float
    compression_ratio: float
    words: tuple[Word, ...] = ()


@dataclass(frozen=True)
class Search:
    """How the text is searched for."""

    beam: int = 5
    words: bool = True
    repetition_penalty: float = 1.0
    no_repeat: int = 0
    patience: float = 1.0


@dataclass
class _Stretch:
    """One stretch on its way: its features, how far it is done, what was found."""

    features: Features
    language: str
    seek: int = 0
    spoken: float = 0.0
    segments: list[Segment] = field(default_factory=list)

    @property
    def frames(self) -> int:
        return int(self.features.shape[-1]) - 1

    @property
    def left(self) -> int:
        return self.frames - self.seek


class Decoder:
    """A loaded Whisper, asked for several stretches at once.

    `windows` are the lengths, in frames of 10 ms and ascending, that the encoder is given; a
    stretch gets the least one that holds it and `margin` frames of nothing behind. The length
    depends on the stretch alone, never on its company.
    """

    def __init__(self, whisper: WhisperModel, windows: Sequence[int], margin: int = 0) -> None:
        self._whisper = whisper
        self._windows = tuple(windows)
        self._margin = margin
        self._tokenizers: dict[str, Tokenizer] = {}

    def features(self, samples: Samples) -> Features:
        """The mel spectrogram, `[band][frame]`, as the model was trained on."""
        found: Features = self._whisper.feature_extractor(samples)
        return found

    def window(self, frames: int) -> int:
        """Frames that the encoder is given for so many frames of sound."""
        return round_up(frames + self._margin, self._windows)

    def recognise(
        self, spectrograms: Sequence[Features], language: str, search: Search, cancel: Cancel
    ) -> list[list[Segment]]:
        """The segments of each stretch, all of one language. Raises Cancelled between passes."""
        stretches = [_Stretch(features, language) for features in spectrograms]
        while True:
            rooms: defaultdict[int, list[_Stretch]] = defaultdict(list)
            for stretch in stretches:
                if stretch.left > 0:
                    rooms[self.window(min(stretch.left, self._windows[-1]))].append(stretch)
            if not rooms:
                return [stretch.segments for stretch in stretches]
            for window, together in sorted(rooms.items()):
                cancel.check()
                self._pass(window, together, self._tokenizer(language), search)

    def _tokenizer(self, language: str) -> Tokenizer:
        from faster_whisper.tokenizer import Tokenizer

        known = self._tokenizers.get(language)
        if known is None:
            whisper = self._whisper
            known = self._tokenizers[language] = Tokenizer(
                whisper.hf_tokenizer,
                whisper.model.is_multilingual,
                task="transcribe",
                language=language,
            )
        return known

    def _pass(
        self, window: int, stretches: list[_Stretch], tokenizer: Tokenizer, search: Search
    ) -> None:
        """One look of the model at the next window of each."""
        from faster_whisper.audio import pad_or_trim
        from faster_whisper.transcribe import get_suppressed_tokens

        whisper = self._whisper
        sizes = [min(stretch.left, window) for stretch in stretches]
        batch = np.stack(
            [
                pad_or_trim(stretch.features[:, stretch.seek : stretch.seek + size], window)
                for stretch, size in zip(stretches, sizes, strict=True)
            ]
        )
        encoded = whisper.encode(batch)
        prompt = whisper.get_prompt(tokenizer, [], without_timestamps=False)
        results = whisper.model.generate(
            encoded,
            [prompt] * len(stretches),
            beam_size=search.beam,
            patience=search.patience,
            repetition_penalty=search.repetition_penalty,
            no_repeat_ngram_size=search.no_repeat,
            max_length=whisper.max_length,
            return_scores=True,
            return_no_speech_prob=True,
            suppress_blank=True,
            suppress_tokens=list(get_suppressed_tokens(tokenizer, [-1])),
            max_initial_timestamp_index=_FIRST_TIMESTAMP,
        )
        spoken: list[tuple[int, _Stretch, _Heard]] = []
        for index, (stretch, size, result) in enumerate(
            zip(stretches, sizes, results, strict=True)
        ):
            tokens = result.sequences_ids[0]
            sure = result.scores[0] * len(tokens) / (len(tokens) + 1)
            if result.no_speech_prob > _NO_SPEECH and sure <= _UNSURE:
                stretch.seek += size
                continue
            heard = self._heard(stretch, size, tokens, tokenizer)
            heard.sure, heard.silent = float(sure), float(result.no_speech_prob)
            spoken.append((index, stretch, heard))
        if search.words and spoken:
            self._place(encoded, spoken, sizes, tokenizer)
        for index, stretch, heard in spoken:
            self._keep(stretch, sizes[index], heard, tokenizer, search)

    def _heard(
        self, stretch: _Stretch, size: int, tokens: list[int], tokenizer: Tokenizer
    ) -> _Heard:
        whisper = self._whisper
        pieces, seek, ended = whisper._split_segments_by_timestamps(
            tokenizer=tokenizer,
            tokens=tokens,
            time_offset=stretch.seek * whisper.feature_extractor.time_per_frame,
            segment_size=size,
            segment_duration=size * whisper.feature_extractor.time_per_frame,
            seek=stretch.seek,
        )
        return _Heard(pieces, seek, ended, tokens)

    def _place(
        self,
        encoded: Any,
        spoken: list[tuple[int, _Stretch, _Heard]],
        sizes: list[int],
        tokenizer: Tokenizer,
    ) -> None:
        """Give words their times, one stretch at a time: CTranslate2 pads texts of a batch."""
        from faster_whisper.transcribe import get_ctranslate2_storage

        whisper = self._whisper
        rows = np.array(encoded) if len(sizes) > 1 else None
        for index, stretch, heard in spoken:
            row = encoded
            if rows is not None:
                row = get_ctranslate2_storage(rows[index : index + 1])
            whisper.add_word_timestamps(
                [heard.pieces],
                tokenizer,
                row,
                sizes[index],
                _BEFORE,
                _AFTER,
                last_speech_timestamp=stretch.spoken,
            )

    def _keep(
        self, stretch: _Stretch, size: int, heard: _Heard, tokenizer: Tokenizer, search: Search
    ) -> None:
        """Take over what was heard, and move on to what lies behind the last word."""
        from faster_whisper.transcribe import get_compression_ratio, get_end

        whisper = self._whisper
        before, stretch.seek = stretch.seek, heard.seek
        if search.words:
            last = get_end(heard.pieces)
            if last is not None:
                if not heard.ended and last > before * whisper.feature_extractor.time_per_frame:
                    stretch.seek = round(last * whisper.frames_per_second)
                stretch.spoken = last
        ratio = get_compression_ratio(tokenizer.decode(heard.tokens).strip())
        for piece in heard.pieces:
            text = tokenizer.decode(piece["tokens"])
            if piece["start"] == piece["end"] or not text.strip():
                continue
            words = tuple(Word(**word) for word in piece.get("words", ()))
            stretch.segments.append(
                Segment(piece["start"], piece["end"], text, heard.sure, heard.silent, ratio, words)
            )


@dataclass
class _Heard:
    """What one look gave."""

    pieces: list[dict[str, Any]]
    seek: int
    ended: bool
    tokens: list[int]
    sure: float = 0.0
    silent: float = 0.0
