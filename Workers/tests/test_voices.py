"""Who speaks, and a voice moved: voiceprints, pitch and timbre."""

import io
import pickle
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import Worker, need

from dubmill_worker.audio import RATE
from dubmill_worker.engines.voiceprint import mel_bands, read_weights
from dubmill_worker.protocol import WorkerError
from dubmill_worker.speech.pitch import fundamental, median_pitch, moved


def vowel(pitch: float, seconds: float = 1.6, formant: float = 700.0) -> np.ndarray:
    """A buzz at a pitch, with one formant."""
    times = np.arange(round(seconds * RATE)) / RATE
    out = np.zeros(len(times))
    for harmonic in range(1, int(7000 / pitch)):
        gain = 1 / (1 + ((harmonic * pitch - formant) / 200) ** 2) + 0.02 / harmonic
        out += gain * np.sin(2 * np.pi * harmonic * pitch * times + harmonic)
    return (0.3 * out / np.abs(out).max()).astype(np.float32)


def centre(samples: np.ndarray) -> float:
    """Where the power below 3 kHz lies, in Hz."""
    power = np.abs(np.fft.rfft(samples)) ** 2
    hertz = np.fft.rfftfreq(len(samples), 1 / RATE)
    low = hertz < 3000
    return float((power[low] * hertz[low]).sum() / power[low].sum())


@pytest.mark.parametrize("pitch", [90.0, 140.0, 220.0, 320.0])
def test_median_pitch(pitch: float) -> None:
    track, _ = fundamental(vowel(pitch), RATE)
    found = median_pitch(track)
    assert found is not None and abs(found - pitch) < 2


def test_silence_has_no_pitch() -> None:
    track, _ = fundamental(np.zeros(RATE, dtype=np.float32), RATE)
    assert median_pitch(track) is None


@pytest.mark.parametrize("semitones", [-6.0, 4.0])
def test_moved_is_as_long_and_as_loud_at_the_pitch_asked_for(semitones: float) -> None:
    given = vowel(160.0)
    made = moved(given, RATE, semitones, 1.0)
    assert len(made) == len(given)
    track, _ = fundamental(made, RATE)
    assert median_pitch(track) == pytest.approx(160 * 2 ** (semitones / 12), rel=0.02)
    assert np.sqrt(np.mean(made**2)) == pytest.approx(np.sqrt(np.mean(given**2)), rel=0.05)


def test_timbre_moves_formants_and_leaves_the_pitch() -> None:
    given = vowel(120.0)
    up, down = moved(given, RATE, 0, 1.2), moved(given, RATE, 0, 0.85)
    assert centre(down) < 0.93 * centre(given) < 1.05 * centre(given) < centre(up)
    assert median_pitch(fundamental(up, RATE)[0]) == pytest.approx(120, rel=0.02)


def test_mel_bands_cover_speech_with_equal_areas() -> None:
    bands = mel_bands()
    assert bands.shape == (201, 40)
    assert (bands.sum(axis=1)[2:190] > 0).all()


def test_a_checkpoint_that_wants_to_build_something_is_refused(tmp_path: Path) -> None:
    stream = io.BytesIO()
    for value in (1, 2, {}):
        pickle.dump(value, stream)
    pickle.dump({"model_state": Path("/")}, stream)
    path = tmp_path / "bad.pt"
    path.write_bytes(stream.getvalue())
    with pytest.raises(WorkerError, match="no checkpoint"):
        read_weights(path)


def test_the_same_voice_lies_closer_than_another(worker: Worker, tmp_path: Path) -> None:
    need("resemblyzer", "pico")
    texts = ["The train to the coast leaves at nine.", "Nobody has seen the harbour since."]
    clips = []
    for language, voice in (("en", "en-US"), ("de", "de-DE")):
        for text in texts:
            path = tmp_path / f"{len(clips)}.wav"
            item = {"text": text, "language": language, "voice": voice, "output": {"path": str(path)}}
            low = {"pitch": -7.0, "timbre": 0.85} if voice == "de-DE" else {}
            worker.output("synthesize", "pico", item | low)
            clips.append(soundfile.read(path, dtype="float32")[0][: round(1.6 * RATE)])
    whole = np.concatenate([np.pad(c, (0, round(1.6 * RATE) - len(c))) for c in clips])
    soundfile.write(tmp_path / "all.wav", whole, RATE, subtype="PCM_16")
    spans = [[1.6 * i, 1.6 * i + 1.6] for i in range(4)]
    item = {"audio": {"path": str(tmp_path / "all.wav")}, "spans": spans}
    output = worker.output("embed", "resemblyzer", item)
    vectors = np.array([span["vector"] for span in output["spans"]])
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(4), abs=1e-3)
    near = vectors @ vectors.T
    assert min(near[0, 1], near[2, 3]) > near[:2, 2:].max() + 0.05
    pitches = [span["pitch"] for span in output["spans"]]
    assert min(pitches[:2]) > 1.2 * max(pitches[2:])
    assert worker.output("embed", "resemblyzer", item) == output


def test_spans_outside_are_refused(worker: Worker, tmp_path: Path) -> None:
    need("resemblyzer")
    path = tmp_path / "a.wav"
    soundfile.write(path, vowel(120), RATE, subtype="PCM_16")
    for spans in ([[1.55, 3.0]], [[-1, 1]], "all", [[0.2]]):
        item = {"id": "x", "audio": {"path": str(path)}, "spans": spans}
        body = {"protocol": 1, "task": "embed", "model": "resemblyzer", "items": [item]}
        import json

        _, answer = worker.post(json.dumps(body).encode())
        assert json.loads(answer.splitlines()[0])["error"]["code"] == "bad_request"
