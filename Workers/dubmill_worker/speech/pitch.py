"""How high a voice lies, and a voice moved in pitch and timbre."""

from __future__ import annotations

import numpy as np
import pyworld
from numpy.typing import NDArray

from ..audio import Samples

LOWEST_HZ, HIGHEST_HZ = 60.0, 500.0
"""Where a speaking voice's fundamental is looked for."""

_FRAME_MS = 5.0
_HIGHEST_HARMONIC_HZ = 900.0
_CLEAR = 0.6
"""How much of a voiced frame repeats itself."""

_LEAST_VOICED = 10
"""Voiced frames (0.1 s) that a median needs."""


def fundamental(samples: Samples, rate: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The fundamental in Hz every 10 ms, 0 where nothing is voiced, and the frames' times.

    By the normalised autocorrelation of Boersma (1993), without his search for the best path:
    good for medians. WORLD's DIO misses most of a hoarse voice (14 % of it voiced, its median an
    octave low), and its Harvest takes 0.2 s a second.
    """
    size = round(0.05 * rate)
    hop = round(0.01 * rate)
    if len(samples) < size:
        return np.zeros(0), np.zeros(0)
    frames = np.lib.stride_tricks.sliding_window_view(samples.astype(np.float64), size)[::hop]
    window = np.hanning(size)
    length = 1 << (2 * size - 1).bit_length()

    # What repeats above the first formant is more often breath than voice.
    kept = np.fft.rfftfreq(length, 1 / rate) < _HIGHEST_HARMONIC_HZ

    def correlated(block: NDArray[np.float64]) -> NDArray[np.float64]:
        power = np.abs(np.fft.rfft(block, length, axis=-1)) ** 2 * kept
        return np.asarray(np.fft.irfft(power, axis=-1)[..., :size])

    shape = correlated(window)
    lags = np.arange(int(rate / HIGHEST_HZ), int(rate / LOWEST_HZ) + 1)
    # A period and its double fit equally well: the shorter one is preferred a little.
    octaves = 0.02 * np.log2(lags / lags[0])
    track = np.zeros(len(frames))
    for first in range(0, len(frames), 1024):
        block = frames[first : first + 1024]
        block = block - block.mean(axis=1, keepdims=True)
        found = correlated(block * window)
        loud = found[:, :1] > 1e-6 * size
        wide = np.concatenate(([lags[0] - 1], lags, [lags[-1] + 1]))
        near = found[:, wide] / np.maximum(found[:, :1], 1e-12) / (shape[wide] / shape[0])
        # A slope that ends at the shortest or the longest period is no period.
        peak = (near[:, 1:-1] > near[:, :-2]) & (near[:, 1:-1] >= near[:, 2:])
        near = np.where(peak, near[:, 1:-1], 0)
        best = np.argmax(near - octaves, axis=1)
        clear = np.take_along_axis(near, best[:, None], axis=1)
        voiced = ((clear > _CLEAR) & loud)[:, 0]
        track[first : first + 1024] = np.where(voiced, rate / lags[best], 0)
    return track, (np.arange(len(frames)) * hop + size / 2) / rate


def median_pitch(track: NDArray[np.float64]) -> float | None:
    """The middle fundamental of the voiced frames, in Hz; None where hardly any is voiced."""
    voiced = track[track > 0]
    return round(float(np.median(voiced)), 1) if len(voiced) >= _LEAST_VOICED else None


def moved(samples: Samples, rate: int, semitones: float, timbre: float) -> Samples:
    """The same speech at another pitch and with another timbre, as long as it was.

    Taken apart and put together by WORLD (Morise et al. 2016).
    `semitones` moves the fundamental; `timbre` stretches the spectral envelope along the
    frequency axis: above 1 the formants lie higher, as in a shorter vocal tract.
    """
    wide = np.ascontiguousarray(samples, dtype=np.float64)
    rough, times = pyworld.dio(wide, rate, LOWEST_HZ, HIGHEST_HZ, frame_period=_FRAME_MS)
    track = pyworld.stonemask(wide, rough, times, rate)
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
