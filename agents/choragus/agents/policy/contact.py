"""Addresses and telephone numbers in a text."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .span import Span

_EMAIL = re.compile(
    r"(?<![A-Za-z0-9._%+'-])[A-Za-z0-9._%+'-]{1,64}+@(?:[A-Za-z0-9-]{1,63}+\.){1,8}[A-Za-z]{2,24}(?![A-Za-z0-9-])"
)
_PHONE = re.compile(
    r"(?<![A-Za-z0-9_+.,-])(?:"
    r"\+[1-9](?:[ ./()-]{0,2}[0-9]){6,14}+"
    r"|\([2-9][0-9]{2}\) ?[2-9][0-9]{2}[-. ][0-9]{4}"
    r"|[2-9][0-9]{2}([-.])[2-9][0-9]{2}\1[0-9]{4}"
    r")(?![0-9A-Za-z_])"
)
_ZONES = re.compile("2[0-7]|29|3[0-9]|4[0-9]|5[0-9]|6[0-9]|7|8[0-24-8]|9[0-9]")
"""How the numbers of a country begin, but for North America's; what is left out is not in use."""


def contacts(text: str, start: int = 0) -> Iterator[Span]:
    """E-mail addresses, and telephone numbers with their country's code or in the form of North America."""
    if "@" in text:
        for one in _EMAIL.finditer(text, start):
            if not (one[0].startswith("git@") and text[one.end() : one.end() + 1] == ":"):
                yield Span(*one.span(), "email")
    for one in _PHONE.finditer(text, start):
        if one[0][0] != "+" or _is_international(re.sub(r"[^0-9]", "", one[0])):
            yield Span(*one.span(), "phone")


def _is_international(digits: str) -> bool:
    if digits[0] == "1":
        return len(digits) == 11 and digits[1] >= "2" and digits[4] >= "2"
    return 8 <= len(digits) <= 15 and _ZONES.match(digits) is not None
