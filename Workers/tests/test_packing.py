"""What shares a batch, and how much of it is padding."""

import random

import pytest

from dubmill_worker.packing import fullness, pack, round_up, waste


def short_files(count: int = 50) -> list[int]:
    """Frames of 10 ms of short files, 3 to 12 s."""
    rng = random.Random(7)
    return [rng.randint(300, 1200) for _ in range(count)]


def test_everything_is_packed_once_and_within_the_budget() -> None:
    rng = random.Random(1)
    for _ in range(200):
        lengths = [rng.randint(1, 3000) for _ in range(rng.randint(1, 60))]
        budget, most = rng.randint(1000, 30_000), rng.randint(1, 16)
        packs = pack(lengths, budget, most)
        assert sorted(i for p in packs for i in p.items) == list(range(len(lengths)))
        for batch in packs:
            assert len(batch.items) <= most
            assert batch.length == max(lengths[i] for i in batch.items)
            assert batch.padded <= budget or len(batch.items) == 1


def test_cross_file_batches_of_fifty_short_files_are_full() -> None:
    lengths = short_files()
    packs = pack(lengths, budget=8 * 1200, most=8)
    assert fullness(packs[:-1], 8 * 1200, 8) == 1.0, "only what is left over is in a smaller one"
    assert waste(packs, lengths) <= 0.10
    arriving = [pack(lengths[i : i + 8], 8 * 1200, 8)[0] for i in range(0, 50, 8)]
    computed = sum(batch.padded for batch in arriving)
    assert 1 - sum(lengths) / computed > 0.25, "in the order of arrival a third is padding"


def test_the_padding_of_an_item_depends_on_nothing_but_its_length() -> None:
    sizes = (600, 1000, 1400, 1800, 3000)
    lengths = short_files()
    alone = {i: pack([n], 12_000, 4, sizes)[0].length for i, n in enumerate(lengths)}
    for batch in pack(lengths, 12_000, 4, sizes):
        assert {alone[i] for i in batch.items} == {batch.length}


def test_longest_first_and_in_order_among_equals() -> None:
    packs = pack([5, 9, 5, 9], budget=20, most=2)
    assert [p.items for p in packs] == [(1, 3), (0, 2)]


def test_what_is_dearer_than_the_budget_goes_alone() -> None:
    assert [p.items for p in pack([50, 60, 10], budget=40, most=4)] == [(1,), (0,), (2,)]
    assert pack([], 10, 4) == []
    with pytest.raises(ValueError, match="positive"):
        pack([1], 0, 4)


def test_rounding_up() -> None:
    assert round_up(600, (600, 1000)) == 600
    assert round_up(601, (600, 1000)) == 1000
    assert round_up(5000, (600, 1000)) == 1000
