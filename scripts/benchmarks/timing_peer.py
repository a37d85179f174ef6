"""The peer's side of the timing benchmark, run by the Python that has mazinger.

Both sides' lines are heard one by one as they are laid down: mazinger hands each prepared line through `_ordered_map`,
where it is overheard; dubmill's pieces are cut and stretched here by mazinger's own stretcher, so that only the
decisions differ. Where a whole track speaks, the source's and the dub's, is told by Silero through mazinger's
`detect_speech`; where one line speaks, by its `clip_regions`.
"""

import contextlib
import functools
import io
import json
import pathlib
import statistics
import sys
import tempfile

import numpy as np
import soundfile as sf
from mazinger import assemble
from mazinger.speech import VAD_SR, SpeechMap, clip_regions, decode_mono, detect_speech

RATE = assemble.TARGET_SR


def peer_lines(job, mode, folder):
    """What mazinger lays down: a list of (line, start in seconds, samples, rate, seconds of the take cut off its end)."""
    segments = []
    for index, line in enumerate(job["lines"]):
        start, end = line["window"]
        segments.append({
            "idx": str(index), "start": start, "end": end, "target_dur": end - start, "actual_dur": line["seconds"],
            "wav_path": copy_of(line["take"], folder, index), "text": line["text"],
        })
    heard, rates = [], {}
    ordered, stretch = assemble._ordered_map, assemble._tempo_stretch

    def overhear(pool, prepare, items, window):
        for result in ordered(pool, prepare, items, window):
            heard.append(result)
            yield result

    def stretched(path, factor, out, rate):
        rates[pathlib.Path(path).name] = factor
        return stretch(path, factor, out, rate)

    assemble._ordered_map, assemble._tempo_stretch = overhear, stretched
    out = str(folder / f"{mode}.wav")
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            assemble.assemble_timeline(
                segments, job["duration"], out, tempo_mode=mode,
                speech_map=SpeechMap(duration=job["duration"], regions=[tuple(span) for span in job["speech"]]))
    finally:
        assemble._ordered_map, assemble._tempo_stretch = ordered, stretch
    lines = []
    for position, result in enumerate(heard):
        if result is None or result == "unvoiced":
            continue
        if mode == "sync":
            start, audio, told = result
            index, rate, cut = int(told["idx"]), told["rate"], told["trimmed"] * told["rate"]
        else:
            start, audio, _, trimmed = result
            index = position  # Windows are in order already.
            rate = rates.get(pathlib.Path(segments[index]["wav_path"]).name, 1.0)
            cut = trimmed * rate
        lines.append((index, start / RATE, audio, rate, cut))
    return lines, out


def copy_of(take, folder, index):
    """The take as mazinger's speech engines write theirs: WAV, mono, 24 kHz, from the first to the last sample."""
    path = folder / f"take-{index}.wav"
    if not path.exists():
        sf.write(path, assemble._load_and_resample(take, RATE), RATE)
    return str(path)


def own_lines(job, folder):
    """What dubmill's placement asks for, in the same shape."""
    total = np.zeros(round(job["duration"] * RATE), dtype=np.float32)
    lines = []
    for index, line in enumerate(job["lines"]):
        if not line["pieces"]:
            continue
        take, _ = sf.read(copy_of(line["take"], folder, index), dtype="float32")
        first = line["pieces"][0]["start"]
        end = max(p["start"] + (p["takeEnd"] - p["takeStart"]) / p["rate"] for p in line["pieces"])
        audio = np.zeros(round((end - first) * RATE) + 1, dtype=np.float32)
        for piece in line["pieces"]:
            part = take[round(piece["takeStart"] * RATE) : round(piece["takeEnd"] * RATE)]
            length = round(len(part) / piece["rate"])
            part = assemble.fit_length(assemble.stretch_audio(part, RATE, piece["rate"]), length, RATE)
            at = round((piece["start"] - first) * RATE)
            part = part[: len(audio) - at]
            audio[at : at + len(part)] += part
        natural = sum(p["takeEnd"] - p["takeStart"] for p in line["pieces"])
        placed = sum((p["takeEnd"] - p["takeStart"]) / p["rate"] for p in line["pieces"])
        at = round(first * RATE)
        part = audio[: len(total) - at]
        total[at : at + len(part)] += part
        # What of the take's speech lies in no piece.
        lost = sum(b - a for a, b in line["speech"]) - sum(
            max(0.0, min(b, p["takeEnd"]) - max(a, p["takeStart"])) for a, b in line["speech"] for p in line["pieces"])
        lines.append((index, first, audio, natural / placed, lost if lost > 0.005 else 0.0))
    out = str(folder / "own.wav")
    sf.write(out, total, RATE)
    return lines, out


