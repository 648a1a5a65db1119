"""What stands upon what."""

from __future__ import annotations

import attrs
import pytest

from choragus.actors.item import Cursor, Held, Item, Joint, Line, Mark, Plain, fallen, together
from choragus.mailbox.address import ActorId
from choragus.mailbox.codec import Record
from choragus.mailbox.turn import Attempt, Closure, EffectState, Envelope, Parking, Step, Turn

A, B, C = ActorId("test.item/a"), ActorId("test.item/b"), ActorId("test.item/c")
SENT = Envelope(id="a#1", receiver=B, sender=A, record=Record("json", 1, b"1"))
LOST = Turn(id="a1", actor=A, fence=1, revision=0, sends=(SENT,))
PLAIN = Turn(id="b1", actor=B, fence=1, revision=0)


def kept(*turns: Turn) -> list[str]:
    lines = [Line(turn, lambda _: None, 0) for turn in (LOST, *turns)]
    return [line.item.id for line in fallen(lines, lambda line: line.item is LOST)[1] if isinstance(line.item, Turn)]


@pytest.mark.parametrize(
    "turn",
    [
        attrs.evolve(PLAIN, consumed=("a#1",)),
        attrs.evolve(PLAIN, stashed=("a#1",)),
        attrs.evolve(PLAIN, unstashed=("a#1",)),
        attrs.evolve(PLAIN, attempts=(Attempt(message="a#1", attempts=1, error="no", not_before=0.0),)),
        attrs.evolve(PLAIN, parked=(Parking(message="a#1", reason="no"),)),
        attrs.evolve(PLAIN, actor=A),
    ],
    ids=["consumed", "stashed", "unstashed", "tried", "parked", "of the same actor"],
)
def test_what_names_a_message_of_a_lost_turn_or_follows_it_is_lost(turn: Turn) -> None:
    assert kept(turn) == []


@pytest.mark.parametrize(
    "joint",
    [
        Joint((attrs.evolve(PLAIN, id="c1", actor=C), attrs.evolve(PLAIN, actor=A))),
        Joint((attrs.evolve(PLAIN, consumed=("a#1",)), attrs.evolve(PLAIN, id="c1", actor=C))),
    ],
    ids=["the second", "the first"],
)
def test_a_joint_turn_is_lost_with_any_of_its_parts_and_so_is_what_stands_upon_it(joint: Joint) -> None:
    after = attrs.evolve(PLAIN, id="c2", actor=C)
    lines = [Line(item, lambda _: None, 0) for item in (LOST, joint, after)]

    assert fallen(lines, lambda line: line.item is LOST)[1] == []


def test_what_stands_upon_something_else_is_kept() -> None:
    assert kept(attrs.evolve(PLAIN, consumed=("a#2",)), attrs.evolve(PLAIN, id="c1", actor=C, consumed=("a#1",))) == [
        "b1",
        "c1",
    ]


DONE = Closure(effect="a!1.1", state=EffectState.DONE, envelope=attrs.evolve(SENT, receiver=A))
CANCELS = attrs.evolve(PLAIN, effects_settled=(("a!1.1", EffectState.CANCELLED),))


@pytest.mark.parametrize(
    ("items", "number"),
    [
        ([PLAIN, CANCELS, PLAIN, DONE, PLAIN], 3),
        ([DONE, CANCELS, PLAIN], 3),
        ([CANCELS, attrs.evolve(DONE, effect="a!1.2")], 2),
        ([DONE, PLAIN], 2),
        ([Joint((PLAIN, CANCELS)), DONE], 1),
    ],
    ids=["after", "before", "of another", "no word", "after a joint turn"],
)
def test_a_result_behind_the_word_on_its_effect_is_not_written_together_with_it(items: list[Item], number: int) -> None:
    assert together([Line(item, lambda _: None, 0) for item in items]) == number


def test_only_turns_are_lost_even_what_goes_to_the_actor_of_a_lost_one_is_kept() -> None:
    """So nobody but the cells need hear that something was refused: hosts, effects and steps always end up on disk."""
    step = Step(actor=A, message="m", name="pay", number=1)
    plain: list[Plain] = [attrs.evolve(SENT, receiver=A), DONE, step, Held("a!1.1"), Cursor("r", 1), Mark()]
    lines = [Line(item, lambda _: None, 0) for item in (LOST, *plain)]

    lost, rest = fallen(lines, lambda line: line.item is LOST)

    assert [line.item for line in lost] == [LOST]
    assert [line.item for line in rest] == plain
