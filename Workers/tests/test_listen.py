"""A worker on a port: who gets in, and how it ends."""

import http.client
import json
import os
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import MODELS, WORKERS, valid

from dubmill_worker.cli import main
from dubmill_worker.listener import Port

TOKEN = "a-token-of-the-tests"


class Listening:
    """A worker that was started on a free port."""

    def __init__(self, *more: str, stdin: int = subprocess.PIPE) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "dubmill_worker", "serve", "--listen", "127.0.0.1:0"]
            + ["--models", str(MODELS), *more],
            stdin=stdin,
            stderr=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": str(WORKERS)},
        )
        assert self.process.stderr is not None
        self.log: list[dict[str, Any]] = []
        for line in self.process.stderr:
            self.log.append(json.loads(line))
            if self.log[-1]["message"] == "worker ready":
                break
        self.address = str(self.log[-1]["worker.socket"])

    def get(self, path: str, token: str | None = None, context: Any = None) -> tuple[int, Any]:
        scheme, _, place = self.address.partition("://")
        kind = http.client.HTTPSConnection if scheme == "https" else http.client.HTTPConnection
        options = {"context": context} if context else {}
        connection = kind(place, timeout=20, **options)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        body = json.loads(response.read())
        connection.close()
        return response.status, body

    def close(self) -> None:
        self.process.kill()
        self.process.wait(10)


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text(TOKEN + "\n")
    return path


@pytest.fixture
def guarded(token_file: Path) -> Iterator[Listening]:
    worker = Listening("--token-file", str(token_file))
    yield worker
    worker.close()


def test_only_who_knows_the_token_gets_in(guarded: Listening) -> None:
    for wrong in (None, "wrong", TOKEN + "x", TOKEN[:-1]):
        for path in ("/v1/health", "/v1/capabilities", "/v1/batch", "/nothing"):
            status, body = guarded.get(path, wrong)
            assert status == 401, (path, wrong)
            valid(body, "refusal")
    status, body = guarded.get("/v1/health", TOKEN)
    assert status == 200
    valid(body, "health")


def test_the_token_is_in_no_log(guarded: Listening) -> None:
    guarded.get("/v1/health", TOKEN)
    guarded.get("/v1/health", "wrong")
    guarded.process.terminate()
    assert guarded.process.stderr is not None
    rest = guarded.process.stderr.read().decode()
    assert TOKEN not in rest + json.dumps(guarded.log)
    assert guarded.process.wait(10) == 0


def test_a_refused_batch_is_not_read(guarded: Listening) -> None:
    connection = http.client.HTTPConnection(guarded.address.partition("://")[2], timeout=20)
    connection.putrequest("POST", "/v1/batch")
    connection.putheader("Content-Length", str(10 << 20))
    connection.endheaders()
    # Nothing of the body is sent, and the answer comes all the same.
    assert connection.getresponse().status == 401
    connection.close()


def test_off_this_machine_it_listens_with_a_token_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--listen", "0.0.0.0:0"]) == 64
    assert "--token-file" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["", "two words", "\n"])
def test_a_file_without_one_token_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "token"
    path.write_text(text)
    assert main(["serve", "--listen", "127.0.0.1:0", "--token-file", str(path)]) == 64
    path.unlink()
    assert main(["serve", "--listen", "127.0.0.1:0", "--token-file", str(path)]) == 64


def test_addresses() -> None:
    assert Port.parse("[::1]:7443") == Port("::1", 7443)
    assert Port.parse("localhost:1").is_loopback
    assert Port.parse("127.9.9.9:1").is_loopback
    assert not Port.parse("gpu1:1").is_loopback
    for wrong in ("7443", "host:", ":7443", "host:99999", "host:x"):
        with pytest.raises(ValueError, match="HOST:PORT"):
            Port.parse(wrong)


def test_nothing_on_stdin_does_not_end_it() -> None:
    worker = Listening(stdin=subprocess.DEVNULL)
    assert worker.get("/v1/health")[0] == 200
    worker.process.send_signal(signal.SIGTERM)
    assert worker.process.wait(10) == 0


def test_it_leaves_with_whoever_holds_its_stdin() -> None:
    worker = Listening()
    assert worker.process.stdin is not None
    worker.process.stdin.close()
    assert worker.process.wait(5) == 0


def test_what_was_begun_is_ended_and_nothing_new_is_taken(tmp_path: Path) -> None:
    worker = Listening("--drain", "20")
    items = [
        {"id": str(i), "text": "A line. " * 20, "language": "en-US",
         "output": {"path": str(tmp_path / f"{i}.wav")}}
        for i in range(24)
    ]  # fmt: skip
    body = {"protocol": 1, "task": "synthesize", "model": "pico", "items": items}
    connection = http.client.HTTPConnection(worker.address.partition("://")[2], timeout=60)
    connection.request("POST", "/v1/batch", json.dumps(body))
    response = connection.getresponse()
    first = json.loads(response.readline())
    worker.process.send_signal(signal.SIGTERM)
    lines = [first, *[json.loads(line) for line in response.read().splitlines()]]
    assert lines[-1] == lines[-1] | {"done": True, "items": 24}
    assert worker.process.wait(20) == 0
    with pytest.raises(OSError):
        worker.get("/v1/health")


def test_tls(tmp_path: Path) -> None:
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    made = subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
        + ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
        + ["-keyout", str(key), "-out", str(certificate)],
        capture_output=True,
        check=False,
    )
    if made.returncode != 0:
        pytest.skip("openssl cannot make a certificate here")
    worker = Listening("--tls-cert", str(certificate), "--tls-key", str(key))
    try:
        assert worker.address.startswith("https://127.0.0.1:")
        trusting = ssl.create_default_context(cafile=str(certificate))
        assert worker.get("/v1/health", context=trusting)[0] == 200
        with pytest.raises(ssl.SSLCertVerificationError):
            worker.get("/v1/health", context=ssl.create_default_context())
    finally:
        worker.close()
    assert main(["serve", "--listen", "127.0.0.1:0", "--tls-cert", str(certificate)]) == 64


def test_a_broken_certificate_is_told(tmp_path: Path) -> None:
    nothing = tmp_path / "nothing.pem"
    nothing.write_text("no certificate")
    started = time.monotonic()
    ended = subprocess.run(
        [sys.executable, "-m", "dubmill_worker", "serve", "--listen", "127.0.0.1:0"]
        + ["--tls-cert", str(nothing), "--tls-key", str(nothing)],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(WORKERS)},
        check=False,
        timeout=20,
    )
    assert ended.returncode == 1
    assert b"certificate" in ended.stderr
    assert time.monotonic() - started < 20
