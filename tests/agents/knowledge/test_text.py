"""What a text is cut into, what it is kept with, and what cannot be kept."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.agents.play import scripted

from choragus.agents.agent import Agent
from choragus.agents.errors import AgentFault
from choragus.agents.knowledge.chunk import chunks
from choragus.agents.knowledge.declaration import Library, by_name, library_key
from choragus.agents.knowledge.label import labels_within
from choragus.agents.knowledge.text import LONGEST, from_record, made
from choragus.agents.runtime import Runtime
from choragus.agents.scripted import ScriptedModel


@given(st.text(alphabet="ab .!\n\t\u00a0", max_size=200), st.integers(1, 40))
def test_parts_are_short_enough_and_make_up_the_text(text: str, most: int) -> None:
    parts = chunks(text, most)

    assert "".join(parts) == text
    assert all(0 < len(part) <= most for part in parts)


def test_paragraphs_stay_together_as_far_as_they_fit() -> None:
    text = "One two.\n\nThree four.\n\n" + "Long sentence here. " * 3

    assert chunks(text, 30) == [
        "One two.\n\nThree four.\n\n",
        "Long sentence here. ",
        "Long sentence here. ",
        "Long sentence here. ",
    ]


def test_what_nobody_vouches_for_is_untrusted() -> None:
    assert made("text", most=100, source="https://example.org").labels == ("untrusted https://example.org",)
    assert made("text", most=100).labels == ("untrusted memory",)
    assert made("text", most=100, labels=["user", "tool read_mail"]).labels == ("user", "tool read_mail")


@pytest.mark.parametrize("label", ["plan", "reads", "free x", "tool x $", "own", "trusted", ""])
def test_s22_a_label_that_would_mean_something_else_is_refused(label: str) -> None:
    with pytest.raises(ValueError, match=r"is no source: give 'user', 'developer', 'runtime'"):
        made("text", most=100, labels=[label])


@pytest.mark.parametrize(
    "beside",
    [
        {"run": 5},
        {"call": "\ud83d"},
        {"run": "x" * 600},
        {"labels": 5},
        {"labels": ["untrusted \ud83d"]},
        {"labels": ["untrusted " + "x" * 2_000]},
    ],
    ids=ascii,
)
def test_what_could_not_be_read_again_is_not_put_beside_a_text(beside: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"no text|no valid Unicode|is no list|characters"):
        made("text", most=100, **beside)  # type: ignore[arg-type]  # wrong on purpose


@pytest.mark.parametrize("record", [5, "x", None, {"id": "a", "text": "b", "at": float("inf")}], ids=repr)
def test_what_is_no_record_is_refused(record: object) -> None:
    with pytest.raises(ValueError, match=r"is no record of an export|is no time"):
        from_record(record, 100)  # type: ignore[arg-type]  # wrong on purpose


def test_the_same_text_with_other_labels_is_another_document() -> None:
    one, same, other = (made("text", most=100, labels=[label]) for label in ("user", "user", "developer"))

    assert one.id == same.id != other.id


@pytest.mark.parametrize(
    ("text", "options", "reason"),
    [
        ("", {}, "^the text has 0 characters: give 1 to 4,000,000"),
        (" \n", {}, "not only white space"),
        ("x" * (LONGEST + 1), {}, "^the text has 4,000,001 characters"),
        ("text", {"subject": "s" * 513}, "^subject='s+ is too long"),
        ("half \ud800", {}, "no valid Unicode"),
        ("text", {"labels": "user"}, r"^labels='user' is one text: give a list, \['user'\]"),
    ],
    ids=["empty", "blank", "long", "subject", "unicode", "labels"],
)
def test_what_cannot_be_kept_is_refused_with_the_remedy(text: str, options: dict[str, str], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        made(text, most=100, **options)  # type: ignore[arg-type]  # that is the point


@pytest.mark.parametrize(
    "record",
    [{}, {"id": "a", "text": "t", "at": "now"}, {"id": "a", "text": "t", "at": 1.0, "sha256": "no"}],
    ids=["empty", "type", "changed"],
)
def test_what_is_no_record_is_not_restored(record: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"give what `export` gave|it was changed since"):
        from_record(record, 100)


@pytest.mark.parametrize(
    "name", ["", "*", "a*", "%", "../a", "a/b", ".a", "a b", "a'--", "a\0", "x" * 129, None, "a\n"]
)
def test_s23_a_name_is_no_pattern_and_no_path(name: str) -> None:
    with pytest.raises(ValueError, match="is no name for a library"):
        Library(name)
    with pytest.raises(ValueError, match="is no name for a namespace"):
        library_key("facts", name)


@pytest.mark.parametrize(
    "options",
    [{"keep_seconds": 0}, {"keep_seconds": True}, {"most_documents": 0}, {"chunk": 99}, {"embedder": "numpy"}],
    ids=str,
)
def test_a_library_refuses_what_is_no_option(options: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"^Library\("):
        Library("facts", **options)  # type: ignore[arg-type]  # that is the point


@pytest.mark.parametrize(
    "options", [{"libraries": Library("facts")}, {"libraries": 5}, {"episodes": "yes"}, {"episodes": 5}], ids=str
)
def test_a_runtime_refuses_what_is_no_library(options: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"^(libraries|episodes)=.*Library\('"):
        Runtime(agents=[scripted("done")], **options)  # type: ignore[arg-type]  # that is the point


def test_an_agent_keeps_episodes_or_not() -> None:
    with pytest.raises(AgentFault, match=r"^episodes='no' of agent 'a' is neither True nor False$"):
        Agent("a", model=ScriptedModel(["done"]), episodes="no")  # type: ignore[arg-type]  # that is the point


def test_two_libraries_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="two libraries are named 'facts'"):
        by_name([Library("facts"), Library("facts")])


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("[]", ("tool find $",)),
        ('[{"text": "a", "labels": ["user"]}]', ("user", "tool find $")),
        (
            '[{"text": "a", "labels": ["user"]}, {"text": "b", "labels": ["untrusted web"]}]',
            ("untrusted find", "user", "untrusted web", "tool find $[0].text"),
        ),
        ('[{"text": "a", "labels": []}]', ("untrusted find",)),
        ('[{"text": "a", "lab', ("untrusted find",)),
        ('"withheld"', ("untrusted find",)),
    ],
    ids=["none", "trusted", "mixed", "unlabelled", "cut", "text"],
)
def test_s22_a_result_has_the_labels_of_its_parts(text: str, labels: tuple[str, ...]) -> None:
    assert labels_within("find", text) == labels
