"""Pitch and timbre by WORLD (Morise et al. 2016): measured, and moved."""

from __future__ import annotations

import numpy as np
import pyworld
from numpy.typing import NDArray

from ..audio import Samples

LOWEST_HZ, HIGHEST_HZ = 60.0, 500.0
"""Where a speaking voice's fundamental is looked for."""

_FRAME_MS = 5.0
_LEAST_VOICED = 20
"""Voiced frames (0.1 s) that a median needs."""


def fundamental(samples: Samples, rate: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The fundamental in Hz every 5 ms, 0 where nothing is voiced, and the frames' times."""
    wide = np.ascontiguousarray(samples, dtype=np.float64)
    rough, times = pyworld.dio(
        wide, rate, f0_floor=LOWEST_HZ, f0_ceil=HIGHEST_HZ, frame_period=_FRAME_MS
    )
    return pyworld.stonemask(wide, rough, times, rate), times


def median_pitch(track: NDArray[np.float64]) -> float | None:
    """The middle fundamental of the voiced frames, in Hz; None where hardly any is voiced."""
    voiced = track[track > 0]
    return round(float(np.median(voiced)), 1) if len(voiced) >= _LEAST_VOICED else None


def moved(samples: Samples, rate: int, semitones: float, timbre: float) -> Samples:
    """The same speech at another pitch and with another timbre, as long as it was.

    `semitones` moves the fundamental; `timbre` stretches the spectral envelope along the
    frequency axis: above 1 the formants lie higher, as in a shorter vocal tract.
    """
    wide = np.ascontiguousarray(samples, dtype=np.float64)
    track, times = fundamental(samples, rate)
    envelope = pyworld.cheaptrick(wide, track, times, rate)
    noise = pyworld.d4c(wide, track, times, rate)
    if timbre != 1.0:
        envelope, noise = _stretched(envelope, timbre), _stretched(noise, timbre)
    made = pyworld.synthesize(track * 2 ** (semitones / 12), envelope, noise, rate, _FRAME_MS)
    out = np.zeros(len(samples), dtype=np.float32)
    count = min(len(out), len(made))
    out[:count] = made[:count]
    # What is moved is as loud as it was, and clips nowhere.
    level = float(np.sqrt(np.mean(out**2))) or 1.0
    gain = float(np.sqrt(np.mean(samples.astype(np.float64) ** 2))) / level
    return np.asarray(out * min(gain, 0.99 / max(1e-9, float(np.abs(out).max()))), dtype=np.float32)


def _stretched(frames: NDArray[np.float64], factor: float) -> NDArray[np.float64]:
    """Each row read at places `factor` times closer together; its last value goes on."""
    count = frames.shape[1]
    places = np.minimum(np.arange(count) / factor, count - 1)
    low = np.minimum(places.astype(np.int64), count - 2)
    part = places - low
    return np.ascontiguousarray(frames[:, low] * (1 - part) + frames[:, low + 1] * part)
