"""Where lines go: dubmill's fit beside mazinger's assemble_timeline, on the same lines, takes and source windows."""

import json
import pathlib

from . import films
from .measure import DUBMILL, Failure, run
from .peers import python_with

VERSIONS = ["mazinger==2.3.3", "faster-whisper==1.2.1"]

# The shipped pipeline, and one stage more: where the placement, the takes and what was detected lie in the store.
PIPELINE = """\
version: 1
name: takes
include: dub
stages:
  pack:
    uses: exec
    for_each: language
    in: {placement: fit.placement, layout: chunk.layout, lines: lines.lines, records: synthesize.take, takes: synthesize.audio}
    out: {pack: json}
    with:
      command: [python3, -c, "import json,sys; json.dump(sys.argv[2:], open(sys.argv[1], 'w'))", "{out.pack}", "{in.placement}", "{in.layout}", lines, "{in.lines}", records, "{in.records}", takes, "{in.takes}"]
deliver:
  - {kind: pack, from: pack.pack, name: "{stem}.{language}"}
"""


def peer():
    """The Python that has mazinger, and the Silero VAD by which both sides' tracks are judged; made when it is not there."""
    return python_with(VERSIONS, "bench-peers-timing")


def measure(sources, target="es", flags=()):
    """Dubs the films, has both sides place the takes, and returns what was measured of each line and film."""
    place = films.scratch() / "timing"
    place.mkdir(parents=True, exist_ok=True)
    (place / "takes.yaml").write_text(PIPELINE)
    command = [DUBMILL, "run", *sources, "--to", target, "--pipeline", place / "takes.yaml", *flags]
    command += ["--store", place / "store", "--out", place / "out", "--format", "json"]
    # What the gate thinks of the picture or the sound is no matter here, nor that some file could not be dubbed.
    told = json.loads(run(command, accepted=(0, 1, 3)).output)
    jobs = []
    for item in told["items"]:
        pack = next((o["path"] for o in item.get("outputs", []) if o["kind"] == "pack"), None)
        if pack:
            jobs.append(job(pathlib.Path(item["source"]), json.loads(pathlib.Path(pack).read_text())))
    jobs = [j for j in jobs if j["lines"]]
    if not jobs:
        raise Failure("no film came as far as its lines")
    (place / "jobs.json").write_text(json.dumps(jobs))
    script = pathlib.Path(__file__).with_name("timing_peer.py")
    return json.loads(run([peer(), script, place / "jobs.json"]).output)


def job(source, pack):
    """One film: its speech, and each line with its window, its take and its place."""
    records, takes = pack.index("records"), pack.index("takes")
    placement, layout = (json.loads(pathlib.Path(path).read_text()) for path in pack[:2])
    told = [json.loads(pathlib.Path(path).read_text()) for path in pack[records + 1 : takes]]
    return {
        "name": source.name,
        "source": str(source),
        "duration": layout["duration"],
        "speech": [[span["start"], span["end"]] for span in layout["speech"]],
        "lines": [
            {
                "window": [entry["window"]["start"], entry["window"]["end"]],
                "text": entry["text"],
                "pieces": entry["placed"]["pieces"],
                "take": path,
                "seconds": record["seconds"],
                "speech": [[span["start"], span["end"]] for span in record["speech"]],
            }
            for entry, record, path in zip(placement["lines"], told, pack[takes + 1 :])
            if record["seconds"] > 0
        ],
    }


COLUMNS = [
    ("onset_median", "onset error, median ms", "{:.0f}"),
    ("onset_p95", "p95 ms", "{:.0f}"),
    ("iou", "speech IoU, median", "{:.3f}"),
    ("rate10", "rate within ±10 %", "{:.0%}"),
    ("length10", "length within ±10 %", "{:.0%}"),
    ("cut_lines", "lines cut", "{}"),
    ("words_lost", "words lost", "{:.1f}"),
    ("overlaps", "overlaps", "{}"),
]


def table(result, speed):
    """Markdown: a row a way of placing."""
    rows = [
        f"{result['films']} films, {result['lines']} lines, {result['words']} words.",
        "",
        "| placed by | " + " | ".join(title for _, title, _ in COLUMNS) + " |",
        "|---|" + "---|" * len(COLUMNS),
    ]
    for name, figures in result["ways"].items():
        rows.append(f"| {name} | " + " | ".join(form.format(figures[key]) for key, _, form in COLUMNS) + " |")
    rows += ["", "| lines placed together | ms |", "|---|---|"]
    rows += [f"| {count:,} | {milliseconds:.1f} |" for count, milliseconds in speed]
    return "\n".join(rows)


def speed():
    """How long the fit alone takes, by the number of lines; the median of five."""
    told = []
    for count in (100, 1_000, 10_000):
        result = json.loads(run([DUBMILL, "bench", "fit", "--lines", count]).output)
        told.append((count, result["milliseconds"]))
    return told
