"""What waits for a person, as cards with a form each: exactly what is decided on, and no click that decides two things.

Arguments are fields. A text that is plainly seen is edited as it is; any other value, and a text with anything hidden
in it, is edited as JSON, so that what is shown is what there is.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from typing import TypeVar

import attrs
import msgspec

from choragus.agents.answers import CEILING
from choragus.agents.approval import Approval
from choragus.agents.cli.text import duration
from choragus.agents.inspection import Unknown
from choragus.mailbox.reader import Reader, ViewRow

from .fields import text
from .html import Child, Html, h, seen, spelled
from .layout import live, nothing
from .left import left_for, refusal
from .listing import link
from .visitor import Form, Visitor
from .wording import FINAL, dollars, when

T = TypeVar("T")

ARGUMENT = "argument."
"""How the name of an argument's field begins."""

OUTCOMES = (
    ("happened", "It happened: it is not run again, and the model is given the result"),
    ("not", "It did not happen: it is run now"),
    ("give_up", "It cannot be found out: the run ends as failed"),
)

_HEADS = {
    "call": "May it run?",
    "escalation": "May it run? It was escalated",
    "checkpoint": "May it go on? It is a checkpoint",
    "question": "The model asks",
    "ceiling": "The run is at a ceiling. May it have more?",
}


@attrs.frozen(kw_only=True)
class Typed:
    """What somebody sent that could not be taken: shown again, beside the reason."""

    subject: str
    fault: str
    form: Form


@attrs.frozen(kw_only=True)
class Cards:
    """Draws what waits. `back` is the page to return to."""

    root: str
    visitor: Visitor
    back: str
    typed: Typed | None = None

    def everything(self, reader: Reader) -> Html:
        """All that waits, in any run."""
        cards = [*self._approvals(reader, None), *self._unknowns(reader, None)]
        if lost := unreadable(reader):
            told = f"{', '.join(lost)} cannot be read here: look with `choragus approvals`"
            cards.insert(0, h("p", told, class_="fault"))
        return live("waiting", *cards or [nothing("Nothing waits for a person.")])

    def of_run(self, reader: Reader, run: str) -> Html | None:
        """What waits in one run."""
        cards = [*self._approvals(reader, run), *self._unknowns(reader, run)]
        return live("waiting", h("h2", "Waiting for a person"), *cards) if cards else live("waiting")

    def _approvals(self, reader: Reader, run: str | None) -> list[Html]:
        return [self.approval(one, *_known(reader, one)) for one in approvals(reader, run)]

    def _unknowns(self, reader: Reader, run: str | None) -> list[Html]:
        return [self.unknown(one, *_known(reader, one)) for one in unknowns(reader, run)]

    def approval(self, one: Approval, goal: str, left: Sequence[str] = (), held: str = "") -> Html:
        """One approval; `left` are decisions that nobody has taken up yet, `held` is why its run is refused."""
        typed = self.typed if self.typed is not None and self.typed.subject == one.id else None
        title = f"{one.tool or one.kind}: {_HEADS.get(one.kind, one.kind)}"
        fields = [self._hidden(hash=one.hash), _shown(one), self._answers(one, typed)]
        return h(
            "article",
            h("h3", title, h("code", one.id), id=f"title-{one.id}"),
            self._about(one.run, one.agent, goal, one.step),
            _facts(one),
            _left(left),
            _held(held),
            h("p", typed.fault, role="alert", class_="fault") if typed is not None else None,
            h("form", fields, method="post", action=f"{self.root}/waiting/{one.id}", id=f"form-{one.id}"),
            id=f"card-{one.id}",
            class_="card",
            data_typed=typed is not None,
            aria_labelledby=f"title-{one.id}",
        )

    def unknown(self, one: Unknown, goal: str, left: Sequence[str] = (), held: str = "") -> Html:
        """One call of unknown outcome."""
        subject = f"{one.run}-{one.call}"
        typed = self.typed if self.typed is not None and self.typed.subject == subject else None
        ways = [h("label", _radio("outcome", value, typed), told) for value, told in OUTCOMES]
        decide = [
            h("fieldset", h("legend", "What became of it?"), ways, class_="options"),
            _area(
                f"result-{subject}", "result", "Its result, as JSON or text, when it happened", _again(typed, "result")
            ),
            self._person(subject, typed),
            h("p", h("button", "Settle", class_="yes"), class_="buttons"),
        ]
        hidden = self._hidden(run=one.run, call=one.call, attempt=one.attempt)
        found = [("because", one.reason), ("how to check", one.check), ("the check has found", one.found)]
        found += [("idempotency key", one.idempotency_key)]
        return h(
            "article",
            h("h3", f"{one.tool}: did it happen?", h("code", one.call), id=f"title-{subject}"),
            self._about(one.run, "", goal, 0),
            h("ul", [_fact(name, value) for name, value in found if value], class_="facts"),
            h("pre", spelled(one.arguments), tabindex="0"),
            _left(left),
            _held(held),
            h("p", typed.fault, role="alert", class_="fault") if typed is not None else None,
            h("form", hidden, self._may(decide), method="post", action=f"{self.root}/unknown", id=f"form-{subject}"),
            id=f"card-{subject}",
            class_="card",
            data_typed=typed is not None,
            aria_labelledby=f"title-{subject}",
        )

    def _about(self, run: str, agent: str, goal: str, step: int) -> Html:
        where = f", step {step}" if step else ""
        return h(
            "p", f"{agent} " if agent else "", h("a", goal or run, href=link(self.root, run)), where, class_="about-run"
        )

    def _hidden(self, **fields: str) -> list[Html]:
        told = {**fields, "csrf": self.visitor.csrf, "back": self.back}
        # A form whose first button is disabled is not sent by Enter in a field: nobody approves by accident.
        stop = h("button", type="submit", disabled=True, hidden=True, aria_hidden="true")
        return [stop, *(h("input", type="hidden", name=name, value=value) for name, value in told.items())]

    def _answers(self, one: Approval, typed: Typed | None) -> Html | list[Html]:
        answers = one.answers()
        if one.kind == "question":
            yes, parts = "answer", [_question(one, typed)]
        else:
            yes, parts = "approve", _arguments(one, typed)
        buttons = [
            h("button", yes.capitalize(), name="decision", value=yes, class_="yes", title=answers[yes]),
            h("button", "Deny", name="decision", value="deny", class_="no", formnovalidate=True, title=answers["deny"]),
        ]
        told = [h("li", h("b", f"{name.capitalize()}: "), then) for name, then in answers.items()]
        reason = h(
            "div",
            h("label", "Reason, for the logbook and the model", for_=f"reason-{one.id}"),
            h("input", id=f"reason-{one.id}", name="reason", value=_again(typed, "reason"), autocomplete="off"),
        )
        decide = [*parts, h("div", self._person(one.id, typed), reason, class_="pair")]
        decide += [h("ul", told, class_="then"), h("p", buttons, class_="buttons")]
        return self._may(decide, shown=parts)

    def _may(self, decide: list[Html], shown: list[Html] | None = None) -> Html | list[Html]:
        """The fields, or in a page that only shows what they hold."""
        if self.visitor.csrf:
            return decide
        return h("fieldset", shown or [], h("p", "This page only shows.", class_="nothing"), disabled=True)

    def _person(self, subject: str, typed: Typed | None) -> Html:
        if self.visitor.by:
            return h("p", f"Deciding as {self.visitor.by}", class_="as")
        field = h(
            "input",
            id=f"by-{subject}",
            name="by",
            value=_again(typed, "by"),
            required=True,
            maxlength=200,
            autocomplete="name",
            class_="by",
        )
        return h("div", h("label", "Who decides", for_=f"by-{subject}"), field)


