"""Whisper's weights out of CTranslate2's file, for transformers.

The file that faster-whisper loads holds the published weights in half precision; with their names
changed back they run on a card through torch, with no second download.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from transformers import WhisperForConditionalGeneration

Array = NDArray[Any]

_TYPES = {0: np.float32, 1: np.int8, 2: np.int16, 3: np.int32, 4: np.float16}


def read_variables(path: Path) -> dict[str, Array]:
    """The arrays of a `model.bin`, by name. Raises ValueError for a file of another form."""
    data = path.read_bytes()
    place = 0

    def number(form: str) -> int:
        nonlocal place
        (value,) = struct.unpack_from(form, data, place)
        place += struct.calcsize(form)
        return int(value)

    def text() -> str:
        nonlocal place
        length = number("<H")
        found = data[place : place + length].rstrip(b"\0").decode()
        place += length
        return found

    version = number("<I")
    if version != 6:
        raise ValueError(f"{path}: version {version} of the format; 6 is known")
    name = text()
    if name != "WhisperSpec":
        raise ValueError(f"{path} holds a {name}, and no Whisper")
    number("<I")
    arrays: dict[str, Array] = {}
    for _ in range(number("<I")):
        key = text()
        shape = [number("<I") for _ in range(number("<B"))]
        kind = _TYPES.get(number("<B"))
        size = number("<I")
        if kind is None:
            raise ValueError(f"{path}: {key} has an unknown type")
        arrays[key] = np.frombuffer(data, kind, size // np.dtype(kind).itemsize, place)
        arrays[key] = arrays[key].reshape(shape)
        place += size
    for _ in range(number("<I")):
        alias = text()
        arrays[alias] = arrays[text()]
    return arrays


def state_of(arrays: dict[str, Array]) -> dict[str, Array]:
    """The arrays under the names that transformers gives them, in Float32."""
    state: dict[str, Array] = {}

    def put(name: str, key: str) -> None:
        state[name] = np.asarray(arrays[key], dtype=np.float32)

    def norm(name: str, key: str) -> None:
        put(f"{name}.weight", f"{key}/gamma")
        put(f"{name}.bias", f"{key}/beta")

    def linear(name: str, key: str) -> None:
        put(f"{name}.weight", f"{key}/weight")
        put(f"{name}.bias", f"{key}/bias")

    def split(names: list[str], key: str) -> None:
        weights = np.split(np.asarray(arrays[f"{key}/weight"], np.float32), len(names))
        biases = np.split(np.asarray(arrays[f"{key}/bias"], np.float32), len(names))
        for name, weight, bias in zip(names, weights, biases, strict=True):
            state[f"{name}.weight"] = weight
            if not name.endswith("k_proj"):  # Whisper's keys have no bias; it is stored as zeros.
                state[f"{name}.bias"] = bias

    for index in range(2):
        linear(f"model.encoder.conv{index + 1}", f"encoder/conv{index + 1}")
    put("model.encoder.embed_positions.weight", "encoder/position_encodings/encodings")
    put("model.decoder.embed_positions.weight", "decoder/position_encodings/encodings")
    put("model.decoder.embed_tokens.weight", "decoder/embeddings/weight")
    put("proj_out.weight", "decoder/embeddings/weight")
    for side in ("encoder", "decoder"):
        norm(f"model.{side}.layer_norm", f"{side}/layer_norm")
        for index in range(_layers(arrays, side)):
            ours, theirs = f"model.{side}.layers.{index}", f"{side}/layer_{index}"
            attention = f"{theirs}/self_attention"
            parts = [f"{ours}.self_attn.{part}_proj" for part in ("q", "k", "v")]
            split(parts, f"{attention}/linear_0")
            linear(f"{ours}.self_attn.out_proj", f"{attention}/linear_1")
            norm(f"{ours}.self_attn_layer_norm", f"{attention}/layer_norm")
            if side == "decoder":
                cross = f"{theirs}/attention"
                linear(f"{ours}.encoder_attn.q_proj", f"{cross}/linear_0")
                parts = [f"{ours}.encoder_attn.{part}_proj" for part in ("k", "v")]
                split(parts, f"{cross}/linear_1")
                linear(f"{ours}.encoder_attn.out_proj", f"{cross}/linear_2")
                norm(f"{ours}.encoder_attn_layer_norm", f"{cross}/layer_norm")
            linear(f"{ours}.fc1", f"{theirs}/ffn/linear_0")
            linear(f"{ours}.fc2", f"{theirs}/ffn/linear_1")
            norm(f"{ours}.final_layer_norm", f"{theirs}/ffn/layer_norm")
    return state


def _layers(arrays: dict[str, Array], side: str) -> int:
    return len(
        {key.split("/")[1] for key in arrays if key.startswith(f"{side}/layer_") and "/ffn" in key}
    )


def whisper(folder: Path) -> WhisperForConditionalGeneration:
    """The model in a CTranslate2 folder, for transformers, in Float32 on the CPU."""
    import torch
    from transformers import GenerationConfig, WhisperConfig, WhisperForConditionalGeneration

    arrays = read_variables(folder / "model.bin")
    state = {name: torch.from_numpy(array.copy()) for name, array in state_of(arrays).items()}
    bands = int(arrays["encoder/conv1/weight"].shape[1])
    vocabulary, width = arrays["decoder/embeddings/weight"].shape
    multilingual = vocabulary >= 51865
    first = 50257 if multilingual else 50256
    config = WhisperConfig(
        vocab_size=int(vocabulary),
        num_mel_bins=bands,
        d_model=int(width),
        encoder_layers=_layers(arrays, "encoder"),
        decoder_layers=_layers(arrays, "decoder"),
        encoder_attention_heads=int(width) // 64,
        decoder_attention_heads=int(width) // 64,
        encoder_ffn_dim=int(arrays["encoder/layer_0/ffn/linear_0/weight"].shape[0]),
        decoder_ffn_dim=int(arrays["decoder/layer_0/ffn/linear_0/weight"].shape[0]),
        bos_token_id=first,
        eos_token_id=first,
        pad_token_id=first,
        decoder_start_token_id=first + 1,
    )
    model = WhisperForConditionalGeneration(config)
    model.load_state_dict(state)
    told = json.loads((folder / "config.json").read_text("utf-8"))
    languages = 100 if vocabulary >= 51866 else 99
    task = first + 2 + languages + 1  # Behind the languages: translate, then transcribe.
    model.generation_config = GenerationConfig(
        bos_token_id=first,
        eos_token_id=first,
        pad_token_id=first,
        decoder_start_token_id=first + 1,
        max_length=448,
        is_multilingual=multilingual,
        lang_to_id={
            f"<|{code}|>": first + 2 + place for place, code in enumerate(_codes(languages))
        },
        task_to_id={"translate": task - 1, "transcribe": task},
        no_timestamps_token_id=task + 4,
        suppress_tokens=told.get("suppress_ids"),
        begin_suppress_tokens=told.get("suppress_ids_begin"),
        alignment_heads=told.get("alignment_heads"),
        max_initial_timestamp_index=50,
        prev_sot_token_id=task + 2,
        return_timestamps=False,
    )
    return model.eval()


def _codes(count: int) -> list[str]:
    from transformers.models.whisper.tokenization_whisper import LANGUAGES

    return list(LANGUAGES)[:count]
