"""Who may ask: a bearer token for every path, compared in constant time."""

from __future__ import annotations

import hmac
from pathlib import Path

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from .protocol import bad


class TokenError(Exception):
    """The file with the token cannot be read or holds none."""


def read_token(path: Path) -> str:
    """The token of a file: its one word. Raises TokenError; the message does not repeat it."""
    try:
        words = path.read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError) as error:
        raise TokenError(f"{path}: {type(error).__name__}") from error
    if len(words) != 1 or not words[0].isascii():
        raise TokenError(f"{path}: holds {len(words)} words; one token of ASCII is needed")
    return words[0]


class Guarded:
    """An application that answers 401 to requests without the token."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._wanted = f"Bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it before its body is read."""
        if scope["type"] == "http" and not self._knows(Headers(scope=scope)):
            body = {"error": bad("the token is missing or wrong").body()}
            refusal = JSONResponse(
                body, status_code=401, headers={"www-authenticate": "Bearer", "connection": "close"}
            )
            await refusal(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _knows(self, headers: Headers) -> bool:
        given = headers.get("authorization", "").encode("latin-1", "replace")
        # The scheme's name is written in any case (RFC 9110, section 11.1).
        scheme, _, token = given.partition(b" ")
        return hmac.compare_digest(scheme.capitalize() + b" " + token.strip(), self._wanted)
