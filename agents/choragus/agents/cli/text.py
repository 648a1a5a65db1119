"""Text for a terminal: nothing that a model or a tool wrote can move the cursor, hide, turn around or fake a line."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from unicodedata import combining, east_asian_width

WIDTH = 100
"""Columns that output fits into where it can."""

MARGIN = "  | "
"""Begins each line of a block of foreign text."""

GOES_ON = "  : "
"""Begins a line that continues the one above it."""

_BLANK = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0"
    + "".join(map(chr, (*range(0x180B, 0x1810), *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))))
)
"""Letters and marks that Unicode counts as printable and that show nothing."""

_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def visible(text: str) -> str:
    r"""The text on one line, with everything that is not plainly seen as an escape of JSON.

    >>> print(visible("a\n\x1b[2J\u202eb"))
    a\n\u001b[2J\u202eb
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(one if _is_seen(one) else _SHORT.get(one) or _escape(one) for one in text)


def as_json(value: object) -> str:
    r"""The value as one line of JSON that means exactly the value, with `visible` escapes.

    >>> print(as_json({"to": "A\\n\n"}))
    {"to": "A\\n\n"}
    """
    return visible(json.dumps(value, ensure_ascii=False))


def short(text: str, width: int) -> str:
    """The text cut to a number of columns, and "..." where something was left out.

    >>> short("irreversible", 8)
    'irrev...'
    """
    if columns(text) <= width:
        return text
    return next(chunks(text, max(1, width - 3))).rstrip() + "..."


def columns(text: str) -> int:
    """How many columns a visible text takes: two for wide letters, none for marks above others."""
    return len(text) if text.isascii() else sum(map(_cell, text))


def chunks(text: str, width: int) -> Iterator[str]:
    """The text in pieces of at most so many columns, which joined give the text; one empty piece for an empty text.

    A piece ends behind a blank when there is one in its last third.
    """
    piece, used = "", 0
    for one in text:
        cell = _cell(one)
        if used + cell > width:
            cut = piece.rfind(" ", len(piece) * 2 // 3) + 1 or len(piece)
            yield piece[:cut]
            piece = piece[cut:]
            used = columns(piece)
        piece, used = piece + one, used + cell
    yield piece


def page() -> int:
    """The columns to use: those of a narrower terminal, so that it breaks no line by itself; else 100."""
    if not sys.stdout.isatty():
        return WIDTH
    return max(40, min(WIDTH, screen()[0]))


def screen() -> tuple[int, int]:
    """Columns and lines of the terminal: as `COLUMNS` and `LINES` say, or as it says itself, or 80 by 24."""
    try:
        there = os.get_terminal_size(sys.__stdout__.fileno() if sys.__stdout__ else 1)
    except (OSError, ValueError):
        there = os.terminal_size((80, 24))
    return _told("COLUMNS") or there.columns or 80, _told("LINES") or there.lines or 24


def _told(name: str) -> int:
    said = os.environ.get(name, "")
    return int(said) if said.isascii() and said.isdecimal() else 0


def block(lines: Iterable[str], width: int) -> list[str]:
    """Foreign lines, each behind a margin, broken at `width` columns; a margin with a colon continues the line."""
    room = width - len(MARGIN)
    return [
        (MARGIN if number == 0 else GOES_ON) + piece
        for line in lines
        for number, piece in enumerate(chunks(visible(line), room))
    ]


def table(
    header: Sequence[str],
    rows: Iterable[Sequence[str]],
    width: int,
    right: frozenset[str],
    paint: Mapping[str, Callable[[str], str]] | None = None,
) -> list[str]:
    """Aligned columns, two spaces apart; those named in `right` end together, and the last one is cut to fit.

    Args:
        paint: by the name of a column, what colours its cells, blanks and all.
    """
    lines = [tuple(header), *(tuple(map(visible, row)) for row in rows)]
    widths = [max(columns(line[n]) for line in lines) for n in range(len(header))]
    room = max(16, width - sum(widths[:-1]) - 2 * (len(header) - 1))
    if header[-1] not in right:
        widths[-1] = 0
    paints = [(paint or {}).get(name, str) for name in header]
    return [
        "  ".join(
            paints[n](_pad(short(cell, room) if n == len(header) - 1 else cell, widths[n], header[n] in right))
            for n, cell in enumerate(line)
        ).rstrip()
        for line in lines
    ]


def moment(at: float) -> str:
    """A time since the epoch as local time.

    >>> len(moment(0.0))
    19
    """
    return datetime.fromtimestamp(at).isoformat(sep=" ", timespec="seconds")


def duration(seconds: float) -> str:
    """A stretch of time with what matters of it.

    >>> duration(0.0213), duration(2.5), duration(200), duration(7260), duration(180_000)
    ('0.021 s', '2.5 s', '3 min 20 s', '2 h 1 min', '2 d 2 h')
    """
    if seconds < 60:
        return f"{max(0.0, seconds):.3f} s" if seconds < 1 else f"{int(seconds * 10) / 10:.1f} s"
    for size, name, part, part_name in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if seconds >= size:
            return f"{int(seconds // size)} {name} {int(seconds % size // part)} {part_name}"
    raise AssertionError(seconds)


def money(dollars: float) -> str:
    """US dollars to a hundredth of a cent.

    >>> money(0.00131), money(0.00001), money(0.0)
    ('$0.0013', '<$0.0001', '$0.0000')
    """
    return "<$0.0001" if 0 < dollars < 0.00005 else f"${dollars:.4f}"


def size(bytes: int) -> str:
    """A number of bytes in thousands.

    >>> size(900), size(4096), size(12_345_678)
    ('900 B', '4.1 kB', '12.3 MB')
    """
    if bytes < 1000:
        return f"{bytes} B"
    for unit, whole in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if bytes >= whole:
            return f"{bytes / whole:.1f} {unit}"
    raise AssertionError(bytes)


def counted(number: int, noun: str, plural: str = "") -> str:
    """A number with its noun.

    >>> counted(1, "run"), counted(1200, "token"), counted(2, "entry", "entries")
    ('1 run', '1200 tokens', '2 entries')
    """
    return f"{number} {noun}" if number == 1 else f"{number} {plural or f'{noun}s'}"


def _is_seen(one: str) -> bool:
    return one.isprintable() and one not in _BLANK


def _escape(one: str) -> str:
    return json.dumps(one)[1:-1] if not one.isascii() or ord(one) < 0x20 else f"\\u{ord(one):04x}"


def _cell(one: str) -> int:
    return 0 if combining(one) else 2 if east_asian_width(one) in "WF" else 1


def _pad(text: str, width: int, right: bool) -> str:
    space = " " * max(0, width - columns(text))
    return space + text if right else text + space