def approvals(reader: Reader, run: str | None = None) -> list[Approval]:
    """What waits for a person's decision, the oldest first; nothing of runs that have ended."""
    found = [one for row in reader.views("approval", run) if (one := _as(Approval, row)) is not None]
    ended = {one for one in {each.run for each in found} if _status(reader, one) in FINAL}
    return [one for one in found if one.run not in ended]


def unknowns(reader: Reader, run: str | None = None) -> list[Unknown]:
    """The calls of unknown outcome, the oldest first."""
    return [one for row in reader.views("attention", run) if (one := _as(Unknown, row)) is not None]


def unreadable(reader: Reader) -> list[str]:
    """The keys of what waits and is of another form than is known here."""
    kinds: tuple[tuple[str, type[object]], ...] = (("approval", Approval), ("attention", Unknown))
    return [row.key for kind, cls in kinds for row in reader.views(kind) if _as(cls, row) is None]


def is_plain(value: object) -> bool:
    """Whether an argument is edited as the text that it is."""
    return isinstance(value, str) and seen(value) == value


def rendered(value: object) -> str:
    """An argument as it stands in its field."""
    return str(value) if is_plain(value) else spelled(value, indent=None)


def edits(one: Approval, form: Mapping[str, str]) -> dict[str, object] | None:
    """The arguments that were changed: text where plain text was, else JSON. None when none was.

    Raises:
        ValueError: when what was typed is no JSON where that is needed.
    """
    changed: dict[str, object] = {}
    for name, value in one.arguments.items():
        typed = form.get(ARGUMENT + name)
        if typed is None or typed == rendered(value):
            continue
        if is_plain(value):
            changed[name] = typed
            continue
        try:
            changed[name] = json.loads(typed)
        except (json.JSONDecodeError, RecursionError):
            raise ValueError(f'argument {name!r} is no JSON: text wants quotes, as in "text"') from None
    return changed or None


