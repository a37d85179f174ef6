"""Memory: batches that are halved, limits that are learnt, models that make room."""

import json
import random
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from dubmill_worker.admission import Admission, Card, Limits, out_of_memory
from dubmill_worker.protocol import WorkerError


class Memory:
    """A card's memory, simulated: a batch needs its padded frames, and some are taken."""

    def __init__(self, frames: int) -> None:
        self.frames = frames
        self.refused = 0
        self.batches: list[int] = []

    def compute(self, items: Sequence[int]) -> list[int]:
        wanted = padded(items)
        if wanted > self.frames:
            self.refused += 1
            raise RuntimeError("CUDA out of memory. Tried to allocate 20.00 MiB")
        self.batches.append(wanted)
        return [item * 10 for item in items]


def padded(items: Sequence[int]) -> int:
    return len(items) * max(items)


def test_a_batch_without_room_is_halved_and_all_items_are_done_in_order() -> None:
    memory = Memory(100)
    admission = Admission(Limits(), "m", "card")
    assert admission.run([30, 40, 20, 25, 10], padded, memory.compute) == [
        300,
        400,
        200,
        250,
        100,
    ]
    assert memory.refused == 1
    assert admission.halved == 1


def test_what_was_too_much_is_not_tried_again() -> None:
    memory = Memory(1000)
    admission = Admission(Limits(), "m", "card")
    rng = random.Random(3)
    for _ in range(100):
        admission.run(
            [rng.randint(10, 60) for _ in range(rng.randint(1, 64))], padded, memory.compute
        )
    learnt = memory.refused
    assert 0 < learnt <= 12, "a limit is found like a word in a dictionary"
    for _ in range(1000):
        admission.run(
            [rng.randint(10, 60) for _ in range(rng.randint(1, 64))], padded, memory.compute
        )
    assert memory.refused == learnt, "and kept"
    assert max(memory.batches[-1000:]) > 800, "and is used"


def test_a_batch_that_is_too_much_alone_fails_alone() -> None:
    memory = Memory(50)
    results = Admission(Limits(), "m", "card").run([10, 90, 20], padded, memory.compute)
    assert results[0] == 100
    assert results[2] == 200
    assert isinstance(results[1], WorkerError)
    assert results[1].code == "out_of_memory"
    assert "m on card" in str(results[1])


def test_other_errors_are_not_taken_for_want_of_memory() -> None:
    calls = []

    def broken(items: Sequence[int]) -> list[int]:
        calls.append(len(items))
        raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"):
        Admission(Limits(), "m", "card").run([1, 2, 3, 4], padded, broken)
    assert calls == [4]


def test_memory_is_given_back_before_the_next_try() -> None:
    memory, events = Memory(40), []

    def compute(items: Sequence[int]) -> list[int]:
        events.append(len(items))
        return memory.compute(items)

    Admission(Limits(), "m", "c").run([20, 20, 20], padded, compute, lambda: events.append(0))
    assert events == [3, 0, 1, 1, 1], "and not more than half of what failed"


def test_limits_outlive_the_worker_and_belong_to_a_model_on_a_card(tmp_path: Path) -> None:
    path = tmp_path / "data" / "limits.json"
    memory = Memory(100)
    Admission(Limits(path), "m", "card").run([50, 50, 50, 50], padded, memory.compute)
    assert json.loads(path.read_text()) == {"m@card": {"bad": 200, "good": 100}}
    before = memory.refused
    Admission(Limits(path), "m", "card").run([50, 50, 50, 50], padded, memory.compute)
    assert memory.refused == before
    assert Limits(path).allowed("m", "another card") is None
    assert Limits(path).allowed("another", "card") is None


@pytest.mark.parametrize("text", ["", "[]", "{", '{"m@card": 3}', '{"m@card": {"bad": "x"}}'])
def test_a_damaged_file_of_limits_is_learnt_again(tmp_path: Path, text: str) -> None:
    path = tmp_path / "limits.json"
    path.write_text(text)
    limits = Limits(path)
    assert limits.allowed("m", "card") is None
    limits.failed("m", "card", 10)
    assert Limits(path).allowed("m", "card") == 5


