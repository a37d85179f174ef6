"""What the stub does with one item, a function a task."""

import array
import hashlib
import json
import math
import struct
import wave
from pathlib import Path

from .wanted import FOLDER, LOCK, behaviour


class Fault(Exception):
    """An item that cannot be done."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def wav_seconds(path: str) -> float:
    """How long a WAV file is; other files cannot be read, so they are bad audio."""
    try:
        with wave.open(path) as audio:
            return audio.getnframes() / audio.getframerate()
    except (OSError, EOFError, wave.Error) as error:
        raise Fault("bad_audio", f"{path}: {error}") from error


def transcript(path: str) -> dict | None:
    """The line that the test gave for this file, by its name."""
    return behaviour().get("transcripts", {}).get(Path(path).name)


def sounds(path: str) -> list[tuple[float, float, str]]:
    """Where a file sounds, and what is said there: words that come from the sound alone, not from its place."""
    wav_seconds(path)
    with wave.open(path) as audio:
        rate = audio.getframerate()
        samples = array.array("h", audio.readframes(audio.getnframes()))
    hop = rate // 50
    spans: list[list[int]] = []
    for start in range(0, len(samples), hop):
        if max(map(abs, samples[start : start + hop])) < 1000:
            continue
        if spans and start - spans[-1][1] < rate // 5:
            spans[-1][1] = start + hop
        else:
            spans.append([start, start + hop])
    told = []
    for start, end in spans:
        middle = samples[start + (end - start) // 4 : end - (end - start) // 4]
        turns = sum(a < 0 <= b for a, b in zip(middle, middle[1:]))
        pitch = round(turns * rate / max(1, len(middle)) / 10) * 10
        told.append((start / rate, end / rate, said(pitch)))
    return told


def spoken() -> dict[int, dict]:
    """What the stub has said itself, by the pitch that it said it at."""
    with LOCK:
        try:
            lines = (FOLDER / "stub-spoken.ndjson").read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return {}
    return {record["pitch"]: record for record in map(json.loads, lines)}


def said(pitch: int) -> str:
    """The words of a sound: those that the stub said nearest to this pitch, or what a person hums."""
    own = spoken()
    if pitch < 900 or not own:
        return f"Somebody hums at {pitch} hertz."
    # Where a take was stretched, its pitch is not found to the hertz.
    return own[min(own, key=lambda known: abs(known - pitch))]["text"]


def segment(start: float, end: float, text: str) -> dict:
    """A stretch of speech, its words spread evenly."""
    words = text.split()
    step = (end - start) / max(1, len(words))
    timed = [
        {
            "text": word,
            "start": round(start + i * step, 3),
            "end": round(start + (i + 0.9) * step, 3),
            "probability": 0.9,
        }
        for i, word in enumerate(words)
    ]
    return {
        "start": round(start, 3),
        "end": round(end, 3),
        "text": text,
        "avg_logprob": -0.2,
        "no_speech_prob": 0.01,
        "compression_ratio": 1.1,
        "words": timed,
    }


def transcribe(item: dict, _model: str) -> dict:
    """Say the given text, its words spread evenly over the file; without one, words made from the file's length."""
    path = item["audio"]["path"]
    seconds = wav_seconds(path)
    given = transcript(path) or {}
    language = item.get("language") or given.get("language") or behaviour().get("spoken", "en")
    if behaviour().get("hears"):
        return {"language": language, "attempts": 1, "segments": [segment(*sound) for sound in sounds(path)]}
    text = given.get("text", f"This is {round(seconds * 1000)} milliseconds of speech.")
    segments = [segment(0.0, seconds, text)] if text.split() else []
    return {"language": language, "attempts": 1, "segments": segments}


def translate(item: dict, model: str) -> dict:
    """Reverse nothing, invent nothing: mark the text with the language, so that a test knows it again."""
    if item["target"] in [*behaviour().get("unsupported", []), "zxx"]:
        raise Fault("unsupported_language", f"{item['source']}-{item['target']} is no pair of {model}")
    text = f"[{item['target']}] {item['text']}"
    return {"text": text, "engine": model, "attempts": 1, "draft": False, "notes": []}


