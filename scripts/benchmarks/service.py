"""The control API with 100,000 runs in its ledger: how long GET /v1/runs takes."""

import json
import os
import pathlib
import re
import shutil
import sqlite3
import subprocess
import tempfile
import threading
import time
import urllib.request

from .measure import DUBMILL, Failure

RUNS = 100_000
REQUESTS = 2_000
CLIENTS = 8


def fill(ledger: pathlib.Path, runs: int = RUNS):
    """As many runs as a busy house has in some years, of two items each, with the graph that a dub has."""
    graph = json.dumps([{"name": f"stage{i}", "uses": "exec", "axes": [], "reads": ["item"]} for i in range(14)])
    database = sqlite3.connect(ledger)
    names = []
    with database:
        for number in range(runs):
            moment = time.gmtime(1_600_000_000 + 600 * number)
            name = time.strftime("%Y%m%d-%H%M%S", moment) + "-" + "".join(chr(97 + number // 24**i % 24) for i in range(4))
            status = ("failed", "review", "interrupted")[number % 3] if number % 50 == 0 else "passed"
            state = "interrupted" if status == "interrupted" else "finished"
            names.append(name)
            database.execute(
                "INSERT INTO run (id, pipeline, parameters, started, ended, state, process, request, graph, status) "
                "VALUES (?, 'dub', '{\"to\":[\"es\",\"fr\"]}', ?, ?, ?, 1, ?, ?, ?)",
                (name, 1_600_000_000 + 600 * number, 1_600_000_300 + 600 * number, state,
                 json.dumps({"pipeline": "dub", "out": "/srv/out", "priority": 0}), graph, status))
            for item in range(2):
                record = {"index": item, "source": f"/srv/in/{number}-{item}.mp4", "status": status, "outputs": [],
                          "nodes": {"run": 40, "cached": 2}, "wallSeconds": 61.5, "mediaSeconds": 600}
                database.execute("INSERT INTO item VALUES (?, ?, ?, ?, ?)",
                                 (name, item, record["source"], status, json.dumps(record)))
    database.close()
    return names


class Daemon:
    """A daemon with a store of its own, on a free port of loopback."""

    def __init__(self, folder: pathlib.Path):
        self.folder = folder
        self.environment = {**os.environ, "DUBMILL_STORE": str(folder / "store"), "XDG_CONFIG_HOME": str(folder / "config")}
        (folder / "media").mkdir(parents=True)
        (folder / "dubmill.yaml").write_text("http: {listen: 127.0.0.1:0, roots: [media], out: made}\n")
        self.token = self.run("token", "add", "bench", "--scope", "read").strip()

    def run(self, *arguments):
        return subprocess.run([DUBMILL, *arguments], env=self.environment, check=True, capture_output=True, text=True).stdout

    def __enter__(self):
        self.log = open(self.folder / "log", "w+")
        self.process = subprocess.Popen(
            [DUBMILL, "daemon", "--config", self.folder / "dubmill.yaml", "--log-format", "json"],
            env=self.environment, stderr=self.log, stdout=subprocess.DEVNULL, cwd=self.folder)
        for _ in range(600):
            found = re.search(r'"address":"([^"]+)"', (self.folder / "log").read_text())
            if found and "daemon.ready" in (self.folder / "log").read_text():
                self.address = found[1]
                return self
            if self.process.poll() is not None:
                break
            time.sleep(0.1)
        raise Failure(f"the daemon does not listen: {(self.folder / 'log').read_text()}")

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        self.log.close()

    def get(self, path):
        request = urllib.request.Request(f"http://{self.address}{path}", headers={"Authorization": f"Bearer {self.token}"})
        began = time.perf_counter()
        with urllib.request.urlopen(request) as answer:
            body = answer.read()
        return time.perf_counter() - began, body


def load(daemon, paths, requests=REQUESTS, clients=CLIENTS):
    """Milliseconds of each request, made by so many clients at once, each with a connection a request."""
    times, lock, turn = [], threading.Lock(), iter(range(requests))

    def client():
        while True:
            with lock:
                number = next(turn, None)
            if number is None:
                return
            seconds, _ = daemon.get(paths[number % len(paths)])
            with lock:
                times.append(1000 * seconds)

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(times)


def compare(runs=RUNS):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="dubmill-service-"))
    try:
        daemon = Daemon(folder)
        with daemon:
            pass  # Makes the ledger.
        names = fill(folder / "store" / "ledger.sqlite", runs)
        rows = []
        with daemon:
            daemon.get("/v1/runs")
            for title, paths in (
                ("latest 50", ["/v1/runs"]),
                ("50 somewhere in the middle", [f"/v1/runs?before={names[runs * n // 97 % runs]}" for n in range(1, 97)]),
                ("50 that failed", ["/v1/runs?status=failed"]),
                ("200 at once", ["/v1/runs?limit=200"]),
                ("one run", [f"/v1/runs/{names[runs * n // 97 % runs]}" for n in range(1, 97)]),
            ):
                times = load(daemon, paths)
                rows.append((title, times[len(times) // 2], times[len(times) * 99 // 100], times[-1]))
        return rows
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def table(rows):
    lines = [f"| {RUNS:,} runs, {CLIENTS} clients | median, ms | p99, ms | worst, ms |", "|---|---|---|---|"]
    return "\n".join(lines + [f"| {title} | {median:.1f} | {p99:.1f} | {worst:.1f} |" for title, median, p99, worst in rows])
