"""What a card does with the models of a dub: speed, padding, memory. Prints one JSON.

    PYTHONPATH=Workers python Workers/bench/gpu.py                     on a CUDA card
    PYTHONPATH=Workers python Workers/bench/gpu.py --small             a proof on any machine
    … --weights MODELS/whisper-base --audio DIR                        real weights as well

Needs torch and transformers (the extra `gpu`), no network and no weights: the architectures have
random ones. Real weights are those of faster-whisper's folder, through torch on the card and on
the CPU. Each part ends within about `--seconds`.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import random
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from gpu_models import FRAMES, Bench, Item, Recognition, Speech, Translation

from dubmill_worker.admission import Admission, Limits
from dubmill_worker.packing import pack, waste

_TYPES = {"fp16": torch.float16, "bf16": torch.bfloat16, "fp32": torch.float32}


class Machine:
    """The card, or the CPU in its place."""

    def __init__(self, device: str, small: bool) -> None:
        self.device = device
        self.cuda = device.startswith("cuda")
        self.small = small

    def wait(self) -> None:
        """Until all that was asked of the card is done."""
        if self.cuda:
            torch.cuda.synchronize()

    def free(self) -> None:
        """Give back what the allocator keeps."""
        gc.collect()
        if self.cuda:
            torch.cuda.empty_cache()

    def used(self) -> int:
        """Bytes that tensors hold; 0 on a CPU, where torch does not count them."""
        return torch.cuda.memory_allocated() if self.cuda else 0

    def timed(self, work: Callable[[], Any]) -> float:
        """Seconds that it takes."""
        self.wait()
        start = time.perf_counter()
        work()
        self.wait()
        return time.perf_counter() - start

    def told(self) -> dict[str, Any]:
        """The machine, in words."""
        found: dict[str, Any] = {"device": self.device, "torch": torch.__version__}
        if self.cuda:
            card = torch.cuda.get_device_properties(0)
            found |= {"card": card.name, "memory_bytes": card.total_memory}
            found["cuda"] = torch.version.cuda
        else:
            found |= {"card": None, "threads": torch.get_num_threads()}
        return found


def ceiling(machine: Machine, dtype: torch.dtype) -> float:
    """Tera-operations a second of a large matrix product: what the card can do at best."""
    size = 1024 if machine.small else 8192
    left = torch.randn(size, size, device=machine.device).to(dtype)
    right = torch.randn(size, size, device=machine.device).to(dtype)
    for _ in range(3):
        left @ right
    best = min(machine.timed(lambda: left @ right) for _ in range(20))
    return 2 * size**3 / best / 1e12


def operations(work: Callable[[], Any]) -> int:
    """Operations of matrix products and convolutions in it, counted by torch."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        work()
    return int(counter.get_total_flops())


def in_kernels(machine: Machine, work: Callable[[], Any], seconds: float) -> float:
    """The share of the time in which the card computes: kernel time over time unprofiled."""
    from torch.profiler import ProfilerActivity, profile

    kind = ProfilerActivity.CUDA if machine.cuda else ProfilerActivity.CPU
    with profile(activities=[kind]) as profiler:
        work()
        machine.wait()
    events = profiler.key_averages()
    if machine.cuda:
        busy = sum(event.self_device_time_total for event in events) / 1e6
    else:
        busy = sum(event.self_cpu_time_total for event in events) / 1e6
    return min(1.0, busy / seconds)