def _arguments(one: Approval, typed: Typed | None) -> list[Html]:
    if not one.tool and not one.arguments:
        return []
    fields = []
    for number, (name, value) in enumerate(one.arguments.items()):
        again = typed.form.get(ARGUMENT + name) if typed is not None else None
        kind = "text" if is_plain(value) else "JSON"
        origin = [f"{path} from {told}" for path, told in one.origins.items() if path.lstrip("$.").startswith(name)]
        label = [name, " ", h("small", kind, *(f", {each}" for each in origin))]
        fields.append(
            _area(f"argument-{one.id}-{number}", ARGUMENT + name, label, rendered(value) if again is None else again)
        )
    legend = "What it may have" if one.call.startswith(CEILING) else "Arguments: it runs with exactly these"
    return [h("fieldset", h("legend", legend), fields or nothing("none"), class_="arguments")]


def _area(id: str, name: str, label: Child, value: str) -> Html:
    rows = min(12, max(1, value.count("\n") + 1 + len(value) // 90))
    # A line break right behind the tag is not part of the text.
    inner = h("textarea", f"\n{value}", id=id, name=name, rows=rows, spellcheck="false", autocomplete="off")
    return h("div", h("label", label, for_=id), inner)


def _question(one: Approval, typed: Typed | None) -> Html:
    if not one.options:
        return _area(f"answer-{one.id}", "answer", "Answer", _again(typed, "answer"))
    ways = [h("label", _radio("answer", option, typed), option) for option in one.options]
    return h("fieldset", h("legend", "Answer"), ways, class_="options")


def _radio(name: str, value: str, typed: Typed | None) -> Html:
    again = _again(typed, name) == value
    return h("input", type="radio", name=name, value=value, required=True, checked=again)


def _shown(one: Approval) -> list[Html]:
    """What the model wrote: foreign text, in a frame of its own."""
    parts = [("The model said beside it", one.said), ("It asks" if one.kind == "question" else "The text", one.text)]
    return [
        h("figure", h("figcaption", label), h("blockquote", words, class_="words"), class_="foreign")
        for label, words in parts
        if words
    ]


def _facts(one: Approval) -> Html:
    now = time.time()
    facts = [_fact("because", one.why)] if one.why else []
    facts += [_fact("risk", h("b", one.risk, class_=f"risk-{one.risk}"))] if one.risk else []
    facts.append(_fact("asked", h("span", when(one.asked), f", {duration(now - one.asked)} ago")))
    facts.append(_fact("spent so far", dollars(one.cost_usd)))
    if one.due:
        left = f"in {duration(one.due - now)}" if one.due > now else f"{duration(now - one.due)} ago"
        facts.append(_fact("until", h("span", when(one.due), f", {left}; then {one.answers()['nothing']}")))
    if one.approvers or one.quorum > 1:
        given = f"; {one.quorum} have to approve; so far {', '.join(one.given) or 'nobody'}" if one.quorum > 1 else ""
        facts.append(_fact("put to", f"{', '.join(one.approvers) or 'anybody'}{given}"))
    if one.idempotency_key:
        facts.append(_fact("idempotency key", h("code", one.idempotency_key)))
    facts.append(_fact("bound to", h("code", one.hash[:16], title=one.hash)))
    return h("ul", facts, class_="facts")


def _left(left: Sequence[str]) -> Html | None:
    told = "; ".join(left)
    return h("p", f"{told}: that takes effect when the runtime takes it up", class_="told") if left else None


def _held(why: str) -> Html | None:
    return h("p", f"The run is refused: {why}", class_="fault") if why else None


def _fact(name: str, value: Child) -> Html:
    return h("li", h("span", f"{name} ", class_="label"), value)


def _again(typed: Typed | None, name: str) -> str:
    return "" if typed is None else typed.form.get(name, "")


def _as(cls: type[T], row: ViewRow) -> T | None:
    try:
        return msgspec.convert(row.data, cls)
    except ValueError:
        return None


def _known(reader: Reader, one: Approval | Unknown) -> tuple[str, list[str], str]:
    """What a card tells beside what waits: the goal, decisions that are left, and why the run is refused."""
    return _goal(reader, one.run), left_for(reader, one), refusal(reader, one.run)


def _goal(reader: Reader, run: str) -> str:
    row = reader.view("run", run)
    return "" if row is None else " ".join(text(row.data, "goal").split())[:200]


def _status(reader: Reader, run: str) -> str:
    row = reader.view("run", run)
    return "" if row is None else text(row.data, "status")
