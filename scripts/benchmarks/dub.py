"""Whole dubs, from an empty store: how fast, and whether the cores are kept busy."""

import dataclasses
import json
import os
import pathlib
import sys
import tempfile

from . import films
from .measure import DUBMILL, Cost, Failure, run


@dataclasses.dataclass(frozen=True)
class Choice:
    """Which engines speak; the flags that ask for them."""

    name: str
    flags: tuple = ()


CHOICES = (
    Choice("Qwen2.5-Coder 1.5B, Pico"),
    Choice("Apertium, Pico", ("--translator", "apertium")),
    Choice("Qwen2.5-Coder 1.5B, Kokoro", ("--voice-engine", "kokoro")),
    Choice("Apertium, Kokoro", ("--translator", "apertium", "--voice-engine", "kokoro")),
)


@dataclasses.dataclass(frozen=True)
class Dub:
    """One whole dub."""

    choice: Choice
    cost: Cost
    media_seconds: float
    status: str


def measure(film, choice):
    """Dubs the film to Spanish with a fresh store; review (3) is an end like passed."""
    print(f"dubbing {film} with {choice.name}", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory(prefix="dub-", dir=films.scratch()) as folder:
        place = pathlib.Path(folder)
        command = [DUBMILL, "run", film, "--to", "es", "--format", "json", *choice.flags]
        command += ["--store", place / "store", "--out", place / "out"]
        cost = run(command, accepted=(0, 3))
    try:
        item = json.loads(cost.output)["items"][0]
        return Dub(choice, cost, float(item["seconds"]["media"]), item["status"])
    except (ValueError, LookupError) as fault:
        raise Failure(f"dubmill run printed no result that can be read ({fault}):\n{cost.output[:500]}") from fault


def table(film, dubs):
    """Markdown: a row a choice of engines."""
    cores = len(os.sched_getaffinity(0))
    rows = [
        f"`{film.name}`, {dubs[0].media_seconds / 60:.1f} min, English to Spanish, {cores} cores, an empty store, one run each.",
        "",
        "| translator, voice | verdict | wall, s | × real time | models' CPU, s | dubmill's CPU, s | wall ÷ (models' CPU ÷ cores) | peak MiB |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for d in dubs:
        models = d.cost.cpu - d.cost.own
        rows.append(
            f"| {d.choice.name} | {d.status} | {d.cost.wall:.0f} | {d.media_seconds / d.cost.wall:.1f} | {models:.0f} "
            f"| {d.cost.own:.0f} | {d.cost.wall * cores / models:.2f} | {d.cost.peak_mib:.0f} |"
        )
    rows += ["", "The models' CPU is that of the worker and its children. Peak memory is the largest single process's."]
    return "\n".join(rows)
