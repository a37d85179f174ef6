"""The real models, where they are installed: what they say is recognised again."""

import difflib
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from conftest import Worker, need

TEXTS = {
    "en": "The museum opens at nine in the morning and closes at five in the afternoon.",
    "es": "El museo abre a las nueve de la mañana y cierra a las cinco de la tarde.",
    "fr": "Le musée ouvre à neuf heures du matin et ferme à cinq heures du soir.",
    "it": "Il museo apre alle nove del mattino e chiude alle cinque del pomeriggio.",
    "pt": "O museu abre às nove da manhã e fecha às cinco da tarde.",
    "de": "Das Museum öffnet um neun Uhr morgens und schließt um fünf Uhr nachmittags.",
}

DIGITS = {
    "en": {"9": "nine", "5": "five"},
    "es": {"9": "nueve", "5": "cinco"},
    "fr": {"9": "neuf", "5": "cinq"},
    "it": {"9": "nove", "5": "cinque"},
    "pt": {"9": "nove", "5": "cinco"},
    "de": {"9": "neun", "5": "fünf"},
}


def words(text: str, language: str) -> list[str]:
    found = re.findall(r"[^\W_]+", text.lower())
    return [DIGITS[language].get(word, word) for word in found]


def same(said: str, heard: str, language: str) -> float:
    """Share of the words that were heard as they were said."""
    one, two = words(said, language), words(heard, language)
    matcher = difflib.SequenceMatcher(None, one, two, autojunk=False)
    return sum(block.size for block in matcher.get_matching_blocks()) / max(len(one), len(two))


def speak(worker: Worker, model: str, language: str, path: Path, **more: Any) -> dict[str, Any]:
    item = {"text": TEXTS[language], "language": language, "output": {"path": str(path)}, **more}
    return worker.output("synthesize", model, item)


def at_16k(path: Path) -> Path:
    """The clip at the recognisers' rate, by linear interpolation, which is enough for this."""
    samples, rate = soundfile.read(path, dtype="float32")
    if rate == 16_000:
        return path
    count = round(len(samples) * 16_000 / rate)
    at = np.arange(count) * rate / 16_000
    converted = path.with_suffix(".16k.wav")
    soundfile.write(converted, np.interp(at, np.arange(len(samples)), samples), 16_000)
    return converted


def heard(worker: Worker, path: Path, language: str) -> dict[str, Any]:
    item = {"audio": {"path": str(at_16k(path))}, "language": language}
    return worker.output("transcribe", "whisper-base", item)


@pytest.mark.parametrize(
    ("model", "language", "least"),
    [
        ("pico", "en", 0.8),
        ("pico", "es", 0.8),
        ("pico", "fr", 0.7),
        ("pico", "it", 0.7),
        ("pico", "de", 0.7),
        ("kokoro", "en", 0.8),
        ("kokoro", "es", 0.8),
        ("kokoro", "fr", 0.5),
        ("kokoro", "it", 0.7),
        ("kokoro", "pt", 0.6),
        ("espeak-ng", "en", 0.6),
    ],
)
def test_speech_is_recognised_again(
    worker: Worker, tmp_path: Path, model: str, language: str, least: float
) -> None:
    need(model, "whisper-base")
    path = tmp_path / "said.wav"
    spoken = speak(worker, model, language, path)
    info = soundfile.info(path)
    assert (info.channels, info.samplerate) == (1, spoken["audio"]["sample_rate"])
    assert info.frames == spoken["audio"]["frames"]
    start, end = spoken["speech"]
    assert 0 <= start < 0.1
    assert end > spoken["audio"]["seconds"] - 1.0
    text = " ".join(s["text"] for s in heard(worker, path, language)["segments"])
    assert same(TEXTS[language], text, language) >= least, text


@pytest.mark.parametrize("model", ["pico", "kokoro", "espeak-ng"])
def test_the_same_text_gives_the_same_bytes(worker: Worker, tmp_path: Path, model: str) -> None:
    need(model)
    first, other, again = (tmp_path / f"{name}.wav" for name in ("first", "other", "again"))
    speak(worker, model, "es", first)
    speak(worker, model, "en", other, rate=1.2)
    speak(worker, model, "es", again)
    assert first.read_bytes() == again.read_bytes()


