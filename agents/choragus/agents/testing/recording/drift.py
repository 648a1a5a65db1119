"""How a run that is replayed differs from its recording, for people."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence

from choragus.agents.errors import ModelError

from .exchange import Exchange, Plain

RECORD = "CHORAGUS_RECORD"
"""The environment variable that has recordings made anew."""

SHOWN = 60
"""Lines of a difference that are shown."""

WIDEST = 200
"""Characters of one of them."""


class ReplayDrift(ModelError, AssertionError):
    """Raised when a run does not do what was recorded; the run ends as failed with this text.

    Args:
        text: what differs, and the remedy.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text, kind="drift")
        self.args = (text,)


def drifted(came: Exchange, recorded: Sequence[Exchange], left: Sequence[Exchange], place: str) -> ReplayDrift:
    """What a question has for a difference to the one of its kind that comes nearest.

    Args:
        recorded: all exchanges of the recording.
        left: those of them that were not asked for yet.
        place: the recording's path.
    """
    nearest = _nearest(came, [one for one in left if one.kind == came.kind])
    if nearest is None:
        said = f"{title(came)} was made, and {place} has no more {came.kind} calls"
        return ReplayDrift(f"{said}:\n{_cut(lines(came.asked))}\n{remedy()}")
    old, new = list(lines(nearest.asked)), list(lines(came.asked))
    fields = ", ".join(_fields(nearest.asked, came.asked))
    number = next(number for number, one in enumerate(recorded, 1) if one is nearest)
    head = f"{title(came)} is not what {place} has (exchange {number} of {len(recorded)}): {fields} differ"
    difference = difflib.unified_diff(old, new, "recorded", "came", lineterm="", n=2)
    return ReplayDrift(f"{head if ', ' in fields else head + 's'}\n{_cut(difference)}\n{remedy()}")


def left_over(left: Sequence[Exchange], total: int, place: str) -> ReplayDrift:
    """What was recorded and not asked for."""
    named = "".join(f"\n  {title(one)}" for one in left[:5])
    more = f"\n  and {len(left) - 5} more" if len(left) > 5 else ""
    return ReplayDrift(f"{len(left)} of {total} calls in {place} were not made:{named}{more}\n{remedy()}")


def remedy() -> str:
    """What to do about a drift."""
    return f"undo the change, or record anew with {RECORD}=1 and look at what changes in the file"


def title(exchange: Exchange) -> str:
    """One exchange in a few words."""
    asked = exchange.asked
    if exchange.kind == "tool":
        given = ", ".join(f"{name}={value!r}" for name, value in sorted(_mapping(asked["arguments"]).items()))
        return f"tool call {asked['call']} {asked['tool']}({given})"[:WIDEST]
    messages = asked["messages"]
    assert isinstance(messages, list)
    return f"model call with {len(messages)} message{'s' if len(messages) != 1 else ''}"


def lines(value: object, path: str = "") -> Iterator[str]:
    """A value of plain JSON types, a line for each text or number in it, or for each line of a longer text."""
    if isinstance(value, Mapping) and value:
        for key in sorted(value):
            yield from lines(value[key], f"{path}.{key}" if path else str(key))
    elif isinstance(value, list) and value:
        for number, one in enumerate(value):
            yield from lines(one, f"{path}[{number}]")
    elif isinstance(value, str):
        yield from (f"{path}: {line}" for line in value.split("\n"))
    else:
        yield f"{path}: {value!r}"


def _fields(old: Plain, new: Plain) -> list[str]:
    """The paths at which two questions differ: the first of the messages, and all others one level deep."""
    found: list[str] = []
    for name in sorted(old.keys() | new.keys()):
        before, after = old.get(name), new.get(name)
        if before == after:
            continue
        if isinstance(before, list) and isinstance(after, list):
            found.append(_first(name, before, after))
        elif isinstance(before, Mapping) and isinstance(after, Mapping):
            found += [
                f"{name}.{key}" for key in sorted(before.keys() | after.keys()) if before.get(key) != after.get(key)
            ]
        else:
            found.append(name)
    return found


def _first(name: str, before: Sequence[object], after: Sequence[object]) -> str:
    number = _common(before, after)
    if number == min(len(before), len(after)):
        return f"the number of {name} ({len(before)} recorded, {len(after)} came)"
    one, other = before[number], after[number]
    inner = _fields(dict(one), dict(other)) if isinstance(one, Mapping) and isinstance(other, Mapping) else []
    return f"{name}[{number}]" + (f".{inner[0]}" if inner else "")


def _nearest(came: Exchange, left: Sequence[Exchange]) -> Exchange | None:
    return max(left, key=lambda one: (_likeness(came.asked, one.asked), -left.index(one)), default=None)


def _likeness(one: Plain, other: Plain) -> tuple[int, int]:
    messages, others = one.get("messages"), other.get("messages")
    if isinstance(messages, list) and isinstance(others, list):
        return _common(messages, others) - abs(len(messages) - len(others)), 0
    return int(one.get("tool") == other.get("tool")), int(one.get("call") == other.get("call"))


def _common(one: Sequence[object], other: Sequence[object]) -> int:
    pairs = zip(one, other, strict=False)
    return next((number for number, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _cut(told: Iterator[str]) -> str:
    every = [line if len(line) <= WIDEST else f"{line[:WIDEST]}..." for line in told]
    more = [f"... and {len(every) - SHOWN} more lines"] if len(every) > SHOWN else []
    return "\n".join([*every[:SHOWN], *more])
