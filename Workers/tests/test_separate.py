"""DeepFilterNet: speech comes out where it was, whatever a file's length and however it is cut."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import Worker, need, tone
from test_engines import speak

RATE = 48_000


@pytest.fixture(scope="module")
def voice(worker: Worker, tmp_path_factory: pytest.TempPathFactory) -> np.ndarray:
    """Speech at 48 kHz: two sentences with a pause."""
    need("pico", "deepfilternet-3")
    path = tmp_path_factory.mktemp("voice") / "voice.wav"
    speak(worker, "pico", "en", path)
    samples, rate = soundfile.read(path, dtype="float32")
    at = np.arange(round(len(samples) * RATE / rate)) * rate / RATE
    once = np.interp(at, np.arange(len(samples)), samples).astype(np.float32)
    return np.concatenate([once, np.zeros(RATE, np.float32), once])


def separate(worker: Worker, source: Path, target: Path, **part: float) -> np.ndarray:
    item = {"audio": {"path": str(source), **part}, "output": {"path": str(target)}}
    told = worker.output("separate", "deepfilternet-3", item)["audio"]
    samples, rate = soundfile.read(target, dtype="float32")
    assert (rate, len(samples)) == (told["sample_rate"], told["frames"]) == (RATE, len(samples))
    return samples


def level(samples: np.ndarray) -> float:
    return float(10 * np.log10(np.mean(samples.astype(np.float64) ** 2) + 1e-12))


def test_speech_stays_in_its_place_and_the_noise_is_gone(
    worker: Worker, voice: np.ndarray, tmp_path: Path
) -> None:
    noise = np.random.default_rng(4).normal(0, 0.01, len(voice)).astype(np.float32)
    soundfile.write(tmp_path / "in.wav", voice + noise, RATE, subtype="FLOAT")
    speech = separate(worker, tmp_path / "in.wav", tmp_path / "out.wav")
    assert len(speech) == len(voice)
    size = 1 << (2 * len(voice)).bit_length()
    spectra = np.conj(np.fft.rfft(voice, size)) * np.fft.rfft(speech, size)
    lag = int(np.argmax(np.fft.irfft(spectra)))
    assert min(lag, size - lag) <= 1, "delay is taken off to the sample"
    assert float(voice @ speech) > 0.95 * float(np.linalg.norm(voice) * np.linalg.norm(speech))
    pause = slice(len(voice) // 2 - RATE // 4, len(voice) // 2 + RATE // 4)
    assert level(speech[pause]) < level(noise) - 25


def test_a_part_is_what_it_is_in_the_whole(
    worker: Worker, voice: np.ndarray, tmp_path: Path
) -> None:
    noise = np.random.default_rng(5).normal(0, 0.01, 3 * len(voice)).astype(np.float32)
    source = tmp_path / "in.wav"
    soundfile.write(source, np.tile(voice, 3) + noise, RATE, subtype="FLOAT")
    whole = separate(worker, source, tmp_path / "whole.wav")
    start, end = 9.0, 14.5
    part = separate(worker, source, tmp_path / "part.wav", start=start, end=end)
    same = whole[round(start * RATE) : round(end * RATE)]
    assert len(part) == len(same)
    assert level(part - same) < level(same) - 40


def test_the_same_gives_the_same_and_other_rates_are_refused(
    worker: Worker, voice: np.ndarray, tmp_path: Path
) -> None:
    source = tmp_path / "in.wav"
    soundfile.write(source, voice[: 3 * RATE + 17], RATE, subtype="FLOAT")
    first = separate(worker, source, tmp_path / "a.wav")
    assert np.array_equal(first, separate(worker, source, tmp_path / "b.wav"))
    place = {"path": str(tmp_path / "c.wav")}
    results = worker.batch(
        "separate",
        "deepfilternet-3",
        [
            {"id": "slow", "audio": {"path": str(tone(tmp_path / "16.wav"))}, "output": place},
            {"id": "none", "audio": {"path": str(tmp_path / "none.wav")}, "output": place},
        ],
    )
    assert {result["error"]["code"] for result in results.values()} == {"bad_audio"}
    assert not (tmp_path / "c.wav").exists()
