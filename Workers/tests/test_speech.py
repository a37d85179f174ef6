"""Text made speakable, phonemes, and what is cut from clips."""

import numpy as np
import pytest

from dubmill_worker.audio import RATE
from dubmill_worker.engines.silero import FRAME, Thresholds, find_speech
from dubmill_worker.speech.normalise import speakable
from dubmill_worker.speech.phonemes import clauses, to_kokoro
from dubmill_worker.speech.shape import shorten_pauses, trim


@pytest.mark.parametrize(
    ("language", "text", "wanted"),
    [
        ("en", "“Hello” — she said…", "Hello, she said..."),
        ("es", "¿Qué tal? 😀", "¿Qué tal?"),
        ("fr", "l’été & l’hiver", "l'été et l'hiver"),
        ("en", "<b>Bold</b> *move*", "b Bold /b move"),
        ("en", "Wait!!! What???", "Wait! What?"),
        ("en", "- Yes. - No.", "Yes., No."),
        ("en", "well-known 3.5%", "well-known 3.5%"),
        ("en", "♪ ♪", ""),
        ("en", "...", ""),
        ("ja", "「はい」", "はい"),
        ("en", "a\u00a0b\u200bc", "a b c"),
    ],
)
def test_speakable(language: str, text: str, wanted: str) -> None:
    assert speakable(text, language) == wanted


def test_speaking_twice_normalised_text_changes_nothing() -> None:
    for text in ("“Hello” — she said…", "l’été & l’hiver", "Wait!!! (really)"):
        once = speakable(text, "fr")
        assert speakable(once, "fr") == once


def test_clauses_keep_their_marks() -> None:
    assert clauses("Hello, you! It is 3.5 m.") == [
        ("Hello", ","),
        ("you", "!"),
        ("It is 3.5 m", "."),
    ]
    assert clauses("no mark") == [("no mark", "")]
    assert clauses("... !") == []


def test_phonemes_become_kokoros_letters() -> None:
    assert to_kokoro("t^ʃˈiko", "es") == "ʧˈiko"
    assert to_kokoro("tʃ", "es") == "tʃ"
    assert to_kokoro("d^ʒˈʌd^ʒ", "en") == "ʤˈʌʤ"
    assert to_kokoro("(en)hɛloʊ(es)", "es") == "hɛloʊ"


def burst(seconds: float, rate: int = RATE) -> np.ndarray:
    rng = np.random.default_rng(7)
    return (0.5 * rng.uniform(-1, 1, round(seconds * rate))).astype(np.float32)


def silence(seconds: float, rate: int = RATE) -> np.ndarray:
    return np.zeros(round(seconds * rate), dtype=np.float32)


def test_trim_cuts_silence_and_nothing_else() -> None:
    said = burst(0.5)
    clip, (start, end) = trim(np.concatenate([silence(0.4), said, silence(0.7)]), RATE)
    assert len(clip) / RATE == pytest.approx(0.02 + 0.5 + 0.06, abs=0.01)
    assert start == pytest.approx(0.02, abs=0.006)
    assert end - start == pytest.approx(0.5, abs=0.011)
    first = round(start * RATE)
    assert np.abs(clip[first : first + len(said)]).sum() > 0.98 * np.abs(said).sum()


def test_trim_keeps_a_faint_ending() -> None:
    faint = burst(0.2) * 10 ** (-50 / 20)
    clip, (_, end) = trim(np.concatenate([burst(0.5), faint, silence(0.5)]), RATE)
    assert len(clip) / RATE == pytest.approx(0.5 + 0.2 + 0.06, abs=0.01)
    assert end == pytest.approx(0.5, abs=0.01)


def test_trim_of_silence_is_empty() -> None:
    assert len(trim(silence(1.0), RATE)[0]) == 0
    assert len(trim(silence(0.0), RATE)[0]) == 0


def test_long_pauses_are_shortened_and_speech_is_kept() -> None:
    first, second = burst(0.3), burst(0.4)
    clip = np.concatenate([first, silence(1.0), second, silence(0.2), first])
    short = shorten_pauses(clip, RATE, 0.35)
    assert len(short) / RATE == pytest.approx(len(clip) / RATE - 0.65, abs=0.02)
    assert np.array_equal(short[: len(first)], first)
    assert np.abs(short).sum() == pytest.approx(np.abs(clip).sum())


def frames(*runs: tuple[float, float]) -> list[float]:
    """Probabilities: each run is (probability, seconds)."""
    return [p for p, seconds in runs for _ in range(round(seconds * RATE / FRAME))]


def spans(probabilities: list[float], **changes: float) -> list[tuple[float, float]]:
    found = find_speech(probabilities, len(probabilities) * FRAME, Thresholds(**changes))
    return [(round(a / RATE, 2), round(b / RATE, 2)) for a, b in found]


def test_speech_ends_where_it_fell_not_where_that_was_noticed() -> None:
    assert spans(frames((0.1, 0.96), (0.9, 0.96), (0.1, 0.96))) == [(0.96, 1.92)]


def test_hysteresis_holds_between_the_thresholds() -> None:
    assert spans(frames((0.9, 0.96), (0.4, 0.96), (0.9, 0.96))) == [(0.0, 2.88)]
    assert spans(frames((0.4, 2.0))) == []


def test_short_pauses_do_not_split_and_long_ones_do() -> None:
    assert spans(frames((0.9, 0.96), (0.1, 0.16), (0.9, 0.96))) == [(0.0, 2.08)]
    assert len(spans(frames((0.9, 0.96), (0.1, 0.32), (0.9, 0.96)))) == 2


def test_short_speech_is_dropped() -> None:
    assert spans(frames((0.1, 0.96), (0.9, 0.128), (0.1, 0.96))) == []
    assert len(spans(frames((0.1, 0.96), (0.9, 0.192), (0.1, 0.96)))) == 1


def test_speech_at_the_end_lasts_to_the_end() -> None:
    assert spans(frames((0.1, 0.96), (0.9, 0.96))) == [(0.96, 1.92)]
