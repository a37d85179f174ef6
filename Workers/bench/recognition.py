"""What batches and fitted windows are worth to recognition, in one run and by turns.

    PYTHONPATH=Workers python Workers/bench/recognition.py EVALSET [--rounds 1] [--threads 2]

Recordings with a transcript, of at most 30 s, go through the worker's own engine four times a
round: as it was (each alone, a window of 30 s), batched, with windows fitted to their length, and
with both. Prints one JSON: seconds of sound a second, CPU seconds, word error rate, and how many
texts are the same when the order is shuffled. Needs the ffmpeg program and whisper-base.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from dubmill_worker.batch import Runner
from dubmill_worker.engines.base import Engine
from dubmill_worker.engines.registry import Engines
from dubmill_worker.engines.whisper import Whisper
from dubmill_worker.models.catalogue import Catalogue
from dubmill_worker.models.command import default_models_folder
from dubmill_worker.models.store import ModelStore
from dubmill_worker.protocol import Batch
from dubmill_worker.schedule import Cancel

WAYS = {
    "as it was": (False, False),
    "batched": (True, False),
    "fitted": (False, True),
    "batched and fitted": (True, True),
}
_SPACED = {"ja", "ko", "zh"}
"""Languages without spaces: their texts are compared, and count in no word error rate."""


class Alone(Whisper):
    """The engine without batches."""

    grouped = Engine.grouped


def recordings(evalset: Path, categories: list[str], folder: Path) -> list[dict[str, Any]]:
    """What is recognised, as 16 kHz mono."""
    found = []
    for entry in json.loads((evalset / "manifest.json").read_text("utf-8"))["files"]:
        if entry["category"] not in categories or not entry.get("transcript"):
            continue
        if entry["duration_s"] > 30:
            continue
        path = folder / (entry["file"].replace("/", "_") + ".wav")
        command = ["ffmpeg", "-v", "error", "-y", "-i", str(evalset / entry["file"]), "-vn"]
        subprocess.run(
            [*command, "-ac", "1", "-ar", "16000", "-c:a", "pcm_f32le", str(path)], check=True
        )
        found.append(
            {
                "id": entry["file"],
                "audio": {"path": str(path)},
                "language": entry["language"],
                "text": entry["transcript"],
                "category": entry["category"],
                "seconds": entry["duration_s"],
            }
        )
    return found


def build(models: Path, threads: int, batched: bool, fitted: bool) -> Whisper:
    """The engine in one of the four ways."""
    engines = Engines(Catalogue.load(), ModelStore(models), threads)
    engine = engines.by_name("whisper-base")
    assert isinstance(engine, Whisper)
    context = engine.context
    if not fitted:
        raw = {key: value for key, value in context.model.raw.items() if key != "windows"}
        context = replace(context, model=replace(context.model, raw=raw))
    kind = Whisper if batched else Alone
    built = kind(context)
    built.ready()
    return built


def recognise(engine: Whisper, items: list[dict[str, Any]]) -> dict[str, Any]:
    """The outputs of one request, by id."""
    asked = [{key: item[key] for key in ("id", "audio", "language")} for item in items]
    lines: list[dict[str, Any]] = []
    batch = Batch("transcribe", "whisper-base", {}, asked)
    Runner(engine, batch, engine.context.account).run(lines.append, Cancel())
    for line in lines[:-1]:
        assert line["status"] == "ok", line
    return {line["id"]: line["output"] for line in lines[:-1]}


def requests(items: list[dict[str, Any]], size: int) -> list[list[dict[str, Any]]]:
    """The items in requests of that many, as dubmill sends them."""
    return [items[first : first + size] for first in range(0, len(items), size)]


def words(text: str) -> list[str]:
    """A text as the words that are compared."""
    return re.findall(r"[^\W_]+", text.lower().replace("'", ""))


def errors(said: list[str], heard: list[str]) -> int:
    """Least number of words put in, left out or changed."""
    row = list(range(len(heard) + 1))
    for line, word in enumerate(said, 1):
        before, row = row, [line]
        for column, other in enumerate(heard, 1):
            row.append(min(before[column] + 1, row[-1] + 1, before[column - 1] + (word != other)))
    return row[-1]


def rates(items: list[dict[str, Any]], outputs: dict[str, Any]) -> dict[str, float]:
    """Word error rates in per cent, by category and over all."""
    wrong: dict[str, int] = {}
    spoken: dict[str, int] = {}
    for item in items:
        if item["language"] in _SPACED:
            continue
        heard = " ".join(s["text"] for s in outputs[item["id"]]["segments"])
        said = words(item["text"])
        for key in (item["category"], "all"):
            wrong[key] = wrong.get(key, 0) + errors(said, words(heard))
            spoken[key] = spoken.get(key, 0) + len(said)
    return {key: round(100 * wrong[key] / spoken[key], 2) for key in wrong}


def main() -> None:
    """Measure, and print the JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("evalset", type=Path)
    parser.add_argument("--categories", default="en,parallel")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--request", type=int, default=16, help="items in a request")
    parser.add_argument("--models", type=Path, default=default_models_folder(dict(os.environ)))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        items = recordings(options.evalset, options.categories.split(","), Path(folder))
        # dubmill sorts by cost what waits at the same time.
        items.sort(key=lambda item: (item["seconds"], item["id"]))
        seconds = sum(item["seconds"] for item in items)
        engines = {way: build(options.models, options.threads, *how) for way, how in WAYS.items()}
        wall: dict[str, list[float]] = {way: [0.0] * options.rounds for way in WAYS}
        cpu: dict[str, list[float]] = {way: [0.0] * options.rounds for way in WAYS}
        outputs: dict[str, dict[str, Any]] = {way: {} for way in WAYS}
        for turn in range(options.rounds):
            # By turns for every request: what else runs on the machine then hits all alike.
            for request in requests(items, options.request):
                for way, engine in engines.items():
                    start, used = time.perf_counter(), time.process_time()
                    outputs[way] |= recognise(engine, request)
                    wall[way][turn] += time.perf_counter() - start
                    cpu[way][turn] += time.process_time() - used
                print(turn, {w: round(v[turn], 1) for w, v in wall.items()}, file=sys.stderr)
        shuffled = list(items)
        random.Random(1).shuffle(shuffled)
        way = "batched and fitted"
        again: dict[str, Any] = {}
        for request in requests(shuffled, 7):
            again |= recognise(engines[way], request)
        base = statistics.median(wall["as it was"])
        base_cpu = statistics.median(cpu["as it was"])
        told = {
            way: {
                "wall": round(statistics.median(wall[way]), 2),
                "times_real_time": round(seconds / statistics.median(wall[way]), 2),
                "cpu": round(statistics.median(cpu[way]), 2),
                "ratio": round(base / statistics.median(wall[way]), 2),
                "cpu_ratio": round(base_cpu / statistics.median(cpu[way]), 2),
                "wer": rates(items, outputs[way]),
            }
            for way in WAYS
        }
        print(
            json.dumps(
                {
                    "model": "whisper-base",
                    "recordings": len(items),
                    "seconds": round(seconds, 1),
                    "threads": options.threads,
                    "rounds": options.rounds,
                    "ways": told,
                    "same_in_another_order": sum(
                        again[item["id"]] == outputs[way][item["id"]] for item in items
                    ),
                },
                indent=1,
            )
        )
        sys.stdout.flush()
    # CTranslate2's threads are not waited for.
    os._exit(0)


if __name__ == "__main__":
    main()
