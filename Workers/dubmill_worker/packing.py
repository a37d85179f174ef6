"""Which items are computed together: packed by length, so that little of a batch is padding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Pack:
    """Items of one batch: their indices, and the length that all are padded to."""

    items: tuple[int, ...]
    length: int

    @property
    def padded(self) -> int:
        """What the batch costs: its items' number times its length."""
        return len(self.items) * self.length


def pack(
    lengths: Sequence[int], budget: int, most: int, sizes: Sequence[int] | None = None
) -> list[Pack]:
    """Batches of items, longest first, none of which costs more than `budget`.

    A batch costs its number of items times its longest one, as all are padded to that; `most`
    items at most are in one. With `sizes` (ascending) lengths are rounded up to one of them
    first, and only items of one size share a batch: then what an item is padded to depends on
    nothing but its own length. An item that is dearer than the budget goes alone; no item is
    lost, and each is in one batch. The order among equals is that of the items.
    """
    if budget <= 0 or most <= 0:
        raise ValueError(f"budget {budget} and most {most} have to be positive")
    rounded = [round_up(length, sizes) if sizes else length for length in lengths]
    order = sorted(range(len(lengths)), key=lambda index: (-rounded[index], index))
    packs: list[Pack] = []
    current: list[int] = []
    size = 0
    for index in order:
        full = len(current) >= most or (len(current) + 1) * size > budget
        if current and (full or (sizes and rounded[index] != size)):
            packs.append(Pack(tuple(current), size))
            current = []
        if not current:
            size = rounded[index]
        current.append(index)
    if current:
        packs.append(Pack(tuple(current), size))
    return packs


def round_up(length: int, sizes: Sequence[int]) -> int:
    """The least of `sizes` (ascending) that is not below `length`; the last where none is."""
    return next((size for size in sizes if size >= length), sizes[-1])


def waste(packs: Sequence[Pack], lengths: Sequence[int]) -> float:
    """The share of all that is computed which is padding, 0 to 1."""
    computed = sum(batch.padded for batch in packs)
    used = sum(min(lengths[i], batch.length) for batch in packs for i in batch.items)
    return 1 - used / computed if computed else 0.0


def fullness(packs: Sequence[Pack], budget: int, most: int) -> float:
    """How full batches are, 0 to 1: their items over those that would have fitted in."""
    room = sum(max(1, min(most, budget // max(1, batch.length))) for batch in packs)
    return sum(len(batch.items) for batch in packs) / room if room else 0.0