def test_a_limit_goes_when_memory_comes_back() -> None:
    limits = Limits()
    limits.failed("m", "card", 100)
    assert limits.allowed("m", "card") == 50
    limits.went("m", "card", 100)
    assert limits.allowed("m", "card") is None


def test_warming_runs_the_longest_first_and_learns() -> None:
    memory, limits = Memory(300), Limits()
    admission = Admission(limits, "m", "card")
    seconds = admission.warm([[10] * 8, [100] * 8, [50] * 8], padded, memory.compute)
    assert len(seconds) == 3
    assert all(second >= 0 for second in seconds)
    assert memory.batches[0] > memory.batches[-1]
    refused = memory.refused
    admission.run([100] * 8, padded, memory.compute)
    assert memory.refused <= refused + 1
    assert limits.allowed("m", "card") is not None


def test_what_runtimes_say_when_memory_ends() -> None:
    class OutOfMemoryError(Exception):
        pass

    for error in (
        MemoryError(),
        OutOfMemoryError("x"),
        RuntimeError("CUDA failed with error out of memory"),
        RuntimeError("CUBLAS_STATUS_ALLOC_FAILED"),
        WorkerError("out_of_memory", ""),
        RuntimeError("std::bad_alloc"),
    ):
        assert out_of_memory(error), error
    assert not out_of_memory(ValueError("memory of a card"))
    assert not out_of_memory(WorkerError("internal", "out of memory"))


def load(card: Card, name: str, size: int, log: list[str]) -> None:
    with card.using(name, size, lambda: log.append(f"+{name}"), lambda _: log.append(f"-{name}")):
        pass


def test_the_model_used_longest_ago_makes_room() -> None:
    card, log = Card("card", 100), list[str]()
    load(card, "a", 40, log)
    load(card, "b", 40, log)
    load(card, "a", 40, log)
    load(card, "c", 40, log)
    assert log == ["+a", "+b", "-b", "+c"]
    assert card.resident == ["a", "c"]
    assert card.used == 80
    load(card, "d", 90, log)
    assert log[4:] == ["-a", "-c", "+d"]


def test_a_model_in_use_stays_and_is_waited_for() -> None:
    card, log = Card("card", 100), list[str]()
    entered, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with card.using("a", 60, lambda: log.append("+a"), lambda _: log.append("-a")):
            entered.set()
            leave.wait(10)

    holder = threading.Thread(target=hold)
    holder.start()
    assert entered.wait(5)
    with (
        pytest.raises(WorkerError, match="all models are in use"),
        card.using("b", 60, lambda: log.append("+b"), lambda _: None, patience=0.01),
    ):
        pass
    waiter = threading.Thread(target=load, args=(card, "b", 60, log))
    waiter.start()
    leave.set()
    holder.join(10)
    waiter.join(10)
    assert log == ["+a", "-a", "+b"]


def test_the_card_has_the_last_word() -> None:
    card, log = Card("card", 100), list[str]()
    load(card, "a", 10, log)

    def greedy() -> str:
        if "+a" in log and "-a" not in log:
            raise RuntimeError("out of memory")
        return "loaded"

    with card.using("b", 10, greedy, lambda _: None) as loaded:
        assert loaded == "loaded"
    assert card.evicted == ["a"]


def test_a_model_larger_than_the_card_is_refused() -> None:
    card = Card("card", 100)
    with (
        pytest.raises(WorkerError, match="needs 101 bytes"),
        card.using("a", 101, lambda: None, lambda _: None),
    ):
        pass
    assert card.resident == []


def test_closing_unloads_everything() -> None:
    card, log = Card("card", 100), list[str]()
    load(card, "a", 10, log)
    load(card, "b", 10, log)
    card.close()
    assert log == ["+a", "+b", "-a", "-b"]
