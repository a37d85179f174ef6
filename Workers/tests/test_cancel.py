"""A client that leaves stops its batch; nobody else notices."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from conftest import Connection, Worker, need

from dubmill_worker.app import build_app
from dubmill_worker.engines.base import Context, Engine, Job
from dubmill_worker.engines.registry import Engines
from dubmill_worker.models.catalogue import Catalogue, Model, Source
from dubmill_worker.models.store import ModelStore


class Slow(Engine):
    """Takes as many 10 ms steps as the item says, and looks for a cancellation at each."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.cores = 1
        self.steps: dict[str, int] = {}
        self.ended = threading.Event()

    def installed(self) -> bool:
        return True

    def perform(self, job: Job) -> dict[str, Any]:
        if job.item.get("breaks"):
            raise RuntimeError("broken on purpose")
        try:
            for step in range(job.item.get("steps", 1)):
                self.steps[job.item["id"]] = step
                time.sleep(0.01)
                job.cancel.check()
        finally:
            self.ended.set()
        return {"text": "done"}


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[tuple[Path, Slow]]:
    model = Model("slow", "translate", "slow", "none", Source("bundled"))
    store = ModelStore(tmp_path)
    engines = Engines(Catalogue([model]), store, 1)
    engine = Slow(Context(model, store, engines.cores, engines.account))
    engines.__dict__["by_name"] = lambda name: engine if name == "slow" else None
    path = tmp_path / "s.sock"
    config = uvicorn.Config(build_app(engines), uds=str(path), log_level="error", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 10
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.01)
    yield path, engine
    server.should_exit = True
    thread.join(10)


def send(path: Path, items: list[dict[str, Any]]) -> Connection:
    body = {"protocol": 1, "task": "translate", "model": "slow", "items": items}
    connection = Connection(path)
    connection.request("POST", "/v1/batch", json.dumps(body))
    return connection


def test_closing_the_connection_stops_the_batch(slow: tuple[Path, Slow]) -> None:
    path, engine = slow
    items = [{"id": "quick"}, {"id": "long", "steps": 3000}, {"id": "later", "steps": 3000}]
    connection = send(path, items)
    response = connection.getresponse()
    assert json.loads(response.readline())["id"] == "quick"
    engine.ended.clear()
    assert connection.sock is not None
    connection.sock.shutdown(socket.SHUT_RDWR)
    connection.close()
    response.close()
    assert engine.ended.wait(5), "the running item went on"
    time.sleep(0.1)
    assert engine.steps["long"] < 2999
    assert "later" not in engine.steps, "an item was begun for nobody"


def test_the_next_client_is_served_after_a_cancelled_one(slow: tuple[Path, Slow]) -> None:
    path, _ = slow
    first = send(path, [{"id": "long", "steps": 3000}])
    time.sleep(0.1)
    assert first.sock is not None
    first.sock.close()
    first.close()
    started = time.monotonic()
    lines = send(path, [{"id": "next"}]).getresponse().read().splitlines()
    assert json.loads(lines[-1])["done"] is True
    assert time.monotonic() - started < 5


def test_whatever_an_engine_raises_is_the_items_error(slow: tuple[Path, Slow]) -> None:
    path, _ = slow
    answer = send(path, [{"id": "bad", "breaks": True}, {"id": "good"}]).getresponse().read()
    lines = [json.loads(line) for line in answer.splitlines()]
    assert lines[0]["error"]["code"] == "internal"
    assert lines[1]["status"] == "ok"


def test_health_answers_while_a_batch_runs(slow: tuple[Path, Slow]) -> None:
    path, _ = slow
    running = send(path, [{"id": "long", "steps": 3000}])
    asking = Connection(path)
    started = time.monotonic()
    asking.request("GET", "/v1/health")
    assert asking.getresponse().status == 200
    assert time.monotonic() - started < 2
    running.close()


def test_a_language_model_stops_between_tokens(worker: Worker) -> None:
    need("qwen2.5-coder-0.5b")
    text = "The river rises in the hills and runs slowly through the old town. " * 20
    item = {"text": text, "source": "en", "target": "fr"}
    body = {"protocol": 1, "task": "translate", "model": "qwen2.5-coder-0.5b"}
    warm = [{"id": "w", "text": "Good morning.", "source": "en", "target": "fr"}]
    worker.batch("translate", "qwen2.5-coder-0.5b", warm)
    connection = Connection(worker.socket)
    items = [{"id": str(i), **item} for i in range(8)]
    connection.request("POST", "/v1/batch", json.dumps(body | {"items": items}))
    time.sleep(0.5)
    assert connection.sock is not None
    connection.sock.close()
    connection.close()
    started = time.monotonic()
    worker.batch("translate", "qwen2.5-coder-0.5b", warm)
    # Eight lines of 150 words take a minute or more.
    assert time.monotonic() - started < 20