@pytest.mark.parametrize("model", ["pico", "kokoro", "espeak-ng"])
def test_rate_changes_how_long_it_takes(worker: Worker, tmp_path: Path, model: str) -> None:
    need(model)
    lengths = [
        speak(worker, model, "es", tmp_path / f"{rate}.wav", rate=rate)["audio"]["seconds"]
        for rate in (0.8, 1.0, 1.3)
    ]
    assert lengths[0] > lengths[1] * 1.1
    assert lengths[2] < lengths[1] * 0.88


def test_nothing_to_say_is_rejected(worker: Worker, tmp_path: Path) -> None:
    path = tmp_path / "none.wav"
    item = {"id": "a", "text": "😀 …", "language": "es", "output": {"path": str(path)}}
    for model in ("pico", "espeak-ng"):
        need(model)
        assert worker.batch("synthesize", model, [item])["a"]["error"]["code"] == "rejected_output"
    assert not path.exists()


def test_voices_and_languages_are_never_replaced(worker: Worker, tmp_path: Path) -> None:
    need("pico")
    base = {"text": "Hola.", "output": {"path": str(tmp_path / "a.wav")}}
    results = worker.batch(
        "synthesize",
        "pico",
        [
            {"id": "voice", "language": "es", "voice": "somebody", **base},
            {"id": "language", "language": "pt", **base},
            {"id": "region", "language": "en-GB", **base},
            {
                "id": "place",
                "text": "Hola.",
                "language": "es",
                "output": {"path": "/nowhere/a.wav"},
            },
        ],
    )
    assert results["voice"]["error"]["code"] == "bad_request"
    assert results["language"]["error"]["code"] == "unsupported_language"
    assert results["region"]["output"]["voice"] == "en-GB"
    assert results["place"]["error"]["code"] == "bad_request"


@pytest.fixture
def speech(worker: Worker, tmp_path: Path) -> Path:
    """Two seconds of silence, five of speech, two of silence."""
    need("pico")
    path = tmp_path / "speech.wav"
    speak(worker, "pico", "es", path)
    samples, _ = soundfile.read(path, dtype="float32")
    pause = np.zeros(32_000, dtype=np.float32)
    soundfile.write(path, np.concatenate([pause, samples, pause]), 16_000, subtype="FLOAT")
    return path


def test_speech_is_found_where_it_is(worker: Worker, speech: Path) -> None:
    need("silero-vad")
    found = worker.output("detect_speech", "silero-vad", {"audio": {"path": str(speech)}})
    assert found["duration"] == pytest.approx(soundfile.info(speech).duration, abs=1e-4)
    assert found["segments"][0][0] == pytest.approx(2.0, abs=0.15)
    assert found["segments"][-1][1] == pytest.approx(found["duration"] - 2.1, abs=0.2)


def test_parts_and_headerless_files_read_the_same(
    worker: Worker, speech: Path, tmp_path: Path
) -> None:
    need("silero-vad")
    samples, _ = soundfile.read(speech, dtype="float32")
    raw = tmp_path / "speech.f32"
    raw.write_bytes(samples.astype("<f4").tobytes())
    whole = worker.output("detect_speech", "silero-vad", {"audio": {"path": str(speech)}})
    audio = {"path": str(raw), "encoding": "f32le"}
    assert worker.output("detect_speech", "silero-vad", {"audio": audio}) == whole
    part = {"path": str(speech), "start": 1.024, "end": 7.168}
    found = worker.output("detect_speech", "silero-vad", {"audio": part})
    assert found["duration"] == pytest.approx(6.144)
    assert found["segments"][0][0] == pytest.approx(whole["segments"][0][0] - 1.024, abs=0.1)


def test_long_files_take_no_more_memory(worker: Worker, speech: Path, tmp_path: Path) -> None:
    need("silero-vad")
    samples, _ = soundfile.read(speech, dtype="float32")
    long = tmp_path / "long.wav"
    with soundfile.SoundFile(long, "w", 16_000, 1, "PCM_16") as file:
        for _ in range(80):
            file.write(samples)
    worker.output("detect_speech", "silero-vad", {"audio": {"path": str(speech)}})
    before = _peak(worker.process.pid)
    worker.output("detect_speech", "silero-vad", {"audio": {"path": str(long)}})
    # The file's samples alone would be four bytes each.
    grown = _peak(worker.process.pid) - before
    assert grown < soundfile.info(long).frames * 4 / 1024 / 2, f"{grown} KiB"


