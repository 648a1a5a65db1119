"""HTML from values: whatever is not HTML already is escaped, and what cannot be seen plainly is spelled out.

Everything on the page comes through here, for what models and tools wrote is hostile until it is escaped.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from html import escape
from typing import TypeAlias

from choragus.agents.cli.text import visible

_ODD = re.compile(r"[^\n\t\x20-\x7e]")
_VOID = frozenset({"br", "hr", "img", "input", "link", "meta"})


class Html(str):
    """Text that is HTML already; made by `h` and `joined`, and by nothing else."""

    __slots__ = ()


Child: TypeAlias = str | int | float | Iterable["Child"] | None
Attribute: TypeAlias = "str | int | float | bool | None"


def h(tag: str, /, *children: Child, **attributes: Attribute) -> Html:
    """An element. Children that are no Html are escaped; None is left out, and lists are what they hold.

    Attributes are named as in HTML, with `_` for `-` and behind a word of Python's; None and False leave one out.

    >>> h("a", "<b>", class_="x", href="/?a&b", hidden=False)
    '<a class="x" href="/?a&amp;b">&lt;b&gt;</a>'
    """
    told = "".join(_attribute(name, value) for name, value in attributes.items())
    if tag in _VOID:
        return Html(f"<{tag}{told}>")
    return Html(f"<{tag}{told}>{joined(*children)}</{tag}>")


def joined(*children: Child) -> Html:
    """The children one behind the other."""
    return Html("".join(map(_child, children)))


def seen(text: str) -> str:
    r"""The text with its lines, and an escape for everything else that is not plainly seen.

    >>> print(seen("a\u202eb"))
    a\u202eb
    """
    if _ODD.search(text) is None:
        return text
    return "".join(one if one in "\n\t" else visible(one) for one in text)


def spelled(value: object, indent: int | None = 2) -> str:
    """The value as JSON over several lines that means exactly the value."""
    return seen(json.dumps(value, ensure_ascii=False, indent=indent))


def cut(text: str, most: int) -> str:
    """The text, or its beginning and a sign that there is more."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def _child(child: Child) -> str:
    if isinstance(child, Html):
        return child
    if isinstance(child, str):
        return escape(seen(child))
    if child is None:
        return ""
    if isinstance(child, int | float):
        return str(child)
    return "".join(map(_child, child))


def _attribute(name: str, value: Attribute) -> str:
    if value is None or value is False:
        return ""
    spelled = name.rstrip("_").replace("_", "-")
    return f" {spelled}" if value is True else f' {spelled}="{escape(seen(str(value)))}"'
