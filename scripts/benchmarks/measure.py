"""Runs a command and tells what it cost."""

import dataclasses
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
DUBMILL = pathlib.Path(os.environ.get("DUBMILL") or ROOT / ".build/release/dubmill")


class Failure(Exception):
    """A command that failed; its last words."""


@dataclasses.dataclass(frozen=True)
class Cost:
    """What one run took. CPU seconds and peak memory count the children that the command waited for.

    `own` are the CPU seconds of the command's process without its children, to a tenth of a second.
    """

    wall: float
    cpu: float
    peak_mib: float
    output: str = ""
    own: float = 0.0


class OwnTime(threading.Thread):
    """Follows the CPU seconds of a process, children left out, for as long as it lives."""

    EVERY = 0.05

    def __init__(self, pid):
        super().__init__(daemon=True)
        self._stat = pathlib.Path(f"/proc/{pid}/stat")
        self._ended = threading.Event()
        self.seconds = 0.0
        self.start()

    def run(self):
        tick = os.sysconf("SC_CLK_TCK")
        while not self._ended.wait(self.EVERY):
            try:
                fields = self._stat.read_text().rpartition(")")[2].split()
            except OSError:
                return
            self.seconds = (int(fields[11]) + int(fields[12])) / tick

    def end(self):
        """Stops; the seconds seen last."""
        self._ended.set()
        self.join()
        return self.seconds


def run(command, accepted=(0,), cwd=None):
    """The cost of a command, run in `cwd`, with what it printed to stdout."""
    command = [str(part) for part in command]
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as errors:
        began = time.monotonic()
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=errors, cwd=cwd)
        own = OwnTime(child.pid)
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.monotonic() - began
        child.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        errors.seek(0)
        if child.returncode not in accepted:
            raise Failure(f"{' '.join(command)} ended with {child.returncode}:\n{errors.read()[-2000:]}")
        return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, out.read(), own.end())


def by_turns(commands, runs):
    """Runs each command `runs` times, by turns, so that a busy moment hits all; medians of each.

    A command is a function that prepares and returns the words to run.
    """
    costs = [[] for _ in commands]
    for number in range(runs):
        for taken, command in zip(costs, commands):
            taken.append(run(command()))
            print(f"  {number + 1}/{runs}: {taken[-1].wall:.2f} s", file=sys.stderr, flush=True)
    return [median(taken) for taken in costs]


def median(costs):
    """The median of each figure by itself."""
    pick = lambda name: statistics.median(getattr(cost, name) for cost in costs)  # noqa: E731
    return Cost(pick("wall"), pick("cpu"), pick("peak_mib"), costs[-1].output, pick("own"))
