"""What is done to a synthesised clip before it is handed on."""

from __future__ import annotations

import numpy as np

from ..audio import Samples

_HOP_SECONDS = 0.005
_SPEECH_DB = -45.0
QUIET_DB = -60.0
"""What lies this far under the loudest sample is silence, for an engine without noise."""

_FLOOR = 10 ** (-75 / 20)
_LEAD_SECONDS = 0.02
_TAIL_SECONDS = 0.06


def _levels(samples: Samples, hop: int) -> Samples:
    """Peak of each hop; the last may be shorter."""
    padded = np.zeros(-(-len(samples) // hop) * hop, dtype=np.float32)
    padded[: len(samples)] = np.abs(samples)
    peaks: Samples = padded.reshape(-1, hop).max(axis=1)
    return peaks


def trim(
    samples: Samples, rate: int, quiet_db: float = QUIET_DB
) -> tuple[Samples, tuple[float, float]]:
    """Cut near-silence at both ends; return the clip and where in it speech lies, in seconds.

    Whatever is louder than `quiet_db` under the loudest sample is kept, with 20 ms before and
    60 ms after, so that no fricative is cut. Speech counts from what lies within 45 dB. A clip
    without speech comes back empty.
    """
    hop = max(1, round(rate * _HOP_SECONDS))
    levels = _levels(samples, hop)
    loudest = float(levels.max(initial=0.0))
    if loudest <= _FLOOR:
        return samples[:0], (0.0, 0.0)
    faint = np.flatnonzero(levels > max(_FLOOR, loudest * 10 ** (quiet_db / 20)))
    first = max(0, int(faint[0]) * hop - round(rate * _LEAD_SECONDS))
    last = min(len(samples), (int(faint[-1]) + 1) * hop + round(rate * _TAIL_SECONDS))
    speech_db = max(_SPEECH_DB, quiet_db)
    loud = np.flatnonzero(levels > max(_FLOOR, loudest * 10 ** (speech_db / 20)))
    start = (int(loud[0]) * hop - first) / rate
    end = (min(len(samples), (int(loud[-1]) + 1) * hop) - first) / rate
    return samples[first:last], (round(start, 4), round(end, 4))


def shorten_pauses(
    samples: Samples, rate: int, longest: float, quiet_db: float = QUIET_DB
) -> Samples:
    """Shorten silences inside a clip to `longest` seconds, leaving what is said untouched.

    Only spans at least `quiet_db` under the loudest sample count as silence; half of what remains
    stays on each side of the cut.
    """
    hop = max(1, round(rate * _HOP_SECONDS))
    levels = _levels(samples, hop)
    loudest = float(levels.max(initial=0.0))
    if loudest <= _FLOOR:
        return samples
    silent = levels <= max(_FLOOR, loudest * 10 ** (quiet_db / 20))
    edges = np.flatnonzero(np.diff(np.concatenate(([0], silent.astype(np.int8), [0]))))
    keep = round(longest * rate / 2)
    pieces: list[Samples] = []
    position = 0
    for begin, end in edges.reshape(-1, 2) * hop:
        end = min(int(end), len(samples))
        if begin == 0 or end == len(samples) or end - begin <= 2 * keep:
            continue
        pieces.append(samples[position : int(begin) + keep])
        position = end - keep
    pieces.append(samples[position:])
    return np.concatenate(pieces)
