"""The architectures that bench/gpu.py measures, with random weights, and how they are driven."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from dubmill_worker.recognition.fitted import fitted

FRAMES = 3000
"""Mel frames of a window of 30 s."""


@dataclass(frozen=True)
class Item:
    """One piece of work: what goes in and what comes out, in the units of its model."""

    given: int
    tokens: int
    seconds: float = 0.0


class Bench:
    """A model that is asked for batches of items. `compute` returns one number an item."""

    name = ""
    unit = ""

    def __init__(self, device: str, dtype: torch.dtype) -> None:
        self.device = device
        self.dtype = dtype
        self.model: Any = None

    def size(self, item: Item) -> int:
        """What of an item decides how it is packed."""
        return item.given

    def cost(self, items: Sequence[Item]) -> int:
        """What a batch of them needs, in `unit`."""
        return len(items) * max(self.size(item) for item in items)

    def compute(self, items: Sequence[Item]) -> list[float]:
        """Do them together."""
        raise NotImplementedError

    def build(self, kind: type, config: Any) -> Any:
        """A model of that configuration with random weights, on the card at once."""
        before = torch.get_default_dtype()
        torch.set_default_dtype(self.dtype)
        try:
            with torch.device(self.device):
                model = kind(config)
        finally:
            torch.set_default_dtype(before)
        return model.eval().to(self.device)

    def parameters(self) -> int:
        """How many weights there are."""
        return sum(parameter.numel() for parameter in self.model.parameters())


def greedy(forward: Any, rows: int, first: int, steps: int, device: str) -> torch.Tensor:
    """The most probable token again and again, for as many steps as the longest item wants.

    Random weights never come to an end by themselves, so the length is given: what real speech of
    that length has.
    """
    token = torch.full((rows, 1), first, dtype=torch.long, device=device)
    cache: Any = None
    found = []
    for _ in range(steps):
        logits, cache = forward(token, cache)
        token = logits[:, -1].argmax(-1, keepdim=True)
        found.append(token)
    return torch.cat(found, 1)


class Recognition(Bench):
    """Whisper large-v3's architecture."""

    name = "whisper-large-v3"
    unit = "frames"

    def __init__(self, device: str, dtype: torch.dtype, small: bool) -> None:
        super().__init__(device, dtype)
        from transformers import WhisperConfig, WhisperForConditionalGeneration

        large = {"d_model": 1280, "encoder_layers": 32, "decoder_layers": 32}
        large |= {"encoder_attention_heads": 20, "decoder_attention_heads": 20}
        large |= {"encoder_ffn_dim": 5120, "decoder_ffn_dim": 5120}
        tiny = {"d_model": 64, "encoder_layers": 2, "decoder_layers": 2}
        tiny |= {"encoder_attention_heads": 2, "decoder_attention_heads": 2}
        tiny |= {"encoder_ffn_dim": 128, "decoder_ffn_dim": 128}
        config = WhisperConfig(vocab_size=51866, num_mel_bins=128, **(tiny if small else large))
        self.model = self.build(WhisperForConditionalGeneration, config)

    def compute(self, items: Sequence[Item]) -> list[float]:
        """Encode windows as long as the longest and decode them."""
        from transformers.modeling_outputs import BaseModelOutput

        frames = max(item.given for item in items)
        shape = (len(items), 128, frames)
        mel = torch.zeros(shape, dtype=self.dtype, device=self.device)
        with fitted(self.model, frames):
            encoded = self.model.model.encoder(mel).last_hidden_state

        def forward(token: torch.Tensor, cache: Any) -> tuple[torch.Tensor, Any]:
            out = self.model(
                encoder_outputs=BaseModelOutput(encoded),
                decoder_input_ids=token,
                past_key_values=cache,
                use_cache=True,
            )
            return out.logits, out.past_key_values

        steps = max(item.tokens for item in items)
        tokens = greedy(forward, len(items), 50258, steps, self.device)
        return [float(row) for row in tokens.sum(1).tolist()]


