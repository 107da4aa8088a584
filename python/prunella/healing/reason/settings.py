"""`[healing.reason]`: which language models may be asked, how often, and for how much money."""

import re
from typing import Literal
from urllib.parse import urlsplit

import msgspec

Kind = Literal["openai", "azure", "anthropic"]
"""Which wire format. `openai` is also what vLLM, Ollama, llama.cpp and most gateways speak."""

Format = Literal["json_schema", "json_object", "text"]
"""How an endpoint is held to the answer's form: by a schema that it enforces, by "some JSON
object", or by the words of the prompt alone. The answer is checked in full in every case."""

_LOOPBACK = {"127.0.0.1", "localhost", "::1"}
_NAME = re.compile(r"[a-z][a-z0-9-]{0,31}")
_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]{0,63}")


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of a section of the settings."""


class EndpointSettings(Section, frozen=True, kw_only=True):
    """One model at one address.

    Attributes:
        url: Up to and without the operation: `https://api.openai.com/v1`, `http://127.0.0.1:8080/v1`,
            `https://api.anthropic.com/v1`, or for Azure
            `https://NAME.openai.azure.com/openai/deployments/DEPLOYMENT`. Without TLS only on this
            machine.
        model: The model's name at this endpoint.
        kind: The wire format.
        key_env: Environment variable that holds the key.
        key_file: File that holds the key; nobody but its owner may read it.
        timeout_s: For one call, from the first byte sent to the last byte read.
        attempts: Calls before the next endpoint is asked.
        tokens_max: Longest answer.
        form: How the answer's form is enforced.
        temperature: 0: the likeliest answer. Not sent when negative, which some models want.
        tokens_field: How the format names the longest answer; OpenAI's newer models want
            `max_completion_tokens`.
        api_version: For Azure (query) and Anthropic (header).
        ca_file: Certificates to trust instead of the system's.
        usd_per_million_in: Price of a million tokens read; below 0: not known.
        usd_per_million_out: Price of a million tokens written; below 0: not known.
    """

    url: str
    model: str
    kind: Kind = "openai"
    key_env: str = ""
    key_file: str = ""
    timeout_s: float = 20.0
    attempts: int = 2
    tokens_max: int = 1024
    form: Format = "json_schema"
    temperature: float = 0.0
    tokens_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    api_version: str = ""
    ca_file: str = ""
    usd_per_million_in: float = -1.0
    usd_per_million_out: float = -1.0

    def __post_init__(self) -> None:
        """Refuses what cannot work, or would send a key in the clear."""
        parts = urlsplit(self.url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError(f"url: expected https://HOST/PATH, found {self.url!r}")
        if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
            raise ValueError(f"url: expected https for {parts.hostname}: keys need TLS")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError("url: expected no user, password, query or fragment in it")
        if self.key_env and self.key_file:
            raise ValueError("key_env and key_file: expected one of them")
        if self.key_env and not _VARIABLE.fullmatch(self.key_env):
            raise ValueError(
                "key_env: expected the name of an environment variable such as OPENAI_API_KEY, "
                "found something else (a key itself does not belong in the settings)"
            )
        for name, value, least, most in (
            ("timeout_s", self.timeout_s, 0.1, 300),
            ("attempts", self.attempts, 1, 5),
            ("tokens_max", self.tokens_max, 64, 32_768),
            ("usd_per_million_in", self.usd_per_million_in, -1, 1e6),
            ("usd_per_million_out", self.usd_per_million_out, -1, 1e6),
        ):
            if not least <= value <= most:
                raise ValueError(f"{name}: expected {least} to {most}, found {value}")

    @property
    def priced(self) -> bool:
        """Whether a call's cost can be told."""
        return self.usd_per_million_in >= 0 and self.usd_per_million_out >= 0


class ReasonSettings(Section, frozen=True, kw_only=True):
    """Who reasons beside the expert. Without an endpoint: nobody, and nothing leaves the machine.

    Attributes:
        endpoints: By name, in the order of asking; the expert is always the last.
        total_s: For one question, over all endpoints and attempts.
        hold_s: How long a decision between rival remedies waits for an opinion; what habit can
            cure waits for nobody.
        unsure_permille: Below this confidence the expert is unsure, and a decision waits likewise.
        unexplained_s: Symptoms that no rule explains for so long are asked about; 0: never.
        alone: What advice may do that came from a model alone: `act` as policy allows, or `ask`.
        concurrent_max: Questions under way at once.
        calls_per_hour_max: Calls, failed ones included.
        tokens_per_hour_max: Tokens read and written.
        usd_per_day_max: Money; an endpoint without prices is then not asked. 0: no limit.
        cache_s: For how long the same question gets the same answer without a call; 0: never.
        recordings: `record` writes every answer to `recordings_folder`; `replay` takes answers
            from there and calls nobody.
        recordings_folder: Where recordings are.
        words: Further words of yours that a prompt may hold, such as your own label values. What is
            no word of the stack's own and not here is replaced by a pseudonym.
    """

    endpoints: dict[str, EndpointSettings] = msgspec.field(default_factory=dict)
    total_s: float = 45.0
    hold_s: float = 8.0
    unsure_permille: int = 700
    unexplained_s: float = 10.0
    alone: Literal["act", "ask"] = "ask"
    concurrent_max: int = 2
    calls_per_hour_max: int = 60
    tokens_per_hour_max: int = 400_000
    usd_per_day_max: float = 0.0
    cache_s: float = 600.0
    recordings: Literal["off", "record", "replay"] = "off"
    recordings_folder: str = ""
    words: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuses limits that are none."""
        for name in self.endpoints:
            if not _NAME.fullmatch(name):
                raise ValueError(f"endpoints: expected a name such as `local`, found {name!r}")
        for field, value, least, most in (
            ("total_s", self.total_s, 0.1, 600),
            ("hold_s", self.hold_s, 0, 60),
            ("unsure_permille", self.unsure_permille, 0, 1000),
            ("unexplained_s", self.unexplained_s, 0, 3600),
            ("concurrent_max", self.concurrent_max, 1, 16),
            ("calls_per_hour_max", self.calls_per_hour_max, 0, 100_000),
            ("tokens_per_hour_max", self.tokens_per_hour_max, 0, 10**9),
            ("usd_per_day_max", self.usd_per_day_max, 0, 1e6),
            ("cache_s", self.cache_s, 0, 86_400),
        ):
            if not least <= value <= most:
                raise ValueError(f"{field}: expected {least} to {most}, found {value}")
        if self.recordings != "off" and not self.recordings_folder:
            raise ValueError(f"recordings_folder: expected a folder to {self.recordings}")

    @property
    def enabled(self) -> bool:
        """Whether anybody but the expert is asked."""
        return bool(self.endpoints) or self.recordings == "replay"
