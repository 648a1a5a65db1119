"""Pictures of figures, drawn as SVG in the page: no script, no style attribute, readable as text by who cannot see."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import attrs

from choragus.agents.cli.text import duration

from .html import Html, h

WIDTH = 960.0
LEFT = 70.0
LANE = 16.0
TOP = 20.0


@attrs.frozen(kw_only=True)
class Bar:
    """A stretch of time in a lane; `to` is where a click leads, `tone` its colour."""

    lane: str
    begin: float
    end: float
    title: str
    to: str = ""
    tone: str = "other"


@attrs.frozen(kw_only=True)
class Point:
    """A value with the ends of its interval, where they are known."""

    at: str
    value: float
    low: float | None = None
    high: float | None = None
    to: str = ""
    tone: str = "other"


def timeline(bars: Sequence[Bar], label: str) -> Html | None:
    """Bars over time, a lane for each kind; those that overlap in a lane stand below each other, up to four."""
    if not bars:
        return None
    begin, end = min(one.begin for one in bars), max(one.end for one in bars)
    span = max(end - begin, 0.001)
    scale = (WIDTH - LEFT - 10) / span
    placed, lanes = _placed(bars)
    height = TOP + len(lanes) * LANE + 6
    names = [
        h("text", name, x=0, y=_round(TOP + row * LANE + 12), class_="lane")
        for row, name in enumerate(lanes)
        if row == 0 or lanes[row - 1] != name
    ]
    drawn = [_bar(one, row, begin, scale) for one, row in placed]
    return h(
        "svg",
        h("title", label),
        _ticks(span, scale, height),
        names,
        drawn,
        viewBox=f"0 0 {WIDTH:g} {_round(height)}",
        role="img",
        aria_label=label,
        class_="timeline",
    )


def _placed(bars: Sequence[Bar]) -> tuple[list[tuple[Bar, int]], list[str]]:
    """Each bar with its row, and the lane of each row."""
    lanes = list(dict.fromkeys(one.lane for one in bars))
    placed, names = list[tuple[Bar, int]](), list[str]()
    for lane in lanes:
        ends = list[float]()
        first = len(names)
        for one in sorted((each for each in bars if each.lane == lane), key=lambda each: each.begin):
            free = next((row for row, end in enumerate(ends) if end <= one.begin), len(ends))
            row = min(free, 3)
            if row == len(ends):
                ends.append(one.end)
            ends[row] = max(ends[row], one.end)
            placed.append((one, first + row))
        names += [lane] * len(ends)
    return placed, names


def _bar(one: Bar, row: int, begin: float, scale: float) -> Html:
    x = LEFT + (one.begin - begin) * scale
    width = max(2.0, (one.end - one.begin) * scale)
    shape = h(
        "rect",
        h("title", one.title),
        x=_round(x),
        y=_round(TOP + row * LANE + 2),
        width=_round(width),
        height=LANE - 4,
        rx=2,
        class_=f"bar t-{one.tone}",
    )
    return h("a", shape, href=one.to, tabindex="-1") if one.to else shape


def _ticks(span: float, scale: float, height: float) -> list[Html]:
    step = next((one for one in _STEPS if span / one <= 8), span / 8)
    marks = list[Html]()
    for number in range(int(span / step) + 1):
        x = _round(LEFT + number * step * scale)
        marks.append(h("line", x1=x, x2=x, y1=14, y2=_round(height - 4), class_="tick"))
        marks += [h("text", _told(number * step), x=x, y=10)] if x < WIDTH - 40 else []
    return marks


_STEPS = (
    *(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 60, 120, 300, 600, 1800, 3600, 7200),
    *(14_400, 43_200, 86_400, 172_800, 604_800, 2_592_000),
)
"""Seconds between two marks of a picture."""


def _told(seconds: float) -> str:
    if not seconds:
        return "0"
    return f"{seconds * 1000:g} ms" if seconds < 1 else f"{seconds:g} s" if seconds < 60 else duration(seconds)


def plot(points: Sequence[Point], label: str, *, most: float | None = None, unit: str = "") -> Html:
    """Values in their order with their intervals, from 0 to `most` or to what there is."""
    width, height, left, low = 300.0, 120.0, 44.0, 100.0
    ends = [one.high if one.high is not None else one.value for one in points]
    top = most if most is not None else max([*ends, *(one.value for one in points)], default=0.0) or 1.0
    step = (width - left - 12) / max(1, len(points))

    def y(value: float) -> float:
        return _round(low - min(max(value / top, 0.0), 1.0) * (low - 10))

    scale: list[Html] = []
    for share in (0.0, 0.5, 1.0):
        level = y(share * top)
        scale.append(h("line", x1=left, x2=width - 4, y1=level, y2=level, class_="tick"))
        scale.append(h("text", _level(share * top, unit), x=left - 5, y=level + 3, class_="level"))
    drawn = [_point(one, _round(left + (place + 0.5) * step), y, unit) for place, one in enumerate(points)]
    line = " ".join(f"{_round(left + (place + 0.5) * step)},{y(one.value)}" for place, one in enumerate(points))
    ways = h("polyline", points=line, class_="course") if len(points) > 1 else None
    named = [*points[:1], *(points[-1:] if len(points) > 1 else [])]
    days = [
        h("text", one.at, x=left if place == 0 else width - 4, y=115, class_="day" if place == 0 else "day last")
        for place, one in enumerate(named)
    ]
    told = f"{label}: " + "; ".join(f"{one.at} {_level(one.value, unit)}" for one in points[-20:])
    return h(
        "figure",
        h(
            "svg",
            h("title", told),
            scale,
            ways,
            drawn,
            days,
            viewBox=f"0 0 {width:g} {height:g}",
            role="img",
            aria_label=told,
        ),
        h("figcaption", label),
        class_="plot",
    )


def _point(one: Point, x: float, y: object, unit: str) -> list[Html]:
    assert callable(y)
    told = f"{one.at}: {_level(one.value, unit)}"
    parts: list[Html] = []
    if one.low is not None and one.high is not None:
        told += f" ({_level(one.low, unit)} to {_level(one.high, unit)})"
        parts.append(h("line", x1=x, x2=x, y1=y(one.low), y2=y(one.high), class_=f"whisker t-{one.tone}"))
    parts.append(h("circle", h("title", told), cx=x, cy=y(one.value), r=3, class_=f"dot t-{one.tone}"))
    return [h("a", parts, href=one.to, tabindex="-1")] if one.to else parts


def _level(value: float, unit: str) -> str:
    match unit:
        case "%":
            return f"{value * 100:.0f} %"
        case "$":
            return f"${value:.3g}"
        case "s":
            return f"{value:.3g} s"
    return f"{value:.3g}"


def shares(parts: Iterable[tuple[str, float, str]], label: str) -> Html | None:
    """A bar in parts: each with its name, its size, and its colour."""
    known = [(name, size, tone) for name, size, tone in parts if size > 0]
    whole = sum(size for _, size, _ in known)
    if not whole:
        return None
    drawn, x = list[Html](), 0.0
    for name, size, tone in known:
        width = size / whole * 400
        title = h("title", f"{name}: {size / whole * 100:.0f} %")
        drawn.append(h("rect", title, x=_round(x), y=0, width=_round(width), height=10, class_=f"bar t-{tone}"))
        x += width
    return h("svg", h("title", label), drawn, viewBox="0 0 400 10", role="img", aria_label=label, class_="shares")


def _round(value: float) -> float:
    return round(value, 2)
