"""The page of one run: what it is, what it waits for, when what took how long, its kin, its words and its logbook."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from choragus.mailbox.reader import EntryRow, Reader, ViewRow

from .cards import Cards
from .entries import Window, fields_of, logbook, of_kinds
from .family import family
from .fields import Fields, number, text, texts, whole
from .html import Html, cut, h
from .layout import figure, live
from .left import refusal
from .listing import link
from .picture import Bar, shares, timeline
from .talk import conversation, plan
from .wording import FINAL, dollars, status, thousands, took, when

BARS = 300
"""Calls that the picture shows."""

_TIMED = ("model.replied", "model.failed", "call.finished", "approval.requested", "approval.decided")


def run_page(reader: Reader, root: str, row: ViewRow, window: Window, said: int | None, cards: Cards) -> Html:
    """The content of the page."""
    run = row.data
    return h(
        "div",
        _head(row),
        cards.of_run(reader, row.key),
        _outcome(run, refusal(reader, row.key)),
        live("figures", _figures(run)),
        _pictures(reader, root, row),
        family(reader, root, row),
        plan(reader, row.key),
        conversation(reader, root, row.key, said),
        logbook(reader, root, row.key, window),
        class_="page",
    )


def _head(row: ViewRow) -> Html:
    run = row.data
    facts = [
        ("run", row.key),
        ("agent", text(run, "agent")),
        ("tenant", text(run, "tenant")),
        ("key", text(run, "key")),
    ]
    facts += [("version", text(run, "manifest")[:12])]
    told = [h("span", h("span", f"{name} ", class_="label"), h("code", value)) for name, value in facts if value]
    goal = text(run, "goal")
    short = " ".join(cut(goal, 200).split()) or "(no goal)"
    whole_goal = h("details", h("summary", "the whole goal"), h("p", goal, class_="words"), id="goal")
    return live(
        "run",
        h("p", status(text(run, "status")), " ", told, class_="facts"),
        h("h1", short),
        whole_goal if len(goal) > len(short) or "\n" in goal else None,
    )


def _outcome(run: Fields, held: str) -> Html | None:
    parts = [h("p", h("strong", "refused "), held, class_="fault")] if held else list[Html]()
    if text(run, "status") not in FINAL:
        parts += [h("p", h("strong", "waits for "), one, class_="waits") for one in texts(run, "waits")]
        parts += [h("p", h("strong", "paused "), text(run, "paused"))] if run.get("paused") else []
    if text(run, "outcome"):
        parts.append(h("p", text(run, "outcome"), class_="words outcome"))
    if text(run, "achieved"):
        parts.append(h("p", h("strong", "achieved "), text(run, "achieved"), class_="words"))
    if text(run, "correction"):
        said = h("span", f"corrected by {text(run, 'corrected_by')} to", class_="label")
        parts += [h("p", said), h("p", text(run, "correction"), class_="words outcome")]
    if texts(run, "sources"):
        parts.append(h("p", h("span", "answer from ", class_="label"), ", ".join(texts(run, "sources"))))
    return live("outcome", h("h2", "Outcome"), parts) if parts else None


def _figures(run: Fields) -> Html:
    started, ended = number(run, "started"), number(run, "ended")
    cached, thought = whole(run, "cached_tokens"), whole(run, "reasoning_tokens")
    tokens = f"{thousands(whole(run, 'input_tokens'))} in, {thousands(whole(run, 'output_tokens'))} out"
    rows = [
        figure("Cost", dollars(number(run, "cost_usd"))),
        figure("Tokens", tokens, f"{cached:,} from the cache, {thought:,} of reasoning"),
        figure("Steps", thousands(whole(run, "steps"))),
        figure("Took" if ended else "So far", took(started, ended)),
        figure("Started", when(started)),
        figure("Ended", when(ended)) if ended else None,
        figure("Asked people", whole(run, "questions")) if whole(run, "questions") else None,
        figure("Succeeded", "yes" if run["succeeded"] is True else "no")
        if isinstance(run.get("succeeded"), bool)
        else None,
        figure("Plan", text(run, "plan")) if text(run, "plan") else None,
    ]
    return h("dl", rows, class_="figures")


def _pictures(reader: Reader, root: str, row: ViewRow) -> Html | None:
    entries, total = of_kinds(reader, f"run/{row.key}", _TIMED, BARS)
    end = number(row.data, "ended") or time.time()
    bars = sorted(_bars(root, row.key, entries, end), key=lambda one: (_LANES.index(one.lane), one.begin))
    drawn = timeline(bars, f"When what took how long in run {row.key}")
    if drawn is None:
        return None
    sums = {lane: sum(one.end - one.begin for one in bars if one.lane == lane) for lane in _LANES}
    share = shares([(lane, sums[lane], _TONES[lane]) for lane in _LANES], "Time by who took it")
    told = ", ".join(f"{lane} {took(1, 1 + sums[lane])}" for lane in _LANES if sums[lane])
    more = f"; the last {BARS} of {total:,} entries" if total > BARS else ""
    return live("timeline", h("h2", "Timeline"), drawn, share, h("p", told + more, class_="nothing"))


_TONES = {"models": "model", "tools": "call", "people": "person"}
_LANES = tuple(_TONES)


def _bars(root: str, run: str, entries: Sequence[EntryRow], end: float) -> Iterator[Bar]:
    asked: dict[str, tuple[EntryRow, Fields]] = {}
    for one in entries:
        data = fields_of(one)
        to = link(root, run, f"?all=1&after={max(0, one.position - 1)}#e{one.position}")
        begin, over = number(data, "started"), number(data, "ended")
        if one.kind == "approval.requested":
            asked[text(data, "call")] = (one, data)
        elif one.kind == "approval.decided":
            request, about = asked.pop(text(data, "call"), (one, data))
            word = "approved" if data.get("approved") else "denied"
            yield _bar("people", request.at, one.at, f"{text(about, 'tool')}: {word} by {text(data, 'by')}", to)
        elif begin and over and (one.kind != "call.finished" or data.get("ran")):
            is_call = one.kind == "call.finished"
            name = text(data, "tool") if is_call else f"step {text(data, 'step')}: {text(data, 'model')}"
            is_bad = bool(data.get("is_error")) or one.kind == "model.failed"
            cost = dollars(number(data, "cost_usd")) if not is_call else ""
            yield _bar("tools" if is_call else "models", begin, over, f"{name} {cost}", to, is_bad)
    for one, data in asked.values():
        to = link(root, run, f"?all=1&after={one.position - 1}#e{one.position}")
        yield _bar("people", one.at, max(end, one.at), f"{text(data, 'tool')}: not decided", to)


def _bar(lane: str, begin: float, end: float, title: str, to: str, is_bad: bool = False) -> Bar:
    told = f"{title} · {took(begin, max(end, begin)) if begin else ''}"
    return Bar(lane=lane, begin=begin, end=max(begin, end), title=told, to=to, tone="bad" if is_bad else _TONES[lane])
