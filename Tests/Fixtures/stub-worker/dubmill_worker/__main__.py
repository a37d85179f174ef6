"""A stand-in for the worker, of the standard library alone: `python -m dubmill_worker serve --socket PATH …`.

What it answers, and how it fails, is told by `stub.json` beside the package; see StubWorker.Behaviour in
Sources/DubTestKit. Every batch is noted down in `stub-log.ndjson` there, one JSON object a line.
"""

import argparse
import contextlib
import hashlib
import json
import os
import signal
import socketserver
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler

from .tasks import TASKS, Fault
from .wanted import FOLDER, behaviour, note

DONE = [0]
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
