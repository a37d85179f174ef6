"""The test films: 720p H.264 and AAC, English prompts read by a person over a moving test pattern.

No prompt is said twice in the first film, so a dub of it cannot live on its own cache; a longer film is the
first one over and over, by stream copy, for decoding and remuxing only.
"""

import os
import pathlib
import subprocess
import sys
import tempfile

from .measure import Failure

PROMPTS = pathlib.Path("/usr/share/asterisk/sounds/en_US_f_Allison")
# Neither speech in sentences nor of use: beeps, monkeys, single letters and digits.
LEFT_OUT = ("beep", "tt-monkeys.g722", "ascending", "descending", "enter_", "letters", "digits", "phonetic")
BYTES_A_SECOND = 8_000
PAUSE = 0.6
FIRST_MINUTES = 10


def scratch():
    """The folder of the test films, outside the repository."""
    folder = pathlib.Path(os.environ.get("TMPDIR") or "/tmp") / "dubmill-bench"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def film(minutes):
    """A film of that many minutes; made when it is not there."""
    path = scratch() / f"film-{minutes}min.mp4"
    if not path.exists():
        print(f"making {path}", file=sys.stderr, flush=True)
        if minutes <= FIRST_MINUTES:
            whole(make_first, path, minutes)
        else:
            whole(make_long, path, film(FIRST_MINUTES), minutes)
    return path


def dub_of(film_path):
    """A FLAC as long as the film, to be added as its dub."""
    path = film_path.with_suffix(".dub.flac")
    if not path.exists():
        print(f"making {path}", file=sys.stderr, flush=True)
        whole(lambda out: ffmpeg("-i", film_path, "-map", "0:a:0", "-c:a", "flac", out), path)
    return path


def subtitles_of(film_path, seconds):
    """A cue every five seconds."""
    path = film_path.with_suffix(".srt")
    cues = []
    for number, start in enumerate(range(0, int(seconds) - 4, 5), start=1):
        cues.append(f"{number}\n{clock(start)} --> {clock(start + 4)}\nCue number {number}.\n")
    path.write_text("\n".join(cues))
    return path


def make_first(out, minutes):
    seconds = minutes * 60
    with tempfile.TemporaryDirectory(dir=scratch()) as folder:
        speech = pathlib.Path(folder) / "speech.pcm"
        write_speech(speech, seconds)
        picture = f"testsrc2=size=1280x720:rate=25:duration={seconds}"
        ffmpeg(
            *("-f", "lavfi", "-i", picture, "-f", "s16le", "-ar", "16000", "-ac", "1", "-i", speech),
            *("-c:v", "libx264", "-preset", "ultrafast", "-b:v", "6M", "-pix_fmt", "yuv420p", "-g", "50"),
            *("-c:a", "aac", "-b:a", "160k", "-ar", "48000", "-ac", "2", "-metadata:s:a:0", "language=eng"),
            *("-t", seconds, "-movflags", "+faststart", out),
        )


def write_speech(path, seconds):
    """Prompts one after another with pauses, as 16-bit samples at 16 kHz, until the time is full."""
    room = seconds - 1.0
    with path.open("wb") as out:
        out.write(bytes(16_000))
        for prompt in sentences():
            length = prompt.stat().st_size / BYTES_A_SECOND + PAUSE
            if length > room:
                continue
            room -= length
            command = ["ffmpeg", "-v", "error", "-f", "g722", "-i", str(prompt), "-f", "s16le", "-"]
            out.write(subprocess.run(command, check=True, capture_output=True, stdin=subprocess.DEVNULL).stdout)
            out.write(bytes(round(PAUSE * 16_000) * 2))
        if room > 30:
            raise Failure(f"{PROMPTS} holds {room:.0f} s of speech too little; is the package complete?")
        out.write(bytes(round(room * 16_000) * 2))


def sentences():
    """The prompts of two seconds or more, in order of name."""
    found = [path for path in sorted(PROMPTS.rglob("*.g722")) if path.stat().st_size >= 2 * BYTES_A_SECOND]
    kept = [p for p in found if not any(word in str(p.relative_to(PROMPTS)) for word in (*LEFT_OUT, "silence"))]
    if not kept:
        raise Failure(f"no recordings in {PROMPTS}; run make setup")
    return kept


def make_long(out, first, minutes):
    loops = -(-minutes // FIRST_MINUTES) - 1
    ffmpeg("-stream_loop", loops, "-i", first, "-map", "0", "-c", "copy", "-t", minutes * 60, out)


def whole(make, path, *arguments):
    """Lets `make` write beside the path, and gives the result its name when it is whole."""
    partial = path.with_name(f".partial-{path.name}")
    try:
        make(partial, *arguments)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def ffmpeg(*words):
    command = ["ffmpeg", "-nostdin", "-v", "error", "-y", *map(str, words)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise Failure(f"ffmpeg could not make a test film:\n{done.stderr[-2000:]}")


def clock(seconds):
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02},000"
