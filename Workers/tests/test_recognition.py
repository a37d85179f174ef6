"""Recognition in batches: the same text as alone, whatever the company."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from conftest import MODELS, Worker, need, tone

from dubmill_worker.batch import Runner
from dubmill_worker.engines.registry import Engines
from dubmill_worker.engines.whisper import Whisper
from dubmill_worker.models.catalogue import Catalogue
from dubmill_worker.models.store import ModelStore
from dubmill_worker.protocol import Batch
from dubmill_worker.recognition.decoder import Decoder, Search
from dubmill_worker.schedule import Cancel

LINES = [
    ("en-US", "The museum opens at nine in the morning."),
    ("en-US", "There are two trains in the afternoon, and neither of them stops here."),
    ("en-US", "Good evening."),
    ("es", "La biblioteca cierra a las ocho de la tarde."),
    ("en-US", "Please keep your ticket until you leave the station, because it is checked again."),
]


@pytest.fixture(scope="module")
def engine() -> Whisper:
    need("whisper-base", "pico")
    found = Engines(Catalogue.load(), ModelStore(MODELS), 2).by_name("whisper-base")
    assert isinstance(found, Whisper)
    return found


@pytest.fixture(scope="module")
def chunks(worker: Worker, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    need("pico")
    folder = tmp_path_factory.mktemp("chunks")
    items = []
    for number, (language, text) in enumerate(LINES):
        path = folder / f"{number}.wav"
        output = {"path": str(path)}
        worker.output("synthesize", "pico", {"text": text, "language": language, "output": output})
        samples, rate = soundfile.read(path, dtype="float32")
        assert rate == 16_000
        soundfile.write(path, np.pad(samples, 4800), rate, subtype="FLOAT")
        items.append(
            {"id": str(number), "audio": {"path": str(path)}, "language": language.split("-")[0]}
        )
    return items


def asked(engine: Whisper, items: list[dict[str, Any]]) -> dict[str, Any]:
    lines: list[dict[str, Any]] = []
    Runner(engine, Batch("transcribe", "whisper-base", {}, items), engine.context.account).run(
        lines.append, Cancel()
    )
    return {line["id"]: line.get("output", line.get("error")) for line in lines[:-1]}


def test_a_chunk_gives_the_same_whatever_is_beside_it(
    engine: Whisper, chunks: list[dict[str, Any]]
) -> None:
    alone = {item["id"]: asked(engine, [item])[item["id"]] for item in chunks}
    assert "museum" in alone["0"]["segments"][0]["text"]
    assert asked(engine, chunks) == alone
    assert asked(engine, chunks[::-1]) == alone
    assert asked(engine, [chunks[1], chunks[4]]) == {"1": alone["1"], "4": alone["4"]}


def test_over_a_full_window_it_is_what_faster_whisper_gives(
    engine: Whisper, chunks: list[dict[str, Any]]
) -> None:
    engine.ready()
    decoder = Decoder(engine._whisper, (3000,))
    english = [item for item in chunks if item["language"] == "en"]
    clips = [soundfile.read(item["audio"]["path"], dtype="float32")[0] for item in english]
    together = decoder.recognise([decoder.features(c) for c in clips], "en", Search(), Cancel())
    for clip, segments in zip(clips, together, strict=True):
        expected, _ = engine._whisper.transcribe(
            clip,
            language="en",
            beam_size=5,
            temperature=[0.0],
            word_timestamps=True,
            condition_on_previous_text=False,
        )
        for ours, theirs in zip(segments, list(expected), strict=True):
            assert (ours.text, ours.start, ours.end) == (theirs.text, theirs.start, theirs.end)
            assert ours.avg_logprob == pytest.approx(theirs.avg_logprob, abs=1e-4)
            assert [(w.word, w.start, w.end) for w in ours.words] == [
                (w.word, w.start, w.end) for w in theirs.words or []
            ]


def test_a_faulty_chunk_takes_no_other_with_it(
    engine: Whisper, chunks: list[dict[str, Any]], tmp_path: Path
) -> None:
    long = tone(tmp_path / "long.wav", 31.0)
    broken = tmp_path / "broken.wav"
    soundfile.write(broken, np.full(16_000, np.nan, np.float32), 16_000, subtype="FLOAT")
    empty = tmp_path / "empty.wav"
    soundfile.write(empty, np.zeros(0, np.float32), 16_000, subtype="FLOAT")
    found = asked(
        engine,
        [
            chunks[0],
            {"id": "long", "audio": {"path": str(long)}, "language": "en"},
            {"id": "broken", "audio": {"path": str(broken)}, "language": "en"},
            {"id": "missing", "audio": {"path": "/nowhere.wav"}, "language": "en"},
            {"id": "tongue", "audio": chunks[1]["audio"], "language": "tlh"},
            {"id": "number", "audio": chunks[1]["audio"], "language": 7},
            {"id": "empty", "audio": {"path": str(empty)}, "language": "en"},
            chunks[1],
        ],
    )
    codes = {key: value.get("code") for key, value in found.items() if "code" in value}
    assert codes == {
        "long": "bad_request",
        "broken": "bad_audio",
        "missing": "bad_audio",
        "tongue": "unsupported_language",
        "number": "bad_request",
    }
    assert found["empty"] == {"language": "en", "segments": [], "attempts": 0}
    assert found["0"]["segments"]
    assert found["1"]["segments"]


def test_windows_fit_the_chunk_and_nothing_else(engine: Whisper) -> None:
    engine.ready()
    assert engine._window(300) == 600
    assert engine._window(500) == 1000
    assert engine._window(1700) == 2200
    assert engine._window(2900) == 3000
