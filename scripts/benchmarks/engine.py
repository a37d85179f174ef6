"""The engine beside other workflow runners, on tasks that do next to nothing: what is left is the runner itself."""

import dataclasses
import json
import os
import pathlib
import statistics
import sys
import tempfile

from . import films
from .measure import DUBMILL, Failure, run
from .peers import python_with

VERSIONS = ["doit==0.37.0", "luigi==3.8.1", "snakemake==9.27.0"]

DOIT = """
from doit.tools import run_once
DOIT_CONFIG = {{"verbosity": 0, "reporter": "zero"}}
def nothing(): pass
def task_n():
    for i in range({count}):
        yield {{"name": str(i), "actions": [nothing], "uptodate": [run_once]}}
"""

LUIGI = """
import logging, luigi, pathlib
class Number(luigi.Task):
    value = luigi.IntParameter()
    def output(self): return luigi.LocalTarget(f"out/{{self.value}}")
    def run(self): pathlib.Path(self.output().path).touch()
if __name__ == "__main__":
    pathlib.Path("out").mkdir(exist_ok=True)
    logging.disable(logging.CRITICAL)
    assert luigi.build([Number(i) for i in range({count})], local_scheduler=True, workers=1)
"""

SNAKEMAKE = """
rule all:
    input: expand("out/{{i}}", i=range({count}))
rule number:
    output: touch("out/{{i}}")
"""


@dataclasses.dataclass(frozen=True)
class Row:
    """One runner on one graph."""

    runner: str
    graph: str
    count: int
    first: float
    again: float
    peak_mib: float


def peers():
    """The Python that has the other runners; made when it is not there."""
    return python_with(VERSIONS, "bench-peers")


def dubmill(count, shape, place):
    """A first run, and the same again: everything is in the store."""
    command = [DUBMILL, "bench", "engine", "--nodes", count, "--shape", shape, "--store", place]
    first, again = run(command), run(command)
    told = [json.loads(cost.output) for cost in (first, again)]
    if told[0]["run"] != count or told[1]["cached"] != count:
        raise Failure(f"dubmill ran {told}, not {count} and none")
    peak = max(first.peak_mib, again.peak_mib)
    return Row("dubmill", shape, count, first.wall, again.wall, peak)


def other(name, count, place):
    """The same of another runner."""
    python = peers()
    if name == "doit":
        (place / "dodo.py").write_text(DOIT.format(count=count))
        command = [python, "-m", "doit", "-f", "dodo.py"]
    elif name == "luigi":
        (place / "tasks.py").write_text(LUIGI.format(count=count))
        command = [python, "tasks.py"]
    else:
        (place / "Snakefile").write_text(SNAKEMAKE.format(count=count))
        command = [python, "-m", "snakemake", "--quiet", "all", "--cores", len(os.sched_getaffinity(0))]
    first, again = run(command, cwd=place), run(command, cwd=place)
    return Row(name, "fan", count, first.wall, again.wall, max(first.peak_mib, again.peak_mib))


def measure(name, shape, count, scratch):
    """One runner on one graph, in a folder of its own."""
    print(f"  {name}, {shape}, {count}", file=sys.stderr, flush=True)
    place = pathlib.Path(tempfile.mkdtemp(dir=scratch))
    return dubmill(count, shape, place) if name == "dubmill" else other(name, count, place)


def several(name, shape, count, scratch):
    """The median of three, figure by figure: short runs vary."""
    rows = [measure(name, shape, count, scratch) for _ in range(3)]
    middle = lambda figure: statistics.median(getattr(row, figure) for row in rows)  # noqa: E731
    return Row(name, shape, count, middle("first"), middle("again"), middle("peak_mib"))


RUNS = [
    *[("dubmill", "fan", count) for count in (1_000, 10_000, 100_000)],
    ("dubmill", "chain", 1_000),
    *[("doit", "fan", count) for count in (1_000, 10_000)],
    ("luigi", "fan", 1_000),
    ("snakemake", "fan", 1_000),
]


def table():
    """Markdown: a row a runner and graph; then how planning grows."""
    # Nothing is removed until the end: for some seconds after many files were removed, ext4 makes new ones slowly.
    with tempfile.TemporaryDirectory(prefix="engine-", dir=films.scratch()) as scratch:
        return "\n".join(rows_in(scratch))


def rows_in(scratch):
    # With one task: start and end of the program.
    started = {name: several(name, "fan", 1, scratch).first for name in ("dubmill", "doit", "luigi", "snakemake")}
    rows = [
        "| runner | graph | tasks | first run, s | ms a task | net of start-up | again, s | peak MiB |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, shape, count in RUNS:
        row = (several if count <= 1_000 else measure)(name, shape, count, scratch)
        net = max(0.0, row.first - started[name]) * 1000 / count
        rows.append(
            f"| {name} | {shape} | {count:,} | {row.first:.2f} | {row.first * 1000 / count:.3f} | {net:.3f} "
            f"| {row.again:.2f} | {row.peak_mib:.0f} |"
        )
    rows += ["", "Up to 1,000 tasks the median of three runs, above one run. Milliseconds a task are of the whole run; net of start-up is without what a run of one task takes: " + ", ".join(
        f"{name} {seconds:.2f} s" for name, seconds in started.items()) + ".", "",
        "| planning alone | s | µs a node |", "|---|---|---|"]
    for count in (1_000, 10_000, 100_000):
        told = json.loads(run([DUBMILL, "bench", "engine", "--plan", "--nodes", count, "--store", "-"]).output)
        rows.append(f"| {count:,} nodes | {told['seconds']:.4f} | {told['seconds'] * 1e6 / count:.2f} |")
    return rows