class Translation(Bench):
    """NLLB-200 distilled 600M's architecture (M2M100)."""

    name = "nllb-200-distilled-600m"
    unit = "tokens"

    def __init__(self, device: str, dtype: torch.dtype, small: bool) -> None:
        super().__init__(device, dtype)
        from transformers import M2M100Config, M2M100ForConditionalGeneration

        large = {"d_model": 1024, "encoder_layers": 12, "decoder_layers": 12}
        large |= {"encoder_attention_heads": 16, "decoder_attention_heads": 16}
        large |= {"encoder_ffn_dim": 4096, "decoder_ffn_dim": 4096, "vocab_size": 256206}
        tiny = {"d_model": 64, "encoder_layers": 2, "decoder_layers": 2}
        tiny |= {"encoder_attention_heads": 2, "decoder_attention_heads": 2}
        tiny |= {"encoder_ffn_dim": 128, "decoder_ffn_dim": 128, "vocab_size": 8000}
        config = M2M100Config(**(tiny if small else large))
        self.model = self.build(M2M100ForConditionalGeneration, config)

    def compute(self, items: Sequence[Item]) -> list[float]:
        """Encode padded lines and decode them."""
        from transformers.modeling_outputs import BaseModelOutput

        longest = max(item.given for item in items)
        counts = torch.tensor([item.given for item in items], device=self.device)
        places = torch.arange(longest, device=self.device)
        mask = (places[None] < counts[:, None]).long()
        tokens = (places[None] % 997 + 10).expand(len(items), -1) * mask + (1 - mask)
        encoded = self.model.model.encoder(tokens, attention_mask=mask).last_hidden_state

        def forward(token: torch.Tensor, cache: Any) -> tuple[torch.Tensor, Any]:
            out = self.model(
                encoder_outputs=BaseModelOutput(encoded),
                attention_mask=mask,
                decoder_input_ids=token,
                past_key_values=cache,
                use_cache=True,
            )
            return out.logits, out.past_key_values

        steps = max(item.tokens for item in items)
        found = greedy(forward, len(items), 2, steps, self.device)
        return [float(row) for row in found.sum(1).tolist()]


class Speech(Bench):
    """The speech-token decoder of CosyVoice 2's size: Qwen2 0.5B, 25 tokens a second."""

    name = "speech-token decoder (Qwen2 0.5B)"
    unit = "tokens"

    def __init__(self, device: str, dtype: torch.dtype, small: bool) -> None:
        super().__init__(device, dtype)
        from transformers import Qwen2Config, Qwen2ForCausalLM

        large = {"hidden_size": 896, "intermediate_size": 4864, "num_hidden_layers": 24}
        large |= {"num_attention_heads": 14, "num_key_value_heads": 2, "vocab_size": 158_500}
        tiny = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2}
        tiny |= {"num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 8000}
        self.model = self.build(Qwen2ForCausalLM, Qwen2Config(**(tiny if small else large)))

    def size(self, item: Item) -> int:
        """What goes in and what comes out are in one sequence."""
        return item.given + item.tokens

    def compute(self, items: Sequence[Item]) -> list[float]:
        """Read padded texts and go on with speech tokens."""
        longest = max(item.given for item in items)
        counts = torch.tensor([item.given for item in items], device=self.device)
        places = torch.arange(longest, device=self.device)
        # Padded in front, so that all rows go on at one place.
        mask = (places[None] >= longest - counts[:, None]).long()
        prompt = (places[None] % 997 + 10).expand(len(items), -1) * mask
        steps = max(item.tokens for item in items)
        state = {"mask": mask, "prompt": prompt}

        def forward(token: torch.Tensor, cache: Any) -> tuple[torch.Tensor, Any]:
            if cache is None:
                token = state["prompt"]
            else:
                state["mask"] = torch.nn.functional.pad(state["mask"], (0, 1), value=1)
            out = self.model(
                input_ids=token,
                attention_mask=state["mask"],
                past_key_values=cache,
                use_cache=True,
                logits_to_keep=1,
            )
            return out.logits, out.past_key_values

        found = greedy(forward, len(items), 0, steps, self.device)
        return [float(row) for row in found.sum(1).tolist()]
