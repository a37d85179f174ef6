"""docs/benchmarks.md: tables between markers, the rest left as it is written."""

import datetime
import os
import pathlib
import platform
import re
import subprocess

from .measure import DUBMILL, ROOT

PAGE = ROOT / "docs/benchmarks.md"
NEW = """\
# Benchmarks

Written by `make bench`; what lies between the markers is replaced by each run. Ratios are of medians of runs made by turns on the same machine: they say more than seconds do.

## The machine

{machine}

## Decode: audio to 16 kHz mono

{decode}

## Remux: all streams copied, a dub and subtitles added

{remux}

## The engine beside other workflow runners

Tasks that do next to nothing. dubmill's each write an artifact of their own into the store and are in the ledger before the next one starts; doit's are Python functions, recorded in its database; Luigi's and Snakemake's each touch a file, which is how these two know that a task is done. dubmill and Snakemake use all cores, doit and Luigi one process, with which they are faster on tasks this small.

{engine}

## Where lines go

Real speech; the same lines, takes and source windows handed to dubmill's fit and to mazinger's `assemble_timeline`, and laid down with the same stretcher. Onsets as mazinger's own `bench_sync` tells them, by Silero on the finished voice track; IoU of speech in the source and in that track.

{timing}

## The control API over a large ledger

A ledger of 100,000 runs of two items, asked by eight clients at once, each with a new connection for every request; the daemon and its clients share the machine's cores. Lists go by the names of runs, which begin with the time, so that a page costs the same wherever it lies; those by status have an index.

{service}

## Whole dubs

{dub}
"""


def write(tables):
    """Puts each table between its markers, with the machine that it was measured on; the page's path."""
    names = ("machine", "decode", "remux", "engine", "timing", "service", "dub")
    page = PAGE.read_text("utf-8") if PAGE.exists() else NEW.format(**{n: marked(n, "Not measured yet.") for n in names})
    for name, text in {"machine": machine(), **tables}.items():
        between = re.compile(rf"<!-- bench:{name} -->.*?<!-- /bench:{name} -->", re.DOTALL)
        if between.search(page):
            page = between.sub(lambda _, block=marked(name, text): block, page)
        else:
            page += f"\n{marked(name, text)}\n"
    partial = PAGE.with_name(".benchmarks.md.partial")
    partial.write_text(page, "utf-8")
    os.replace(partial, PAGE)
    return PAGE.relative_to(ROOT)


def marked(name, text):
    return f"<!-- bench:{name} -->\n{text}\n<!-- /bench:{name} -->"


def machine():
    """Processor, cores, memory, versions, the day."""
    processor = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    memory = int(re.search(r"MemTotal:\s*(\d+)", pathlib.Path("/proc/meminfo").read_text())[1]) / 2**20
    ffmpeg = subprocess.run(["ffmpeg", "-version"], capture_output=True, text=True, check=True).stdout.split()[2]
    version = subprocess.run([DUBMILL, "--version"], capture_output=True, text=True, check=False).stdout.strip()
    return (
        f"{processor[1] if processor else platform.machine()}, {len(os.sched_getaffinity(0))} cores, {memory:.0f} GiB; "
        f"Linux {re.match('[0-9.]*', platform.release())[0]}; ffmpeg {ffmpeg}; dubmill {version or 'of this commit'}; {datetime.date.today()}."
    )
