"""How the process begins and ends."""

import signal
import socket
import time
from pathlib import Path

from conftest import Worker


def test_leaves_when_its_parent_does(tmp_path: Path) -> None:
    worker = Worker(tmp_path / "w.sock").wait_ready()
    assert worker.process.stdin is not None
    worker.process.stdin.close()
    started = time.monotonic()
    assert worker.process.wait(5) == 0
    assert time.monotonic() - started <= 1.0
    assert not worker.socket.exists()


def test_leaves_on_sigterm(tmp_path: Path) -> None:
    worker = Worker(tmp_path / "w.sock").wait_ready()
    worker.process.send_signal(signal.SIGTERM)
    assert worker.process.wait(5) == 0
    assert not worker.socket.exists()


def test_replaces_a_socket_that_nobody_answers(tmp_path: Path) -> None:
    path = tmp_path / "w.sock"
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(path))
    assert path.exists()
    Worker(path).wait_ready().close()


def test_leaves_a_living_workers_socket_alone(tmp_path: Path) -> None:
    first = Worker(tmp_path / "w.sock").wait_ready()
    second = Worker(tmp_path / "w.sock")
    assert second.process.wait(10) == 1
    assert "cannot listen" in second.stderr()
    assert first.get("/v1/health")[0] == 200
    first.close()


def test_usage_errors_end_with_64(tmp_path: Path) -> None:
    from dubmill_worker.cli import main

    assert main(["serve", "--socket", str(tmp_path / "s"), "--threads", "-1"]) == 64
    malformed = tmp_path / "catalogue.json"
    malformed.write_text("{}")
    arguments = ["serve", "--socket", str(tmp_path / "s"), "--catalogue", str(malformed)]
    assert main(arguments) == 64
