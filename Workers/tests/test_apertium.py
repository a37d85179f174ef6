"""Apertium: one living process a pair, in step whatever happens."""

import os
import signal

import pytest

from dubmill_worker.engines.apertium import (
    Pipe,
    escaped,
    installed_pairs,
    is_draft,
    pipeline,
    route,
    unescaped,
    unknown_words,
)
from dubmill_worker.protocol import Cancelled
from dubmill_worker.schedule import Cancel

needs_es_pt = pytest.mark.skipif(
    ("es", "pt") not in installed_pairs(), reason="apertium-es-pt is not installed (apt)"
)


def ask(pipe: Pipe, text: str) -> str:
    return " ".join(pipe.ask(text, Cancel()).split())


@needs_es_pt
def test_one_process_answers_many_texts() -> None:
    pipe = Pipe("es-pt")
    try:
        assert ask(pipe, "La casa es grande.") == "A casa é grande."
        assert pipe.process is not None
        first = pipe.process.pid
        for number in range(20):
            assert ask(pipe, f"La mesa {number}.") == f"A mesa {number}."
        assert pipe.process.pid == first
        assert pipe.starts == 1
    finally:
        pipe.close()


@needs_es_pt
def test_a_killed_process_is_started_again() -> None:
    pipe = Pipe("es-pt")
    try:
        ask(pipe, "La casa.")
        assert pipe.process is not None
        os.killpg(pipe.process.pid, signal.SIGKILL)
        pipe.process.wait()
        assert ask(pipe, "La casa es grande.") == "A casa é grande."
        assert pipe.starts == 2
    finally:
        pipe.close()


@needs_es_pt
def test_a_cancelled_question_leaves_no_answer_behind() -> None:
    pipe = Pipe("es-pt")
    try:
        cancel = Cancel()
        cancel.set()
        with pytest.raises(Cancelled):
            pipe.ask("El perro come.", cancel)
        assert ask(pipe, "La casa es grande.") == "A casa é grande."
    finally:
        pipe.close()


@needs_es_pt
@pytest.mark.parametrize("text", ["a [b] c", "1/2 $5 ^x", "a\\b {c} <d> @e", "casa", "¿Qué?"])
def test_marks_of_its_stream_survive(text: str) -> None:
    pipe = Pipe("es-pt")
    try:
        answer = ask(pipe, text)
        for mark in "[]{}$^\\/<>?":
            assert answer.count(mark) == text.count(mark), answer
        assert not answer.endswith(".")
    finally:
        pipe.close()


def test_escaping_is_undone() -> None:
    for text in ("plain", "a [b] $1/2 @x *y ^z {w} <v> \\", "ends.", "ends?"):
        assert unescaped(escaped(text), text) == text


def test_unknown_words_are_found_and_kept() -> None:
    assert unknown_words("Hola *Xyzzy, @dog y #cat-s.") == ["Xyzzy", "dog", "cat-s"]
    assert unknown_words("2*3 a@b") == []


def test_distant_pairs_and_pivots_are_drafts() -> None:
    assert is_draft([("en", "es")])
    assert not is_draft([("es", "pt")])
    assert is_draft([("fr", "es"), ("es", "pt")])


@needs_es_pt
def test_routes() -> None:
    assert route("es", "pt") == [("es", "pt")]
    assert route("en", "ja") is None
    if ("fr", "es") in installed_pairs():
        assert route("fr", "pt") == [("fr", "es"), ("es", "pt")]
    assert all(" -z " in part for part in pipeline("es-pt").split("|"))