def synthesize(item: dict, model: str) -> dict:
    """Write a tone of 60 ms a character, divided by the rate; its pitch comes from the text."""
    if item["language"] in [*behaviour().get("unsupported", []), "zxx"]:
        raise Fault("unsupported_language", f"{model} has no voice for {item['language']}")
    if item.get("voice") == "nobody’s voice":
        raise Fault("bad_request", "nobody speaks with nobody’s voice")
    if not Path(item["output"]["path"]).parent.is_dir():
        raise Fault("bad_request", f"{item['output']['path']}: its folder is not there")
    rate = 16000
    pad = rate // 20
    speech = max(1, int(len(item["text"]) * 0.06 / item.get("rate", 1.0) * rate))
    # Higher than anybody hums, and in steps that are told apart.
    pitch = 1000 + 30 * (int.from_bytes(hashlib.sha256(item["text"].encode()).digest()[:2], "big") % 150)
    with LOCK, (FOLDER / "stub-spoken.ndjson").open("a", encoding="utf-8") as log:
        record = {"pitch": pitch, "text": item["text"], "language": item["language"]}
        log.write(json.dumps(record, ensure_ascii=False) + "\n")
    tone = [int(9000 * math.sin(2 * math.pi * pitch * i / rate)) for i in range(speech)]
    samples = [0] * pad + tone + [0] * pad
    path = item["output"]["path"]
    with wave.open(path, "wb") as audio:
        audio.setnchannels(1)
        audio.setsampwidth(2)
        audio.setframerate(rate)
        audio.writeframes(struct.pack(f"<{len(samples)}h", *samples))
    frames = len(samples)
    return {
        "audio": {"path": path, "sample_rate": rate, "frames": frames, "seconds": frames / rate},
        "speech": [pad / rate, (pad + speech) / rate],
        "engine": model,
        "voice": item.get("voice") or f"{item['language']}-stub",
        "language": item["language"],
        "draft": False,
        "notes": [],
    }


def detect_speech(item: dict, _model: str) -> dict:
    """All of it is speech, or what the test says."""
    seconds = wav_seconds(item["audio"]["path"])
    if behaviour().get("hears"):
        spans = [[start, end] for start, end, _ in sounds(item["audio"]["path"])]
        return {"duration": seconds, "segments": spans}
    given = transcript(item["audio"]["path"]) or {}
    return {"duration": seconds, "segments": given.get("segments", [[0.0, seconds]])}


def detect_language(item: dict, _model: str) -> dict:
    """What the stub said itself; else English, or what the test says."""
    wav_seconds(item["audio"]["path"])
    if behaviour().get("hears"):
        texts = [text for _, _, text in sounds(item["audio"]["path"])]
        own = {record["text"]: record["language"] for record in spoken().values()}
        known = [own[text].split("-")[0] for text in texts if text in own]
        if 2 * len(known) > len(texts):
            candidates = [[known[0], 0.95], ["xx", 0.05]]
            return {"language": known[0], "probability": 0.95, "candidates": candidates}
    language = (transcript(item["audio"]["path"]) or {}).get("language") or behaviour().get("spoken", "en")
    return {"language": language, "probability": 0.95, "candidates": [[language, 0.95], ["xx", 0.05]]}


def separate(item: dict, _model: str) -> dict:
    """Take all for speech: the part of the file (CAF, mono floats), in a WAV of floats."""
    audio = item["audio"]
    try:
        file = Path(audio["path"]).read_bytes()
        # A chunk of CAF: 4 bytes of name, 8 of length; in front of the samples 4 more.
        form, samples = file.index(b"desc") + 12, file.index(b"data") + 16
    except (OSError, ValueError) as error:
        raise Fault("bad_audio", f"{audio['path']}: {error}") from error
    rate = round(struct.unpack_from(">d", file, form)[0])
    frames = file[samples:]
    part = frames[round(audio["start"] * rate) * 4 : round(audio["end"] * rate) * 4]
    path = item["output"]["path"]
    head = struct.pack("<4sI4s4sIHHIIHH", b"RIFF", 36 + len(part), b"WAVE", b"fmt ", 16, 3, 1, rate, rate * 4, 4, 32)
    Path(path).write_bytes(head + struct.pack("<4sI", b"data", len(part)) + part)
    count = len(part) // 4
    return {"audio": {"path": path, "sample_rate": rate, "frames": count, "seconds": count / rate}}


def embed(item: dict, _model: str) -> dict:
    """Everybody sounds the same; where the test wants voices, what hums above 300 Hz is another one."""
    wav_seconds(item["audio"]["path"])
    with wave.open(item["audio"]["path"]) as audio:
        rate = audio.getframerate()
        samples = array.array("h", audio.readframes(audio.getnframes()))
    told = []
    for start, end in item["spans"]:
        part = samples[int(start * rate) : int(end * rate)]
        turns = sum(a < 0 <= b for a, b in zip(part, part[1:]))
        pitch = turns * rate / max(1, len(part))
        voice = int(pitch > 300) if behaviour().get("voices") else 0
        told.append({"vector": [1.0 - voice, float(voice), 0.1, 0.1], "pitch": pitch / 2})
    return {"dimensions": 4, "spans": told}


TASKS = {
    "transcribe": transcribe,
    "translate": translate,
    "synthesize": synthesize,
    "detect_speech": detect_speech,
    "detect_language": detect_language,
    "separate": separate,
    "embed": embed,
}