def measured(job, lines, track):
    """Of each line that was laid down: onset error, rate, length, words lost; of the track: IoU and overlaps."""
    told, spans = [], []
    for index, start, audio, rate, cut in lines:
        line = job["lines"][index]
        begin, end = line["window"]
        regions = clip_regions(audio, RATE) if len(audio) else []
        words = len(line["text"].split())
        if not regions or np.abs(audio).max(initial=0) == 0:
            told.append({"index": index, "lost": words, "cut": True})
            continue
        first, last = start + regions[0][0], start + regions[-1][1]
        spans.append((first, last, index))
        # What was cut off the end of the take, and what passes the end of the film, as far as it is speech.
        natural = sum(b - a for a, b in line["speech"])
        lost = spoken_in(line["speech"], line["seconds"] - cut, line["seconds"]) if line["pieces"] is not None and cut else 0.0
        lost += max(0.0, last - job["duration"]) * rate
        told.append({
            "index": index, "rate": rate, "length": (last - first) / max(end - begin, 1e-3),
            "lost": words * min(1.0, lost / max(natural, 1e-3)) if lost > 0.03 else 0.0, "cut": lost > 0.03,
        })
    missing = set(range(len(job["lines"]))) - {index for index, *_ in lines}
    told += [{"index": i, "lost": len(job["lines"][i]["text"].split()), "cut": True} for i in missing]
    spans.sort()
    overlaps = sum(
        1 for (_, end, a), (start, _, b) in zip(spans, spans[1:])
        if end - start > 0.03 and job["lines"][b]["window"][0] >= job["lines"][a]["window"][1] - 0.2)
    source, dub = heard(job["source"]), heard(track)
    return {
        "lines": told, "overlaps": overlaps, "iou": iou(source, dub, job["duration"]),
        "onsets": onsets(dub, [line["window"][0] for line in job["lines"]]),
    }


def onsets(dub, wanted):
    """How far from each line's onset the dub's is, in ms, as mazinger's own `bench_sync` tells: a region of speech belongs
    to the last line whose onset it follows, a quarter of a second of slack; lines that run together are left out."""
    owned = {}
    for start, end in dub:
        line = int(np.searchsorted(wanted, start + 0.25, side="right")) - 1
        if end - start >= 0.08 and line >= 0:
            owned.setdefault(line, start)
    return [abs(start - wanted[line]) * 1000 for line, start in owned.items()]


def spoken_in(speech, start, end):
    return sum(max(0.0, min(b, end) - max(a, start)) for a, b in speech)


@functools.cache
def heard(path):
    """Where a file speaks, by Silero."""
    regions, method = detect_speech(decode_mono(path, VAD_SR))
    assert method == "silero", method
    return regions


def iou(source, dub, duration):
    """Of the time in which the source or the dub speaks, the share in which both do; steps of 10 ms."""
    count = int(max([duration, *(end for _, end in source + dub)]) * 100) + 2
    masks = [np.zeros(count, dtype=bool) for _ in range(2)]
    for mask, spans in zip(masks, (source, dub)):
        for start, end in spans:
            mask[int(start * 100) : int(np.ceil(end * 100))] = True
    return float((masks[0] & masks[1]).sum() / max(1, (masks[0] | masks[1]).sum()))


def figures(films):
    lines = [line for film in films for line in film["lines"]]
    placed = [line for line in lines if "rate" in line]
    late = [onset for film in films for onset in film["onsets"]]
    within = lambda key: float(np.mean([abs(line[key] - 1) <= 0.1 for line in placed]))  # noqa: E731
    return {
        "onset_median": float(np.median(late)), "onset_p95": float(np.percentile(late, 95)),
        "iou": statistics.median(film["iou"] for film in films), "rate10": within("rate"), "length10": within("length"),
        "cut_lines": sum(line["cut"] for line in lines), "words_lost": sum(line["lost"] for line in lines),
        "overlaps": sum(film["overlaps"] for film in films),
    }


def main():
    jobs = json.loads(pathlib.Path(sys.argv[1]).read_text())
    films = {"dubmill": [], "mazinger 2.3.3, sync": [], "mazinger 2.3.3, auto": []}
    for job in jobs:
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            for name, place in (
                ("dubmill", own_lines), ("mazinger 2.3.3, sync", lambda j, f: peer_lines(j, "sync", f)),
                ("mazinger 2.3.3, auto", lambda j, f: peer_lines(j, "auto", f)),
            ):
                films[name].append(measured(job, *place(job, folder)))
    json.dump({
        "films": len(jobs), "lines": sum(len(job["lines"]) for job in jobs),
        "words": sum(len(line["text"].split()) for job in jobs for line in job["lines"]),
        "ways": {name: figures(told) for name, told in films.items()},
        "each": {job["name"]: {name: told[i] for name, told in films.items()} for i, job in enumerate(jobs)},
    }, sys.stdout)


if __name__ == "__main__":
    main()
