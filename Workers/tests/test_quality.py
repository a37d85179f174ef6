"""Predicted judgements of how a recording sounds."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import Worker, need, tone

TEXT = "The museum opens at nine in the morning and closes at five in the afternoon."


@pytest.fixture
def clip(worker: Worker, tmp_path: Path) -> Path:
    need("dnsmos", "pico")
    path = tmp_path / "said.wav"
    item = {"text": TEXT, "language": "en-US", "output": {"path": str(path)}}
    worker.output("synthesize", "pico", item)
    return path


def rated(worker: Worker, path: Path, **options: float) -> dict[str, float]:
    item = {"audio": {"path": str(path)}}
    return dict(worker.output("quality", "dnsmos", item, **options)["mos"])


def test_speech_sounds_better_than_the_same_in_noise(
    worker: Worker, clip: Path, tmp_path: Path
) -> None:
    samples, rate = soundfile.read(clip, dtype="float32")
    noise = np.random.default_rng(1).standard_normal(len(samples)).astype(np.float32)
    level = float(np.sqrt(np.mean(samples**2)))
    plain = rated(worker, clip)
    worse = [plain]
    for decibels in (20, 10, 0):
        path = tmp_path / f"{decibels}.wav"
        mixed = samples + noise * level * 10 ** (-decibels / 20)
        soundfile.write(path, mixed * 0.5, rate, subtype="FLOAT")
        worse.append(rated(worker, path))
    for scale in ("overall", "background"):
        falling = [scores[scale] for scores in worse]
        assert falling == sorted(falling, reverse=True), scale
    assert plain["overall"] > 2.3
    assert worse[-1]["overall"] < plain["overall"] - 0.7
    assert worse[-1]["p808"] < plain["p808"]


def test_windows_and_what_is_too_short(worker: Worker, clip: Path, tmp_path: Path) -> None:
    long = tone(tmp_path / "long.wav", 12.0)
    output = worker.output("quality", "dnsmos", {"audio": {"path": str(long)}})
    assert output["windows"] == 3
    output = worker.output("quality", "dnsmos", {"audio": {"path": str(long)}}, step=9.0)
    assert output["windows"] == 1
    short = tone(tmp_path / "short.wav", 0.05)
    found = worker.batch(
        "quality",
        "dnsmos",
        [
            {"id": "short", "audio": {"path": str(short)}},
            {"id": "missing", "audio": {"path": "/nowhere.wav"}},
            {"id": "good", "audio": {"path": str(clip)}},
        ],
    )
    assert found["short"]["error"]["code"] == "bad_audio"
    assert found["missing"]["error"]["code"] == "bad_audio"
    assert found["good"]["status"] == "ok"


def test_the_same_clip_is_rated_the_same(worker: Worker, clip: Path) -> None:
    assert rated(worker, clip) == rated(worker, clip)
    silence = np.zeros(16_000, np.float32)
    path = clip.with_name("silence.wav")
    soundfile.write(path, silence, 16_000, subtype="FLOAT")
    assert rated(worker, path)["overall"] <= 3, "silence is no good speech"
