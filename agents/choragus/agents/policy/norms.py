"""What is usual in the runs of an agent, learnt from those that have finished. Plain values, pure functions.

    a run counts in `Figures` -> `Norms.learn(figures)` -> the next runs ask `Norms`

Values themselves are not kept, only their hashes, sizes and ranges; and never more than a few of each.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec
from attrs import define, evolve, field, frozen

from choragus.agents.fingerprint import short_hash

KEPT = 50
"""Runs whose figures are kept, the latest."""

MOST_TOOLS = 100
MOST_PATHS = 40
MOST_VALUES = 16
DEEPEST = 4
LONGEST = 20
"""Items of a list that are looked at."""

ROOM = {"text": 100.0, "list": 5.0, "object": 5.0}
"""How much larger than the largest a text or a list may be in any case: ten characters beside two say nothing."""

FAR = 6.0
"""Spreads away from the middle: a value within is usual. A spread is the median deviation, scaled to a normal one."""


@define
class Seen:
    """What one run, or many, had at one place in a tool's arguments; `low` and `high` of numbers, or of sizes.

    `values` counts the runs with each value (by hash); None when there are too many to be a closed list.
    """

    kinds: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    values: dict[str, int] | None = field(factory=dict)


@define
class Figures:
    """What one run did: the calls that ran, by tool, and what stood in their arguments. `begin` with an empty one."""

    calls: dict[str, int] = field(factory=dict)
    arguments: dict[str, dict[str, Seen]] = field(factory=dict)

    def note(self, tool: str, arguments: Mapping[str, object]) -> None:
        """Count one call."""
        if tool not in self.calls and len(self.calls) >= MOST_TOOLS:
            return
        self.calls[tool] = self.calls.get(tool, 0) + 1
        places = self.arguments.setdefault(tool, {})
        for path, value in places_of(arguments):
            if path in places or len(places) < MOST_PATHS:
                _note(places.setdefault(path, Seen()), value)


@frozen
class Usual:
    """What the runs had at one place: in how many, of which kinds, the ends of each run's range, and the values."""

    runs: int = 0
    kinds: tuple[str, ...] = ()
    lows: tuple[float, ...] = ()
    highs: tuple[float, ...] = ()
    values: dict[str, int] | None = field(factory=dict)


@frozen(kw_only=True)
class Norms:
    """What the runs of one version of an agent did: `runs` of them, and the figures of the latest 50.

    With fewer than `least` runs (10 where a policy does not say otherwise) nothing is unusual.
    """

    runs: int = 0
    steps: tuple[float, ...] = ()
    costs: tuple[float, ...] = ()
    tools: dict[str, int] = field(factory=dict)
    arguments: dict[str, dict[str, Usual]] = field(factory=dict)

    def learn(self, figures: Figures, *, steps: int, cost_usd: float) -> Norms:
        """These norms and one more run that has finished well."""
        tools, arguments = dict(self.tools), {tool: dict(places) for tool, places in self.arguments.items()}
        for tool in figures.calls:
            if tool in tools or len(tools) < MOST_TOOLS:
                tools[tool] = tools.get(tool, 0) + 1
                places = arguments.setdefault(tool, {})
                for path, seen in figures.arguments.get(tool, {}).items():
                    if path in places or len(places) < MOST_PATHS:
                        places[path] = _learnt(places.get(path, Usual()), seen)
        return evolve(
            self,
            runs=self.runs + 1,
            steps=(*self.steps, float(steps))[-KEPT:],
            costs=(*self.costs, float(cost_usd))[-KEPT:],
            tools=tools,
            arguments=arguments,
        )

    def new_tool(self, tool: str, least: int = 10) -> str:
        """Why the call of a tool is unusual, or nothing: it was never used in all the runs."""
        if self.runs < least or tool in self.tools or len(self.tools) >= MOST_TOOLS:
            return ""
        return f"{tool} was not used in any of {self.runs} runs of this version"

    def unusual_arguments(self, tool: str, arguments: Mapping[str, object], least: int = 10) -> str:
        """Where the arguments are outside of what the runs had, and why; or nothing."""
        if self.tools.get(tool, 0) < least:
            return ""
        places = self.arguments.get(tool, {})
        for path, value in places_of(arguments):
            usual = places.get(path)
            if usual is None:
                if len(places) < MOST_PATHS:
                    return f"{path} was never given in {self.tools[tool]} runs that used {tool}"
            elif usual.runs >= least and (why := _unusual(usual, value)):
                return f"{path} {why}"
        return ""

    def unusual_spending(self, *, steps: int, cost_usd: float, least: int = 10) -> str:
        """Which of the run's figures are beyond those of earlier runs, and how far; or nothing."""
        if self.runs < least:
            return ""
        for name, value, past in (("steps", float(steps), self.steps), ("cost_usd", cost_usd, self.costs)):
            _, most = usual_range(past)
            if value > most:
                return (
                    f"{name} are {value:g}; {len(past)} runs had {median(past):g} in the middle, {max(past):g} at most"
                )
        return ""

    def row(self) -> dict[str, object]:
        """As the body of a view row."""
        plain: dict[str, object] = msgspec.to_builtins(self)
        return plain

    @classmethod
    def of_row(cls, body: Mapping[str, object]) -> Norms:
        """The norms of a view row.

        Raises:
            msgspec.ValidationError: when it is the row of something else.
        """
        return msgspec.convert(body, cls)