def _peak(process: int) -> int:
    status = Path(f"/proc/{process}/status").read_text()
    match = re.search(r"VmHWM:\s+(\d+)", status)
    assert match
    return int(match.group(1))


def test_language_is_recognised(worker: Worker, speech: Path) -> None:
    need("whisper-base")
    item = {"audio": {"path": str(speech)}}
    found = worker.output("detect_language", "whisper-base", item)
    assert found["language"] == "es"
    assert found["candidates"][0] == ["es", found["probability"]]
    results = worker.batch("detect_language", "whisper-base", [{"id": "a", **item, "segments": []}])
    assert results["a"]["error"]["code"] == "bad_audio"


def test_words_have_times_within_the_chunk(worker: Worker, speech: Path) -> None:
    need("whisper-base")
    found = heard(worker, speech, "es")
    times = [w for s in found["segments"] for w in s["words"]]
    assert times
    assert all(a["start"] <= a["end"] for a in times)
    assert all(a["end"] <= b["start"] + 0.02 for a, b in pairwise(times))
    assert times[-1]["end"] <= soundfile.info(speech).duration
    assert found == heard(worker, speech, "es"), "the same chunk gives the same text and times"


def test_recogniser_refuses_what_it_cannot_do(worker: Worker, speech: Path, tmp_path: Path) -> None:
    need("whisper-base")
    samples, _ = soundfile.read(speech, dtype="float32")
    long = tmp_path / "31.wav"
    soundfile.write(long, np.resize(samples, 31 * 16_000), 16_000)
    results = worker.batch(
        "transcribe",
        "whisper-base",
        [
            {"id": "long", "audio": {"path": str(long)}, "language": "es"},
            {"id": "language", "audio": {"path": str(speech)}, "language": "tlh"},
            {"id": "empty", "audio": {"path": str(speech), "start": 1, "end": 1}, "language": "es"},
        ],
    )
    assert results["long"]["error"]["code"] == "bad_request"
    assert results["language"]["error"]["code"] == "unsupported_language"
    assert results["empty"]["output"]["segments"] == []


LINES = ["Good morning.", "The train leaves at seven.", "Where is my coat?", "42", "Thank you."]


def translated(worker: Worker, model: str, lines: list[str], target: str) -> list[dict[str, Any]]:
    items = [
        {"id": str(i), "text": text, "source": "en", "target": target}
        for i, text in enumerate(lines)
    ]
    results = worker.batch("translate", model, items)
    return [results[str(i)] for i in range(len(lines))]


def test_a_language_model_translates_and_does_so_again(worker: Worker) -> None:
    need("qwen2.5-coder-0.5b")
    first = translated(worker, "qwen2.5-coder-0.5b", LINES, "es")
    assert [r["status"] for r in first] == ["ok"] * len(LINES), first
    assert first[3]["output"]["text"] == "42"
    assert "tren" in first[1]["output"]["text"].lower()
    again = translated(worker, "qwen2.5-coder-0.5b", LINES[::-1], "es")[::-1]
    assert [r["output"]["text"] for r in first] == [r["output"]["text"] for r in again]


def test_unknown_languages_and_registers_are_refused(worker: Worker) -> None:
    need("qwen2.5-coder-0.5b")
    result = translated(worker, "qwen2.5-coder-0.5b", ["Hi."], "tlh")[0]
    assert result["error"]["code"] == "unsupported_language"


def test_rules_translate_and_say_what_they_did_not_know(worker: Worker) -> None:
    need("apertium")
    item = {"text": "La casa de Xyzzyq es grande.", "source": "es", "target": "pt"}
    found = worker.output("translate", "apertium", item)
    assert found["text"] == "A casa de Xyzzyq é grande."
    assert found["notes"] == ["unknown words: Xyzzyq"]
    assert not found["draft"]
    english = {"text": "The house is big.", "source": "en", "target": "es"}
    assert worker.output("translate", "apertium", english)["draft"]
