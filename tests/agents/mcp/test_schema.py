"""Schemas of strangers: values are held against them in a time that their authors cannot stretch."""

from __future__ import annotations

import time

import pytest

pytest.importorskip("jsonschema", reason="the extra is missing: pip install 'choragus[mcp]'")

from choragus.agents.mcp.schema import Schema


@pytest.mark.parametrize(
    ("document", "value", "fault"),
    [
        ({"properties": {"a": {"type": "integer"}}}, {"a": "1"}, "'1' is not of type 'integer' - at `$.a`"),
        ({"properties": {"a": {"pattern": "^[a-z]+$"}}}, {"a": "B"}, "'B' does not match '^[a-z]+$' - at `$.a`"),
        ({"properties": {"a": {"pattern": "b"}}}, {"a": "abc"}, ""),
        ({"properties": {"a": {"pattern": "^a|c$"}}}, {"a": "xc"}, ""),
        ({"properties": {"a": {"pattern": "(?=x)"}}}, {"a": "y"}, ""),
        ({"properties": {}, "additionalProperties": False}, {"b": 1}, "it takes no 'b' - at `$`"),
        ({"patternProperties": {"^x-": {"type": "string"}}, "additionalProperties": False}, {"x-a": "1"}, ""),
        ({"patternProperties": {"^x-": {"type": "string"}}}, {"x-a": 1}, "1 is not of type 'string' - at `$['x-a']`"),
        ({"additionalProperties": {"type": "string"}}, {"a": 1}, "1 is not of type 'string' - at `$.a`"),
        ({"$defs": {"n": {"type": "integer"}}, "properties": {"a": {"$ref": "#/$defs/n"}}}, {"a": 1}, ""),
        ({"properties": {"a": {"$ref": "#/$defs/n"}}}, {"a": 1}, "its schema refers to '/$defs/n', which is not in it"),
    ],
)
def test_a_value_is_held_against_a_schema(document: dict[str, object], value: object, fault: str) -> None:
    assert Schema({"type": "object", **document}).fault(value) == fault


def test_s18_a_schema_cannot_take_for_ever() -> None:
    doubled: dict[str, object] = {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(40)}
    tree = {"type": "object", "$ref": "#/$defs/d0", "$defs": {**doubled, "d40": {}}}
    began = time.process_time()

    assert Schema(tree).fault({}) == "its schema refers to itself too often to be checked"
    assert Schema({"type": "object", "$ref": "#"}).fault({}) == "its schema refers to itself too often to be checked"
    evil = Schema({"type": "object", "properties": {"a": {"pattern": "^(a+)+$"}}})
    assert evil.fault({"a": "a" * 2_000 + "!"}) != ""
    assert time.process_time() - began < 5.0


@pytest.mark.parametrize(
    ("document", "why"),
    [
        (
            {"$ref": "http://127.0.0.1/x"},
            r"^it refers to 'http://127.0.0.1/x', and nothing outside of it",
        ),
        ({"type": 5}, r"^it is no JSON Schema"),
        ({"$schema": []}, r"^it is no JSON Schema"),
        ({"$schema": 1}, r"^it is no JSON Schema"),
    ],
)
def test_s18_a_schema_leads_nowhere_and_is_one(document: dict[str, object], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Schema(document)
