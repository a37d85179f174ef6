"""Translation by a model behind a server that speaks OpenAI's chat protocol."""

from __future__ import annotations

from ..models.catalogue import Model, Source
from ..protocol import WorkerError
from ..schedule import Cancel
from ..translation.languages import NAMES
from ..translation.prompt import Message
from ..translation.server import ChatClient, ChatServer
from .asking import Asking
from .base import Context


def entry(server: ChatServer) -> Model:
    """The catalogue's entry for a model that the user named."""
    return Model(
        name=server.model,
        task="translate",
        engine="chat",
        licence="as its server says",
        source=Source("bundled"),
        languages=tuple(NAMES),
        purpose=f"translate, by {server.url}",
    )


class Chat(Asking):
    """translate, lines side by side, as many as the server may be asked at once."""

    def __init__(self, context: Context, server: ChatServer) -> None:
        super().__init__(context)
        self.client = ChatClient(server)
        self.width = server.parallel

    def installed(self) -> bool:
        """It is wherever its server is; whether that answers, the first line tells."""
        return True

    def digest(self) -> str | None:
        """Of the address and the name: nobody can see the weights."""
        return self.client.server.digest

    def ask(
        self, chat: list[Message], limit: int, again: bool, cancel: Cancel
    ) -> tuple[str, bool]:
        """The server's answer. The second time repetition costs a little."""
        request = {
            "model": self.client.server.model,
            "messages": merged(chat),
            "max_tokens": limit,
            "temperature": 0,
            "seed": 1,
            "stop": ["\n"],
            "stream": False,
        }
        if again:
            request["frequency_penalty"] = 0.3
        answer = self.client.complete(request, cancel)
        try:
            choice = answer["choices"][0]
            text = choice["message"].get("content") or ""
            return str(text), choice.get("finish_reason") != "length"
        except (KeyError, IndexError, TypeError, AttributeError) as error:
            message = f"{self.model.name}: the answer holds no choice of the chat protocol"
            raise WorkerError("internal", message) from error


def merged(chat: list[Message]) -> list[Message]:
    """The chat with one instruction in front: many templates refuse a second one."""
    instructions = [message["content"] for message in chat if message["role"] == "system"]
    rest = [message for message in chat if message["role"] != "system"]
    return [{"role": "system", "content": "\n".join(instructions)}, *rest]
