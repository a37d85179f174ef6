"""`models list|pull|verify`: the catalogue on the command line."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from .catalogue import Catalogue, Model
from .pull import Puller, PullError
from .store import ModelStore

OK, FAILED, USAGE = 0, 1, 64


class Printer:
    """Prints events: one JSON object a line, or a sentence for people."""

    def __init__(self, as_json: bool) -> None:
        self.as_json = as_json

    def __call__(self, event: dict[str, Any]) -> None:
        """Print one event."""
        if self.as_json:
            print(json.dumps(event, ensure_ascii=False), flush=True)
            return
        if event["event"] == "error":
            text = f"error[{event['code']}]: {event['message']}\n  fix:   {event['fix']}"
            print(text, file=sys.stderr, flush=True)
            return
        rest = [f"{k}={v}" for k, v in event.items() if k not in ("event", "model")]
        print(f"{event.get('model', '')}: {event['event']} {' '.join(rest)}".rstrip(), flush=True)


def run(action: str, names: list[str], store: ModelStore, catalogue: Catalogue, json_: bool) -> int:
    """Run one of the commands. Returns its exit status: 0, 1 (a model failed) or 64 (usage)."""
    unknown = [name for name in names if catalogue.get(name) is None]
    printer = Printer(json_)
    if unknown:
        for name in unknown:
            printer(_error(name, "model.unknown", f"no model is called {name}", "see models list"))
        return USAGE
    if action == "list":
        return _list([catalogue[n] for n in names] or list(catalogue.models.values()), store, json_)
    if action == "pull":
        return _pull([catalogue[n] for n in names] or catalogue.defaults, store, printer)
    installed = [m for m in catalogue.models.values() if m.source.files and store.present(m)]
    return _verify([catalogue[n] for n in names] or installed, store, printer)


def _error(name: str, code: str, message: str, fix: str, **details: Any) -> dict[str, Any]:
    event = {"event": "error", "model": name, "code": code, "message": message, "fix": fix}
    return event | details


def _list(models: list[Model], store: ModelStore, json_: bool) -> int:
    for model in models:
        installed = _installed(model, store)
        if json_:
            row = {k: v for k, v in model.raw.items() if k != "source"}
            row["source"] = model.source.kind
            print(json.dumps(row | {"installed": installed}, ensure_ascii=False), flush=True)
            continue
        state = "installed" if installed else "pull" if model.pullable else model.source.kind
        size = f"{model.size / 1e6:,.0f} MB" if model.size else ""
        star = "*" if model.default else " "
        print(
            f"{star} {model.name:30} {model.task:16} {size:>10}  {state:10} "
            f"{model.licence:22} {model.purpose}"
        )
    return OK


def _installed(model: Model, store: ModelStore) -> bool:
    from ..engines.registry import externally_installed

    outside = externally_installed(model)
    return store.present(model) if outside is None else outside


def _pull(models: list[Model], store: ModelStore, printer: Printer) -> int:
    store.root.mkdir(parents=True, exist_ok=True)
    puller = Puller(store, printer)
    status = OK
    for model in models:
        try:
            puller.pull(model)
        except PullError as error:
            printer(_error(model.name, error.code, str(error), error.fix, **error.details))
            status = FAILED
        except OSError as error:
            fix = f"check permissions and space under {store.root}"
            printer(_error(model.name, "model.io", str(error), fix))
            status = FAILED
    return status


def _verify(models: list[Model], store: ModelStore, printer: Printer) -> int:
    status = OK
    for model in models:
        faults = store.verify(model)
        if not faults:
            printer({"event": "verified", "model": model.name, "digest": store.digest(model)})
            continue
        status = FAILED
        for fault in faults:
            code = "model.missing" if fault.found is None else "model.digest_mismatch"
            found = fault.found or "nothing"
            message = f"{model.name}/{fault.path}: expected sha256 {fault.expected}, found {found}"
            event = _error(model.name, code, message, f"dubmill models pull {model.name}")
            printer(event | {"file": fault.path, "expected": fault.expected, "found": fault.found})
    return status


def default_models_folder(environment: dict[str, str]) -> Path:
    """`$XDG_DATA_HOME/dubmill/models`, which is `~/.local/share/dubmill/models` when unset."""
    base = environment.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(base) / "dubmill" / "models"
