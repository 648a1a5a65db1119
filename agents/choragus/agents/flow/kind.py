"""What stands in a text: numbers, dates and addresses; and whether two values are the same for a reader.

Only ever used to prove that a value is what a trusted place says, never to find out that it is bad: whatever is not
recognised stays untrusted.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping

KINDS: Mapping[str, re.Pattern[str]] = {
    "email": re.compile(r"(?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)+"),
    "url": re.compile(r"(?<![\w.+-])(?:[a-z][a-z0-9+.-]*://|www\.)[^\s<>\"'()]*[^\s<>\"'().,;:!?]"),
    "date": re.compile(r"(?<!\w)\d{4}-\d{2}-\d{2}(?!\w)"),
    "number": re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?![\w]|\.\d)"),
}
"""What the plan may take out of a text, by name; `text` is besides any run of whole words."""

LONGEST = 100_000
"""Characters of a text that is looked at for addresses; a longer one is not called inert."""

# each begins where a run of its characters begins, so that a long run is gone through once
_REACHES_OUT = re.compile(
    r"(?<![^\s:])[^\s:]*://\S*|(?<![\w.+-])[\w.+-]+@[\w.-]+|(?<![\w.-])(?:[\w-]+\.)+[^\W\d_]{2,}(?:[/:]\S*)?"
    r"|(?<!\w)[a-z]{2}\d{2}[a-z0-9]{6,}(?!\w)|\+?\d(?:[ ./-]?\d){6,}"
)
_DOTS = str.maketrans("\u3002\uff61", "..")  # what a browser takes for a dot, and NFKC does not
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}(?:[ t]\d{2}:\d{2}(?::\d{2})?)?")


def normal(value: object) -> object:
    """The value as it is compared: text without case, width, and repeated space; a number as a number.

    >>> normal("  Café ") == normal("CAFÉ"), normal(12.0) == normal(12)
    (True, True)
    """
    if isinstance(value, str):
        return " ".join(unicodedata.normalize("NFKC", value).casefold().split())
    if isinstance(value, list | tuple):
        return tuple(normal(each) for each in value)
    if isinstance(value, Mapping):
        return tuple(sorted((str(key), repr(normal(each))) for key, each in value.items()))
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    return value


def same(one: object, other: object) -> bool:
    """Whether both are the same for a reader; a number is the same as its text."""
    one, other = normal(one), normal(other)
    if type(one) is not type(other):
        one, other = _text(one), _text(other)
    return one == other


def occurs(value: str, text: str) -> bool:
    """Whether the value stands in the text as whole words."""
    wanted = normal(value)
    if not isinstance(wanted, str) or not wanted:
        return False
    return re.search(rf"(?<!\w){re.escape(wanted)}(?!\w)", str(normal(text))) is not None


def found(kind: str, text: str) -> list[str]:
    """The different values of a kind in a text, in order.

    >>> found("email", "write to Dora@gmail.com or dora@gmail.com.")
    ['dora@gmail.com']
    """
    return list(dict.fromkeys(KINDS[kind].findall(str(normal(text)))))


def is_inert(value: object, known: Callable[[str], bool]) -> bool:
    """Whether there is nothing in the value to click, to write to, to call or to pay, but what `known` says is known.

    >>> is_inert("See you at 5", str.isalpha), is_inert("See http://example.org", str.isalpha)
    (True, False)
    """
    return all(len(text) <= LONGEST and all(map(known, _addresses(text))) for text in _texts(value))


def _addresses(text: str) -> list[str]:
    return _REACHES_OUT.findall(_DATE.sub(" ", str(normal(text)).translate(_DOTS)))


def _texts(value: object) -> Iterable[str]:
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        yield str(value)  # an account number is one in any type
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield str(key)
            yield from _texts(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _texts(each)


def _text(value: object) -> object:
    return f"{value:g}" if isinstance(value, float) else value
