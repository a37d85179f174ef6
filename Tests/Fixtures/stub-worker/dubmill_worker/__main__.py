"""A stand-in for the worker, of the standard library alone: `python -m dubmill_worker serve --socket PATH …`.

What it answers, and how it fails, is told by `stub.json` beside the package; see StubWorker.Behaviour in
Sources/DubTestKit. Every batch is noted down in `stub-log.ndjson` there, one JSON object a line.
"""

import argparse
import array
import contextlib
import hashlib
import json
import math
import os
import signal
import socketserver
import struct
import sys
import threading
import time
import wave
from http.server import BaseHTTPRequestHandler
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1]
DONE = [0]
LOCK = threading.Lock()


def behaviour() -> dict:
    """What the test wants; read anew each time, so that it may change while we run."""
    try:
        return json.loads((FOLDER / "stub.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}


def note(**record: object) -> None:
    """Note something down for the test."""
    with LOCK, (FOLDER / "stub-log.ndjson").open("a", encoding="utf-8") as log:
        log.write(json.dumps(record, ensure_ascii=False) + "\n")


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
LANGUAGES = ["en", "es", "fr", "de", "it", "pt"]
DIGEST = hashlib.sha256(b"stub").hexdigest()


def listed() -> dict:
    """What the catalogue beside the package lists, by task; nothing where that is empty."""
    tasks: dict = {}
    for entry in json.loads((FOLDER / "catalogue.json").read_text(encoding="utf-8")):
        model = {"model": entry["name"], "engine": "stub", "revision": 1, "draft": False}
        is_there = entry.get("installable", True) and (FOLDER.parent / "models" / entry["name"]).is_dir()
        model |= {"installed": is_there, "languages": entry["languages"]}
        model["digest"] = entry["source"]["files"][0]["sha256"] if is_there else None
        for task in [entry["task"], *entry.get("also", [])]:
            tasks.setdefault(task, []).append(dict(model))
    return tasks


def capabilities() -> dict:
    """What is listed; else one installed model a task, and one of each that is not."""
    plain = {"languages": LANGUAGES, "engine": "stub", "revision": 1, "draft": False}
    digest = behaviour().get("digest") or DIGEST
    tasks = listed() or {
        task: [
            {"model": f"stub-{task}", "installed": True, "digest": digest} | plain,
            {"model": "absent", "installed": False, "digest": None} | plain,
        ]
        for task in TASKS
    }
    tasks["translate"][0]["pairs"] = None
    for model in tasks["synthesize"]:
        model["voices"] = {
            language: {"default": f"{language}-stub", "names": ["other", f"{language}-stub"]}
            for language in LANGUAGES
        }
        model["sample_rate"] = 16000
    return {"protocol": behaviour().get("protocol", 1), "tasks": tasks}


class Handler(BaseHTTPRequestHandler):
    """The protocol over HTTP/1.1, answers in chunks of odd sizes."""

    protocol_version = "HTTP/1.1"

    def address_string(self) -> str:
        """A Unix socket has no address."""
        return "socket"

    def log_message(self, format: str, *values: object) -> None:
        """Log to stderr, as the worker does."""
        print("stub:", format % values, file=sys.stderr, flush=True)

    def send(self, status: int, body: object) -> None:
        """Send a whole JSON answer."""
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self) -> None:
        """Health and capabilities."""
        if not self.may_enter():
            return
        if self.path == "/v1/health":
            protocol = behaviour().get("protocol", 1)
            about = {"worker": "stub", "version": "1", "pid": os.getpid(), "status": "ready"}
            self.send(200, {"protocol": protocol} | about)
        elif self.path == "/v1/capabilities":
            self.send(200, capabilities())
        else:
            self.send(404, {"error": {"code": "bad_request", "message": f"no {self.path}"}})

    def may_enter(self) -> bool:
        """Whether the token is right; an answer is sent where it is not, or where the test wants a failure."""
        wanted = behaviour()
        if wanted.get("status"):
            self.send(wanted["status"], {"error": {"code": "internal", "message": "told to answer so"}})
        elif wanted.get("token") and self.headers["Authorization"] != f"Bearer {wanted['token']}":
            self.send(401, {"error": {"code": "bad_request", "message": "the token is missing or wrong"}})
        else:
            return True
        return False

    def refuse(self, message: str) -> None:
        """Say that a request is wrong as a whole."""
        self.send(400, {"error": {"code": "bad_request", "message": message}})

    def fault_of(self, data: bytes) -> str | None:
        """What is wrong with a request as a whole, unless the test wants that to go unseen."""
        sloppy = behaviour().get("breaks", [])
        try:
            body = json.loads(data)
        except ValueError as error:
            return f"the body is no JSON: {error}"
        if not isinstance(body, dict) or not isinstance(body.get("items"), list) or not body["items"]:
            return "there are no items"
        ids = [item.get("id") for item in body["items"]]
        task = body.get("task")
        if len(data) > 16 << 20 or len(ids) > 1024:
            return "it is too large"
        if body.get("protocol") != 1 and "any protocol" not in sloppy:
            return f"protocol {body.get('protocol')} is not spoken here"
        if task not in TASKS or body.get("model") == "no-such-model":
            return f"no task {task} with {body.get('model')}"
        if not all(ids) or (len(set(ids)) < len(ids) and "duplicate ids" not in sloppy):
            return "an id is missing or there twice"
        return None

    def do_POST(self) -> None:
        """A batch."""
        data = self.rfile.read(int(self.headers["Content-Length"]))
        if not self.may_enter():
            return None
        fault = self.fault_of(data)
        if self.path != "/v1/batch" or fault:
            return self.refuse(fault or f"no {self.path}")
        body = json.loads(data)
        items = body["items"]
        note(event="batch", task=body["task"], model=body["model"], items=items, pid=os.getpid())
        started = time.monotonic()
        try:
            self.send_response(200)
            self.send_header("Content-Type", "application/x-ndjson")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            errors = self.do_all(body)
            wall = time.monotonic() - started
            if "no done" not in behaviour().get("breaks", []):
                seconds = {"wall": wall, "cpu": wall}
                self.line({"done": True, "items": len(items), "errors": errors, "seconds": seconds})
            self.wfile.write(b"0\r\n\r\n")
        except (BrokenPipeError, ConnectionResetError):
            note(event="abandoned", task=body["task"])
            self.close_connection = True

    def do_all(self, body: dict) -> int:
        """Do all items of a batch, one after the other; how many failed."""
        breaks = behaviour().get("breaks", [])
        lines = []
        for item in body["items"]:
            line = {"seconds": {"wall": 0.5, "cpu": 0.25}} | self.answer(body["task"], body["model"], item)
            if "no seconds" in breaks:
                del line["seconds"]
            if "own codes" in breaks and "error" in line:
                line["error"]["code"] = "oops"
            if "other ids" in breaks:
                line["id"] = line["id"].encode("ascii", "ignore").decode() + "?"
            if "random" in breaks and "text" in line.get("output", {}):
                line["output"]["text"] += f" {time.monotonic_ns()}"
            lines.append(line)
            if "all at the end" not in breaks:
                self.line(line)
        if "all at the end" in breaks:
            for line in lines:
                self.line(line)
        return sum("error" in line for line in lines)

    def answer(self, task: str, model: str, item: dict) -> dict:
        """Do one item, or fail as the test wants."""
        wanted = behaviour()
        text = item.get("text", "")
        while wanted.get("hang") is not None and wanted["hang"] in text:
            # A peer that goes away while we hang is seen by the next write.
            time.sleep(0.02)
            self.wfile.write(b"1\r\n\n\r\n" if wanted.get("beat") else b"")
            wanted = behaviour()
        die_after = wanted.get("die_after")
        if die_after is not None and DONE[0] >= die_after or (wanted.get("die_at") or "\0") in text:
            print("stub: dying as told", file=sys.stderr, flush=True)
            if wanted.get("die_once"):
                (FOLDER / "stub.json").write_text(json.dumps(wanted | {"die_after": None, "die_at": None}))
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(wanted.get("delay", 0))
        DONE[0] += 1
        if model in ("absent", "stub-absent", "stub-large"):
            error = {"code": "model_missing", "message": f"{model} is not installed"}
            return {"id": item["id"], "status": "error", "error": error}
        for part, code in wanted.get("errors", {}).items():
            if part in text:
                error = {"code": code, "message": f"told to fail with {code}"}
                return {"id": item["id"], "status": "error", "error": error}
        try:
            output = TASKS[task](item, model)
        except Fault as fault:
            error = {"code": fault.code, "message": str(fault)}
            return {"id": item["id"], "status": "error", "error": error}
        except KeyError as error:
            fault = {"code": "bad_request", "message": f"{error} is missing"}
            return {"id": item["id"], "status": "error", "error": fault}
        return {"id": item["id"], "status": "ok", "output": output}

    def line(self, record: dict) -> None:
        """Send a line in two chunks that end in the middle of it."""
        data = json.dumps(record, ensure_ascii=False).encode() + b"\n"
        if "deaf" in behaviour().get("breaks", []):
            # It goes on for nobody.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
            return
        for piece in (data[: len(data) // 3], data[len(data) // 3 :]):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.flush()


class Server(socketserver.ThreadingUnixStreamServer):
    """One thread a connection."""

    daemon_threads = True
    request_queue_size = 64


def end_with_parent() -> None:
    """End when stdin ends, unless told to be stubborn."""
    while sys.stdin.buffer.read(4096):
        pass
    if not behaviour().get("stubborn"):
        note(event="stdin closed", pid=os.getpid())
        os._exit(0)


def main() -> None:
    """Serve until stdin ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("command", choices=["serve"])
    parser.add_argument("--socket", required=True)
    parser.add_argument("--models")
    parser.add_argument("--catalogue")
    parser.add_argument("--threads", type=int)
    options = parser.parse_args()
    wanted = behaviour()
    note(event="start", pid=os.getpid(), arguments=sys.argv[1:], environment=sorted(os.environ))
    if wanted.get("refuse_start"):
        print("stub: refusing to start\nstub: for want of weights", file=sys.stderr, flush=True)
        sys.exit(3)
    if wanted.get("stubborn"):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    for _ in range(wanted.get("noise", 0)):
        print("stub: noise " + "x" * 200, file=sys.stderr)
    threading.Thread(target=end_with_parent, daemon=True).start()
    time.sleep(wanted.get("start_delay", 0))
    Server(options.socket, Handler).serve_forever()


if __name__ == "__main__":
    main()
