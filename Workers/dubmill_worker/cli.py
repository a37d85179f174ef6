"""The command line: `serve`, and `models list|pull|verify`."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from . import __version__
from .models.catalogue import Catalogue, CatalogueError
from .models.command import USAGE, default_models_folder
from .models.command import run as run_models
from .models.store import ModelStore


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

    serve = commands.add_parser("serve", help="answer batches over a Unix socket")
    serve.add_argument("--socket", type=Path, required=True, help="path of the socket to listen on")
    _common(serve)
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
    from .serve import serve

    threads = options.threads or len(os.sched_getaffinity(0))
    return serve(options.socket.absolute(), store, catalogue, threads)
