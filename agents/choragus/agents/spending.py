"""What a run has used, and which ceiling leaves no room for more. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from attrs import field, fields, frozen

from choragus.mailbox.swift import STABLE

from .limits import Limits
from .money import dollars, nanos, rounded_down, rounded_up


@frozen(kw_only=True)
class Spent:
    """What a run has used, or what is set aside for calls that are under way.

    Money is whole billionths of a dollar, rounded up.

    >>> Spent(steps=1, input_tokens=80).add(Spent(output_tokens=20)).tokens
    100
    """

    steps: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = field(default=0.0, converter=rounded_up, metadata={STABLE: True})
    tool_calls: int = 0
    active_seconds: float = 0.0
    bad_calls: int = 0

    @property
    def tokens(self) -> int:
        """Input and output tokens together."""
        return self.input_tokens + self.output_tokens

    @property
    def is_nothing(self) -> bool:
        """Whether nothing at all was used."""
        return self == NOTHING

    def add(self, more: Spent) -> Spent:
        """Both together."""
        return self._with(more, 1)

    def less(self, other: Spent) -> Spent:
        """What is left of this without the other; below zero where that was more."""
        return self._with(other, -1)

    def over(self, most: Spent) -> dict[str, float]:
        """By how much tokens and money are above the most that there should have been."""
        found = {"tokens": self.tokens - most.tokens, "cost_usd": dollars(nanos(self.cost_usd) - nanos(most.cost_usd))}
        return {name: more for name, more in found.items() if more > 0}

    def as_dict(self) -> dict[str, int | float]:
        """The amounts by name."""
        return {name: getattr(self, name) for name in _NAMES}

    def _with(self, other: Spent, sign: int) -> Spent:
        # The fields one by one: this runs a dozen times in each step of a run.
        return Spent(
            steps=self.steps + sign * other.steps,
            input_tokens=self.input_tokens + sign * other.input_tokens,
            output_tokens=self.output_tokens + sign * other.output_tokens,
            cost_usd=dollars(nanos(self.cost_usd) + sign * nanos(other.cost_usd)),
            tool_calls=self.tool_calls + sign * other.tool_calls,
            active_seconds=self.active_seconds + sign * other.active_seconds,
            bad_calls=self.bad_calls + sign * other.bad_calls,
        )


_NAMES = tuple(one.name for one in fields(Spent))


NOTHING = Spent()


def total(amounts: Iterable[Spent]) -> Spent:
    """All of them together."""
    each = list(amounts)
    return Spent(
        steps=sum(one.steps for one in each),
        input_tokens=sum(one.input_tokens for one in each),
        output_tokens=sum(one.output_tokens for one in each),
        cost_usd=dollars(sum(nanos(one.cost_usd) for one in each)),
        tool_calls=sum(one.tool_calls for one in each),
        active_seconds=sum(one.active_seconds for one in each),
        bad_calls=sum(one.bad_calls for one in each),
    )


@frozen
class Excess:
    """A ceiling that leaves no room: its name, and a sentence with its value, what was asked, and the remedy."""

    ceiling: str
    reason: str


def exceeded(limits: Limits, spent: Spent, reserved: Spent, wall: float) -> Excess | None:
    """Which ceiling leaves no room; None if all hold.

    A budget is reserved before it is spent: a step that fits exactly is allowed, so `steps=50` allows the fiftieth.
    Time cannot be given back, so a time limit is reached as soon as it is used up.

    Args:
        limits: the ceilings.
        spent: what is used up already.
        reserved: the most that everything under way and the step in question may use.
        wall: seconds since the run started.
    """
    return (
        over("steps", limits.steps, spent.steps, reserved.steps)
        or over("tokens", limits.tokens, spent.tokens, reserved.tokens)
        or over_money("cost_usd", limits.cost_usd, spent.cost_usd, reserved.cost_usd)
        or over("tool_calls", limits.tool_calls, spent.tool_calls, reserved.tool_calls)
        or over("bad_calls", limits.bad_calls, spent.bad_calls, reserved.bad_calls)
        or _over_time("active_seconds", limits.active_seconds, spent.active_seconds, reserved.active_seconds)
        or _over_time("wall_seconds", limits.wall_seconds, wall, 0.0)
    )


def over_tool(limits: Limits, tool: str, calls: Mapping[str, int]) -> Excess | None:
    """Whether one more call of the tool is one too many; `calls` is how many there were of each."""
    return over(f"per_tool.{tool}", limits.per_tool.get(tool), calls.get(tool, 0), 1)


def over(name: str, limit: float | None, used: float, asked: float) -> Excess | None:
    """Whether what is used and asked for passes a limit."""
    return None if limit is None or used + asked <= limit else _excess(name, limit, used, asked)


def over_money(name: str, limit: float | None, used: float, asked: float) -> Excess | None:
    """The same for dollars, exact to a billionth."""
    if limit is None or nanos(used) + nanos(rounded_up(asked)) <= nanos(rounded_down(limit)):
        return None
    return _excess(name, limit, used, asked)


def _over_time(name: str, limit: float | None, used: float, asked: float) -> Excess | None:
    if limit is None:
        return None
    if used < limit:
        return over(name, limit, used, asked)
    return Excess(name, f"{name} is limited to {_text(limit)} and {_text(used)} are used: {_remedy(name)}")


def _excess(name: str, limit: float, used: float, asked: float) -> Excess:
    said = f"{name} is limited to {_text(limit)}, {_text(used)} are used and {_text(asked)} more were asked for"
    return Excess(name, f"{said}: {_remedy(name)}")


def _remedy(name: str) -> str:
    of, _, tool = name.partition(".")
    return f"raise it with Limits({of}={{{tool!r}: ...}})" if tool else f"raise it with Limits({of}=...)"


def _text(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.9f}".rstrip("0").rstrip(".")
