"""What the test wants, and what it is told."""

import json
import threading
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1]
LOCK = threading.Lock()


def behaviour() -> dict:
    """What the test wants; read anew each time, so that it may change while we run."""
    try:
        return json.loads((FOLDER / "stub.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}


def note(**record: object) -> None:
    """Note something down for the test."""
    with LOCK, (FOLDER / "stub-log.ndjson").open("a", encoding="utf-8") as log:
        log.write(json.dumps(record, ensure_ascii=False) + "\n")
