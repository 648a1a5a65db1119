"""Regular expressions that take time in proportion to the text, whatever the expression and the text are.

Python's own go back and try again, and a text can be made for which that takes years. These read each character once:
they go through all ways to match at the same time (as Thompson in 1968) and remember sets of ways that they have met.
There are no back references, no looking around and no groups to be read.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from attrs import define, field, frozen

Takes = Callable[[str], bool]
MOST_STATES = 2_000
MOST_SETS = 500
LONGEST = 1_000
_CLASSES: dict[str, Takes] = {
    "d": lambda one: one.isascii() and one.isdigit(),
    "w": lambda one: one.isalnum() or one == "_",
    "s": str.isspace,
}
_PLAIN = {"n": "\n", "t": "\t", "r": "\r"}


class _Ways(Protocol):
    """Part of an expression: from each way that reaches it, the ways that leave it."""

    def build(self, machine: _Machine, then: int) -> int: ...


@frozen
class _One:
    takes: Takes

    def build(self, machine: _Machine, then: int) -> int:
        return machine.add(self.takes, (then,))


@frozen
class _All:
    parts: tuple[_Ways, ...]

    def build(self, machine: _Machine, then: int) -> int:
        for part in reversed(self.parts):
            then = part.build(machine, then)
        return then


@frozen
class _Any:
    parts: tuple[_Ways, ...]

    def build(self, machine: _Machine, then: int) -> int:
        return machine.add(None, tuple(part.build(machine, then) for part in self.parts))


@frozen
class _Times:
    part: _Ways
    least: int
    most: int | None

    def build(self, machine: _Machine, then: int) -> int:
        if self.most is None:
            again = machine.add(None, ())
            machine.after[again] = (self.part.build(machine, again), then)
            then = again
        else:
            for _ in range(self.most - self.least):
                then = machine.add(None, (self.part.build(machine, then), then))
        for _ in range(self.least):
            then = self.part.build(machine, then)
        return then


@define
class _Machine:
    takes: list[Takes | None] = field(factory=list)
    after: list[tuple[int, ...]] = field(factory=list)

    def add(self, takes: Takes | None, after: tuple[int, ...]) -> int:
        if len(self.takes) >= MOST_STATES:
            raise ValueError(f"it unfolds to more than {MOST_STATES} places: use smaller counts in {{m,n}}")
        self.takes.append(takes)
        self.after.append(after)
        return len(self.takes) - 1

    def reach(self, places: tuple[int, ...]) -> frozenset[int]:
        """What can be reached without taking a character."""
        seen: set[int] = set()
        todo = list(places)
        while todo:
            place = todo.pop()
            if place not in seen:
                seen.add(place)
                if self.takes[place] is None:
                    todo += self.after[place]
        return frozenset(seen)


class Pattern:
    """An expression that a whole text matches or not.

    >>> Pattern(r"(GB|DE)\\d{2,4}").matches("DE893"), Pattern("a*a*a*b").matches("a" * 5000)
    (True, False)

    It knows `.` (any character), `[a-z]` and `[^a-z]`, `\\d`, `\\w`, `\\s`, groups, `|`, `*`, `+`, `?`, `{m}`,
    `{m,}` and `{m,n}`, and a backslash before anything that is no letter. Lengths and counts are limited.

    Raises:
        ValueError: when the expression is badly formed, or too large.
    """

    def __init__(self, text: str) -> None:
        if len(text) > LONGEST:
            raise ValueError(f"it has {len(text)} characters, {LONGEST} are permitted")
        self.text = text
        self._machine = _Machine()
        self._end = self._machine.add(None, ())
        self._start = self._machine.reach((_Reader(text).whole().build(self._machine, self._end),))
        self._known: dict[tuple[frozenset[int], str], frozenset[int]] = {}

    def matches(self, text: str) -> bool:
        """Whether the whole text matches."""
        places, known = self._start, self._known
        for one in text:
            if not places:
                return False
            then = known.get((places, one))
            if then is None:
                then = self._step(places, one)
            places = then
        return self._end in places

    def _step(self, places: frozenset[int], one: str) -> frozenset[int]:
        machine = self._machine
        reached: list[int] = []
        for place in places:
            takes = machine.takes[place]
            if takes is not None and takes(one):
                reached += machine.after[place]
        if len(self._known) >= MOST_SETS:
            self._known.clear()
        then = self._known[places, one] = machine.reach(tuple(reached))
        return then


@define
class _Reader:
    """Reads an expression from left to right."""

    text: str
    at: int = 0
    depth: int = 0

    def whole(self) -> _Ways:
        found = self._either()
        if self.at < len(self.text):
            raise self._wrong("')' without '('")
        return found

    def _either(self) -> _Ways:
        self.depth += 1
        if self.depth > 50:
            raise self._wrong("groups stand within each other more than 50 deep")
        parts = [self._sequence()]
        while self._take("|"):
            parts.append(self._sequence())
        self.depth -= 1
        return parts[0] if len(parts) == 1 else _Any(tuple(parts))

    def _sequence(self) -> _Ways:
        parts: list[_Ways] = []
        while self._next not in ("", "|", ")"):
            parts.append(self._times(self._one()))
        return _All(tuple(parts))

    def _times(self, part: _Ways) -> _Ways:
        for sign, least, most in (("*", 0, None), ("+", 1, None), ("?", 0, 1)):
            if self._take(sign):
                return self._alone(_Times(part, least, most))
        if not self._take("{"):
            return part
        low, _, high = self._until("}").partition(",")
        is_exact = "," not in self.text[: self.at].rpartition("{")[2]
        if not low.isdecimal() or (high and not high.isdecimal()):
            raise self._wrong("write {m}, {m,} or {m,n}")
        most = int(low) if is_exact else int(high) if high else None
        if most is not None and most < int(low):
            raise self._wrong("the second number is the smaller one")
        if max(int(low), most or 0) > LONGEST:
            raise self._wrong(f"counts go up to {LONGEST}")
        return self._alone(_Times(part, int(low), most))

    def _alone(self, times: _Times) -> _Times:
        if self._next in ("*", "+", "?", "{") and self._next:
            raise self._wrong("one repetition behind another")
        return times

    def _one(self) -> _Ways:
        sign = self._advance()
        if sign == "(":
            self._take("?:") if self.text.startswith("?:", self.at) else None
            found = self._either()
            if not self._take(")"):
                raise self._wrong("'(' without ')'")
            return found
        if sign in "*+?{":
            raise self._wrong("nothing to repeat")
        if sign in "^$":
            raise self._wrong("the whole text is matched: leave out '^' and '$', or write a backslash before it")
        if sign == ".":
            return _One(lambda one: True)
        return _One(self._class() if sign == "[" else self._escaped() if sign == "\\" else _same(sign))

    def _class(self) -> Takes:
        negated = self._take("^")
        tests: list[Takes] = []
        while not tests or self._next != "]":
            sign = self._advance()
            test = self._escaped() if sign == "\\" else _same(sign)
            if sign != "\\" and self._next == "-" and self.text[self.at + 1 : self.at + 2] not in ("", "]"):
                self.at += 1
                last = self._advance()
                if last == "\\" or last < sign:
                    raise self._wrong(f"{sign}-{last} is no range")
                test = _between(sign, last)
            tests.append(test)
        self.at += 1
        return lambda one: any(test(one) for test in tests) != negated

    def _escaped(self) -> Takes:
        sign = self._advance()
        if sign.lower() in _CLASSES:
            positive = _CLASSES[sign.lower()]
            return positive if sign.islower() else lambda one: not positive(one)
        if sign in _PLAIN:
            return _same(_PLAIN[sign])
        if sign.isalnum():
            raise self._wrong(f"\\{sign} is not known here")
        return _same(sign)

    @property
    def _next(self) -> str:
        return self.text[self.at : self.at + 1]

    def _take(self, sign: str) -> bool:
        found = self.text.startswith(sign, self.at)
        self.at += len(sign) * found
        return found

    def _advance(self) -> str:
        sign = self._next
        if not sign:
            raise self._wrong("it ends in the middle")
        self.at += 1
        return sign

    def _until(self, sign: str) -> str:
        end = self.text.find(sign, self.at)
        if end < 0:
            raise self._wrong(f"{sign!r} is missing")
        found, self.at = self.text[self.at : end], end + 1
        return found

    def _wrong(self, detail: str) -> ValueError:
        return ValueError(f"{self.text!r} is no pattern, at character {self.at}: {detail}")


def _same(sign: str) -> Takes:
    return lambda one: one == sign


def _between(first: str, last: str) -> Takes:
    return lambda one: first <= one <= last
