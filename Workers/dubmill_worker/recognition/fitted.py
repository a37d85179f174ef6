"""A window of transformers' Whisper that is shorter than 30 s."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def fitted(model: Any, frames: int) -> Iterator[None]:
    """For the block, the encoder takes spectrograms of so many frames (of 10 ms; even).

    transformers insists on as many as there are positions; with fewer positions it is content
    with less sound. Not for two threads at once.
    """
    encoder = model.get_encoder()
    before = model.config.max_source_positions, encoder.embed_positions.num_embeddings
    model.config.max_source_positions = encoder.embed_positions.num_embeddings = frames // 2
    try:
        yield
    finally:
        model.config.max_source_positions, encoder.embed_positions.num_embeddings = before
