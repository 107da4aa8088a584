"""The shelf of wire formats: a brief in, HTTP request out; HTTP answer in, text and tokens out."""

from typing import Any, Literal

import msgspec

from prunella.healing.reason.brief import Brief
from prunella.healing.reason.settings import EndpointSettings

ANTHROPIC_VERSION = "2023-06-01"
AZURE_VERSION = "2024-10-21"


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What is sent; `headers` hold the key and are never kept."""

    url: str
    headers: dict[str, str]
    body: bytes


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """What came back.

    Attributes:
        ended: Whether the model came to its end, was cut, or refused to answer.
    """

    text: str
    tokens_in: int = 0
    tokens_out: int = 0
    ended: Literal["stop", "cut", "refused"] = "stop"


class _Lax(msgspec.Struct, frozen=True, kw_only=True):
    """Other people's records: unknown fields are none of our business."""


class _Message(_Lax, frozen=True, kw_only=True):
    content: str | None = None
    refusal: str | None = None


class _Choice(_Lax, frozen=True, kw_only=True):
    message: _Message
    finish_reason: str | None = None


class _OpenAiUsage(_Lax, frozen=True, kw_only=True):
    prompt_tokens: int = 0
    completion_tokens: int = 0


class _OpenAiAnswer(_Lax, frozen=True, kw_only=True):
    choices: tuple[_Choice, ...]
    usage: _OpenAiUsage | None = None


class _Block(_Lax, frozen=True, kw_only=True):
    type: str
    text: str = ""
    input: dict[str, Any] = msgspec.field(default_factory=dict)


class _AnthropicUsage(_Lax, frozen=True, kw_only=True):
    input_tokens: int = 0
    output_tokens: int = 0


class _AnthropicAnswer(_Lax, frozen=True, kw_only=True):
    content: tuple[_Block, ...]
    model: str = ""
    stop_reason: str | None = None
    usage: _AnthropicUsage | None = None


def request_of(brief: Brief, endpoint: EndpointSettings, key: str, complaint: str = "") -> Request:
    """The request for an endpoint; `complaint` is the code of what was wrong the time before."""
    if endpoint.kind == "anthropic":
        return _anthropic_request(brief, endpoint, key, complaint)
    return _openai_request(brief, endpoint, key, complaint)


def said_of(body: bytes, endpoint: EndpointSettings) -> Said:
    """What a successful HTTP answer says.

    Raises:
        ValueError: It is not of the format.
    """
    try:
        if endpoint.kind == "anthropic":
            return _anthropic_said(msgspec.json.decode(body, type=_AnthropicAnswer))
        return _openai_said(msgspec.json.decode(body, type=_OpenAiAnswer))
    except msgspec.MsgspecError:
        raise ValueError("not of the format") from None


def _words(brief: Brief, endpoint: EndpointSettings, complaint: str) -> tuple[str, str]:
    """System text and question; the schema in words where nothing else tells of it."""
    system = brief.system
    if endpoint.form != "json_schema":
        system += "\nSchema of the answer:\n" + msgspec.json.encode(brief.schema).decode()
    if complaint:
        system += f"\nYour answer before was refused with {complaint}. Answer anew."
    return system, brief.question


def _openai_request(brief: Brief, endpoint: EndpointSettings, key: str, complaint: str) -> Request:
    system, question = _words(brief, endpoint, complaint)
    body: dict[str, Any] = {
        "model": endpoint.model,
        "messages": [
            {"role": "system", "content": system},
            {"role": "user", "content": question},
        ],
        endpoint.tokens_field: endpoint.tokens_max,
        "stream": False,
    }
    if endpoint.temperature >= 0:
        body["temperature"] = endpoint.temperature
    if endpoint.form == "json_schema":
        schema = {"name": "opinion", "strict": True, "schema": brief.schema}
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    elif endpoint.form == "json_object":
        body["response_format"] = {"type": "json_object"}
    url, headers = f"{endpoint.url.rstrip('/')}/chat/completions", _headers()
    if endpoint.kind == "azure":
        url += f"?api-version={endpoint.api_version or AZURE_VERSION}"
        headers |= {"api-key": key} if key else {}
    elif key:
        headers["Authorization"] = f"Bearer {key}"
    return Request(url=url, headers=headers, body=msgspec.json.encode(body))


def _openai_said(answer: _OpenAiAnswer) -> Said:
    if not answer.choices:
        return Said(text="")
    choice, usage = answer.choices[0], answer.usage or _OpenAiUsage()
    ended: Literal["stop", "cut", "refused"] = "stop"
    if choice.finish_reason == "length":
        ended = "cut"
    elif choice.finish_reason == "content_filter" or choice.message.refusal:
        ended = "refused"
    return Said(
        text=choice.message.content or "",
        tokens_in=max(usage.prompt_tokens, 0),
        tokens_out=max(usage.completion_tokens, 0),
        ended=ended,
    )


def _anthropic_request(
    brief: Brief, endpoint: EndpointSettings, key: str, complaint: str
) -> Request:
    """The answer's form is enforced by a tool that must be used."""
    system, question = _words(brief, endpoint, complaint)
    body: dict[str, Any] = {
        "model": endpoint.model,
        "system": system,
        "messages": [{"role": "user", "content": question}],
        "max_tokens": endpoint.tokens_max,
    }
    if endpoint.temperature >= 0:
        body["temperature"] = endpoint.temperature
    if endpoint.form == "json_schema":
        tool = {"name": "opinion", "description": "Your answer.", "input_schema": brief.schema}
        body |= {"tools": [tool], "tool_choice": {"type": "tool", "name": "opinion"}}
    headers = _headers() | {"anthropic-version": endpoint.api_version or ANTHROPIC_VERSION}
    if key:
        headers["x-api-key"] = key
    url = f"{endpoint.url.rstrip('/')}/messages"
    return Request(url=url, headers=headers, body=msgspec.json.encode(body))


def _anthropic_said(answer: _AnthropicAnswer) -> Said:
    usage = answer.usage or _AnthropicUsage()
    used = next((each for each in answer.content if each.type == "tool_use"), None)
    if used is not None:
        text = msgspec.json.encode(used.input).decode()
    else:
        text = "".join(each.text for each in answer.content if each.type == "text")
    endings: dict[str | None, Literal["cut", "refused"]] = {
        "max_tokens": "cut",
        "refusal": "refused",
    }
    return Said(
        text=text,
        tokens_in=max(usage.input_tokens, 0),
        tokens_out=max(usage.output_tokens, 0),
        ended=endings.get(answer.stop_reason, "stop"),
    )


def _headers() -> dict[str, str]:
    return {
        "Content-Type": "application/json",
        "Accept": "application/json",
        "User-Agent": "prunella",
    }