def items_of(bench: Bench, count: int, seed: int, small: bool) -> list[Item]:
    """Work as a dub has it: chunks of 14 to 28 s, lines of 1 to 8 s; 3.3 tokens a second."""
    rng = random.Random(seed)
    shrink = 4 if small else 1
    items = []
    for _ in range(count):
        if isinstance(bench, Recognition):
            seconds = rng.uniform(14, 28)
            tokens = max(4, round(seconds * 4.5 / shrink))
            # Two seconds behind, as the engine gives them; half seconds, so that windows recur.
            frames = min(FRAMES, -(-round(seconds * 100 + 200) // 50) * 50)
            items.append(Item(frames, tokens, seconds))
            continue
        seconds = min(8.0, max(1.0, rng.lognormvariate(1.0, 0.5)))
        text = max(3, round(seconds * 3.3))
        if isinstance(bench, Translation):
            items.append(Item(text, max(3, round(text * 1.2 / shrink)), seconds))
        else:
            items.append(Item(text, max(4, round(seconds * 25 / shrink)), seconds))
    return items


def measure(
    machine: Machine, bench: Bench, sizes: Sequence[int], peak: float, limit: float, seed: int
) -> dict[str, Any]:
    """Items a second against the batch's size, until it stops paying or memory ends."""
    items = items_of(bench, max(sizes), seed, machine.small)
    items.sort(key=bench.size)
    rows: list[dict[str, Any]] = []
    ended = None
    began = time.perf_counter()
    for size in sizes:
        # From the middle: an average batch, as packing by length makes them.
        start = (len(items) - size) // 2
        batch = items[start : start + size]
        try:
            bench.compute(batch)
            taken = min(machine.timed(lambda batch=batch: bench.compute(batch)) for _ in range(2))
        except (torch.OutOfMemoryError, RuntimeError) as error:
            if "memory" not in str(error).lower():
                raise
            ended = f"no memory for {size}"
            machine.free()
            break
        sound = sum(item.seconds for item in batch)
        rows.append(
            {
                "batch": size,
                "seconds": round(taken, 4),
                "items_per_second": round(size / taken, 2),
                "times_real_time": round(sound / taken, 1),
            }
        )
        print(bench.name, rows[-1], file=sys.stderr, flush=True)
        if time.perf_counter() - began > limit:
            ended = "time"
            break
    if not rows:
        return {"architecture": bench.name, "ended": ended}
    best = max(rows, key=lambda row: row["items_per_second"])
    start = (len(items) - best["batch"]) // 2
    batch = items[start : start + best["batch"]]
    work = operations(lambda: bench.compute(batch))
    packed = items_of(bench, 1000, seed + 1, machine.small)
    lengths = [bench.size(item) for item in packed]
    packs = pack(lengths, max(lengths) * best["batch"], best["batch"])
    steps = [packed[i].tokens for batch in packs for i in batch.items]
    decoded = sum(len(batch.items) * max(packed[i].tokens for i in batch.items) for batch in packs)
    return {
        "architecture": bench.name,
        "parameters": bench.parameters(),
        "batches": rows,
        "best": best,
        "share_of_ceiling": round(work / best["seconds"] / 1e12 / peak, 4),
        "share_in_kernels": round(
            in_kernels(machine, lambda: bench.compute(batch), best["seconds"]), 3
        ),
        "padding_waste": round(waste(packs, lengths), 4),
        "padding_waste_decoding": round(1 - sum(steps) / decoded, 4),
        "ended": ended,
    }


@contextlib.contextmanager
def less_memory(machine: Machine, bench: Bench, units: int) -> Iterator[Callable[..., Any]]:
    """The model's `compute` where memory ends: on a card by a cap, else simulated by cost."""
    if machine.cuda:
        total = torch.cuda.get_device_properties(0).total_memory
        # What the weights hold, and a few batches' worth.
        machine.free()
        cap = min(1.0, (machine.used() * 1.15 + 3e9) / total)
        torch.cuda.set_per_process_memory_fraction(cap)
        try:
            yield bench.compute
        finally:
            torch.cuda.set_per_process_memory_fraction(1.0)
        return

    def simulated(items: Sequence[Item]) -> list[float]:
        if bench.cost(items) > units:
            raise torch.OutOfMemoryError(f"simulated: {bench.cost(items)} of {units} {bench.unit}")
        return bench.compute(items)

    yield simulated


def admission(
    machine: Machine, bench: Bench, batches: int, seed: int, limit: float
) -> dict[str, Any]:
    """Random batches within the limit that was learnt, and a batch far too large."""
    rng = random.Random(seed)
    limits = Limits()
    card = machine.told().get("card") or "cpu"
    seen = {"out_of_memory": 0}
    with less_memory(machine, bench, 40 * 8) as compute:

        def counted(items: Sequence[Item]) -> list[float]:
            try:
                return list(compute(items))
            except torch.OutOfMemoryError:
                seen["out_of_memory"] += 1
                raise

        gate = Admission(limits, bench.name, str(card))
        largest = 64 if machine.small else 1024
        pool = items_of(bench, largest, seed, True)

        def run(count: int) -> int:
            chosen = [rng.choice(pool) for _ in range(count)]
            found = gate.run(chosen, bench.cost, counted, machine.free)
            assert len(found) == count
            return sum(isinstance(result, float) for result in found)

        before = machine.used()
        done = run(largest)
        recovery = {
            "items": largest,
            "done": done,
            "halved": gate.halved,
            "bytes_left_over": machine.used() - before,
        }
        for _ in range(10):
            run(largest)
        learnt = seen["out_of_memory"]
        began = time.perf_counter()
        made = items = 0
        while made < batches and time.perf_counter() - began < limit:
            count = rng.randint(1, largest // 4)
            assert run(count) == count
            made += 1
            items += count
    return {
        "architecture": bench.name,
        "simulated": not machine.cuda,
        "unit": bench.unit,
        "limit": limits.allowed(bench.name, str(card)),
        "recovery": recovery,
        "out_of_memory_while_learning": learnt,
        "batches": made,
        "items": items,
        "out_of_memory_afterwards": seen["out_of_memory"] - learnt,
    }


def real(machine: Machine, dtype: torch.dtype, folder: Path, audio: Path) -> dict[str, Any]:
    """Whisper's own weights: the text on the card beside the text on the CPU."""
    import soundfile
    from transformers import PreTrainedTokenizerFast, WhisperFeatureExtractor

    from dubmill_worker.recognition.ctranslate import whisper

    paths = sorted(audio.glob("*.wav"))[:16] if audio.is_dir() else [audio]
    clips = []
    for path in paths:
        samples, rate = soundfile.read(path, dtype="float32")
        if rate == 16_000 and samples.ndim == 1 and len(samples) <= 30 * rate:
            clips.append(samples)
    if not clips:
        return {"error": f"{audio} holds no WAV of 16 kHz, mono, at most 30 s"}
    model = whisper(folder)
    features = WhisperFeatureExtractor(feature_size=model.config.num_mel_bins)
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"))
    mel = features(clips, sampling_rate=16_000, return_tensors="pt").input_features

    def texts(device: str, kind: torch.dtype) -> tuple[list[str], float]:
        placed = model.to(device=device, dtype=kind)
        given = mel.to(device=device, dtype=kind)
        start = time.perf_counter()
        found = placed.generate(given, language="en", task="transcribe", num_beams=1)
        machine.wait()
        taken = time.perf_counter() - start
        return tokenizer.batch_decode(found, skip_special_tokens=True), taken

    expected, on_cpu = texts("cpu", torch.float32)
    found, on_card = texts(machine.device, dtype)
    sound = sum(len(clip) for clip in clips) / 16_000
    return {
        "clips": len(clips),
        "same_text": sum(a == b for a, b in zip(expected, found, strict=True)),
        "cpu_times_real_time": round(sound / on_cpu, 1),
        "times_real_time": round(sound / on_card, 1),
        "differing": [
            {"cpu": a, "card": b} for a, b in zip(expected, found, strict=True) if a != b
        ],
    }


def targets(found: dict[str, Any]) -> dict[str, bool | None]:
    """What issue 6 asks of a card; None where it was not measured on one."""
    if not found["machine"].get("card"):
        return dict.fromkeys(("recognition_150", "kernels_60", "padding_10", "no_oom"))
    recognition = found["recognition"]
    return {
        "recognition_150": recognition["best"]["times_real_time"] >= 150,
        "kernels_60": recognition["share_in_kernels"] >= 0.6,
        "padding_10": max(recognition["padding_waste"], recognition["padding_waste_decoding"])
        <= 0.1,
        "no_oom": found["admission"]["out_of_memory_afterwards"] == 0,
    }


def main() -> None:
    """Measure, and print the JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--small", action="store_true", help="tiny models, for a CPU")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--dtype", choices=["auto", *_TYPES], default="auto")
    parser.add_argument("--compile", action="store_true", help="torch.compile the models")
    parser.add_argument("--batches", type=int, default=1000, help="of the admission test")
    parser.add_argument("--seconds", type=float, default=60.0, help="for each part, about")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--weights", type=Path, help="a folder of Whisper for CTranslate2")
    parser.add_argument("--audio", type=Path, help="WAV files for it: 16 kHz, mono, English")
    options = parser.parse_args()
    machine = Machine(options.device, options.small)
    kind = options.dtype if options.dtype != "auto" else ("fp16" if machine.cuda else "fp32")
    dtype = _TYPES[kind]
    found: dict[str, Any] = {
        "machine": machine.told(),
        "small": options.small,
        "dtype": kind,
        "compiled": options.compile,
    }
    sizes = [1, 2, 4, 8, 16] if options.small else [1, 2, 4, 8, 16, 32, 64, 96, 128, 192, 256]
    with torch.inference_mode():
        peak = ceiling(machine, dtype)
        found["ceiling_tera_operations"] = round(peak, 3)
        parts: list[tuple[str, type[Recognition] | type[Translation] | type[Speech]]] = [
            ("recognition", Recognition),
            ("translation", Translation),
            ("speech", Speech),
        ]
        for part, make in parts:
            bench = make(machine.device, dtype, options.small)
            if options.compile:
                bench.model.forward = torch.compile(bench.model.forward, dynamic=True)
            found[part] = measure(machine, bench, sizes, peak, options.seconds, options.seed)
            if part == "speech":
                found["admission"] = admission(
                    machine, bench, options.batches, options.seed, options.seconds * 2
                )
            del bench
            machine.free()
        if options.weights and options.audio:
            found["real_whisper"] = real(machine, dtype, options.weights, options.audio)
    found["targets"] = targets(found)
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
