"""What a prompt is in the fields that Ollama and OpenAI's protocol name alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from opsmith.seams.llm import Prompt


def spoken(prompt: Prompt) -> Sequence[Mapping[str, str]]:
    """The messages of a prompt as JSON."""
    return [{"role": one.speaker.value, "content": one.text} for one in prompt.messages]


def drawing(prompt: Prompt) -> Mapping[str, object]:
    """How words are drawn and where the answer ends; what is as usual is left to the server."""
    wanted: dict[str, object] = {}
    if prompt.top_p < 1.0:
        wanted["top_p"] = prompt.top_p
    if prompt.stop:
        wanted["stop"] = list(prompt.stop)
    if prompt.seed is not None:
        wanted["seed"] = prompt.seed
    return wanted
