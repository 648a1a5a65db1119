"""A text in pieces is redacted as the whole text is."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from choragus.agents.policy.redacted import redact
from choragus.agents.policy.stream import MOST, RedactionStream

from .secret_shapes import HIDDEN, SHAPES

ITEMS = [
    *SHAPES.values(),
    *(around.format(secret) for around, secret in HIDDEN.values()),
    "4111 1111 1111 1111",
    "GB82 WEST 1234 5698 7654 32",
    "ada@example.org",
    "+49 30 901820",
    "1 85 05 78 006 084 91",
    "12 apples",
    "THE END IS",
    "password",
    "bearer",
    "=",
    ":",
    "-----BEGIN",
    "PRIVATE KEY-----",
    "-----END X-----",
    "plain words, and more of them",
    "\n\n",
    " ",
    "\\n",
]


def streamed(pieces: list[str]) -> str:
    """What a stream shows in the end."""
    stream = RedactionStream()
    return "".join(map(stream.feed, pieces)) + stream.close()


@pytest.mark.parametrize("shape", SHAPES)
def test_s42_a_secret_split_over_two_pieces_is_redacted_wherever_it_is_split(shape: str) -> None:
    text = f"so {SHAPES[shape]} it is"

    shown = {streamed([text[:at], text[at:]]) for at in range(len(text))}

    assert shown == {redact(text).text}


@pytest.mark.parametrize("shape", [*SHAPES, *HIDDEN])
def test_s42_a_secret_in_single_characters_is_redacted(shape: str) -> None:
    text = SHAPES[shape] if shape in SHAPES else HIDDEN[shape][0].format(HIDDEN[shape][1])

    assert streamed(list(text)) == redact(text).text


TEXTS = (st.lists(st.sampled_from(ITEMS), max_size=8), st.sampled_from(["", " ", "\n", "  "]), st.randoms())


@settings(max_examples=80, deadline=None)
@given(*TEXTS)
def test_any_pieces_give_what_the_whole_gives(items: list[str], glue: str, chance: random.Random) -> None:
    check_pieces(items, glue, chance)


@pytest.mark.slow
@pytest.mark.timeout(600)
@settings(max_examples=8_000, deadline=None)
@given(*TEXTS)
def test_ever_so_many_pieces_give_what_the_whole_gives(items: list[str], glue: str, chance: random.Random) -> None:
    check_pieces(items, glue, chance)


def check_pieces(items: list[str], glue: str, chance: random.Random) -> None:
    """Cut the text at random, and compare with the whole."""
    text = glue.join(items)
    pieces, at = [], 0
    while at < len(text):
        size = chance.choice([1, 2, 5, 20, 100])
        pieces.append(text[at : at + size])
        at += size

    whole = redact(text)

    assert streamed(pieces) == whole.text
    assert redact(whole.text).text == whole.text


def test_words_are_shown_as_soon_as_the_next_begins() -> None:
    stream = RedactionStream()

    assert [stream.feed(one) for one in ("Hel", "lo ", "there", ", ", "you")] == ["", "Hello ", "", "there, ", ""]


def test_what_is_held_back_is_bounded() -> None:
    stream, shown, fed, most = RedactionStream(), 0, 0, 0

    for piece in ["x" * 200] * 200:
        fed += len(piece)
        shown += len(stream.feed(piece))
        most = max(most, fed - shown)

    assert most <= MOST + 200


@pytest.mark.parametrize("shape", ["jwt", "openai", "env"])
def test_a_secret_longer_than_what_is_held_back_is_redacted_to_its_end(shape: str) -> None:
    text = SHAPES[shape] if shape in SHAPES else HIDDEN[shape][0].format(HIDDEN[shape][1])
    text += "abcdefghij" * 5_000

    assert streamed([text[at : at + 31] for at in range(0, len(text), 31)] + [" end"]) == redact(f"{text} end").text


def test_what_is_glued_to_a_secret_is_found_where_the_text_had_to_be_cut() -> None:
    text = "x," * 1_500 + "sk-" + "aB3d" * 2_500 + "+4930901820" + ",x" * 3_000

    assert streamed([text[at : at + 64] for at in range(0, len(text), 64)]) == redact(text).text
    assert "[redacted:api-key][redacted:phone]," in redact(text).text


def test_a_private_key_without_an_end_is_redacted() -> None:
    text = "-----BEGIN " + "PRIVATE KEY-----\n" + "\n".join(["A1b2" * 16] * 400)

    assert "A1b2" not in streamed([text[at : at + 50] for at in range(0, len(text), 50)])


@pytest.mark.parametrize("nasty", ["x", "password ", "4 ", "-", "-----BEGIN PRIVATE KEY-----\n a- ", "eyJ-", "A1 "])
def test_small_pieces_of_a_nasty_text_take_time_in_proportion(nasty: str) -> None:
    text = nasty * (3_000 // len(nasty))
    begin = time.process_time()

    streamed(list(text))

    assert time.process_time() - begin < 4  # by the square it would be minutes
