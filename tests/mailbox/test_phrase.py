"""Short forms of bodies: every body comes back as it was, and those of runs take a third of the room."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from choragus.mailbox.phrase import _PHRASES, shortened, spelled_out
from choragus.mailbox.spelling import Speller

STREAM = "run/2e294759edff"
RESERVED = (
    b'{"actor":"choragus.guardrail/2e294759edff","token":"step-198.1","steps":1,"input_tokens":13476,'
    b'"output_tokens":29,"cost_usd":0.0,"tool_calls":0,"active_seconds":0.0}'
)

streams = st.sampled_from([STREAM, "system", "", "/", "a/", "a/b", "run/{", 'run/"', "läufe/ü", "run/step", "run/\x01"])
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["step", "actor", "x", "ü"]), inner),
    max_leaves=6,
)


@given(streams, values)
def test_json_comes_back_as_it_was(stream: str, value: object) -> None:
    body = msgspec.json.encode(value)

    assert spelled_out(stream, shortened(stream, body)) == body


@given(streams, st.binary(max_size=60) | st.lists(st.sampled_from([p.encode() for p in _PHRASES])).map(b"".join))
def test_any_bytes_come_back_as_they_were(stream: str, body: bytes) -> None:
    assert spelled_out(stream, shortened(stream, body)) == body


@pytest.mark.parametrize("phrase", _PHRASES)
def test_every_phrase_has_a_form_of_its_own(phrase: str) -> None:
    assert len(shortened(STREAM, f"{phrase},".encode())) <= 4
    assert spelled_out(STREAM, shortened(STREAM, phrase.encode())) == phrase.encode()


def test_what_a_run_says_takes_a_third_of_its_room() -> None:
    assert len(shortened(STREAM, RESERVED)) <= len(RESERVED) / 3


def test_the_forms_are_those_of_the_schema() -> None:
    """They are on disk: a phrase is added at the end, with a new schema, or not at all."""
    assert len(_PHRASES) == 138
    assert (
        shortened(STREAM, RESERVED).hex()
        == "02492f0122025922737465702d3139382e312202380252313334373602513239023b0237023c7d"
    )


@pytest.mark.parametrize("kept", [b"\x02", b"\x08~", b"ab\x05\x7f"])
def test_what_stands_for_nothing_is_refused(kept: bytes) -> None:
    with pytest.raises(ValueError, match="stands for no phrase"):
        spelled_out(STREAM, kept)


bodies = st.binary(max_size=40) | st.lists(st.sampled_from([p.encode() for p in _PHRASES])).map(b"".join)
forms = bodies.map(lambda body: shortened("a/KEY", body)) | st.text("\x00\x01\x02\x03\x04\x1f ~aA", max_size=6).map(
    str.encode
)


@given(st.lists(forms, min_size=1, max_size=5))
def test_many_are_spelled_out_as_each_is(kept: list[bytes]) -> None:
    told = Speller().spelled(kept)

    if told is None:
        assert any(form[:1] == b"\x00" or not is_form(form) for form in kept)
    else:
        assert [body.replace(b"\x01", b"KEY") for body in told] == [spelled_out("a/KEY", form) for form in kept]


def is_form(kept: bytes) -> bool:
    try:
        return bool(spelled_out("a/KEY", kept)) or True
    except ValueError:
        return False


def test_what_was_said_once_is_not_remembered_for_ever() -> None:
    speller = Speller()
    for number in range(3):
        speller.spelled([b'\x02 "%d",' % (number * 10_000 + more) for more in range(3_000)])

    assert speller.spelled([b'\x02 "29999",']) == [b"%b" % spelled_out("", b'\x02 "29999",')]
    assert len(speller._seconds.__self__) <= 4_096  # type: ignore[attr-defined]  # a bound method of a dict
