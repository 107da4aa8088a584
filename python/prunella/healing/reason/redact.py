"""Text in, the same text without secrets out: the last look before anything is sent or kept.

A prompt holds only words of a closed vocabulary, so that nothing should be left to find here. This
is the second lock on the same door, and the only one for what a model answers.
"""

import re
from collections.abc import Iterable

import msgspec

from prunella.healing.incident import Diagnosis

MARK = "[redacted]"
SECRET_CHARACTERS_MIN = 6
"""A shorter "secret" would take ordinary words out of every sentence."""

_PATTERNS = tuple(
    re.compile(each, flags)
    for each, flags in (
        (
            r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)",
            re.DOTALL,
        ),
        (r"\beyJ[\w-]{5,}\.[\w-]{5,}\.[\w-]*", 0),
        (r"\b(?:sk|pk|rk|ghp|gho|github_pat|xox[abprs]|glpat|hf)[-_][\w-]{8,}", 0),
        (r"\b(?:AKIA|ASIA)[0-9A-Z]{12,}", 0),
        (r"(?i)\b(?:bearer|basic)\s+[\w.~+/=-]{8,}", 0),
        (
            r"""\b[\w-]*(?:password|passwd|secret|token|api[_-]?key|credential)[\w-]*["']?\s*[=:]\s*["']?[^\s"',;}]{3,}""",
            re.IGNORECASE,
        ),
        (r"(?i)\b[a-z][a-z0-9+.-]*://[^\s/@:]+:[^\s/@]+@", 0),
        (r"\b[0-9a-fA-F]{32,}\b", 0),
        (r"(?<![\w/+-])(?=[\w/+-]*[a-z])(?=[\w/+-]*[A-Z])(?=[\w/+-]*\d)[\w/+-]{28,}={0,2}", 0),
    )
)


class Redactor:
    """Takes out known secrets and whatever looks like one.

    Example:
        >>> Redactor(["hunter2-canary"]).clean("key hunter2-canary, Bearer abcdefgh12345678")
        'key [redacted], [redacted]'
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets = sorted(
            {each for each in secrets if len(each) >= SECRET_CHARACTERS_MIN}, key=len, reverse=True
        )

    def clean(self, text: str) -> str:
        """The text without secrets."""
        for secret in self._secrets:
            text = text.replace(secret, MARK)
        for pattern in _PATTERNS:
            text = pattern.sub(MARK, text)
        return text


def without_secrets(diagnosis: Diagnosis, redactor: Redactor) -> Diagnosis:
    """The advice without secrets in labels, which anybody may have put there, and in prose."""
    return msgspec.structs.replace(
        diagnosis,
        symptoms=tuple(
            msgspec.structs.replace(
                each,
                labels={
                    redactor.clean(name): redactor.clean(text) for name, text in each.labels.items()
                },
            )
            if each.labels
            else each
            for each in diagnosis.symptoms
        ),
        proposals=tuple(
            msgspec.structs.replace(each, impact=redactor.clean(each.impact))
            for each in diagnosis.proposals
        ),
    )


def plain(text: str, characters_max: int) -> str:
    r"""One line of printable text, cut; for showing what came from outside.

    Example:
        >>> plain("a\x1b[31m b\n c", 20)
        'a [31m b c'
    """
    printable = "".join(each if each.isprintable() else " " for each in text)
    return " ".join(printable.split())[:characters_max]
