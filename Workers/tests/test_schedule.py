"""Cores, cancelling and the account of CPU seconds."""

import threading

import pytest

from dubmill_worker.protocol import Cancelled
from dubmill_worker.schedule import Account, Cancel, Cores, Cost


class Holder(threading.Thread):
    """Holds cores until it is told to let go."""

    def __init__(self, cores: Cores, wanted: int, least: int | None = None) -> None:
        super().__init__(daemon=True)
        self.cores, self.wanted, self.least = cores, wanted, least
        self.granted = 0
        self.cancel = Cancel()
        self.entered, self.leave = threading.Event(), threading.Event()
        self.cancelled = False
        self.start()

    def run(self) -> None:
        try:
            with self.cores.hold(self.wanted, self.cancel, self.least) as self.granted:
                self.entered.set()
                self.leave.wait(10)
        except Cancelled:
            self.cancelled = True

    def end(self) -> None:
        self.leave.set()
        self.join(10)


def test_holds_never_exceed_the_cores() -> None:
    cores = Cores(2)
    first, second = Holder(cores, 1), Holder(cores, 1)
    assert first.entered.wait(5)
    assert second.entered.wait(5)
    third = Holder(cores, 1)
    assert not third.entered.wait(0.2)
    first.end()
    assert third.entered.wait(5)
    second.end()
    third.end()


def test_who_can_do_with_fewer_takes_what_is_free() -> None:
    cores = Cores(3)
    first = Holder(cores, 1)
    assert first.entered.wait(5)
    greedy = Holder(cores, 8, least=1)
    assert greedy.entered.wait(5)
    assert greedy.granted == 2
    third = Holder(cores, 8, least=1)
    assert not third.entered.wait(0.2), "none is free"
    first.end()
    assert third.entered.wait(5)
    assert third.granted == 1
    greedy.end()
    third.end()


def test_a_large_request_is_not_overtaken() -> None:
    cores = Cores(2)
    first = Holder(cores, 1)
    assert first.entered.wait(5)
    large = Holder(cores, 2)
    assert not large.entered.wait(0.2)
    small = Holder(cores, 1)
    assert not small.entered.wait(0.2), "it would fit, but the large one was first"
    first.end()
    assert large.entered.wait(5)
    large.end()
    assert small.entered.wait(5)
    small.end()


def test_more_cores_than_there_are_means_all() -> None:
    with Cores(2).hold(8, Cancel()) as granted:
        assert granted == 2


def test_waiting_ends_when_the_client_leaves() -> None:
    cores = Cores(1)
    first = Holder(cores, 1)
    assert first.entered.wait(5)
    second = Holder(cores, 1)
    second.cancel.set()
    second.join(5)
    assert second.cancelled
    first.end()
    with cores.hold(1, Cancel()) as granted:
        assert granted == 1


def test_cpu_is_divided_by_cores_held_and_adds_up() -> None:
    now = [0.0]
    account = Account(clock=lambda: now[0])
    one, two = Cost(1), Cost(2)
    with account.running(one):
        now[0] = 3.0  # alone
        with account.running(two):
            now[0] = 9.0  # 6 s between them: 2 and 4
        now[0] = 10.0
    assert one.cpu == pytest.approx(6.0)
    assert two.cpu == pytest.approx(4.0)
    now[0] = 20.0
    idle = Cost(1)
    with account.running(idle):
        pass
    assert idle.cpu == 0.0, "what ran before is not its cost"


def test_equal_costs_are_told_apart() -> None:
    account = Account()
    first, second = Cost(1), Cost(1)
    with account.running(first), account.running(second):
        pass
    with account.running(first):
        pass
