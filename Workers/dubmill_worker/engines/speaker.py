"""What all speech engines share: an item comes in as text and leaves as a WAV file."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

from ..audio import Samples, output_path, write_wav
from ..protocol import WorkerError, bad, number_of, primary, text_of
from ..speech.normalise import speakable
from ..speech.shape import QUIET_DB, trim
from .base import Engine, Job

MIN_RATE, MAX_RATE = 0.8, 1.3
_FURTHEST_SEMITONES = 12.0
_MIN_TIMBRE, _MAX_TIMBRE = 0.7, 1.4


@dataclass(frozen=True)
class Spoken:
    """A synthesised clip: mono Float32 at `rate` Hz, with the engine's noise at `quiet_db`."""

    samples: Samples
    rate: int
    quiet_db: float = QUIET_DB


class Speaker(Engine):
    """synthesize."""

    @abstractmethod
    def voices(self) -> dict[str, list[str]]:
        """By language, the voices, the default one first."""

    @property
    @abstractmethod
    def sample_rate(self) -> int:
        """Hz of all clips."""

    @abstractmethod
    def speak(self, text: str, language: str, voice: str, pace: float, job: Job) -> Spoken:
        """Say a text. `pace` multiplies the engine's own speaking rate."""

    def capability(self, task: str) -> dict[str, Any]:
        """Languages, voices and sample rate."""
        voices = self.voices() if self.installed() else {}
        return {
            "languages": sorted(voices),
            "voices": {
                language: {"default": names[0], "names": names}
                for language, names in sorted(voices.items())
            },
            "sample_rate": self.sample_rate,
            "rate": [MIN_RATE, MAX_RATE],
        }

    def perform(self, job: Job) -> dict[str, Any]:
        """`{audio: {path, sample_rate, frames, seconds}, speech, engine, voice, notes}`."""
        item = job.item
        text = text_of(item, "text")
        path = output_path(item)
        pace = number_of(item, "rate", 1.0, MIN_RATE, MAX_RATE)
        pitch = number_of(item, "pitch", 0.0, -_FURTHEST_SEMITONES, _FURTHEST_SEMITONES)
        timbre = number_of(item, "timbre", 1.0, _MIN_TIMBRE, _MAX_TIMBRE)
        language, voice = self._voice(text_of(item, "language"), item.get("voice"))
        said = speakable(text, language)
        if not said:
            raise WorkerError("rejected_output", f"there is nothing in {text!r} that can be said")
        job.cancel.check()
        spoken = self.speak(said, language, voice, pace, job)
        samples, speech = trim(spoken.samples, spoken.rate, spoken.quiet_db)
        if not len(samples):
            raise WorkerError("rejected_output", f"{self.model.name} was silent on {said!r}")
        job.cancel.check()
        if pitch != 0 or timbre != 1:
            # WORLD is loaded by whoever asks for it: most lines are spoken as they are.
            from ..speech.pitch import moved

            samples = moved(samples, spoken.rate, pitch, timbre)
        write_wav(path, samples, spoken.rate)
        notes = []
        if said != " ".join(text.split()):
            notes.append(f"said as: {said}")
        if pitch != 0 or timbre != 1:
            notes.append(f"timbre matching: {pitch:+g} semitones, formants × {timbre:g}")
        return {
            "audio": {
                "path": str(path),
                "sample_rate": spoken.rate,
                "frames": len(samples),
                "seconds": round(len(samples) / spoken.rate, 6),
            },
            "speech": list(speech),
            "engine": self.model.name,
            "voice": voice,
            "language": language,
            "draft": self.model.draft,
            "notes": notes,
        }

    def _voice(self, language: str, voice: object) -> tuple[str, str]:
        """The language as the engine knows it, and the voice.

        A voice that is asked for and not there is an error: no other one speaks in its place.
        """
        voices = self.voices()
        tag = language.replace("_", "-").lower()
        known = next((k for k in (tag, primary(tag)) if k in voices), None)
        if known is None:
            message = f"{self.model.name} does not speak {language!r}; it speaks "
            raise WorkerError("unsupported_language", message + ", ".join(sorted(voices)))
        if voice is None or voice == "":
            regional = [v for v in voices[known] if v.lower() == tag]
            return known, (regional or voices[known])[0]
        if voice not in voices[known]:
            there = ", ".join(voices[known])
            raise bad(f"{self.model.name} has no voice {voice!r} for {known}; it has {there}")
        return known, str(voice)
