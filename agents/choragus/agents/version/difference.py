"""What differs between two identities, field by field, in words. Pure, and of the standard library only.

Whoever reads a file without a runtime uses it too: it is given what stands in the rows of the file.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

Content = Callable[[str], str | None]
"""The text that a digest stands for; None when it is not known."""

TEXTS = ("prompt", "template", "output")
"""The fields that are digests of what is kept as text."""

LONGEST = 200
"""Characters of a value that are shown."""

LONGEST_LINE = 2_000
"""Characters of a line of a text that are shown."""

MOST_LINES = 400
"""Lines of one text that are shown."""


class Change(NamedTuple):
    """One difference. `field` is a path such as `tools.pay.risk`; `lines` are of a text: `-` before, `+` now.

    `was` or `now` is None where there is nothing.
    """

    field: str
    what: str
    was: object = None
    now: object = None
    lines: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, object]:
        """All of it in JSON types."""
        return {**self._asdict(), "lines": list(self.lines)}


def nothing_known(digest: str) -> str | None:
    """A Content for who has none."""
    return None


def differences(
    was: Mapping[str, object], now: Mapping[str, object], content: Content = nothing_known
) -> tuple[Change, ...]:
    """What has changed from one identity to another, both as `Manifest.as_dict` gives them, sorted by field."""
    return tuple(sorted(_identity(was, now, content), key=lambda one: (_rank(one.field), one.field)))


def told(changes: Iterable[Change]) -> list[str]:
    """The changes as lines to read."""
    lines: list[str] = []
    for one in changes:
        lines.append(f"{one.field}: {_said(one)}")
        lines += [f"  {line}" for line in one.lines]
    return lines


def in_a_word(changes: Iterable[Change]) -> str:
    """The fields that differ, in one line."""
    named = [one.field for one in changes]
    more = f" and {len(named) - 8} more" if len(named) > 8 else ""
    return ", ".join(named[:8]) + more if named else "nothing that is known"


def walked(field: str, was: object, now: object) -> Iterator[Change]:
    """What differs between two JSON values, as deep as both are objects."""
    if was == now:
        return
    if isinstance(was, Mapping) and isinstance(now, Mapping):
        for name in sorted({*was, *now}):
            yield from walked(f"{field}.{name}" if field else str(name), was.get(name), now.get(name))
    else:
        what = "added" if was is None else "removed" if now is None else "changed"
        yield Change(field, what, was, now)


_FIRST = ("agent", "provider", "model", "settings", "prompt", "template", "tools", "policies", "limits")


def _rank(field: str) -> int:
    head = field.partition(".")[0]
    return _FIRST.index(head) if head in _FIRST else len(_FIRST)


def _identity(was: Mapping[str, object], now: Mapping[str, object], content: Content) -> Iterator[Change]:
    for name in sorted({*was, *now}):
        before, after = was.get(name), now.get(name)
        if name == "tools":
            yield from _tools(before, after, content)
        elif name == "policies":
            yield from _policies(before, after)
        elif name in TEXTS and before != after:
            yield _text(name, str(before or ""), str(after or ""), content)
        else:
            yield from walked(name, before, after)


def _text(field: str, was: str, now: str, content: Content) -> Change:
    what = "added" if not was else "removed" if not now else "changed"
    return Change(field, what, was or None, now or None, _lines(was, now, content))


def _lines(was: str, now: str, content: Content) -> tuple[str, ...]:
    before, after = (content(one) if one else "" for one in (was, now))
    if before is None or after is None:
        return ()
    found = [
        line
        for line in difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=1)
        if not line.startswith(("---", "+++"))
    ]
    if not found:
        return ("(only the ends of lines, or blanks at the very end, differ)",)
    more = len(found) - MOST_LINES
    found = [
        line if len(line) <= LONGEST_LINE else f"{line[:LONGEST_LINE]} ({len(line):,} characters)" for line in found
    ]
    return (*found[:MOST_LINES], *([f"({more} more lines)"] if more > 0 else []))


def _tools(was: object, now: object, content: Content) -> Iterator[Change]:
    before, after = _named(was), _named(now)
    for name in sorted({*before, *after}):
        old, new, field = before.get(name), after.get(name), f"tools.{name}"
        if old is None or new is None:
            yield Change(field, "added" if old is None else "removed", _risk(old), _risk(new))
            continue
        for part in sorted({*old, *new}):
            if part == "schema" and old.get(part) != new.get(part):
                yield _text(f"{field}.schema", str(old.get(part)), str(new.get(part)), content)
            else:
                without: object = {} if part == "options" else None
                yield from walked(f"{field}.{part}", old.get(part, without), new.get(part, without))


def _risk(tool: Mapping[str, object] | None) -> object:
    return None if tool is None else tool.get("risk")


def _policies(was: object, now: object) -> Iterator[Change]:
    before, after = _named(was), _named(now)
    for name in sorted({*before, *after}):
        yield from walked(f"policies.{name}", _version(before.get(name)), _version(after.get(name)))
    kept = [name for name in before if name in after], [name for name in after if name in before]
    if kept[0] != kept[1]:
        yield Change("policies", "in another order", kept[0], kept[1])


def _version(policy: Mapping[str, object] | None) -> object:
    return None if policy is None else policy.get("version")


def _named(value: object) -> dict[str, Mapping[str, object]]:
    """Objects by their names; a second one of a name is told by its number."""
    found: dict[str, Mapping[str, object]] = {}
    for one in value if isinstance(value, list) else []:
        if isinstance(one, Mapping):
            name = str(one.get("name"))
            found[name if name not in found else f"{name} ({len(found) + 1})"] = one
    return found


def _said(one: Change) -> str:
    if one.lines:
        return one.what
    if one.what == "added":
        return f"added ({_shown(one.now)})"
    if one.what == "removed":
        return f"removed ({_shown(one.was)})"
    word = "" if one.what == "changed" else f"{one.what}: "
    return f"{word}{_shown(one.was)} -> {_shown(one.now)}"


def _shown(value: object) -> str:
    if isinstance(value, str):
        is_hash = len(value) == 64 and all(each in "0123456789abcdef" for each in value)
        return value[:12] if is_hash else value[:LONGEST] or '""'
    return json.dumps(value, ensure_ascii=False, sort_keys=True)[:LONGEST]
