"""Installed models: where they lie, whether they are whole, and their digests."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

from .catalogue import Model

RECEIPT = ".dubmill-model.json"
"""Written last into a model's folder: the digests that were checked when it was installed."""

_BLOCK = 4 << 20


@dataclass(frozen=True)
class Mismatch:
    """A file of a model that is not what the catalogue says. `found` is None when it is absent."""

    path: str
    expected: str
    found: str | None


def sha256_file(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def model_digest(files: list[tuple[str, str]]) -> str:
    """One digest for a model: its file's own, or that of the sorted `sha256  path` lines."""
    if len(files) == 1:
        return files[0][1]
    lines = "".join(f"{sha256}  {path}\n" for path, sha256 in sorted(files))
    return hashlib.sha256(lines.encode()).hexdigest()


def write_durably(path: Path, data: bytes) -> None:
    """Write a small file so that it is either there whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with temporary.open("wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.rename(path)
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class ModelStore:
    """The folder of installed models: one folder a model, named like it."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def folder(self, name: str) -> Path:
        """Where that model lies, or would."""
        return self.root / name

    def present(self, model: Model) -> bool:
        """Whether all files of the model are there with their sizes. Reads no weights."""
        folder = self.folder(model.name)
        if not model.source.files:
            return folder.is_dir() and any(folder.iterdir())
        return all(self._has(folder / f.path, f.size) for f in model.source.files)

    @staticmethod
    def _has(path: Path, size: int | None) -> bool:
        try:
            found = path.stat().st_size
        except OSError:
            return False
        return size is None or found == size

    def digest(self, model: Model) -> str | None:
        """The model's digest.

        From the catalogue where it pins every file; else from the files themselves, hashed once
        and remembered in the receipt until a size or a time of change differs.
        """
        pinned = [(f.path, f.sha256) for f in model.source.files]
        if pinned and all(sha256 for _, sha256 in pinned):
            return model_digest([(path, sha256) for path, sha256 in pinned if sha256])
        folder = self.folder(model.name)
        if not self.present(model):
            return None
        stamps = [
            [str(path.relative_to(folder)), path.stat().st_size, path.stat().st_mtime_ns]
            for path in sorted(folder.rglob("*"))
            if path.is_file() and not path.name.startswith(".")
        ]
        receipt = self.receipt(model.name)
        if receipt.get("stamps") == stamps and receipt.get("digest"):
            return str(receipt["digest"])
        digest = model_digest([(str(p), sha256_file(folder / str(p))) for p, _, _ in stamps])
        record = {"model": model.name, "digest": digest, "stamps": stamps}
        write_durably(folder / RECEIPT, json.dumps(record).encode())
        return digest

    def receipt(self, name: str) -> dict[str, object]:
        """What was written when the model was installed; empty if nothing readable is there."""
        try:
            found = json.loads((self.folder(name) / RECEIPT).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def verify(self, model: Model) -> list[Mismatch]:
        """Hash every file that the catalogue pins; return those that differ or are missing."""
        faults = []
        for file in model.source.files:
            if file.sha256 is None:
                continue
            path = self.folder(model.name) / file.path
            found = sha256_file(path) if path.is_file() else None
            if found != file.sha256:
                faults.append(Mismatch(file.path, file.sha256, found))
        return faults
