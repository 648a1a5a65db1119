"""The parts below the formats: events out of bytes, and schemas that can be held to."""

from __future__ import annotations

import pytest

from choragus.agents.provider.event_stream import EventStream
from choragus.agents.provider.schema import NUMBERS_AND_LENGTHS, is_strict

from .shape import CLOSED


@pytest.mark.parametrize(
    ("schema", "strict"),
    [
        (CLOSED, True),
        ({**CLOSED, "required": []}, False),
        ({"type": "object"}, False),
        ({"type": "array", "items": CLOSED}, True),
        ({"type": "array", "items": {}}, False),
        ({"anyOf": [CLOSED, {"type": "null"}]}, True),
        ({"oneOf": [CLOSED]}, False),
        ({**CLOSED, "$defs": {"a": {"type": "object"}}}, False),
        ({"type": "string"}, True),
    ],
)
def test_which_schemas_are_strict(schema: dict[str, object], strict: bool) -> None:
    assert is_strict(schema) is strict


def test_a_provider_may_take_fewer_schemas_or_more() -> None:
    assert is_strict({**CLOSED, "required": []}, optional=True)
    assert not is_strict({"type": "integer", "minimum": 1}, without=NUMBERS_AND_LENGTHS)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["lf", "crlf", "cr"])
def test_events_are_found_however_their_lines_end_and_wherever_they_are_cut(end: str) -> None:
    wire = end.join([": hello", "event: a", "data: 1", "data: 2", "", "data:3", "", "data: lost"]).encode()

    for at in range(len(wire)):
        stream = EventStream()
        found = [(each.name, each.data) for each in [*stream.take(wire[:at]), *stream.take(wire[at:])]]

        assert found == [("a", "1\n2"), ("", "3")]
