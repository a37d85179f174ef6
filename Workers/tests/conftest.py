"""A real worker over a real socket, and where the models lie."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
import soundfile

from dubmill_worker.models.catalogue import Catalogue
from dubmill_worker.models.command import default_models_folder
from dubmill_worker.models.store import ModelStore

WORKERS = Path(__file__).resolve().parents[1]
SCHEMA = json.loads((WORKERS.parent / "docs" / "worker-protocol.schema.json").read_text("utf-8"))
MODELS = Path(os.environ.get("DUBMILL_TEST_MODELS") or default_models_folder(dict(os.environ)))


def valid(message: Any, definition: str) -> None:
    """Hold a message to one definition of the protocol's schema."""
    jsonschema.Draft202012Validator(
        {"$ref": f"#/$defs/{definition}", "$defs": SCHEMA["$defs"]}
    ).validate(message)


def need(*names: str) -> None:
    """Skip the test, saying so, unless these models are installed."""
    from dubmill_worker.engines.registry import Engines

    engines = Engines(Catalogue.load(), ModelStore(MODELS), 1)
    for name in names:
        engine = engines.by_name(name)
        if engine is None or not engine.installed():
            pytest.skip(f"{name} is not installed under {MODELS}: dubmill models pull {name}")


class Connection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=300)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(300)
        self.sock.connect(str(self._path))


class Worker:
    """A worker process and a client of it."""

    def __init__(self, path: Path, *more: str, models: Path = MODELS) -> None:
        self.socket = path
        command = [sys.executable, "-m", "dubmill_worker", "serve", "--socket", str(path)]
        self.process = subprocess.Popen(
            [*command, "--models", str(models), *more],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": str(WORKERS)},
        )

    def wait_ready(self) -> Worker:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                self.get("/v1/health")
            except OSError:
                assert self.process.poll() is None, self.stderr()
                time.sleep(0.02)
            else:
                return self
        raise AssertionError("the worker did not become ready")

    def stderr(self) -> str:
        assert self.process.stderr is not None
        return self.process.stderr.read().decode()

    def get(self, path: str) -> tuple[int, Any]:
        connection = Connection(self.socket)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        finally:
            connection.close()

    def post(self, body: bytes) -> tuple[int, bytes]:
        connection = Connection(self.socket)
        try:
            connection.request("POST", "/v1/batch", body, {"content-type": "application/json"})
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def batch(
        self, task: str, model: str, items: list[dict[str, Any]], **options: Any
    ) -> dict[str, dict[str, Any]]:
        """The results by id, every message held to the schema."""
        request = {"protocol": 1, "task": task, "model": model, "options": options, "items": items}
        valid(request, "request")
        status, body = self.post(json.dumps(request).encode())
        assert status == 200, body
        lines = [json.loads(line) for line in body.splitlines()]
        *results, done = lines
        valid(done, "done")
        assert done["items"] == len(items) == len(results)
        for result in results:
            valid(result, "result")
            if result["status"] == "ok":
                valid(result["output"], f"{task}_output")
        return {result["id"]: result for result in results}

    def output(self, task: str, model: str, item: dict[str, Any], **options: Any) -> dict[str, Any]:
        """The output of a batch of one item."""
        result = self.batch(task, model, [{"id": "only", **item}], **options)["only"]
        assert result["status"] == "ok", result
        output: dict[str, Any] = result["output"]
        return output

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(10)


@pytest.fixture(scope="session")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    started = Worker(tmp_path_factory.mktemp("w") / "w.sock").wait_ready()
    yield started
    started.close()


def tone(path: Path, seconds: float = 1.0, rate: int = 16_000, channels: int = 1) -> Path:
    """A tone, which nobody takes for speech."""
    time_axis = np.arange(round(seconds * rate)) / rate
    samples = (0.3 * np.sin(2 * np.pi * 440 * time_axis)).astype(np.float32)
    soundfile.write(path, np.tile(samples[:, None], (1, channels)), rate, subtype="FLOAT")
    return path
