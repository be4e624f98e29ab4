"""What OpenAI's clients send to be answered: read strictly, so that nothing is passed over.

Source: OpenAI's API reference, "Create chat completion". What opsmith has no answer for is
refused unless it says what is the case anyway (`n: 1`, `tools: []`, null).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)
from pydantic_core import PydanticCustomError

from opsmith.errors import BadInput
from opsmith.http.infer import LONGEST_ANSWER_TOKENS, LONGEST_S, MODEL_NAME
from opsmith.http.streaming import readable
from opsmith.nouns.message import Message, Speaker
from opsmith.wiring.llm import ANY_OBJECT, LONGEST_PROMPT, Asked

# The name of whatever model is configured, for clients that must send one.
DEFAULT = "default"
MOST_MESSAGES = 1_000
# OpenAI's own default: https://platform.openai.com/docs/api-reference/chat/create.
USUAL_TEMPERATURE = 1.0
# An answer of some 1,500 words, where OpenAI has no limit but the model's own.
USUAL_TOKENS = 2_048
_SPEAKERS = {
    "system": Speaker.SYSTEM,
    "developer": Speaker.SYSTEM,  # its newer name, for models that reason
    "user": Speaker.USER,
    "assistant": Speaker.ASSISTANT,
}
# What opsmith cannot do, with the values that ask for nothing; null is always one of them.
_CANNOT: Mapping[str, Sequence[object]] = {
    "audio": (),
    "frequency_penalty": (0,),
    "function_call": ("none",),
    "functions": ([],),
    "logit_bias": ({},),
    "logprobs": (False,),
    "modalities": (["text"],),
    "moderation": (),
    "n": (1,),
    "parallel_tool_calls": (True, False),  # without tools neither calls any
    "prediction": (),
    "presence_penalty": (0,),
    "reasoning_effort": ("none",),
    "service_tier": ("auto", "default"),
    "store": (False,),
    "tool_choice": ("none",),
    "tools": ([],),
    "top_logprobs": (0,),
    "verbosity": ("medium",),
    "web_search_options": (),
}
_CANNOT_IN_MESSAGE: Mapping[str, Sequence[object]] = {
    "annotations": ([],),
    "audio": (),
    "function_call": (),
    "name": (),
    "refusal": ("",),
    "tool_call_id": (),
    "tool_calls": ([],),
}


def _without(body: object, cannot: Mapping[str, Sequence[object]]) -> object:
    """The body without fields that ask for nothing; one that asks for more is an error."""
    if not isinstance(body, dict):
        return body
    for name, nothing in cannot.items():
        value = body.get(name)
        if value is not None and value not in nothing:
            raise PydanticCustomError("unsupported", "it is not supported here", {"name": name})
    return {key: value for key, value in body.items() if key not in cannot and value is not None}


def _text(content: object) -> object:
    """The text of a content that is a list of text parts, each on lines of its own."""
    if not isinstance(content, list):
        return content
    for part in content:
        kind = part.get("type") if isinstance(part, dict) else None
        if kind != "text" or not isinstance(part.get("text"), str):
            raise PydanticCustomError("unsupported", "only text parts are supported, no images")
    return "\n".join(part["text"] for part in content)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class MessageShape(_Strict):
    """One message of a talk."""

    role: Literal["system", "developer", "user", "assistant"]
    content: Annotated[
        str,
        Field(max_length=LONGEST_PROMPT),
        BeforeValidator(_text, json_schema_input_type=str | list[dict[str, str]]),
        AfterValidator(readable),
    ]

    @model_validator(mode="before")
    @classmethod
    def possible(cls, body: object) -> object:
        """Refuse names, calls of tools and sounds."""
        return _without(body, _CANNOT_IN_MESSAGE)

    def message(self) -> Message:
        """The noun."""
        return Message(speaker=_SPEAKERS[self.role], text=self.content)


class SchemaShape(_Strict):
    """A JSON Schema under a name; whatever `strict` says, the answer fits it or is none."""

    name: str = Field(max_length=64)
    answer_schema: dict[str, object] = Field(alias="schema")
    strict: bool = True


class FormatShape(_Strict):
    """What the answer is to be: text, some JSON object, or what a schema allows."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: SchemaShape | None = None

    @model_validator(mode="after")
    def whole(self) -> FormatShape:
        """A schema stands where one is promised."""
        if (self.type == "json_schema") != (self.json_schema is not None):
            raise PydanticCustomError("missing", "`json_schema` goes with the type json_schema")
        return self

    def schema_text(self) -> str:
        """The schema as the house has it."""
        if self.json_schema is not None:
            return json.dumps(self.json_schema.answer_schema)
        return ANY_OBJECT if self.type == "json_object" else ""


class StreamOptions(_Strict):
    """What a stream holds beside the words."""

    include_usage: bool = False


class ChatShape(_Strict):
    """A talk with a model that is to go on."""

    messages: list[MessageShape] = Field(min_length=1, max_length=MOST_MESSAGES)
    model: str = Field(default=DEFAULT, pattern=MODEL_NAME)
    temperature: float = Field(default=USUAL_TEMPERATURE, ge=0.0, le=2.0, allow_inf_nan=False)
    top_p: float = Field(default=1.0, gt=0.0, le=1.0, allow_inf_nan=False)
    max_tokens: int | None = Field(default=None, ge=1, le=LONGEST_ANSWER_TOKENS)
    max_completion_tokens: int | None = Field(default=None, ge=1, le=LONGEST_ANSWER_TOKENS)
    stop: str | list[str] = Field(default=[], description="Up to four texts.")
    seed: int | None = Field(default=None, ge=-(2**31), lt=2**32)
    stream: bool = False
    stream_options: StreamOptions = StreamOptions()
    response_format: FormatShape = FormatShape(type="text")
    user: str = Field(default="", max_length=512, description="Of yours; changes no answer.")
    timeout_s: float | None = Field(default=None, gt=0.0, le=LONGEST_S, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def possible(cls, body: object) -> object:
        """Refuse tools, several answers, probabilities and whatever else is not to be had."""
        return _without(body, _CANNOT)

    def asked(self) -> Asked:
        """The same as a value of the house. Raises `BadInput` for what cannot be answered."""
        *before, last = (one.message() for one in self.messages)
        if last.speaker is not Speaker.USER:
            raise BadInput("The last of the messages must be the user's.")
        if self.stream_options.include_usage and not self.stream:
            raise BadInput("stream_options goes with stream; a whole answer has its usage.")
        return Asked(
            prompt=last.text,
            before=tuple(before),
            schema=self.response_format.schema_text(),
            max_tokens=self._tokens(),
            temperature=self.temperature,
            top_p=self.top_p,
            stop=self._stops(),
            seed=self.seed,
            model="" if self.model == DEFAULT else self.model,
            timeout_s=self.timeout_s,
        )

    def _tokens(self) -> int:
        wanted = {self.max_tokens, self.max_completion_tokens} - {None}
        if len(wanted) > 1:
            raise BadInput("max_tokens and max_completion_tokens say different things.")
        return wanted.pop() or USUAL_TOKENS if wanted else USUAL_TOKENS

    def _stops(self) -> tuple[str, ...]:
        stops = (self.stop,) if isinstance(self.stop, str) else tuple(self.stop)
        if len(stops) > 4 or not all(0 < len(one) <= 200 for one in stops):  # noqa: PLR2004 - OpenAI's limit, and a line
            raise BadInput("stop holds up to four texts of 1 to 200 characters.")
        return stops
