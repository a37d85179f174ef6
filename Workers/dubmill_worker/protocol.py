"""Protocol version 1: what a batch looks like, and what may be wrong with one.

docs/worker-protocol.md describes it, docs/worker-protocol.schema.json is its JSON Schema.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from . import PROTOCOL

MAX_BODY_BYTES = 16 << 20
MAX_ITEMS = 1024

ITEM_CODES = (
    "unsupported_language",
    "bad_audio",
    "bad_request",
    "out_of_memory",
    "model_missing",
    "rejected_output",
    "internal",
)


class WorkerError(Exception):
    """A failure with a stable code, one of ITEM_CODES. Nothing should match on the message."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code

    def body(self) -> dict[str, str]:
        """The error as the protocol writes it."""
        return {"code": self.code, "message": str(self)}


class Cancelled(Exception):
    """The client has gone: nobody waits for this result."""


@dataclass(frozen=True)
class Batch:
    """A checked request. `items` are JSON objects, each with an `id` of its own."""

    task: str
    model: str
    options: dict[str, Any]
    items: list[dict[str, Any]]


def bad(message: str) -> WorkerError:
    """The error of a malformed request or item."""
    return WorkerError("bad_request", message)


def parse_batch(body: bytes) -> Batch:
    """Check a request as a whole; what is wrong with a single item is that item's own error.

    Raises WorkerError `bad_request`.
    """
    if len(body) > MAX_BODY_BYTES:
        raise bad(f"the body has {len(body)} bytes; {MAX_BODY_BYTES} are allowed")
    try:
        request = json.loads(body)
    except ValueError as error:
        raise bad(f"the body is not JSON: {error}") from error
    if not isinstance(request, dict):
        raise bad("the body is not a JSON object")
    if request.get("protocol") != PROTOCOL:
        raise bad(f"protocol is {request.get('protocol')!r}; this worker speaks {PROTOCOL}")
    for field in ("task", "model"):
        if not isinstance(request.get(field), str) or not request[field]:
            raise bad(f"{field} is missing or not a string")
    options = request.get("options", {})
    if not isinstance(options, dict):
        raise bad("options is not an object")
    items = request.get("items")
    if not isinstance(items, list) or not items:
        raise bad("items is missing, empty or not an array")
    if len(items) > MAX_ITEMS:
        raise bad(f"there are {len(items)} items; {MAX_ITEMS} are allowed")
    seen: set[str] = set()
    for index, item in enumerate(items):
        if not isinstance(item, dict) or not isinstance(item.get("id"), str) or not item["id"]:
            raise bad(f"items[{index}] is not an object with a string id")
        if item["id"] in seen:
            raise bad(f"items[{index}]: the id {item['id']!r} is there twice")
        seen.add(item["id"])
    return Batch(request["task"], request["model"], options, items)


def text_of(item: dict[str, Any], field: str) -> str:
    """A string field of an item. Raises WorkerError `bad_request` when it is absent."""
    value = item.get(field)
    if not isinstance(value, str):
        raise bad(f"{field} is missing or not a string")
    return value


def lines_of(item: dict[str, Any], field: str) -> list[str]:
    """An optional array of strings of an item."""
    value = item.get(field) or []
    if not isinstance(value, list) or not all(isinstance(line, str) for line in value):
        raise bad(f"{field} is not an array of strings")
    return value


def number_of(
    fields: dict[str, Any], field: str, default: float, lowest: float, highest: float
) -> float:
    """An optional number within bounds. Raises WorkerError `bad_request` when it is outside."""
    value = fields.get(field, default)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise bad(f"{field} is not a number")
    if not lowest <= value <= highest:
        raise bad(f"{field} is {value}; it may be {lowest} to {highest}")
    return float(value)


def primary(language: str) -> str:
    """The primary subtag of a BCP 47 tag, in lower case: `pt` of `pt-BR`."""
    return language.replace("_", "-").split("-", 1)[0].lower()
