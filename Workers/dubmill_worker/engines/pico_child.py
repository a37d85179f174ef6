"""The process that Pico speaks in: `python -m dubmill_worker.engines.pico_child`.

Pico's library keeps state between calls, so that the same text gives other samples after other
texts; and a crash in it would end the worker. So each text is spoken by a fork of this process,
which is as new every time. Requests are JSON lines on stdin; an answer is a JSON line, then the
PCM that it announces. Ends with stdin.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from typing import Any

from py_nanotts import NanoTTS


def _speak(request: dict[str, Any], out: int) -> None:
    pcm = NanoTTS().speak(request["text"], voice=request["voice"], speed=request["speed"])
    with os.fdopen(out, "wb") as stream:
        stream.write(pcm)


def _child_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Answer until stdin ends."""
    stdin, stdout = sys.stdin.buffer, sys.stdout.buffer
    for line in stdin:
        request = json.loads(line)
        before = _child_seconds()
        source, sink = os.pipe()
        child = os.fork()
        if child == 0:
            status = 1
            try:
                os.close(source)
                _speak(request, sink)
                status = 0
            finally:
                os._exit(status)
        os.close(sink)
        with os.fdopen(source, "rb") as stream:
            pcm = stream.read()
        _, status = os.waitpid(child, 0)
        head = {"bytes": len(pcm), "status": status, "cpu": _child_seconds() - before}
        stdout.write(json.dumps(head).encode() + b"\n" + pcm)
        stdout.flush()


if __name__ == "__main__":
    main()
