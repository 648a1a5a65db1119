"""What was said in a run, and the plan it follows: as the model has it."""

from __future__ import annotations

from choragus.agents.plan.book import Book, StepStatus
from choragus.agents.plan.reading import book_of
from choragus.mailbox.reader import EntryRow, Reader

from .entries import fields_of
from .fields import Fields, each, text
from .html import Html, cut, h, spelled
from .layout import live
from .listing import link, pager
from .wording import counted, status

PAGE = 40
"""Lines of a conversation on a page."""

LONG = 1_200
"""Characters of a line that is not folded away."""

WHOLE = 20_000


def conversation(reader: Reader, root: str, run: str, after: int | None) -> Html | None:
    """The part of a run's page with what was said; None where nothing was."""
    stream = f"conversation/{run}"
    last = reader.last(stream)
    if not last:
        return None
    begin = max(0, last - PAGE) if after is None else min(after, last)
    lines = list(reader.read(stream, begin, PAGE))
    end = lines[-1].position if lines else begin
    turn = None
    if begin or end < last:
        before = max(0, begin - PAGE) if begin else None
        turn = pager(
            link(root, run),
            {},
            ("said", before, "Earlier"),
            ("said", end if end < last else None, "Later"),
            f"lines {begin + 1} to {end} of {last}",
        )
    shown = h("ol", [_line(one) for one in lines], class_="said")
    folded = h(
        "details", h("summary", h("h2", "Conversation"), counted(last, "line")), turn, shown, id="said", open=last <= 12
    )
    return live("conversation", folded)


def _line(one: EntryRow) -> Html:
    data = fields_of(one)
    role = text(data, "role")
    who = f"{role} {text(data, 'name')}".strip()
    words = text(data, "text")
    asked = [_asked(call) for call in each(data, "calls")]
    pictures = data.get("images")
    count = len(pictures) if isinstance(pictures, list) else 0
    return h(
        "li",
        h("span", who, class_=f"who w-{role if role in ('user', 'assistant', 'tool') else 'other'}"),
        h("div", _words(words), asked, h("p", counted(count, "picture"), class_="nothing") if count else None),
        class_="bad" if data.get("is_error") else None,
    )


def _words(words: str) -> Html | None:
    if not words:
        return None
    told = cut(words, WHOLE)
    if len(told) <= LONG:
        return h("p", told, class_="words")
    folded = h("details", h("summary", f"all {len(words):,} characters"), h("p", told, class_="words"))
    return h("div", h("p", cut(told, LONG), class_="words"), folded)


def _asked(call: Fields) -> Html:
    return h("pre", f"{text(call, 'name')} {spelled(call.get('arguments'), indent=None)}", class_="asked", tabindex="0")


def plan(reader: Reader, run: str) -> Html | None:
    """The part of a run's page with its plan; None where it follows none, or that cannot be read."""
    try:
        book = book_of([(one.kind, fields_of(one)) for one in reader.read(f"plan/{run}")])
    except (KeyError, TypeError, ValueError) as error:
        return live("plan", h("h2", "Plan"), h("p", f"it cannot be read: {error!r}", class_="fault"))
    if not book.read:
        return None
    return live(
        "plan", h("h2", "Plan"), h("p", _revised(book), class_="nothing"), h("ol", map(_step, book.steps.values()))
    )


def _revised(book: Book) -> str:
    changed = [f"{one.reason or 'no reason'} ({one.by})" for one in book.revisions[1:]]
    told = f"{book.over} of {len(book.steps)} steps are over"
    return f"{told}; revised: {'; '.join(changed)}" if changed else told


def _step(one: StepStatus) -> Html:
    state = one.state.value
    after = f"after {', '.join(one.step.after)}" if one.step.after else ""
    notes = [f"{one.attempts} attempts" if one.attempts > 1 else "", f"by {one.by}" if one.by else "", after]
    return h(
        "li",
        status(state),
        h("span", f"{one.step.id}: {one.step.goal}", class_="goal"),
        h("span", " · ".join(filter(None, notes)), class_="notes"),
        h("p", one.why, class_="why") if one.why else None,
        h("p", cut(one.outcome, 400), class_="outcome") if one.outcome else None,
        class_=f"step is-{state}",
    )