def usual_range(samples: Sequence[float]) -> tuple[float, float]:
    """From where to where a value is usual: six spreads around the middle, and half more than the ends seen.

    >>> usual_range([10.0] * 20), usual_range([1.0, 2.0, 3.0, 4.0, 100.0])
    ((4.0, 16.0), (-5.895..., 150.0))
    """
    middle = median(samples)
    spread = max(1.4826 * median(abs(one - middle) for one in samples), 0.1 * abs(middle))
    low, high = min(samples), max(samples)
    return min(middle - FAR * spread, low - 0.5 * abs(low)), max(middle + FAR * spread, high + 0.5 * abs(high))


def places_of(value: object, path: str = "$", depth: int = 0) -> Iterator[tuple[str, object]]:
    """Every place in the arguments with what stands there; the items of a list share one.

    >>> list(places_of({"to": ["a", "b"], "sum": 5}))
    [('$.to', ['a', 'b']), ('$.to[]', 'a'), ('$.to[]', 'b'), ('$.sum', 5)]
    """
    if path != "$":
        yield path, value
    if depth >= DEEPEST:
        return
    if isinstance(value, Mapping):
        for name, one in value.items():
            yield from places_of(one, f"{path}.{name}", depth + 1)
    elif isinstance(value, list | tuple):
        for one in value[:LONGEST]:
            yield from places_of(one, f"{path}[]", depth + 1)


def median(samples: Iterable[float]) -> float:
    """The middle one, or the mean of the two there; as `statistics` has it, which takes long to import.

    >>> median([3, 1, 2]), median([4, 1, 3, 2])
    (2, 2.5)
    """
    found = sorted(samples)
    half = len(found) // 2
    return found[half] if len(found) % 2 else (found[half - 1] + found[half]) / 2


def _note(seen: Seen, value: object) -> None:
    kind, size = _kind(value), _size(value)
    seen.kinds = tuple(sorted({*seen.kinds, kind}))
    if size is not None:
        seen.low = size if seen.low is None else min(seen.low, size)
        seen.high = size if seen.high is None else max(seen.high, size)
    seen.values = _with(seen.values, _hashes(value))


def _learnt(usual: Usual, seen: Seen) -> Usual:
    values = _with(usual.values, seen.values)
    return Usual(
        runs=usual.runs + 1,
        kinds=tuple(sorted({*usual.kinds, *seen.kinds})),
        lows=(*usual.lows, *([] if seen.low is None else [seen.low]))[-KEPT:],
        highs=(*usual.highs, *([] if seen.high is None else [seen.high]))[-KEPT:],
        values=values,
    )


def _unusual(usual: Usual, value: object) -> str:
    kind, size = _kind(value), _size(value)
    if value is None:
        return ""
    if kind not in usual.kinds:
        return f"is {kind}; it was {' or '.join(usual.kinds)} in {usual.runs} runs"
    if size is not None and usual.lows and (why := _outside(usual, kind, size)):
        return why
    return _not_listed(usual, value)


def _outside(usual: Usual, kind: str, size: float) -> str:
    is_number = kind == "number"
    least, most = usual_range(usual.lows)[0], usual_range(usual.highs)[1]
    if not is_number:
        most = max(most, max(usual.highs) + ROOM[kind])
    what = f"is {size:g}" if is_number else f"has a size of {size:g}"
    if size > most or (is_number and size < least):
        return f"{what}; {usual.runs} runs had {min(usual.lows):g} to {max(usual.highs):g}"
    if is_number and size < 0 <= min(usual.lows):
        return f"{what}; it was never below 0 in {usual.runs} runs"
    return ""


def _not_listed(usual: Usual, value: object) -> str:
    """A text that is none of a short list, each of which came up again and again.

    By the rule of Good and Turing what was not seen yet is as likely as what was seen once is frequent: so here not.
    """
    if not isinstance(value, str) or not usual.values or 1 in usual.values.values():
        return ""
    if short_hash(value) in usual.values:
        return ""
    return f"is a value that none of {usual.runs} runs had; they had {len(usual.values)}"


def _with(values: dict[str, int] | None, more: Mapping[str, int] | None) -> dict[str, int] | None:
    if values is None or more is None:
        return None
    found = dict(values)
    for one in more:
        found[one] = found.get(one, 0) + 1
    return found if len(found) <= MOST_VALUES else None


def _hashes(value: object) -> dict[str, int]:
    return {short_hash(value): 1} if isinstance(value, str) else {}


def _kind(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case int() | float():
            return "number"
        case str():
            return "text"
        case Mapping():
            return "object"
        case _:
            return "list"


def _size(value: object) -> float | None:
    if value is None or isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return float(value) if math.isfinite(value) else None
    return float(len(value)) if isinstance(value, str | Mapping | list | tuple) else None
