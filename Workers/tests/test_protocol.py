"""The messages on the wire."""

import json
import stat
from pathlib import Path

import pytest
from conftest import Worker, need, tone, valid

from dubmill_worker.protocol import ITEM_CODES, MAX_ITEMS, WorkerError, parse_batch


def request(**changes: object) -> dict[str, object]:
    item = {"id": "a", "text": "Hi.", "source": "en", "target": "es"}
    whole: dict[str, object] = {
        "protocol": 1,
        "task": "translate",
        "model": "apertium",
        "items": [item],
    }
    return whole | changes


def test_health(worker: Worker) -> None:
    status, body = worker.get("/v1/health")
    assert status == 200
    valid(body, "health")
    assert body["pid"] == worker.process.pid


def test_capabilities_fit_the_schema_and_name_what_is_not_installed(worker: Worker) -> None:
    status, body = worker.get("/v1/capabilities")
    assert status == 200
    valid(body, "capabilities")
    transcribers = {entry["model"]: entry for entry in body["tasks"]["transcribe"]}
    assert not transcribers["faster-whisper-large-v3"]["installed"]
    assert transcribers["faster-whisper-large-v3"]["digest"] is None
    assert "en" in transcribers["whisper-base"]["languages"]


def test_an_installed_model_has_a_digest(worker: Worker) -> None:
    for entries in worker.get("/v1/capabilities")[1]["tasks"].values():
        for entry in entries:
            assert (entry["digest"] is not None) == entry["installed"], entry["model"]


def test_socket_is_the_owners_alone(worker: Worker) -> None:
    assert stat.S_IMODE(worker.socket.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        json.dumps(request(protocol=2)).encode(),
        json.dumps(request(task="sing")).encode(),
        json.dumps(request(model="whisper-base")).encode(),
        json.dumps(request(model="nothing")).encode(),
        json.dumps(request(items=[])).encode(),
        json.dumps(request(items=[{"text": "no id"}])).encode(),
        json.dumps(request(items=[{"id": "a"}, {"id": "a"}])).encode(),
        json.dumps(request(items=[{"id": str(i)} for i in range(MAX_ITEMS + 1)])).encode(),
        json.dumps(request(options=[])).encode(),
        b" " * ((16 << 20) + 1),
    ],
    ids=lambda body: body[:40].decode(),
)
def test_a_broken_request_is_refused(worker: Worker, body: bytes) -> None:
    status, answer = worker.post(body)
    assert status == 400
    refusal = json.loads(answer)
    valid(refusal, "refusal")
    assert refusal["error"]["code"] == "bad_request"


def test_the_largest_batch_is_accepted() -> None:
    items = [{"id": str(i)} for i in range(MAX_ITEMS)]
    assert len(parse_batch(json.dumps(request(items=items)).encode()).items) == MAX_ITEMS


def test_unknown_paths_are_refused_in_the_same_shape(worker: Worker) -> None:
    status, body = worker.get("/v2/health")
    assert status == 404
    valid(body, "refusal")
    assert worker.get("/v1/batch")[0] == 405


def test_one_bad_item_does_not_stop_the_others(worker: Worker, tmp_path: Path) -> None:
    need("silero-vad")
    good = tone(tmp_path / "good.wav")
    cut = tmp_path / "text.wav"
    cut.write_text("not audio")
    results = worker.batch(
        "detect_speech",
        "silero-vad",
        [
            {"id": "missing", "audio": {"path": str(tmp_path / "none.wav")}},
            {"id": "good", "audio": {"path": str(good)}},
            {"id": "text", "audio": {"path": str(cut)}},
            {"id": "fast", "audio": {"path": str(tone(tmp_path / "48.wav", rate=48_000))}},
            {"id": "stereo", "audio": {"path": str(tone(tmp_path / "2.wav", channels=2))}},
        ],
    )
    assert results["good"]["output"] == {"duration": 1.0, "segments": []}
    for name in ("missing", "text", "fast", "stereo"):
        assert results[name]["error"]["code"] == "bad_audio", name


def test_items_are_checked_one_by_one(worker: Worker) -> None:
    need("silero-vad")
    body = {"protocol": 1, "task": "detect_speech", "model": "silero-vad"}
    items = [{"id": "a"}, {"id": "b", "audio": {"path": "relative.wav"}}]
    status, answer = worker.post(json.dumps(body | {"items": items}).encode())
    assert status == 200
    *results, done = [json.loads(line) for line in answer.splitlines()]
    assert {result["error"]["code"] for result in results} == {"bad_request"}
    assert done["errors"] == 2


def test_a_model_that_is_not_installed_is_an_error_of_each_item(worker: Worker) -> None:
    item = {"audio": {"path": "/nowhere.wav"}, "language": "en"}
    results = worker.batch("transcribe", "faster-whisper-large-v3", [{"id": "a", **item}])
    assert results["a"]["error"]["code"] == "model_missing"


def test_the_schema_lists_the_codes_of_the_code() -> None:
    from conftest import SCHEMA

    assert tuple(SCHEMA["$defs"]["code"]["enum"]) == ITEM_CODES


def test_parse_names_the_fault() -> None:
    with pytest.raises(WorkerError, match="twice"):
        parse_batch(json.dumps(request(items=[{"id": "x"}, {"id": "x"}])).encode())
