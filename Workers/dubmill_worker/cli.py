"""The command line: `serve`, and `models list|pull|verify`."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from . import __version__
from .access import TokenError, read_token
from .listener import Port
from .models.catalogue import Catalogue, CatalogueError
from .models.command import USAGE, default_models_folder
from .models.command import run as run_models
from .models.store import ModelStore

if TYPE_CHECKING:
    from .serve import Service
    from .translation.server import ChatServer


class Parser(argparse.ArgumentParser):
    """A parser that ends with 64 (EX_USAGE) where argparse would end with 2."""

    def error(self, message: str) -> NoReturn:
        """Print usage and the message, and exit with 64."""
        self.print_usage(sys.stderr)
        self.exit(USAGE, f"{self.prog}: error: {message}\n")


def _parser() -> Parser:
    parser = Parser(prog="dubmill_worker", description="Models behind one batch protocol.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True)

    serve = commands.add_parser("serve", help="answer batches over a Unix socket or a port")
    place = serve.add_mutually_exclusive_group(required=True)
    place.add_argument("--socket", type=Path, help="path of the socket to listen on")
    place.add_argument("--listen", metavar="HOST:PORT", help="address and port to listen on")
    serve.add_argument("--token-file", type=Path, help="file with the token that callers show")
    serve.add_argument("--tls-cert", type=Path, help="certificate for TLS (PEM)")
    serve.add_argument("--tls-key", type=Path, help="its key (PEM)")
    serve.add_argument(
        "--drain", type=int, help="seconds for what was begun; 30 on a port, 1 on a socket"
    )
    _common(serve)
    serve.add_argument("--chat-url", help="a server of OpenAI's chat protocol that translates")
    serve.add_argument("--chat-model", help="its model; the key is DUBMILL_CHAT_KEY")
    serve.add_argument("--chat-parallel", type=int, default=4, help="requests to it at once")
    serve.add_argument(
        "--threads", type=int, default=0, help="cores for the models; 0 means all that there are"
    )

    models = commands.add_parser("models", help="list, fetch and verify models")
    models.add_argument("action", choices=("list", "pull", "verify"))
    models.add_argument("names", nargs="*", metavar="NAME")
    _common(models)
    models.add_argument("--json", action="store_true", help="one JSON object a line on stdout")
    return parser


def _common(parser: argparse.ArgumentParser) -> None:
    folder = default_models_folder(dict(os.environ))
    parser.add_argument("--models", type=Path, default=folder, help="folder of installed models")
    parser.add_argument("--catalogue", type=Path, default=None, help="another catalogue file")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command. Returns the exit status: 0 done, 1 failed, 64 usage."""
    options = _parser().parse_args(arguments)
    try:
        catalogue = Catalogue.load(options.catalogue)
    except CatalogueError as error:
        print(f"error[catalogue.malformed]: {error}", file=sys.stderr)
        return USAGE
    store = ModelStore(options.models.expanduser().absolute())
    if options.command == "models":
        # `models list | head` ends quietly; a broken-off pull goes on next time.
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        return run_models(options.action, options.names, store, catalogue, options.json)
    if options.threads < 0:
        print(f"--threads is {options.threads}; give 0 or more.", file=sys.stderr)
        return USAGE
    from .engines.registry import Engines
    from .serve import serve

    threads = options.threads or len(os.sched_getaffinity(0))
    try:
        service = _service(options)
        engines = Engines(catalogue, store, threads, _chat(options))
    except (ValueError, TokenError, CatalogueError) as error:
        print(f"error[usage]: {error}", file=sys.stderr)
        return USAGE
    return serve(service, engines)


def _chat(options: argparse.Namespace) -> ChatServer | None:
    """The server that translates, if one is named. Raises ValueError."""
    if not options.chat_url:
        if options.chat_model:
            raise ValueError("--chat-model is given without --chat-url")
        return None
    from .translation.server import ChatServer

    # Out of the environment, so that no program that this one starts gets to see it.
    key = os.environ.pop("DUBMILL_CHAT_KEY", "").strip() or None
    return ChatServer.at(options.chat_url, options.chat_model or "", key, options.chat_parallel)


def _service(options: argparse.Namespace) -> Service:
    """Where to answer, and whom. Raises ValueError or TokenError for what must not be."""
    from .serve import Service

    place = Port.parse(options.listen) if options.listen else options.socket.absolute()
    token = read_token(options.token_file) if options.token_file else None
    if isinstance(place, Port) and not place.is_loopback and token is None:
        raise ValueError(
            f"--listen {options.listen} can be reached from other machines: give --token-file, "
            "or listen on 127.0.0.1"
        )
    if (options.tls_cert is None) != (options.tls_key is None):
        raise ValueError("--tls-cert and --tls-key belong together")
    drain = options.drain if options.drain is not None else (30 if options.listen else 1)
    if drain < 0:
        raise ValueError(f"--drain is {drain}; give 0 or more")
    return Service(place, token, options.tls_cert, options.tls_key, drain)
