#!/usr/bin/env python3
"""Decode and remux against the ffmpeg program: wall, processor time and peak memory, medians, as ratios of one run.

usage: bench.py --decode 'CMD {in}' --remux 'CMD {in} {dub} {stem}' [--minutes 10,60] [--runs 3] [--work DIR]

CMD is split as a shell would. {in} is a 720p H.264 + AAC stereo MP4; {dub} a FLAC of the same length; {stem} the
output's path without extension. The decode command goes over all sound at 16 kHz mono and keeps none of it; the remux
command copies every stream and adds {dub} as an AAC track. Clips are made once in DIR and kept there.
Prints a Markdown table. Exit: 0 where every ratio of wall time is at most 1.0 and memory is flat, else 1.
"""
import argparse
import os
import shlex
import statistics
import subprocess
import sys
import time


def ffmpeg(*arguments):
    subprocess.run(["ffmpeg", "-nostdin", "-v", "error", "-y", *arguments], check=True)


def clips(work, minutes):
    """A minute of moving picture over noise, repeated; noise is the hardest there is for the AAC encoder."""
    minute = f"{work}/minute.mp4"
    if not os.path.exists(minute):
        ffmpeg("-f", "lavfi", "-i", "testsrc2=s=1280x720:r=25:d=60", "-f", "lavfi", "-i",
               "anoisesrc=d=60:a=0.3:c=pink:r=48000", "-c:v", "libx264", "-preset", "ultrafast", "-b:v", "6M",
               "-c:a", "aac", "-b:a", "160k", "-ac", "2", minute)
    clip, dub = f"{work}/{minutes}.mp4", f"{work}/{minutes}.flac"
    if not os.path.exists(clip):
        names = f"{work}/{minutes}.txt"
        with open(names, "w") as listing:
            listing.write(f"file '{os.path.abspath(minute)}'\n" * minutes)
        ffmpeg("-f", "concat", "-safe", "0", "-i", names, "-c", "copy", clip)
    if not os.path.exists(dub):
        ffmpeg("-f", "lavfi", "-i", f"anoisesrc=d={minutes * 60}:a=0.3:c=pink:r=48000", "-ac", "2", dub)
    return clip, dub


def measure(command):
    """Wall seconds, processor seconds, peak MiB."""
    began = time.monotonic()
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        sys.exit(f"failed ({status}): {shlex.join(command)}")
    return time.monotonic() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--decode", required=True)
    parser.add_argument("--remux", required=True)
    parser.add_argument("--minutes", default="10,60")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--work", default="/tmp/bench-media")
    options = parser.parse_args()
    os.makedirs(options.work, exist_ok=True)
    print("| what | ours s | ffmpeg s | ratio | ours cpu s | ffmpeg cpu s | ours MiB | ffmpeg MiB |")
    print("|---|---|---|---|---|---|---|---|")
    good, memory = True, {}
    for minutes in (int(text) for text in options.minutes.split(",")):
        clip, dub = clips(options.work, minutes)
        words = {"in": clip, "dub": dub, "stem": f"{options.work}/ours"}
        pairs = {
            "decode": (options.decode, ["-i", clip, "-map", "0:a:0", "-af", "aresample=async=1:first_pts=0", "-ac", "1",
                                        "-ar", "16000", "-f", "f32le", "/dev/null"]),
            "remux": (options.remux, ["-i", clip, "-i", dub, "-map", "0", "-map", "1:a", "-c", "copy", "-c:a:1", "aac",
                                      "-b:a:1", "160k", f"{options.work}/theirs.mp4"]),
        }
        for name, (template, reference) in pairs.items():
            command = [word.format(**words) for word in shlex.split(template)]
            ours, theirs = [], []
            for _ in range(options.runs):
                ours.append(measure(command))
                theirs.append(measure(["ffmpeg", "-nostdin", "-v", "error", "-y", *reference]))
            a, b = ([statistics.median(column) for column in zip(*rows)] for rows in (ours, theirs))
            print(f"| {name} {minutes} min | {a[0]:.2f} | {b[0]:.2f} | {a[0] / b[0]:.2f} | {a[1]:.2f} | {b[1]:.2f} "
                  f"| {a[2]:.0f} | {b[2]:.0f} |", flush=True)
            good = good and a[0] <= b[0]
            if name in memory and a[2] > 1.1 * memory[name]:
                print(f"{name}: memory grows from {memory[name]:.0f} to {a[2]:.0f} MiB", file=sys.stderr)
                good = False
            memory.setdefault(name, a[2])
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
