"""The language model gives the same answer to the same line, whatever it was asked before."""

import json
import random

import pytest
from conftest import MODELS, Worker, need

from dubmill_worker.engines.llama import Llama
from dubmill_worker.engines.registry import Engines
from dubmill_worker.models.catalogue import Catalogue
from dubmill_worker.models.store import ModelStore
from dubmill_worker.translation.prompt import messages

MODEL = "qwen2.5-coder-0.5b"

LINES = [
    "The train leaves at seven.",
    "The train leaves at eight.",
    "The",
    "Where is my coat?",
    "¿Qué?",
    "¡Hola!",
    "It is late.",
    "He came, but",
    "She did.",
]


@pytest.fixture(scope="module")
def model() -> Llama:
    need(MODEL)
    engine = Engines(Catalogue.load(), ModelStore(MODELS), 2).by_name(MODEL)
    assert isinstance(engine, Llama)
    engine.ready()
    return engine


def probabilities(model: Llama, line: str, target: str = "es") -> str:
    """All token probabilities of an answer, to the last bit."""
    before = ["Well, I think"] if line in ("She did.", "He came, but") else []
    chat = messages(line, "en", target, before=before)
    lane = model._lanes.get()
    model._lanes.put(lane)
    model._settle(lane, chat)
    answer = lane.server.handle_chat_completions(
        {
            "messages": chat,
            "max_tokens": 12,
            "temperature": 0.0,
            "top_k": 1,
            "seed": 1,
            "stop": ["\n"],
            "logprobs": True,
            "top_logprobs": 2,
        }
    )
    return json.dumps(answer["choices"][0]["logprobs"])


def test_answers_do_not_depend_on_what_came_before(model: Llama) -> None:
    first = {line: probabilities(model, line) for line in LINES}
    order = random.Random(5)
    for turn in range(4):
        if turn == 1:
            probabilities(model, "Hello there.", "fr")
        for line in order.sample(LINES, len(LINES)):
            assert probabilities(model, line) == first[line], (turn, line)


def test_a_line_that_is_too_long_is_refused(worker: Worker) -> None:
    need(MODEL)
    item = {"id": "a", "text": "word " * 400, "source": "en", "target": "es"}
    result = worker.batch("translate", MODEL, [item])["a"]
    assert result["error"]["code"] == "bad_request"
