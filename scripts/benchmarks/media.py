"""Decoding and remuxing: dubmill and the ffmpeg program by turns, on the same file."""

import dataclasses
import pathlib
import subprocess

from . import films
from .measure import DUBMILL, Cost, by_turns


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Medians of both programs on one film."""

    film: pathlib.Path
    seconds: float
    runs: int
    ffmpeg: Cost
    dubmill: Cost


FFMPEG = ["ffmpeg", "-nostdin", "-v", "error", "-y"]


def decode(film, runs):
    """The first audio stream to 16 kHz mono 32-bit floats, thrown away."""
    to_nothing = ["-map", "0:a:0", "-ac", "1", "-ar", "16000", "-c:a", "pcm_f32le", "-f", "f32le", "/dev/null"]
    theirs = [*FFMPEG, "-i", film, *to_nothing]
    return compare(film, runs, lambda: theirs, lambda: [DUBMILL, "bench", "decode", film])


def remux(film, runs):
    """All streams copied, one AAC track encoded from FLAC and one subtitle track added."""
    dub, subtitles = films.dub_of(film), films.subtitles_of(film, seconds_of(film))
    out = films.scratch() / "remuxed.mp4"
    theirs = [*FFMPEG, "-i", film, "-i", dub, "-i", subtitles, "-map", "0", "-map", "1:a", "-map", "2:s"]
    theirs += ["-c", "copy", "-c:a:1", "aac", "-b:a:1", "192k", "-c:s", "mov_text", out]

    def fresh(command):
        out.unlink(missing_ok=True)
        return command

    try:
        ours = [DUBMILL, "bench", "remux", film, "--audio", dub, "--out", out]
        return compare(film, runs, lambda: fresh(theirs), lambda: fresh(ours))
    finally:
        out.unlink(missing_ok=True)


def compare(film, runs, theirs, ours):
    warm(film)
    ffmpeg, dubmill = by_turns([theirs, ours], runs)
    return Comparison(film, seconds_of(film), runs, ffmpeg, dubmill)


def warm(film):
    """Reads the file once, so that the first run does not wait for the disk alone."""
    with film.open("rb") as file:
        while file.read(1 << 24):
            pass


def seconds_of(film):
    command = ["ffprobe", "-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0", str(film)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def table(comparisons):
    """Markdown: a row a film, and how memory grows with length."""
    rows = [
        "| film | runs | ffmpeg, s | dubmill, s | wall ratio | ffmpeg, MiB | dubmill, MiB |",
        "|---|---|---|---|---|---|---|",
    ]
    for c in comparisons:
        megabytes = c.film.stat().st_size / 1e6
        rows.append(
            f"| {c.seconds / 60:.0f} min, {megabytes:.0f} MB | {c.runs} | {c.ffmpeg.wall:.2f} | {c.dubmill.wall:.2f} "
            f"| {c.dubmill.wall / c.ffmpeg.wall:.2f} | {c.ffmpeg.peak_mib:.0f} | {c.dubmill.peak_mib:.0f} |"
        )
    short, long = comparisons[0].dubmill, comparisons[-1].dubmill
    rows += ["", f"Peak memory of dubmill, long film ÷ short film: {long.peak_mib / short.peak_mib:.2f}."]
    return "\n".join(rows)
