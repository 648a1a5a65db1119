"""What holds for every conversation and every way of making it smaller, without anything that runs."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from choragus.agents.context.assembly import assemble
from choragus.agents.context.deciding import decide
from choragus.agents.context.decision import Note, Summarised
from choragus.agents.context.framing import frame
from choragus.agents.context.option import SECTIONS, Context
from choragus.agents.context.strategy import DropResults, MessageRule, Strategy, Summarise, Window
from choragus.agents.context.working import Working, ranges_of, shortened, stub
from choragus.agents.model import ChatMessage, ModelRequest, ToolCall, tokens
from choragus.agents.prompt import Prompt

from .context_play import pairs_are_whole

STRATEGIES = st.one_of(
    st.builds(DropResults, older_than=st.integers(1, 4), keep=st.sampled_from([(), ("look",)])),
    st.builds(Window, messages=st.integers(1, 12)),
    st.builds(Window, tokens=st.integers(1, 800)),
    st.builds(Summarise, keep_tokens=st.integers(1, 400)),
    st.builds(
        MessageRule,
        then=st.sampled_from(["drop", "shorten", "pin"]),
        role=st.sampled_from([None, "user", "assistant", "tool"]),
        contains=st.sampled_from([None, "1", "7"]),
        to=st.integers(1, 300),
    ),
)


@st.composite
def steps(draw: st.DrawFn) -> list[list[ChatMessage]]:
    """A conversation, step by step: what is added each time."""
    said: list[list[ChatMessage]] = [[ChatMessage("user", draw(st.text("ab17", max_size=40)))]]
    for number in range(draw(st.integers(0, 12))):
        size = draw(st.sampled_from([0, 30, 900]))
        count = draw(st.integers(0, 3))
        calls = tuple(ToolCall(f"{number}.{n}", "look", {"n": n}) for n in range(count))
        added = [ChatMessage("assistant", f"step {number}", calls)]
        added += [ChatMessage("tool", f"{number} " + "x" * size, call_id=call.id, name="look") for call in calls]
        if not calls:
            added.append(ChatMessage("user", f"go on {number}", labels=draw(st.sampled_from([(), ("runtime",)]))))
        said.append(added)
    return said


def played(context: Context, said: list[list[ChatMessage]]) -> tuple[Working, list[list[ChatMessage]], list[str]]:
    """The run of these lines: what is shown in the end, what was shown each time, and why it did not fit each time."""
    working = Working().decided(frame(context, Prompt("Go on."), ()))
    sent, excess = [], []
    for step, added in enumerate(said, 1):
        working, first = working.hear(added), 0
        while True:
            outcome = decide(context, working, step=step, first=first)
            working = outcome.working
            if outcome.summary is None:
                break
            number = 1 if working.summary is None else working.summary.number + 1
            working = working.decided(
                Summarised(
                    step=step,
                    upto=working.upto,
                    number=number,
                    ranges=outcome.summary.ranges,
                    text=f"summary {number}",
                    labels=("user",),
                    model="m",
                    by="s",
                )
            )
            first = outcome.summary.strategy + 1
        sent.append(list(assemble(working).messages))
        excess.append(outcome.excess)
    return working, sent, excess


CONTEXTS = st.builds(
    Context,
    budget_tokens=st.integers(60, 900),
    order=st.permutations(SECTIONS[1:]).map(lambda rest: (SECTIONS[0], *rest)),
    compaction=st.lists(STRATEGIES, max_size=4),
)


@settings(max_examples=40, deadline=None)
@given(CONTEXTS, steps())
def test_calls_keep_their_results_and_what_is_pinned_is_never_lost(
    context: Context, said: list[list[ChatMessage]]
) -> None:
    _, sent, _ = played(context, said)

    heard: list[ChatMessage] = []
    for added, messages in zip(said, sent, strict=True):
        heard += added
        assert pairs_are_whole(messages)
        users = [line.text for line in heard if line.role == "user" and not line.labels]
        texts = [line.text for line in messages]
        assert users[0] in texts
        assert users[-1] in texts
        for rule in context.pins:
            assert {line.text for line in heard if rule.matches(line)} <= set(texts)
        newest = added[0].calls
        assert newest == () or newest in [line.calls for line in messages]


@settings(max_examples=40, deadline=None)
@given(CONTEXTS, steps())
def test_what_is_sent_fits_or_it_is_said_that_it_does_not(context: Context, said: list[list[ChatMessage]]) -> None:
    _, sent, excess = played(context, said)

    for messages, why in zip(sent, excess, strict=True):
        size = tokens(ModelRequest("m", "Go on.", tuple(messages), ()))
        assert (size > context.budget_tokens) == bool(why)
        assert not why or f"context is limited to {context.budget_tokens} tokens, and {size:,} are left" in why


@settings(max_examples=20, deadline=None)
@given(CONTEXTS, steps())
def test_the_same_decisions_come_of_the_same_lines_and_survive_their_writing(
    context: Context, said: list[list[ChatMessage]]
) -> None:
    once, sent, _ = played(context, said)
    again, _, _ = played(context, said)

    assert once == again
    assert sent[0] == said[0]
    assert once.frame is not None
    assert Note.of(once.frame).read() == once.frame


@settings(max_examples=20, deadline=None)
@given(CONTEXTS, steps())
def test_the_sections_stand_in_their_order(context: Context, said: list[list[ChatMessage]]) -> None:
    working, _, _ = played(context, said)

    names = [piece.section for piece in assemble(working).pieces]
    assert names == sorted(names, key=context.order.index)


@given(st.sets(st.integers(1, 60)))
def test_ranges_hold_what_was_given(positions: set[int]) -> None:
    ranges = ranges_of(sorted(positions))

    assert {one for first, last in ranges for one in range(first, last + 1)} == positions
    assert all(later[0] - earlier[1] > 1 for earlier, later in pairwise(ranges))


def test_what_is_made_smaller_says_so_and_how_large_it_was() -> None:
    line = ChatMessage("tool", "x" * 1_200, call_id="c", name="look", is_error=True, labels=("untrusted look",))

    left, cut = stub(line), shortened(line, 10)

    assert left.text == "[result of look left out to save room: 1,200 characters]"
    assert cut.text == "xxxxxxxxxx\n[shortened to save room: 10 of 1,200 characters]"
    assert all((one.call_id, one.is_error, one.labels) == ("c", True, ("untrusted look",)) for one in (left, cut))


def test_what_a_provider_wants_back_goes_with_its_line() -> None:
    kept: tuple[dict[str, object], ...] = ({"provider": "p", "signature": "s" * 400},)
    call = ToolCall("1", "look", {})
    lines = [
        ChatMessage("user", "go"),
        ChatMessage("assistant", "y" * 900, (call,), kept=kept),
        ChatMessage("tool", "x" * 900, call_id="1", name="look"),
        ChatMessage("assistant", "last"),
    ]
    strategies: list[Strategy] = [MessageRule(then="shorten", to=10), DropResults(older_than=1)]
    context = Context(budget_tokens=300, compaction=strategies)

    outcome = decide(context, Working().decided(frame(context, Prompt(""), ())).hear(lines), step=1)

    shown = outcome.assembled.messages
    assert shown[1] == lines[1]
    assert shown[2].text.startswith("xxxxxxxxxx\n[shortened")


@pytest.mark.parametrize("ratio", [1.0, 1.7])
def test_a_model_that_counts_more_tokens_has_less_room(ratio: float) -> None:
    lines = [ChatMessage("user", "go"), *(ChatMessage("assistant", "x" * 400) for _ in range(20))]
    context = Context(budget_tokens=1_000, compaction=[Window(tokens=int(900 / ratio))])

    outcome = decide(context, Working().decided(frame(context, Prompt(""), ())).hear(lines), step=1, ratio=ratio)

    assert outcome.excess == ""
    assert math.ceil(outcome.assembled.tokens * ratio) == outcome.tokens <= 1_000
