"""Translation by a server of OpenAI's chat protocol: a real one, and one that fails on demand."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from conftest import MODELS, Worker, need

from dubmill_worker.engines.base import Engine, Job
from dubmill_worker.engines.chat import merged
from dubmill_worker.engines.registry import Engines
from dubmill_worker.models.catalogue import Catalogue, CatalogueError
from dubmill_worker.models.store import ModelStore
from dubmill_worker.protocol import Cancelled, WorkerError
from dubmill_worker.schedule import Cancel, Cost
from dubmill_worker.translation.server import ChatServer

Answer = tuple[int, dict[str, str], Any]
LOCAL = "qwen2.5-coder-0.5b"


def said(text: str, reason: str = "stop") -> Answer:
    return 200, {}, {"choices": [{"message": {"content": text}, "finish_reason": reason}]}


class Server:
    """Answers as a test tells it to; keeps what it was asked."""

    def __init__(self, answer: Callable[[int, dict[str, Any]], Answer]) -> None:
        self.asked: list[dict[str, Any]] = []
        self.heads: list[dict[str, str]] = []
        self.times: list[float] = []
        self.busy = self.most = 0
        lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with lock:
                    outer.times.append(time.monotonic())
                    outer.asked.append(body)
                    outer.heads.append(dict(self.headers))
                    number = len(outer.asked)
                    outer.busy += 1
                    outer.most = max(outer.most, outer.busy)
                try:
                    status, headers, value = answer(number, body)
                finally:
                    with lock:
                        outer.busy -= 1
                data = value if isinstance(value, bytes) else json.dumps(value).encode()
                self.send_response(status)
                for name, text in headers.items():
                    self.send_header(name, text)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, format: str, *values: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def start() -> Iterator[Callable[[Callable[[int, dict[str, Any]], Answer]], Server]]:
    started: list[Server] = []

    def begin(answer: Callable[[int, dict[str, Any]], Answer]) -> Server:
        started.append(Server(answer))
        return started[-1]

    yield begin
    for server in started:
        server.close()


def engine(url: str, key: str | None = None, parallel: int = 4) -> Engine:
    server = ChatServer.at(url, "Some/Model-7B", key, parallel)
    built = Engines(Catalogue([]), ModelStore(Path("/nowhere")), 2, server).by_name("Some/Model-7B")
    assert built is not None
    return built


def translate(
    engine: Engine, text: str = "The train leaves at seven.", cancel: Cancel | None = None
) -> dict[str, Any]:
    item = {"id": "a", "text": text, "source": "en", "target": "es"}
    return engine.run(Job("translate", item, {}, cancel or Cancel(), Cost(1)))


GOOD = "El tren sale a las siete."


def test_a_line_is_asked_with_the_prompt_and_the_key(start: Any) -> None:
    server = start(lambda *_: said(f"“{GOOD}”"))
    output = translate(engine(server.url, key="sk-secret"))
    assert output == {
        "text": GOOD,
        "engine": "Some/Model-7B",
        "attempts": 1,
        "draft": False,
        "notes": [],
    }
    request = server.asked[0]
    assert [message["role"] for message in request["messages"]] == ["system", "user"]
    assert "from English into Spanish" in request["messages"][0]["content"]
    assert request["model"] == "Some/Model-7B"
    assert request["temperature"] == 0
    assert request["stop"] == ["\n"]
    assert server.heads[0]["Authorization"] == "Bearer sk-secret"


def test_a_bad_answer_is_asked_once_more_and_then_rejected(start: Any) -> None:
    answers = ["As an AI language model I cannot translate this.", GOOD]
    server = start(lambda number, _: said(answers[min(number, 2) - 1]))
    output = translate(engine(server.url))
    assert output["attempts"] == 2
    assert output["notes"][0].startswith("attempt 1 rejected")
    assert len(server.asked[1]["messages"]) == 2, "one instruction, with what was wrong in it"
    assert "refused" in server.asked[1]["messages"][0]["content"]
    cut = start(lambda *_: said(GOOD, "length"))
    with pytest.raises(WorkerError) as failure:
        translate(engine(cut.url))
    assert failure.value.code == "rejected_output"
    assert "did not end" in str(failure.value)


@pytest.mark.parametrize("status", [429, 503])
def test_it_waits_as_long_as_the_server_says(start: Any, status: int) -> None:
    def answer(number: int, _: dict[str, Any]) -> Answer:
        return (status, {"Retry-After": "1"}, {"error": {}}) if number == 1 else said(GOOD)

    server = start(answer)
    assert translate(engine(server.url))["text"] == GOOD
    assert 1.0 <= server.times[1] - server.times[0] < 3.0


def test_what_the_server_says_to_one_line_holds_for_all(start: Any) -> None:
    def answer(number: int, _: dict[str, Any]) -> Answer:
        return (429, {"Retry-After": "1"}, {}) if number == 1 else said(GOOD)

    server = start(answer)
    model = engine(server.url, parallel=1)
    lines = [threading.Thread(target=translate, args=(model,)) for _ in range(4)]
    for line in lines:
        line.start()
    for line in lines:
        line.join(20)
    assert len(server.asked) == 5
    assert server.most == 1
    assert server.times[1] - server.times[0] >= 1.0


def test_no_more_requests_at_once_than_allowed(start: Any) -> None:
    def answer(*_: Any) -> Answer:
        time.sleep(0.1)
        return said(GOOD)

    server = start(answer)
    model = engine(server.url, parallel=2)
    lines = [threading.Thread(target=translate, args=(model,)) for _ in range(6)]
    for line in lines:
        line.start()
    for line in lines:
        line.join(20)
    assert len(server.asked) == 6
    assert server.most == 2


def test_a_wait_that_is_too_long_fails_the_line(start: Any) -> None:
    server = start(lambda *_: (429, {"Retry-After": "4000"}, {"error": {"message": "quota"}}))
    with pytest.raises(WorkerError, match="quota") as failure:
        translate(engine(server.url))
    assert failure.value.code == "internal"
    assert len(server.asked) == 1


def test_a_server_that_fails_is_asked_again_and_then_given_up(start: Any) -> None:
    server = start(lambda number, _: (500, {}, b"broken") if number < 3 else said(GOOD))
    assert translate(engine(server.url))["text"] == GOOD
    broken = start(lambda *_: (500, {}, {"error": {"message": "out of order"}}))
    with pytest.raises(WorkerError, match="out of order") as failure:
        translate(engine(broken.url))
    assert failure.value.code == "internal"
    assert len(broken.asked) == 3
    with pytest.raises(WorkerError) as failure:
        translate(engine("http://127.0.0.1:9"))
    assert failure.value.code == "internal"
    odd = start(lambda *_: (200, {}, {"choices": []}))
    with pytest.raises(WorkerError, match="no choice"):
        translate(engine(odd.url))


@pytest.mark.parametrize(
    ("status", "code"), [(401, "model_missing"), (404, "model_missing"), (400, "bad_request")]
)
def test_what_will_not_pass_is_not_tried_again(start: Any, status: int, code: str) -> None:
    server = start(lambda *_: (status, {}, {"error": {"message": "no"}}))
    with pytest.raises(WorkerError) as failure:
        translate(engine(server.url, key="sk-secret"))
    assert failure.value.code == code
    assert "sk-secret" not in str(failure.value)
    assert len(server.asked) == 1


def test_parameters_that_a_server_does_not_take_are_left_out(start: Any) -> None:
    def answer(_: int, body: dict[str, Any]) -> Answer:
        for name in ("max_tokens", "temperature", "stop"):
            if name in body:
                return 400, {}, {"error": {"param": name, "code": "unsupported_parameter"}}
        return said(GOOD)

    server = start(answer)
    model = engine(server.url)
    assert translate(model)["text"] == GOOD
    assert server.asked[-1]["max_completion_tokens"] > 24
    asked = len(server.asked)
    assert asked == 4
    translate(model)
    assert len(server.asked) == asked + 1, "it is remembered"


def test_cancelling_closes_the_connection(start: Any) -> None:
    release = threading.Event()

    def answer(*_: Any) -> Answer:
        release.wait(20)
        return said(GOOD)

    server = start(answer)
    cancel = Cancel()
    timer = threading.Timer(0.3, cancel.set)
    timer.start()
    started = time.monotonic()
    with pytest.raises(Cancelled):
        translate(engine(server.url), cancel=cancel)
    assert time.monotonic() - started < 2
    release.set()
    waiting = start(lambda *_: (429, {"Retry-After": "60"}, {}))
    cancel = Cancel()
    threading.Timer(0.3, cancel.set).start()
    started = time.monotonic()
    with pytest.raises(Cancelled):
        translate(engine(waiting.url), cancel=cancel)
    assert time.monotonic() - started < 2


def test_addresses_and_names() -> None:
    for given in ("http://h:1", "http://h:1/", "http://h:1/v1", "http://h:1/v1/chat/completions"):
        assert ChatServer.at(given, "m").url == "http://h:1/v1/chat/completions"
    one = ChatServer.at("http://h/v1", "m", "key")
    assert "key" not in repr(one)
    assert one.digest == ChatServer.at("http://h/v1", "m").digest
    assert one.digest != ChatServer.at("http://other/v1", "m").digest
    for url, model in (("h:1", "m"), ("http://u:p@h", "m"), ("http://h?k=1", "m"), ("http://h", "")):
        with pytest.raises(ValueError):
            ChatServer.at(url, model)
    with pytest.raises(CatalogueError):
        Engines(Catalogue.load(), ModelStore(MODELS), 1, ChatServer.at("http://h", "apertium"))


def test_one_instruction_in_front() -> None:
    chat = [
        {"role": "system", "content": "a"},
        {"role": "system", "content": "b"},
        {"role": "user", "content": "c"},
    ]
    assert merged(chat) == [
        {"role": "system", "content": "a\nb"},
        {"role": "user", "content": "c"},
    ]


def test_a_worker_offers_the_model_and_keeps_the_key_to_itself(start: Any, tmp_path: Path) -> None:
    server = start(lambda *_: said(GOOD))
    before = os.environ.get("DUBMILL_CHAT_KEY")
    os.environ["DUBMILL_CHAT_KEY"] = "sk-secret"
    try:
        worker = Worker(
            tmp_path / "w.sock", "--chat-url", server.url, "--chat-model", "Some/Model-7B"
        ).wait_ready()
    finally:
        os.environ.pop("DUBMILL_CHAT_KEY")
        if before is not None:
            os.environ["DUBMILL_CHAT_KEY"] = before
    item = {"text": "The train leaves at seven.", "source": "en", "target": "es"}
    assert worker.output("translate", "Some/Model-7B", item)["text"] == GOOD
    assert server.heads[0]["Authorization"] == "Bearer sk-secret"
    entries = worker.get("/v1/capabilities")[1]["tasks"]["translate"]
    entry = next(entry for entry in entries if entry["model"] == "Some/Model-7B")
    assert entry["installed"] and entry["engine"] == "chat"
    worker.close()
    assert "sk-secret" not in worker.stderr()


@pytest.fixture(scope="module")
def llama() -> Iterator[str]:
    """llama.cpp's own server, over a small instruct model, on a port of this machine."""
    need(LOCAL)
    xllamacpp = pytest.importorskip("xllamacpp")
    params = xllamacpp.CommonParams()
    params.model.path = str(MODELS / LOCAL / "model.gguf")
    params.n_ctx = 4096
    params.n_parallel = 2
    params.cpuparams.n_threads = 2
    params.warmup = False
    params.verbosity = 0
    # A free port, asked of the system and given back at once.
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    params.hostnames = ["127.0.0.1"]
    params.port = port
    server = xllamacpp.Server(params)
    yield f"http://127.0.0.1:{port}/v1"
    del server


def test_a_real_server_translates(llama: str) -> None:
    model = engine(llama)
    for text, words in (
        ("The train leaves at seven.", ("tren",)),
        ("Good morning, everybody.", ("buenos", "buen")),
        ("Where is the house of your mother?", ("casa",)),
    ):
        output = translate(model, text)
        assert any(word in output["text"].lower() for word in words), output
        assert output == translate(model, text), "the same line comes out the same"
