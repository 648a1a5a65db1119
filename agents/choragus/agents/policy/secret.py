"""Secrets in a text: keys by the shapes that their issuers gave them, and what stands behind a telling word.

A pattern begins at the edge of a word and goes through each character once: quantifiers are possessive or small.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from .span import Span

EDGE = r"(?<![A-Za-z0-9_-])"

SHAPES = (
    r"sk-(?:ant|proj|svcacct|admin|or-v1|lf)-[A-Za-z0-9_-]{16,}+",  # Anthropic, OpenAI, OpenRouter, Langfuse
    r"sk-[A-Za-z0-9]{20,}+",
    r"(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{16,}+|whsec_[A-Za-z0-9+/=]{16,}+",  # Stripe
    r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}(?![A-Za-z0-9])",  # AWS
    r"gh[pousr]_[A-Za-z0-9]{36,}+|github_pat_[A-Za-z0-9_]{22,}+",
    r"gl(?:pat|ptt|dt|rt|soat|cbt)-[A-Za-z0-9_.-]{20,}+",  # GitLab
    r"xox[abeoprs]-[A-Za-z0-9-]{10,}+|xapp-[A-Za-z0-9-]{10,}+",  # Slack
    r"AIza[A-Za-z0-9_-]{35}(?![A-Za-z0-9_-])|ya29\.[A-Za-z0-9_.-]{20,}+|GOCSPX-[A-Za-z0-9_-]{20,}+",  # Google
    r"npm_[A-Za-z0-9]{36}(?![A-Za-z0-9])|pypi-[A-Za-z0-9_-]{50,}+",
    r"hf_[A-Za-z0-9]{30,}+|r8_[A-Za-z0-9]{30,}+|gsk_[A-Za-z0-9]{30,}+|xai-[A-Za-z0-9]{30,}+|pplx-[A-Za-z0-9]{30,}+",
    r"SG\.[A-Za-z0-9_-]{16,}+\.[A-Za-z0-9_-]{16,}+",  # SendGrid
    r"key-[0-9a-f]{32}(?![A-Za-z0-9])|SK[0-9a-f]{32}(?![A-Za-z0-9])",  # Mailgun, Twilio
    r"shp(?:at|ca|pa|ss)_[A-Fa-f0-9]{32,}+|do[opr]_v1_[a-f0-9]{64,}+|dapi[a-f0-9]{32,}+",  # Shopify, DigitalOcean
    r"dckr_pat_[A-Za-z0-9_-]{20,}+|hv[sbr]\.[A-Za-z0-9_-]{20,}+|lin_api_[A-Za-z0-9]{30,}+|ntn_[A-Za-z0-9]{40,}+",
    r"ATATT3x[A-Za-z0-9_=-]{50,}+|sq0[a-z]{3}-[A-Za-z0-9_-]{20,}+|AGE-SECRET-KEY-1[A-Z0-9]{50,}+|tvly-[A-Za-z0-9-]{20,}+",
    r"[0-9]{8,10}:AA[A-Za-z0-9_-]{32,}+",  # Telegram
    r"eyJ[A-Za-z0-9_-]{6,}+\.[A-Za-z0-9_-]{6,}+\.[A-Za-z0-9_-]*+",  # JWT
)
_KEY = re.compile(EDGE + "(?:" + "|".join(SHAPES) + ")")
_HOOK = re.compile(r"https://hooks\.slack\.com/services/([A-Za-z0-9]{6,}+/[A-Za-z0-9]{6,}+/[A-Za-z0-9]{16,}+)")
_URL = re.compile(r"://([^\s/:@?#\"'<>\[\]]{0,256}:[^\s/?#\"'<>\[\]]{1,256})@")
PEM_HEAD = re.compile(r"-----BEGIN (?:[A-Z0-9]{1,12} ){0,4}PRIVATE KEY(?: BLOCK)?-----")
_PEM = re.compile(
    PEM_HEAD.pattern + r"(?:"
    r"(?:(?:\s|\\[nr])++(?:(?:Proc-Type|DEK-Info|Version|Comment|Hash|Charset): [^\r\n\\]{0,120}+|[A-Za-z0-9+/=]++))*+"
    r"(?:\s|\\[nr])*+-----END [A-Z0-9 ]{1,60}+-----"
    r"|(?:(?:\s|\\[nr])*+[A-Za-z0-9+/=]{16,}+)*+"
    r")"
)
WORDS = (
    r"pass(?:word|wd|phrase)?|pwd|secret|token|api[_-]?key|apikey|access[_-]?key|private[_-]?key|account[_-]?key|"
    r"[a-z0-9_-]{0,48}(?:_|-)(?:password|passwd|pwd|secret|token|api_?key|access_?key|secret_?key)|"
    r"client[_-]?secret|auth[_-]?token|access[_-]?token|refresh[_-]?token|x-api-key|credentials?"
)
_NAMED = re.compile(
    rf"(?i)(?<![a-z0-9_-])(?:{WORDS})(?:\\?[\"'])?\s{{0,4}}(:|=>|=)\s{{0,4}}(\\?[\"'])?([^\s\"'\\,;&<>()\[\]{{}}]{{4,}}+)"
)
_SCHEME = re.compile(
    r"(?i)(?<![a-z0-9_-])(?:authorization(?:\\?[\"'])?\s{0,4}[:=]\s{0,4}(?:\\?[\"'])?(?:[a-z]{3,12}\s{1,4})?|bearer\s{1,4})"
    r"([A-Za-z0-9._~+/-]{8,}+={0,2})"
)

_DIGIT = re.compile(r"[0-9]")
_LETTER = re.compile(r"[A-Za-z]")
NOTHING = frozenset({"true", "false", "none", "null", "undefined", "string"})


def secrets(text: str, start: int = 0) -> Iterator[Span]:
    """The secrets that begin at `start` or later; not in order, and one may lie within another."""
    yield from (Span(*one.span(), "api-key") for one in _KEY.finditer(text, start))
    if "://" in text:
        yield from (Span(*one.span(1), "password") for one in _URL.finditer(text, start))
        yield from (Span(*one.span(1), "api-key") for one in _HOOK.finditer(text, start))
    if "-----BEGIN " in text:
        yield from (Span(*one.span(), "private-key") for one in _PEM.finditer(text, start))
    for one in _SCHEME.finditer(text, start):
        if _is_random(one[1]):
            yield Span(*one.span(1), "token")
    for one in _NAMED.finditer(text, start):
        is_set = one[1] != ":" or one[2] is not None
        if _is_random(one[3]) or (
            is_set and one[3][0] not in "$*%" and one[3].lower() not in {*NOTHING, one[0][: len(one[3])].lower()}
        ):
            yield Span(*one.span(3), "password")


def _is_random(text: str) -> bool:
    """Whether it looks like no word of a language: digits among letters, or capitals within."""
    has_digit, has_letter = _DIGIT.search(text) is not None, _LETTER.search(text) is not None
    return has_letter and (has_digit or (text[1:] != text[1:].lower() and text != text.upper()))
