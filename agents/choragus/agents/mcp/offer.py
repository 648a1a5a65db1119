"""What a server says of one of its tools, and whether that can be used: hashed as it came, cleaned before it is shown.

Nothing here trusts the text. Whatever the server says of a tool is shown to a model in one place only, the schema of
that tool; what cannot be seen (control characters, marks that turn text around, tags) is taken out of it.
"""

from __future__ import annotations

import difflib
import hashlib
import re
import unicodedata
from collections.abc import Mapping

import attrs
import msgspec

from choragus.agents.storable import storable
from choragus.mailbox.codec import stored

from .separator import SEPARATOR

LONGEST_TOOL = 64
"""Characters of a tool's name, as the providers of models have it."""

LONGEST_DESCRIPTION = 4_000
"""Characters of a description that the model is shown."""

LARGEST_OFFER = 64_000
"""Bytes of all that a server says of one tool, as JSON."""

LARGEST_LISTING = 2_000_000
"""Bytes of all that a server says of all of its tools."""

MOST_TOOLS = 500
"""Tools of one server."""

_OWN_NAME = re.compile(r"[A-Za-z0-9_./-]{1,128}")
_MODEL_NAME = re.compile(r"[^A-Za-z0-9_-]")


@stored("choragus.mcp_offer")
@attrs.frozen(kw_only=True)
class Offer:
    """A tool as its server describes it, word for word; `parameters` and `output` are JSON Schemas."""

    name: str
    title: str = ""
    description: str = ""
    parameters: dict[str, object] = attrs.field(factory=dict)
    output: dict[str, object] | None = None
    annotations: dict[str, object] = attrs.field(factory=dict)

    @property
    def hash(self) -> str:
        """SHA-256 (64 hexadecimal digits) of all of it, as JSON with sorted keys."""
        return hashlib.sha256(msgspec.json.encode(attrs.asdict(self), order="sorted")).hexdigest()

    @property
    def shown_description(self) -> str:
        """The description as a model reads it."""
        text = visible(self.description).strip() or f"The tool {self.name} says nothing of itself."
        most = LONGEST_DESCRIPTION
        return text if len(text) <= most else f"{text[:most]} [cut: {len(text):,} characters]"

    @property
    def shown_parameters(self) -> dict[str, object]:
        """The schema of the arguments as a model reads it."""
        shown = _seen(self.parameters)
        assert isinstance(shown, dict)
        return shown


def qualified(server: str, tool: str) -> str:
    """What a server's tool is called here: `server__tool`, of letters, digits, `_` and `-`, at most 64 characters.

    A name that has to be changed for that gets a part of its hash, so that no two become one.

    >>> qualified("git", "git_diff"), qualified("notes", "page.create")
    ('git__git_diff', 'notes__page_create_32be98')
    """
    plain = f"{server}{SEPARATOR}{_MODEL_NAME.sub('_', tool)}"
    if plain == f"{server}{SEPARATOR}{tool}" and len(plain) <= LONGEST_TOOL:
        return plain
    mark = hashlib.sha256(tool.encode()).hexdigest()[:6]
    return f"{plain[: LONGEST_TOOL - len(mark) - 1]}_{mark}"


def objection(offer: Offer) -> str:
    """Why nobody can use such a tool, as far as its own text goes, or nothing."""
    if not _OWN_NAME.fullmatch(offer.name):
        return f"its name {offer.name[:100]!a} is none: letters, digits, '_', '-', '.' and '/', at most 128"
    try:
        size = len(msgspec.json.encode(attrs.asdict(offer)))
    except (ValueError, OverflowError, RecursionError) as error:
        return f"it cannot be written as JSON: {error}"
    if size > LARGEST_OFFER:
        return f"its description and schemas have {size:,} bytes, and {LARGEST_OFFER:,} are the most"
    if offer.parameters.get("type") != "object":
        return 'its arguments are no object: its schema needs "type": "object"'
    return ""


def difference(before: Offer | None, after: Offer | None) -> list[str]:
    """What has changed, line by line: `-` what was accepted, `+` what is offered."""
    return [
        line
        for line in difflib.unified_diff(_lines(before), _lines(after), lineterm="", n=1)
        if not line.startswith(("---", "+++", "@@"))
    ]


def visible(text: str) -> str:
    """The text without what nobody sees: control and formatting characters, private and unassigned ones.

    Line ends and tabs stay. What only looks like a plain letter is replaced by that letter (NFKC).
    """
    plain = unicodedata.normalize("NFKC", storable(text))
    return "".join(one for one in plain if one in "\n\t" or not unicodedata.category(one).startswith("C"))


def _seen(value: object) -> object:
    """A schema with all of its texts so; keys stay, for these are the names of arguments."""
    if isinstance(value, str):
        return value if value.isascii() and value.isprintable() else visible(value)
    if isinstance(value, Mapping):
        return {key: _seen(one) if key not in ("enum", "const", "pattern") else one for key, one in value.items()}
    return [_seen(one) for one in value] if isinstance(value, list) else value


def _lines(offer: Offer | None) -> list[str]:
    if offer is None:
        return []
    found: list[str] = []
    for name, value in attrs.asdict(offer).items():
        if value in ("", None, {}):
            continue
        plain = value if isinstance(value, str) else msgspec.json.format(msgspec.json.encode(value, order="sorted"))
        text = plain if isinstance(plain, str) else plain.decode()
        first, *more = text.split("\n")
        found += [f"{name}: {first}", *(f"    {line}" for line in more)]
    return found
