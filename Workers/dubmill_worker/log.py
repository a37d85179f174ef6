"""Logs: one JSON object a line on stderr, constant messages, data in dotted keys."""

from __future__ import annotations

import json
import sys
import threading
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

_lock = threading.Lock()


def log(level: str, message: str, **data: Any) -> None:
    """Write one line. Keys are dotted on the wire: `item_id` is written `item.id`."""
    line: dict[str, Any] = {
        "time": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "level": level,
        "message": message,
    }
    line |= {key.replace("_", ".", 1): value for key, value in data.items()}
    text = json.dumps(line, ensure_ascii=False, default=str)
    # The parent may have closed the pipe; then there is nobody left to tell.
    with _lock, suppress(OSError, ValueError):
        print(text, file=sys.stderr, flush=True)
