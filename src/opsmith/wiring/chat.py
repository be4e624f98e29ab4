"""What a model answers in the form of OpenAI's chat completions, whole or chunk by chunk."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Mapping

from opsmith.errors import HouseError
from opsmith.wiring.llm import Told

Json = dict[str, object]


class ChatForm:
    """One answer under way: its id and its second stay the same over all chunks.

    model: as it was asked for; the end of an answer names the one that gave it.
    usage: whether a stream ends with what was counted.
    """

    def __init__(self, model: str, *, usage: bool = False) -> None:
        self._model = model
        self._usage = usage
        self._id = f"chatcmpl-{secrets.token_hex(12)}"
        self._created = int(time.time())

    def whole(self, body: Mapping[str, object]) -> Json:
        """The answer at once. body: of an answer, as `Inference` gives it."""
        said = {"role": "assistant", "content": body["text"], "refusal": None}
        ended = {"finish_reason": body["finish_reason"], "logprobs": None}
        return {
            "id": self._id,
            "object": "chat.completion",
            "created": self._created,
            "model": body["model"],
            "choices": [{"index": 0, "message": said, **ended}],
            "usage": _usage(body),
        }

    def chunks(self, told: Told) -> Iterator[Json]:
        """What one event of an answer is in a stream."""
        if told.kind == "start":
            yield self._chunk({"role": "assistant", "content": ""})
        elif told.kind == "token":
            yield self._chunk({"content": told.body["text"]})
        else:
            self._model = str(told.body["model"])
            yield self._chunk({}, finish=told.body["finish_reason"])
            if self._usage:
                yield {**self._frame(), "choices": [], "usage": _usage(told.body)}

    def _chunk(self, delta: Json, finish: object = None) -> Json:
        choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}
        nothing_yet = {"usage": None} if self._usage else {}
        return {**self._frame(), "choices": [choice], **nothing_yet}

    def _frame(self) -> Json:
        return {
            "id": self._id,
            "object": "chat.completion.chunk",
            "created": self._created,
            "model": self._model,
        }


def _usage(body: Mapping[str, object]) -> Json:
    match body["usage"]:
        case {"prompt_tokens": int(asked), "answer_tokens": int(said)}:
            total = asked + said
            return {"prompt_tokens": asked, "completion_tokens": said, "total_tokens": total}
    raise HouseError
